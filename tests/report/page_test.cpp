#include "report/page.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "messages.hpp"
#include "report/markup.hpp"
#include "scratch.hpp"
#include "vida/error.hpp"

namespace vida::report {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;
using vida::testing::complaint_about;
using vida::testing::message_of;

/// A folder in which tests write what runs would have left.
class Pages : public ::testing::Test {
 protected:
  const fs::path folder_ = vida::testing::scratch("page", "runs");
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  fs::path run(const std::string& name, Json summary, const std::string& configuration = "seed = 0\n") const {
    const Json usual = {{"version", "0.1.0"}, {"device", "cpu"}, {"threads", 2}, {"seed", 7}};
    for (const auto& [key, value] : usual.items())
      if (!summary.contains(key)) summary[key] = value;
    write(name + "/summary.json", summary.dump());
    write(name + "/config.toml", configuration);
    return folder_ / name;
  }
  /// The page of these runs, which must be well-formed.
  std::string page(const std::vector<fs::path>& folders, const std::string& title = "") const {
    const std::string html = make_page(read_runs(folders), title).html;
    EXPECT_EQ(complaint_about(html), "");
    return html;
  }
  std::string refusal(const fs::path& path) const {
    return message_of<FileError>([&] { read_runs({path}); });
  }
};

Json filters(double rmse) {
  return {{"job", "assimilate"},
          {"cycles", 50},
          {"burn_in", 10},
          {"data_sets", 1},
          {"interrupted", false},
          {"filters",
           {{{"label", "etkf <N 20>"},
             {"rmse_analysis", rmse},
             {"rmse_analysis_error_bar", 0.0012},
             {"lost", 1},
             {"failed", 0},
             {"crps_analysis", nullptr}}}}};
}

TEST_F(Pages, TellWhatWasRunAndWhatCameOut) {
  const auto html = page({run("lorenz", filters(0.18341234567890123),
                              "[model]\nname = \"lorenz96\"\nn = 40\n[observations]\ncycles = 50\n")});
  EXPECT_THAT(html, HasSubstr("<h1>assimilate: lorenz</h1>"));
  for (const char* fact : {"<dt>model</dt><dd>lorenz96</dd>", "<dt>variables</dt><dd>40</dd>",
                           "<dt>CPU threads</dt><dd>2</dd>", "<dt>seed</dt><dd>7</dd>"})
    EXPECT_THAT(html, HasSubstr(fact));
  EXPECT_THAT(html, AllOf(HasSubstr("0.1834"), Not(HasSubstr("0.18341"))));
  EXPECT_THAT(html, HasSubstr("etkf &lt;N 20&gt;"));
  EXPECT_THAT(html, HasSubstr("<td class=\"n mark\">1</td>"));  // lost
  EXPECT_THAT(html, Not(HasSubstr(">CRPS, analysis<")));        // there is none
  EXPECT_THAT(html, HasSubstr("<details><summary>config.toml"));
}

TEST_F(Pages, EscapeEverythingThatComesFromFiles) {
  const std::string attack = "</title><script src='//x'>alert(1)</script>";
  Json summary = filters(0.2);
  summary["notes"] = {attack};
  summary["filters"][0]["label"] = attack;
  for (const char* key : {"version", "device", "device_description", "precision"}) summary[key] = attack;
  const auto folder = run("a<b>&'\"", summary, "seed = \"" + attack + "\"\n# " + attack + "\n");
  for (const auto& html : {page({folder}), page({folder, run("other", filters(0.3))}, attack)})
    EXPECT_THAT(html, AllOf(Not(HasSubstr("<script")), HasSubstr("&lt;script src=&#39;//x&#39;&gt;")));
}

TEST_F(Pages, SayHowToRunItAgain) {
  EXPECT_THAT(page({run("plain", filters(0.2))}), HasSubstr("plain/config.toml --device cpu --threads 2 --out"));
  EXPECT_THAT(page({run("it's", filters(0.2))}), HasSubstr("it&#39;\\&#39;&#39;s/config.toml&#39; --device cpu"));
}

TEST_F(Pages, TellNotesAndHowTheRunEnded) {
  Json summary = filters(0.2);
  EXPECT_THAT(page({run("fine", summary)}), HasSubstr("<aside>\n<ul>\n<li>there are no figures"));
  summary["notes"] = {"serial: it lost the truth."};
  EXPECT_THAT(page({run("noted", summary)}), HasSubstr("<aside>\n<ul>\n<li>serial: it lost the truth.</li>"));
  summary["interrupted"] = true;
  summary["flagged"] = 2;
  EXPECT_THAT(page({run("cut", summary)}),
              AllOf(HasSubstr("<aside class=\"bad\">"), HasSubstr("interrupted"), HasSubstr("2 problems flagged")));
}

TEST_F(Pages, CompareRunsOfOneJob) {
  const auto html = page({run("first", filters(0.2), "seed = 0\n[[filters]]\nmembers = 20\nmethod = \"etkf\"\n"),
                          run("second", filters(0.3), "seed = 0\n[[filters]]\nmembers = 40\nmethod = \"etkf\"\n")});
  EXPECT_THAT(html, HasSubstr("<h1>2 runs of vida</h1>"));
  EXPECT_THAT(html, HasSubstr("<td><a href=\"#run-2\">second</a></td>"));
  EXPECT_THAT(html, HasSubstr("<td>filters.0.members</td><td>20</td><td>40</td>"));
  EXPECT_THAT(html, Not(HasSubstr("<td>filters.0.method</td>")));
  EXPECT_THAT(html, HasSubstr("<td>second</td><td>etkf &lt;N 20&gt;</td>"));
}

TEST_F(Pages, CompareOnlyWhatIsOfOneJob) {
  const auto html =
      page({run("filters", filters(0.2)), run("cloud", {{"job", "ensemble"}, {"members", 10}, {"mean", 2.3}})});
  EXPECT_THAT(html, AllOf(HasSubstr("The runs"), Not(HasSubstr("Settings that differ"))));
}

TEST_F(Pages, CallRunsOfTheSameNameByTheirPaths) {
  const auto html = page({run("a/run", filters(0.2)), run("b/run", filters(0.3))});
  EXPECT_THAT(html, AllOf(HasSubstr("a/run</a>"), HasSubstr("b/run</a>")));
}

TEST_F(Pages, OfEveryJobShowItsScores) {
  const Json posterior = {{"k_hat", 0.91},         {"elbo_of_draws", -3.5},
                          {"log_evidence", -3.25}, {"true_log_evidence", -3.0},
                          {"q_mean", {0.5, 1.5}},  {"true_mean", {0.25, 1.25}}};
  const std::vector<std::pair<Json, std::vector<std::string>>> jobs = {
      {{{"job", "learn-gain"}, {"mse_train", 0.2791}, {"mse_ekf_train", 0.2654}, {"cost_final", 52109.834}},
       {"0.2791", "0.2654", "52\u202F109.83"}},
      {{{"job", "learn-gain"},
        {"runs",
         {{{"seed", 3}, {"mse_train", 0.2}, {"converged", true}},
          {{"seed", 4}, {"mse_train", 0.9}, {"converged", false}, {"flagged_at", 5}}}}},
       {">seed</th>", "<td class=\"mark\">iteration\u00A05</td>"}},
      {{{"job", "evaluate-gain"}, {"cost", 1.5}, {"gradient_norm", 12.25}, {"converged", true}}, {"1.50", "12.250"}},
      {{{"job", "ensemble"}, {"members", 10}, {"finite_members", 9}, {"mean", 2.34}, {"lyapunov", {1.68, 1.45}}},
       {"2.3400", "1.6800", "1.680, 1.450", "<td class=\"n mark\">9</td>"}},
      {{{"job", "gaussian-vi"}, {"examined", {posterior}}},
       {"<td class=\"n mark\">0.91</td>", "0.5000", "q does not cover"}},
      {{{"job", "flow-vi"}, {"examined", {posterior}}, {"problems", 5}}, {"1 of 5 problems were examined"}},
      {{{"job", "amortized"},
        {"loss", 0.75},
        {"mean_kl", 0.0017},
        {"coverage_50", {0.49, 0.51}},
        {"coverage_90", {0.88, 0.9}},
        {"rank_p_value", {0.55, 1e-6}}},
       {"0.0017", "88.0", "q is not calibrated"}},
      {{{"job", "sweep"},
        {"cycles", 50},
        {"burn_in", 5},
        {"axes", {{"radius", {2, "inf"}}}},
        {"best", {{{"label", "serial N 10"}, {"rmse_analysis", 0.21}, {"held_out", {{"rmse_analysis", 0.23}}}}}}},
       {"0.2100", "0.2300", "2, inf"}},
      {{{"job", "inpainting"},
        {"bits_per_pixel", 2.86},
        {"linear_gaussian_bits_per_pixel", 3.51},
        {"coverage_90", 0.8},
        {"coverage_90_nominal", 0.902}},
       {"2.8600", "3.5100", "<td class=\"n mark\">80.0</td>"}}};
  for (const auto& [summary, texts] : jobs) {
    const auto html = page({run("run", summary)});
    for (const auto& text : texts) EXPECT_THAT(html, HasSubstr(text)) << summary["job"];
  }
}

TEST_F(Pages, StandWrongAndMissingFields) {
  for (const char* job : {"learn-gain", "evaluate-gain", "ensemble", "gaussian-vi", "flow-vi", "amortized",
                          "assimilate", "sweep", "inpainting"}) {
    EXPECT_THAT(page({run("bare", {{"job", job}})}), HasSubstr("The summary holds no scores.")) << job;
    for (const Json& wrong :
         {Json(3), Json("text"), Json::array({1, nullptr, {2}}), Json{{"a", 1}}, Json::array({Json::array()})}) {
      Json summary = {{"job", job}};
      for (const char* key : {"runs", "examined", "filters", "best", "axes", "lyapunov", "coverage_50", "notes", "seed",
                              "flagged", "interrupted", "rmse_analysis", "device", "version", "cycles"})
        summary[key] = wrong;
      page({run("wrong", summary), run("bare", {{"job", job}})});
    }
  }
}

TEST_F(Pages, HavePicturesInThem) {
  const auto folder = run("drawn", filters(0.2));
  write("drawn/figures/errors.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>");
  write("drawn/figures/ranks.png", "not looked at");
  write("drawn/figures/of-somebody-else.svg", "<svg></svg>");
  const auto html = page({folder});
  EXPECT_THAT(html, HasSubstr("<img src=\"data:image/svg+xml;base64,PHN2Z"));
  EXPECT_THAT(html, HasSubstr("<img src=\"data:image/png;base64,bm90IG"));
  EXPECT_THAT(html,
              HasSubstr("<figcaption>Root mean squared error and spread of the analysis over time.</figcaption>"));
  EXPECT_THAT(html, Not(HasSubstr("PHN2Zz48L3N2Zz4=")));
}

TEST_F(Pages, SayWhatIsMissingInAFolder) {
  const auto folder = run("poor", filters(0.2));
  fs::remove(folder / "config.toml");
  const Page made = make_page(read_runs({folder}), "");
  EXPECT_THAT(made.warnings,
              ::testing::UnorderedElementsAre(HasSubstr("config.toml' does not exist"), HasSubstr("no result.nc")));
  EXPECT_THAT(made.html, HasSubstr("the configuration is left out"));
  write("poor/config.toml", "[model\n");
  EXPECT_THAT(make_page(read_runs({folder}), "").warnings[0], HasSubstr("config.toml' cannot be read, line 1"));
}

TEST_F(Pages, AreMadeWithoutAResultThatCanBeRead) {
  const auto folder = run("torn", filters(0.2));
  write("torn/result.nc", "no NetCDF");
  write("torn/figures/errors.png", "a picture");
  const Page made = make_page(read_runs({folder}), "");
  EXPECT_THAT(made.warnings, ::testing::ElementsAre(HasSubstr("no figure was drawn: ")));
  EXPECT_THAT(made.html, HasSubstr("<img src=\"data:image/png"));
}

TEST_F(Pages, NeedAFolderThatARunLeft) {
  EXPECT_THAT(refusal(folder_ / "none"), HasSubstr("none' does not exist; name a folder that 'vida run' left."));
  write("file", "text");
  EXPECT_THAT(refusal(folder_ / "file"), HasSubstr("file' is a file; name the folder"));
  EXPECT_THAT(refusal(folder_), HasSubstr("holds no summary.json: it is not a result of 'vida run'"));
}

TEST_F(Pages, RefuseADamagedSummary) {
  for (const auto& [text, what] : {std::pair<std::string, std::string>{"", "unexpected end of input"},
                                   {"{\"job\": \"sweep\",", "line 1, column"},
                                   {"{\"job\": \"sw\xFF\"}", "ill-formed UTF-8"},
                                   {"[1, 2]", "it holds no object"},
                                   {"{\"job\": 3}", "it names no job"}}) {
    write("bad/summary.json", text);
    EXPECT_THAT(refusal(folder_ / "bad"),
                AllOf(HasSubstr("summary.json' is damaged: "), HasSubstr(what), Not(HasSubstr("\n"))));
  }
  write("bad/summary.json", "{\"job\": \"cook\"}");
  EXPECT_THAT(refusal(folder_ / "bad"), HasSubstr("is of job \"cook\", which vida 0.1.0 does not know"));
}

}  // namespace
}  // namespace vida::report
