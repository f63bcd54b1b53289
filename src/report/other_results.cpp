// Results of inpainting and ensemble.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "report/job_results.hpp"
#include "report/run_folder.hpp"

namespace vida::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kOff = 0.05;  // what an interval may hold more or less than it should

double percent(double share) { return 100 * share; }

ResultTable intervals(const Json& summary) {
  Table table({{"central interval"}, {"true pixels inside", "%"}, {"expected", "%"}});
  for (const auto& [share, key] : {std::pair{50, "coverage_50"}, {90, "coverage_90"}}) {
    const double inside = number_in(summary, key), nominal = number_in(summary, std::string(key) + "_nominal");
    table.row({text_cell(fmt::format("about {} % of the draws", share)),
               marked_if(std::abs(inside - nominal) > kOff, number_cell(percent(inside), 1)),
               number_cell(percent(nominal), 1)});
  }
  ResultTable result{"Calibration of the unknown pixels", table};
  if (table.marked()) result.remarks = {"Marked: more than 5 points off, the flow is not calibrated."};
  return result;
}

}  // namespace

ResultTable inpainting_scores(const Json& summary) {
  Table table({{"law"},
               {"bits", "per pixel"},
               {"±"},
               {"PSNR", "dB"},
               {"class log-loss", "nat"},
               {"± log-loss"},
               {"class accuracy", "%"}});
  const auto cell = [&](const char* key) { return number_cell(number_in(summary, key)); };
  const auto decibel = [&](const char* key) { return number_cell(number_in(summary, key), 2); };
  const auto share = [&](const char* key) { return number_cell(percent(number_in(summary, key)), 2); };
  table.row({text_cell("flow"), cell("bits_per_pixel"), cell("bits_per_pixel_error"), decibel("psnr"),
             cell("class_log_loss"), cell("class_log_loss_error"), share("class_accuracy")});
  table.row(
      {text_cell("linear-Gaussian law"), cell("linear_gaussian_bits_per_pixel"), {}, decibel("linear_gaussian_psnr")});
  table.row({text_cell("mean image"), {}, {}, decibel("mean_image_psnr")});
  table.row({text_cell("whole images"), {}, {}, {}, cell("classifier_log_loss"), {}, share("classifier_accuracy")});
  return {"Scores on the test images",
          table,
          {"Bits: -log2 q(unknown | known) for each unknown pixel. PSNR: of the conditional mean. Classes: by a "
           "classifier of completed images, mean over the draws; whole images are those that nothing was taken from."}};
}

std::vector<ResultTable> inpainting_tables(const Json& summary) {
  return {inpainting_scores(summary), intervals(summary)};
}

ResultTable ensemble_scores(const Json& summary) {
  Table table({{"members"},
               {"finite"},
               {"time", "model time units"},
               {"mean"},
               {"variance"},
               {"least value"},
               {"largest value"},
               {"largest Lyapunov exponent", "1 / time unit"},
               {"positive exponents"}});
  const auto cell = [&](const char* key) { return number_cell(number_in(summary, key)); };
  const double members = number_in(summary, "members"), finite = number_in(summary, "finite_members");
  const Json& exponents = member(summary, "lyapunov");
  const bool known = exponents.is_array() && !exponents.empty() && exponents.front().is_number();
  table.row({number_cell(members), marked_if(finite < members, number_cell(finite)), cell("time"), cell("mean"),
             cell("variance"), cell("minimum"), cell("maximum"),
             known ? number_cell(exponents.front().get<double>()) : Cell{}, cell("positive_exponents")});
  ResultTable result{"Statistics of the ensemble",
                     table,
                     {"Mean and variance over the members, then mean over the components; least and largest of all."}};
  if (known && exponents.size() > 1) {
    std::string all;
    for (const Json& value : exponents)
      if (value.is_number()) all += fmt::format("{}{:.3f}", all.empty() ? "" : ", ", value.get<double>());
    result.remarks.push_back("Leading Lyapunov exponents: " + all + ".");
  }
  if (table.marked()) result.remarks.push_back("Members that left the finite numbers are not part of the statistics.");
  return result;
}

}  // namespace vida::report
