#include <fmt/format.h>

#include "cli/log.hpp"
#include "cli/options.hpp"
#include "cli/output_file.hpp"
#include "report/page.hpp"

namespace vida::cli {

int report(const ReportOptions& options) {
  auto runs = report::read_runs(options.folders);
  const std::filesystem::path target = !options.out.empty()         ? std::filesystem::path(options.out)
                                       : options.folders.size() > 1 ? "report.html"
                                                                    : options.folders.front() / "report.html";
  OutputFile file(target, options.force);
  const auto page = report::make_page(std::move(runs), options.title);
  io::write_text(file.pending(), page.html);
  file.commit();
  for (const auto& warning : page.warnings) log().warning(warning);
  if (!options.quiet) fmt::print("the report is in {}\n", target.string());
  return kFinished;
}

}  // namespace vida::cli
