#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "cli/options.hpp"
#include "io/files.hpp"
#include "io/settings.hpp"
#include "vida/version.hpp"

namespace {

void define_run(CLI::App& app, vida::cli::RunOptions& options) {
  app.add_option("config", options.config, "configuration; 'vida init learn-gain' prints one")
      ->required()
      ->type_name("CONFIG.toml");
  app.add_option("--set", options.settings, "replace one setting; may be given several times")
      ->type_name("SECTION.KEY=VALUE")
      ->expected(1)
      ->take_all();
  app.add_option("--out", options.out, "folder for the results (runs/<name of the configuration>)")->type_name("DIR");
  app.add_option("--device", options.device.name, "auto, cpu, cuda or cuda:K (auto)")
      ->envname("VIDA_DEVICE")
      ->type_name("NAME");
  app.add_option("--threads", options.device.threads, "CPU threads; 0 takes every core (0)")
      ->envname("VIDA_THREADS")
      ->type_name("N");
  app.add_flag("--force", options.force, "replace a result that is already there");
  app.add_flag("--quiet", options.quiet, "no progress and no table; errors are still reported");
}

int command(int argc, char** argv) {
  CLI::App app("vida: batches of posteriors, filters, learned gains and ensembles, on the CPU or a GPU", "vida");
  app.set_version_flag("--version", fmt::format("vida {}", vida::kVersion));
  app.require_subcommand(1);
  app.footer(
      "Start with: vida init learn-gain > gain.toml && vida run gain.toml\n"
      "Exit codes: 0 finished, 1 nothing usable, 2 usage or configuration, 3 finished with flagged problems,\n"
      "            130 or 143 interrupted (results so far are written).");

  vida::cli::RunOptions run_options;
  auto* run = app.add_subcommand("run", "run the job that a configuration describes");
  define_run(*run, run_options);
  std::string example;
  auto* init = app.add_subcommand("init", "print a commented example configuration");
  init->add_option("name", example, "learn-gain, evaluate-gain, ensemble or gaussian-vi")
      ->required()
      ->type_name("NAME");
  auto* list = app.add_subcommand("list", "print jobs, models, filters, operators and gain structures");
  app.add_subcommand("info", "print version, build, CPU and what is known about CUDA");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
    const std::string word = argc > 1 ? argv[1] : "";
    const std::vector<std::string> commands = {"run", "init", "list", "info"};
    if (!word.empty() && word[0] != '-' && std::find(commands.begin(), commands.end(), word) == commands.end()) {
      const std::string near = vida::io::nearest(word, commands);
      fmt::print(stderr, "vida: {} is not a command; {}\n", word,
                 near.empty() ? "expected run, init, list or info." : "did you mean " + near + "?");
      return vida::cli::kUsage;
    }
    fmt::print(stderr, "vida: {}\n      'vida --help' and 'vida run --help' show what can be said.\n", error.what());
    return vida::cli::kUsage;
  }
  if (run->parsed()) return vida::cli::run(run_options);
  if (init->parsed()) return vida::cli::init(example);
  return list->parsed() ? vida::cli::list() : vida::cli::info();
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is then an error with a message
  try {
    return command(argc, argv);
  } catch (const vida::io::WriteError& error) {
    fmt::print(stderr, "vida: {}\n", error.what());
    std::fflush(nullptr);
    std::_Exit(vida::cli::kNothingUsable);  // HDF5's exit handler crashes over a file that it could not complete
  } catch (const vida::FileError& error) {
    fmt::print(stderr, "vida: {}\n", error.what());
    return vida::cli::kUsage;
  } catch (const vida::InvalidArgument& error) {
    fmt::print(stderr, "vida: {}\n", error.what());
    return vida::cli::kUsage;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "vida: the memory of this machine is exhausted. Make the batch or the problem smaller.\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "vida: {}\n", error.what());
  }
  return vida::cli::kNothingUsable;
}
