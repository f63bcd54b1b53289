#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/device.hpp"
#include "cli/interrupt.hpp"
#include "cli/log.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "cli/ranks.hpp"
#include "io/config.hpp"
#include "io/files.hpp"
#include "jobs/job.hpp"
#include "jobs/run_checkpoint.hpp"
#include "report/figures.hpp"
#include "vida/error.hpp"

namespace vida::cli {
namespace {

void draw_figures(const std::filesystem::path& folder) {
  const auto figures = report::write_figures(folder);
  if (!figures.warning.empty()) log().warning(figures.warning);
}

int finish(const RunOptions& options, const jobs::Outcome& outcome, io::OutputFolder& folder,
           const jobs::RunCheckpoint& checkpoint, int signal) {
  const std::string path = folder.path().string();
  const bool goes_on = outcome.interrupted && checkpoint.safe();
  for (const auto& note : outcome.notes) log().warning(note);
  if (outcome.usable) {
    if (!outcome.interrupted) folder.obsolete(jobs::RunCheckpoint::kFile);
    folder.commit();
    draw_figures(folder.path());
    if (!options.quiet) fmt::print("{}results are in {}\n", outcome.table, path);
  } else if (!outcome.interrupted) {
    log().error("there is nothing usable to write.");
    checkpoint.remove();
  }
  if (outcome.interrupted)
    log().warning(fmt::format("interrupted{}.{}", outcome.usable ? "; the results so far are in " + path : "",
                              goes_on ? fmt::format(" 'vida run --resume {}' goes on.", path) : ""));
  if (outcome.interrupted && signal) return 128 + signal;
  if (!outcome.usable) return kNothingUsable;
  return outcome.flagged > 0 ? kFlagged : kFinished;
}

/// What is to be run, and where.
struct Assignment {
  io::ConfigSource source;
  std::string out;
  bool replace = false;
  std::optional<io::Checkpoint> found;
};

bool holds(const std::string& folder, const char* file) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(folder) / file, error);
}

/// A run to go on with; none when it is finished.
std::optional<Assignment> assignment_of_resumed(const RunOptions& options) {
  const std::string& folder = options.resume;
  auto found = jobs::RunCheckpoint::in(folder);
  if (!found) {
    if (holds(folder, "summary.json")) return {};
    if (!options.config.empty())
      return Assignment{io::config_source(options.config, options.settings), folder, false, {}};
    throw FileError(
        fmt::format("--resume '{0}': the folder holds no {1}. Name the folder of a run that was stopped, or "
                    "the configuration, too, to begin one there: vida run CONFIG.toml --resume {0}",
                    folder, jobs::RunCheckpoint::kFile));
  }
  if (options.config.empty() && !options.settings.empty())
    throw InvalidArgument(
        fmt::format("--resume {}: --set changes the run. Leave it out, or name the configuration as well, to see what "
                    "differs.",
                    folder));
  auto source = options.config.empty() ? jobs::RunCheckpoint::source_of(*found)
                                       : io::config_source(options.config, options.settings);
  return Assignment{std::move(source), folder, true, std::move(found)};
}

Assignment assignment_of(const RunOptions& options) {
  if (options.config.empty())
    throw InvalidArgument("vida run needs a configuration, or --resume DIR. 'vida init learn-gain' prints one.");
  std::string out = options.out;
  if (out.empty()) out = (std::filesystem::path("runs") / options.config.stem()).string();
  if (!options.force && holds(out, jobs::RunCheckpoint::kFile))
    throw FileError(
        fmt::format("--out '{0}' holds the checkpoint of a run that was stopped. Go on with it by 'vida run "
                    "--resume {0}', or add --force to begin anew.",
                    out));
  return {io::config_source(options.config, options.settings), out, options.force, {}};
}

std::optional<Assignment> assignment(const RunOptions& options) {
  return options.resume.empty() ? assignment_of(options) : assignment_of_resumed(options);
}

/// Together: what this rank computes on, when all of them fit together.
Device device_for(const io::Config& config, const RunOptions& options, ranks::Ranks& ranks) {
  jobs::require_shared(config, ranks);
  Device device = open_device(device_of_rank(options.device, ranks));
  agree(config, device, ranks);
  return device;
}

/// The run of the first rank: it reads the terminal, writes the files and speaks.
int lead(const RunOptions& options, ranks::Ranks& ranks) {
  if (options.quiet) log().level = std::min(log().level, Log::Level::warning);
  std::optional<Assignment> work = assignment(options);
  if (!work) {
    if (!options.quiet) fmt::print("{} holds a finished run; there is nothing to go on with.\n", options.resume);
    return kFinished;
  }
  const io::Config config = io::load_config(work->source);

  const InterruptGuard guard;
  const Device device = device_for(config, options, ranks);
  log().debug(fmt::format("job {} on {}, {}, {} threads; a call may plan with {:.3g} GB.", config.job(), device.name(),
                          device.description(), device.threads(), static_cast<double>(device.memory_limit()) / 1e9));
  io::OutputFolder folder(work->out, work->replace);
  ProgressLine progress;
  const auto warn = [&](const std::string& text) {
    progress.finish();
    log().warning(text);
  };
  jobs::RunCheckpoint checkpoint(folder, work->source, config, device, options.checkpoint, std::move(work->found),
                                 {warn, [&](const std::string& text) { log().debug(text); }});
  if (checkpoint.resumed())
    log().info(fmt::format("the run in {} goes on after {}.", work->out, duration_text(checkpoint.seconds_before())));
  const auto monitor = [&](const jobs::Status& status) {
    progress.show(status);
    return InterruptGuard::signal() == 0;
  };
  jobs::Outcome outcome;
  int code = kFinished;
  try {
    outcome = jobs::run_job(device, config, folder, monitor, checkpoint, ranks);
    progress.finish();
    code = finish(options, outcome, folder, checkpoint, InterruptGuard::signal());
  } catch (const std::exception&) {
    progress.finish();
    if (checkpoint.safe())
      log().warning(fmt::format("the run has ended by an error; its state is kept, and 'vida run --resume {}' goes on.",
                                work->out));
    throw;
  }
  log().event(Log::Level::info, "end",
              {{"job", config.job()},
               {"folder", work->out},
               {"exit_code", code},
               {"flagged", outcome.flagged},
               {"interrupted", outcome.interrupted},
               {"seconds", checkpoint.seconds()}});
  return code;
}

/// The run of any other rank.
int help(const RunOptions& options, ranks::Ranks& ranks) {
  log().level = Log::Level::error;  // what there is to say, the first rank says
  const std::optional<Assignment> work = assignment(options);
  if (!work) return kFinished;
  const io::Config config = io::load_config(work->source);
  const InterruptGuard guard;
  const Device device = device_for(config, options, ranks);
  jobs::help_job(
      device, config, [](const jobs::Status&) { return InterruptGuard::signal() == 0; }, ranks);
  return kFinished;
}

}  // namespace

int run(const RunOptions& options) {
  const auto ranks = ranks::of_this_launch();
  if (ranks->alone()) return lead(options, *ranks);
  return on_rank(*ranks, [&] { return ranks->first() ? lead(options, *ranks) : help(options, *ranks); });
}

}  // namespace vida::cli
