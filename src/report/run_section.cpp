#include "report/run_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "report/html.hpp"
#include "report/job_results.hpp"
#include "report/table.hpp"

namespace vida::report {
namespace {

using Json = nlohmann::ordered_json;

/// A name in a file and what it is called on the page.
struct Name {
  const char* key;
  const char* words;
  const char* unit = "";
};

constexpr Name kRun[] = {{"job", "job"},
                         {"version", "vida"},
                         {"device_description", "device"},
                         {"threads", "CPU threads"},
                         {"precision", "precision"},
                         {"seed", "seed"}};
constexpr Name kSettings[] = {{"model.name", "model"},
                              {"model.n", "variables"},
                              {"model.forcing", "forcing F"},
                              {"model.dt", "time step"},
                              {"problem.target", "target"},
                              {"problem.file", "problem file"},
                              {"observations.file", "observation file"},
                              {"observations.operator", "observation operator"},
                              {"observations.noise", "noise variance"},
                              {"observations.cycles", "cycles"},
                              {"data", "images"},
                              {"weights", "weights"},
                              {"fit.family", "family"},
                              {"flow.layers", "layers"},
                              {"flow.hidden", "hidden units"}};
constexpr Name kSizes[] = {{"burn_in", "cycles left out"},        {"data_sets", "data sets"},
                           {"structure", "gain structure"},       {"optimizer", "optimiser"},
                           {"trajectories", "trajectories"},      {"problems", "posteriors"},
                           {"parameters", "parameters"},          {"steps", "steps"},
                           {"best_after", "best after", "steps"}, {"training_images", "training images"},
                           {"test_images", "test images"},        {"unknown_pixels", "unknown pixels"},
                           {"draws", "draws of each image"}};
constexpr Name kTimes[] = {{"seconds", "time of the job", "s"},
                           {"seconds_per_iteration", "time of an iteration", "s"},
                           {"seconds_classifier", "training of the classifier", "s"},
                           {"seconds_training", "training of the flow", "s"},
                           {"seconds_sampling", "sampling and scores", "s"},
                           {"runs_per_second", "runs", "1/s"},
                           {"member_steps_per_second", "member steps", "1/s"},
                           {"draws_per_second", "draws", "1/s"}};

std::string setting_of(const RunFolder& run, const std::string& key) {
  for (const auto& [name, value] : run.settings)
    if (name == key) return value;
  return "";
}

std::string fact(const std::string& words, const std::string& markup) {
  return markup.empty() ? "" : html::element("div", "<dt>" + html::escaped(words) + "</dt><dd>" + markup + "</dd>");
}

/// What was run, and on what.
std::string facts(const RunFolder& run) {
  std::string text = "\n";
  for (const Name& name : kRun) {
    const Json& value = member(run.summary, name.key);
    text += fact(name.words, value.is_number() ? value.dump() : json_cell(value).markup);
  }
  for (const Name& name : kSettings) text += fact(name.words, html::escaped(setting_of(run, name.key)));
  for (const Name& name : kSizes) {
    const std::string value = json_cell(member(run.summary, name.key)).markup;
    text += fact(name.words, value.empty() || !*name.unit ? value : value + " " + name.unit);
  }
  return html::element("dl", text);
}

std::string notes(const RunFolder& run) {
  std::vector<std::string> lines;
  if (!ended_well(run.summary)) lines.push_back("Not all is well: " + status_of(run.summary) + ".");
  for (const Json& note : member(run.summary, "notes"))
    if (note.is_string()) lines.push_back(note.get<std::string>());
  lines.insert(lines.end(), run.warnings.begin(), run.warnings.end());
  if (lines.empty()) return "";
  return fmt::format("<aside{}>\n{}</aside>\n", ended_well(run.summary) ? "" : " class=\"bad\"", html::list(lines));
}

std::string results(const Json& summary) {
  std::string text;
  for (const ResultTable& result : result_tables(summary)) {
    if (result.table.empty()) continue;
    std::string remarks;
    for (const std::string& remark : result.remarks) remarks += (remarks.empty() ? "" : " ") + html::escaped(remark);
    text += result.table.markup(result.caption);
    if (!remarks.empty()) text += "<p class=\"remark\">" + remarks + "</p>\n";
  }
  return text.empty() ? html::element("p", "The summary holds no scores.") : text;
}

std::string times(const Json& summary) {
  std::string text = "\n";
  for (const Name& name : kTimes)
    if (const Cell value = number_cell(number_in(summary, name.key)); !value.markup.empty())
      text += fact(name.words, value.markup + " " + name.unit);
  if (const Cell mebibytes = number_cell(number_in(summary, "peak_memory_bytes") / (1024 * 1024), 0);
      !mebibytes.markup.empty())
    text += fact("most memory in use", mebibytes.markup + " MiB");
  return text.size() > 1 ? html::element("h3", "Time and memory") + html::element("dl", text) : "";
}

/// A word for a shell.
std::string quoted(const std::string& word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](unsigned char letter) {
    return std::isalnum(letter) ||
           std::string_view("._-/+=:").find(static_cast<char>(letter)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string text = "'";
  for (const char letter : word) text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

/// How to run it again: its configuration holds every setting and paths that are absolute.
std::string command(const RunFolder& run) {
  const double threads = number_in(run.summary, "threads");
  return fmt::format("vida run {} --device {}{} --out NEW_FOLDER",
                     quoted((run.path / "config.toml").lexically_normal().string()), text_in(run.summary, "device"),
                     threads >= 1 ? fmt::format(" --threads {:.0f}", threads) : "");
}

}  // namespace

bool ended_well(const Json& summary) {
  return member(summary, "interrupted") != Json(true) && !(number_in(summary, "flagged") > 0);
}

std::string status_of(const Json& summary) {
  const double flagged = number_in(summary, "flagged");
  std::string text = member(summary, "interrupted") == Json(true) ? "interrupted, the results are those so far" : "";
  if (flagged > 0)
    text += fmt::format("{}{:.0f} {} flagged", text.empty() ? "" : "; ", flagged,
                        text_in(summary, "job") == "ensemble" ? (flagged > 1 ? "members" : "member")
                        : flagged > 1                         ? "problems"
                                                              : "problem");
  return text.empty() ? "finished" : text;
}

double seconds_of(const Json& summary) {
  if (const double whole = number_in(summary, "seconds"); std::isfinite(whole)) return whole;
  double sum = 0;
  bool any = false;
  for (const char* part : {"seconds_classifier", "seconds_training", "seconds_sampling"})
    if (const double seconds = number_in(summary, part); std::isfinite(seconds)) sum += seconds, any = true;
  return any ? sum : number_in(summary, "seconds_per_iteration") * number_in(summary, "iterations");
}

std::string run_section(const RunFolder& run, const std::string& pictures) {
  std::string text = facts(run) + notes(run) + html::element("h3", "Results") + results(run.summary);
  if (!pictures.empty()) text += html::element("h3", "Figures") + pictures;
  text += times(run.summary) + html::element("h3", "Configuration");
  text += html::element("p", "To run it again: <code>" + html::escaped(command(run)) + "</code>");
  if (!run.configuration.empty())
    text += html::folded("config.toml, every setting with its value",
                         html::element("pre", html::escaped(run.configuration)));
  return text;
}

}  // namespace vida::report
