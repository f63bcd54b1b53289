#include "report/page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/comparison.hpp"
#include "report/html.hpp"
#include "report/page_style.hpp"
#include "report/pictures.hpp"
#include "report/run_section.hpp"
#include "vida/version.hpp"

namespace vida::report {

std::vector<RunFolder> read_runs(const std::vector<std::filesystem::path>& folders) {
  std::vector<RunFolder> runs;
  for (const auto& folder : folders) runs.push_back(read_run(folder));
  std::vector<std::string> names;
  for (const RunFolder& run : runs) names.push_back(run.name);
  for (RunFolder& run : runs)
    if (std::count(names.begin(), names.end(), run.name) > 1) run.name = run.path.string();
  return runs;
}

Page make_page(std::vector<RunFolder> runs, const std::string& title) {
  Page page;
  std::vector<std::string> ids;
  std::string sections;
  for (RunFolder& run : runs) {
    ids.push_back(fmt::format("run-{}", ids.size() + 1));
    const Pictures pictures = pictures_of(run.path);
    run.warnings.insert(run.warnings.end(), pictures.warnings.begin(), pictures.warnings.end());
    for (const std::string& warning : run.warnings) page.warnings.push_back(run.path.string() + ": " + warning);
    const std::string name = runs.size() > 1 ? html::element("h2", html::escaped(run.name)) : "";
    sections +=
        fmt::format("<section id=\"{}\">\n{}{}</section>\n", ids.back(), name, run_section(run, pictures.markup));
  }
  const std::string heading = !title.empty()    ? title
                              : runs.size() > 1 ? fmt::format("{} runs of vida", runs.size())
                                                : text_in(runs.front().summary, "job") + ": " + runs.front().name;
  const std::string top = html::element("header", html::element("h1", html::escaped(heading)));
  const std::string foot = html::element("footer", fmt::format("Made by vida {}.", kVersion));
  page.html = html::page(heading, kPageStyle, top + (runs.size() > 1 ? comparison(runs, ids) : "") + sections + foot);
  return page;
}

}  // namespace vida::report
