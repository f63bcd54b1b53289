// Results of gaussian-vi, flow-vi and amortized.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/job_results.hpp"
#include "report/run_folder.hpp"

namespace vida::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kHeavy = 0.7;      // k-hat above which importance weights are not to be trusted
constexpr double kUnlikely = 1e-3;  // p-value of ranks that are not uniform, over the number of components
constexpr std::size_t kShown = 8;   // components of a mean

/// Item i of a list; null when there is none.
const Json& item(const Json& list, std::size_t i) {
  static const Json null;
  return list.is_array() && i < list.size() ? list[i] : null;
}

Cell number_at(const Json& list, std::size_t i) {
  const Json& value = item(list, i);
  return value.is_number() ? number_cell(value.get<double>()) : Cell{};
}

std::size_t length(const Json& list) { return list.is_array() ? list.size() : 0; }

Table posteriors(const Json& summary) {
  Table table({{"problem"},
               {"ELBO", "nat"},
               {"±", "nat"},
               {"log Z, exact", "nat"},
               {"log Z, sampled", "nat"},
               {"KL", "nat"},
               {"k-hat"},
               {"effective draws"}});
  std::size_t number = 0;
  for (const Json& one : member(summary, "examined")) {
    const bool own = member(one, "elbo").is_number();  // the fit knows it better than the draws
    const double elbo = number_in(one, own ? "elbo" : "elbo_of_draws"), exact = number_in(one, "true_log_evidence"),
                 sampled = number_in(one, "log_evidence"), k_hat = number_in(one, "k_hat");
    table.row({text_cell(std::to_string(number++)), number_cell(elbo),
               number_cell(number_in(one, own ? "elbo_error" : "elbo_of_draws_error")), number_cell(exact),
               number_cell(sampled), number_cell((std::isfinite(exact) ? exact : sampled) - elbo),
               marked_if(k_hat > kHeavy, number_cell(k_hat, 2)), number_cell(number_in(one, "effective_draws"), 0)});
  }
  return table;
}

std::vector<std::string> posterior_remarks(const Table& table) {
  std::vector<std::string> remarks = {
      "KL: KL(q || posterior) = log Z - ELBO, by the exact evidence where it is known and else by importance sampling "
      "from q. Effective draws: of the importance draws."};
  remarks.push_back(table.marked()
                        ? "k-hat: Pareto shape of the importance weights. Above 0.7 (marked) q does not cover the "
                          "posterior, and sampled evidences and corrected means are not to be trusted."
                        : "k-hat: Pareto shape of the importance weights, to be trusted up to 0.7.");
  return remarks;
}

ResultTable means(const Json& summary) {
  Table table({{"problem"}, {"component"}, {"mean of q"}, {"importance-corrected"}, {"exact"}});
  std::size_t number = 0;
  bool all = true;
  for (const Json& one : member(summary, "examined")) {
    const Json& own = member(one, "mean").is_array() ? member(one, "mean") : member(one, "q_mean");
    all = all && length(own) <= kShown;
    for (std::size_t k = 0; k < std::min(length(own), kShown); ++k)
      table.row({text_cell(std::to_string(number)), text_cell(std::to_string(k)), number_at(own, k),
                 number_at(member(one, "corrected_mean"), k), number_at(member(one, "true_mean"), k)});
    ++number;
  }
  ResultTable result{"Posterior means", table};
  if (!all) result.remarks = {fmt::format("The first {} components of each; result.nc has them all.", kShown)};
  return result;
}

ResultTable calibration(const Json& summary) {
  const auto column = [&](const char* nominal, const char* fallback) {
    const double known = number_in(summary, nominal);
    return Column{std::isfinite(known) ? fmt::format("share in the central {:.1f} %", 100 * known)
                                       : fmt::format("share in the central {}", fallback),
                  "%"};
  };
  const Json &half = member(summary, "coverage_50"), &most = member(summary, "coverage_90"),
             &p = member(summary, "rank_p_value");
  Table table({{"component"},
               column("coverage_50_nominal", "50 %"),
               column("coverage_90_nominal", "90 %"),
               {"p-value of uniform ranks"}});
  const auto percent = [](const Json& value) {
    return value.is_number() ? number_cell(100 * value.get<double>(), 1) : Cell{};
  };
  for (std::size_t k = 0; k < length(half); ++k) {
    const bool off = item(p, k).is_number() && item(p, k).get<double>() < kUnlikely / static_cast<double>(length(half));
    table.row({text_cell(std::to_string(k)), percent(item(half, k)), percent(item(most, k)),
               marked_if(off, number_at(p, k))});
  }
  ResultTable result{"Calibration: true unknowns in central intervals of q", table};
  if (const double count = number_in(summary, "replications"); std::isfinite(count))
    result.remarks.push_back(fmt::format("Over {:.0f} draws of the joint law.", count));
  if (table.marked()) result.remarks.push_back("Marked: the ranks of the truth are not uniform, q is not calibrated.");
  return result;
}

}  // namespace

ResultTable posterior_scores(const Json& summary) {
  const Table table = posteriors(summary);
  ResultTable result{"Posteriors", table, posterior_remarks(table)};
  const double all = number_in(summary, "problems"), shown = static_cast<double>(length(member(summary, "examined")));
  if (all > shown)
    result.remarks.push_back(
        fmt::format("{:.0f} of {:.0f} problems were examined; result.nc has the others.", shown, all));
  return result;
}

std::vector<ResultTable> posterior_tables(const Json& summary) { return {posterior_scores(summary), means(summary)}; }

ResultTable amortized_scores(const Json& summary) {
  Table table({{"over"}, {"loss", "nat"}, {"± loss", "nat"}, {"mean KL", "nat"}, {"± mean KL", "nat"}});
  const auto cell = [&](const char* key) { return number_cell(number_in(summary, key)); };
  table.row({text_cell("all y"), cell("loss"), cell("loss_error"), cell("mean_kl"), cell("mean_kl_error")});
  return {
      "Over the joint law",
      table,
      {"Loss: mean of -log q(u | y). Mean KL: E_y KL(posterior || q), 0 where q is exact, by the evidence of each y."}};
}

std::vector<ResultTable> amortized_tables(const Json& summary) {
  const Table table = posteriors(summary);
  return {amortized_scores(summary),
          calibration(summary),
          {"Examined observations", table, posterior_remarks(table)},
          means(summary)};
}

}  // namespace vida::report
