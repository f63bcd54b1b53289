#include <fmt/format.h>

#include "cli/device.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "io/config.hpp"
#include "io/files.hpp"
#include "jobs/job.hpp"
#include "report/figures.hpp"

namespace vida::cli {
namespace {

void draw_figures(const std::filesystem::path& folder) {
  const auto figures = report::write_figures(folder);
  if (!figures.warning.empty()) fmt::print(stderr, "vida: {}\n", figures.warning);
}

int finish(const RunOptions& options, const jobs::Outcome& outcome, io::OutputFolder& folder, bool draw, int signal) {
  for (const auto& note : outcome.notes) fmt::print(stderr, "vida: {}\n", note);
  if (!outcome.usable) {
    fmt::print(stderr, "vida: {}\n",
               outcome.interrupted ? "interrupted before there was a result." : "there is nothing usable to write.");
    return signal ? 128 + signal : static_cast<int>(kNothingUsable);
  }
  folder.commit();
  if (draw) draw_figures(folder.path());
  if (!options.quiet) fmt::print("{}results are in {}\n", outcome.table, folder.path().string());
  if (outcome.interrupted)
    fmt::print(stderr, "vida: interrupted; the results so far are in {}\n", folder.path().string());
  if (outcome.interrupted && signal) return 128 + signal;
  return outcome.flagged > 0 ? kFlagged : kFinished;
}

}  // namespace

int run(const RunOptions& options) {
  const io::Config config = io::load_config(options.config, options.settings);
  std::string out = options.out;
  if (out.empty()) out = (std::filesystem::path("runs") / options.config.stem()).string();

  const InterruptGuard guard;
  const Device device = open_device(options.device);
  io::OutputFolder folder(out, options.force);
  ProgressLine progress(options.quiet);
  const auto monitor = [&](const jobs::Status& status) {
    progress.show(status);
    return InterruptGuard::signal() == 0;
  };
  const auto outcome = jobs::run_job(device, config, folder, monitor);
  progress.finish();
  const bool draw = config.job() != "evaluate-gain";  // that result is numbers
  return finish(options, outcome, folder, draw, InterruptGuard::signal());
}

}  // namespace vida::cli
