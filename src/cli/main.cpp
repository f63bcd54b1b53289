#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <new>

#include "cli/log.hpp"
#include "cli/options.hpp"
#include "io/files.hpp"
#include "io/settings.hpp"
#include "vida/version.hpp"

namespace {

void define_device(CLI::App& app, vida::DeviceOptions& device) {
  app.add_option("--device", device.name, "auto, cpu, cuda or cuda:K (auto)")
      ->envname("VIDA_DEVICE")
      ->type_name("NAME");
  app.add_option("--threads", device.threads, "CPU threads; 0 takes every core (0)")
      ->envname("VIDA_THREADS")
      ->type_name("N");
}

void define_log(CLI::App& app) {
  using vida::cli::Log;
  static const std::map<std::string, Log::Level> levels = {{"error", Log::Level::error},
                                                           {"warning", Log::Level::warning},
                                                           {"info", Log::Level::info},
                                                           {"debug", Log::Level::debug}};
  static const std::map<std::string, Log::Format> formats = {{"text", Log::Format::text}, {"json", Log::Format::json}};
  app.add_option("--log-level", vida::cli::log().level, "what is told on stderr: error, warning, info or debug (info)")
      ->transform(CLI::CheckedTransformer(levels).description(""))
      ->type_name("LEVEL");
  app.add_option("--log-format", vida::cli::log().format, "text, or json for programs: one object a line (text)")
      ->transform(CLI::CheckedTransformer(formats).description(""))
      ->type_name("FORMAT");
}

void define_run(CLI::App& app, vida::cli::RunOptions& options) {
  app.add_option("config", options.config, "configuration; 'vida init learn-gain' prints one")
      ->type_name("CONFIG.toml");
  app.add_option("--set", options.settings, "replace one setting; may be given several times")
      ->type_name("SECTION.KEY=VALUE")
      ->expected(1)
      ->take_all();
  const auto at_least_0 = CLI::Range(0.0, std::numeric_limits<double>::max()).description("");
  auto* out = app.add_option("--out", options.out, "folder for the results (runs/<name of the configuration>)")
                  ->type_name("DIR");
  app.add_option("--resume", options.resume, "go on with the run that was stopped in this folder")
      ->type_name("DIR")
      ->excludes(out);
  app.add_option("--checkpoint", options.checkpoint.seconds,
                 "seconds of work between checkpoints; 0: only when interrupted (60)")
      ->check(at_least_0)
      ->type_name("SECONDS");
  app.add_option("--checkpoint-steps", options.checkpoint.steps,
                 "also a checkpoint after so many steps at which the job can be left; 0: not by count (0)")
      ->check(at_least_0)
      ->type_name("N");
  define_device(app, options.device);
  app.add_flag("--force", options.force, "replace a result that is already there");
  define_log(app);
  app.add_flag("--quiet", options.quiet, "no progress and no table; errors and warnings are still told");
}

void define_check(CLI::App& app, vida::cli::CheckOptions& options) {
  app.add_option("config", options.config, "configuration; 'vida init learn-gain' prints one")
      ->required()
      ->type_name("CONFIG.toml");
  app.add_option("--set", options.settings, "replace one setting; may be given several times")
      ->type_name("SECTION.KEY=VALUE")
      ->expected(1)
      ->take_all();
  define_device(app, options.device);
  app.footer(
      "Says what 'vida run' would do, the memory and the time that it would take, and what it would write.\n"
      "Exit codes: 0 it can run, 2 usage or configuration, 3 it takes more memory than may be planned with.");
}

void define_schema(CLI::App& app, vida::cli::SchemaOptions& options) {
  app.add_option("job", options.job, "the settings of one job; left out: of all")->type_name("JOB");
  auto* json = app.add_flag("--json", options.json, "as JSON");
  app.add_flag("--words", options.words, "a key in each line and the words that it accepts, for completion in a shell")
      ->excludes(json);
}

/// What sample and density share; `out` is the name of the result.
void define_flow_command(CLI::App& app, vida::cli::FlowCommandOptions& options, const std::string& out) {
  options.out = out;
  app.add_option("--context", options.context,
                 "numbers with commas between them, or a NetCDF file that holds context or y [.., c]; needed where the "
                 "flow has a context")
      ->type_name("A,B,..|FILE.nc");
  app.add_option("--problem", options.problem, "which flow of a file of several (0)")->type_name("K");
  app.add_option("--out", options.out, "file for the result (" + out + ")")->type_name("FILE.nc");
  app.add_option("--precision", options.precision, "float32 or float64 (float32)")->type_name("TYPE");
  define_device(app, options.device);
  app.add_flag("--force", options.force, "replace a file that is already there");
  define_log(app);
  app.add_flag("--quiet", options.quiet, "no last line; errors and warnings are still told");
}

void define_sample(CLI::App& app, vida::cli::SampleOptions& options) {
  app.add_option("flow", options.flow, "a trained flow")->required()->type_name("FLOW.safetensors");
  app.add_option("--count", options.count, "draws, of each context")->required()->type_name("N");
  app.add_option("--seed", options.seed, "draw i of context k follows from (seed, k, i) alone (0)")->type_name("S");
  define_flow_command(app, options, "samples.nc");
  app.footer(
      "Writes x [draw, state] and log_density [draw]; for a flow with a context x [context, draw, state],\n"
      "log_density [context, draw] and the contexts as y [context, feature].");
}

void define_density(CLI::App& app, vida::cli::DensityOptions& options) {
  app.add_option("flow", options.flow, "a trained flow")->required()->type_name("FLOW.safetensors");
  app.add_option("points", options.points, "holds x [point, state]; or [context, point, state]")
      ->required()
      ->type_name("POINTS.nc");
  define_flow_command(app, options, "density.nc");
  app.footer(
      "Writes log_density [point]; for a flow with a context log_density [context, point] and the contexts as\n"
      "y [context, feature]. Points [point, state] are then taken at every context.");
}

void define_report(CLI::App& app, vida::cli::ReportOptions& options) {
  app.add_option("folders", options.folders, "what 'vida run' left")->required()->type_name("DIR");
  app.add_option("--out", options.out, "file for the page (DIR/report.html, or report.html for several folders)")
      ->type_name("FILE.html");
  app.add_option("--title", options.title, "heading of the page")->type_name("TEXT");
  app.add_flag("--force", options.force, "replace a file that is already there");
  define_log(app);
  app.add_flag("--quiet", options.quiet, "no last line; errors and warnings are still told");
  app.footer("With several folders the page begins with the settings that differ and the scores side by side.");
}

int command(int argc, char** argv) {
  CLI::App app("vida: batches of posteriors, filters, learned gains and ensembles, on the CPU or a GPU", "vida");
  app.set_version_flag("--version", fmt::format("vida {}", vida::kVersion));
  app.require_subcommand(1);
  app.footer(
      "Start with: vida init learn-gain > gain.toml && vida run gain.toml && vida report runs/gain\n"
      "Exit codes: 0 finished, 1 nothing usable, 2 usage or configuration, 3 finished with flagged problems,\n"
      "            130 or 143 interrupted: the results so far are written where there are some, and\n"
      "            'vida run --resume DIR' goes on.");

  vida::cli::RunOptions run_options;
  auto* run = app.add_subcommand("run", "run the job that a configuration describes");
  define_run(*run, run_options);
  vida::cli::CheckOptions check_options;
  auto* check = app.add_subcommand("check", "tell what a configuration would do, in which memory and time");
  define_check(*check, check_options);
  vida::cli::ReportOptions report_options;
  auto* report = app.add_subcommand("report", "make one page of what runs left: scores, figures, settings");
  define_report(*report, report_options);
  vida::cli::SampleOptions sample_options;
  auto* sample = app.add_subcommand("sample", "draw from a trained flow");
  define_sample(*sample, sample_options);
  vida::cli::DensityOptions density_options;
  auto* density = app.add_subcommand("density", "log density of a trained flow at given points");
  define_density(*density, density_options);
  std::string example;
  auto* init = app.add_subcommand("init", "print a commented example configuration");
  init->add_option(
          "name", example,
          "learn-gain, evaluate-gain, ensemble, gaussian-vi, flow-vi, amortized, assimilate, sweep or inpainting")
      ->required()
      ->type_name("NAME");
  vida::cli::SchemaOptions schema_options;
  auto* schema = app.add_subcommand("schema", "print every setting of a configuration: the reference");
  define_schema(*schema, schema_options);
  auto* list = app.add_subcommand("list", "print jobs, models, filters, operators and gain structures");
  app.add_subcommand("info", "print version, build, CPU and what is known about CUDA");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
    const std::string word = argc > 1 ? argv[1] : "";
    const std::vector<std::string> commands = {"run",  "check",  "report", "sample", "density",
                                               "init", "schema", "list",   "info"};
    if (!word.empty() && word[0] != '-' && std::find(commands.begin(), commands.end(), word) == commands.end()) {
      const std::string near = vida::io::nearest(word, commands);
      fmt::print(stderr, "vida: {} is not a command; {}\n", word,
                 near.empty() ? "expected run, check, report, sample, density, init, schema, list or info."
                              : "did you mean " + near + "?");
      return vida::cli::kUsage;
    }
    const std::string known = std::find(commands.begin(), commands.end(), word) != commands.end() ? word : "run";
    fmt::print(stderr, "vida: {}\n      'vida --help' and 'vida {} --help' show what can be said.\n", error.what(),
               known);
    return vida::cli::kUsage;
  }
  if (run->parsed()) return vida::cli::run(run_options);
  if (check->parsed()) return vida::cli::check(check_options);
  if (report->parsed()) return vida::cli::report(report_options);
  if (sample->parsed()) return vida::cli::sample(sample_options);
  if (density->parsed()) return vida::cli::density(density_options);
  if (init->parsed()) return vida::cli::init(example);
  if (schema->parsed()) return vida::cli::schema(schema_options);
  return list->parsed() ? vida::cli::list() : vida::cli::info();
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is then an error with a message
  try {
    return command(argc, argv);
  } catch (const vida::io::WriteError& error) {
    vida::cli::log().error(error.what());
    std::fflush(nullptr);
    std::_Exit(vida::cli::kNothingUsable);  // HDF5's exit handler crashes over a file that it could not complete
  } catch (const vida::FileError& error) {
    vida::cli::log().error(error.what());
    return vida::cli::kUsage;
  } catch (const vida::InvalidArgument& error) {
    vida::cli::log().error(error.what());
    return vida::cli::kUsage;
  } catch (const std::bad_alloc&) {
    vida::cli::log().error(vida::cli::kNoMemory);
  } catch (const std::exception& error) {
    vida::cli::log().error(error.what());
  }
  return vida::cli::kNothingUsable;
}
