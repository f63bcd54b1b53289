#include "report/job_results.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "report/run_folder.hpp"

namespace vida::report {
namespace {

using Json = nlohmann::ordered_json;

std::vector<ResultTable> scores_alone(const Json& summary) { return {score_table(summary)}; }

/// How the results of a job are shown.
struct JobView {
  const char* job;
  ResultTable (*scores)(const Json& summary);
  std::vector<ResultTable> (*tables)(const Json& summary);
};
constexpr std::array<JobView, 9> kViews = {{{"learn-gain", learned_gain_scores, learned_gain_tables},
                                            {"evaluate-gain", evaluated_gain_scores, scores_alone},
                                            {"ensemble", ensemble_scores, scores_alone},
                                            {"gaussian-vi", posterior_scores, posterior_tables},
                                            {"flow-vi", posterior_scores, posterior_tables},
                                            {"amortized", amortized_scores, amortized_tables},
                                            {"assimilate", filter_scores, scores_alone},
                                            {"sweep", sweep_scores, sweep_tables},
                                            {"inpainting", inpainting_scores, inpainting_tables}}};

const JobView& view_of(const Json& summary) {
  return *std::find_if(kViews.begin(), kViews.end(),
                       [&](const JobView& view) { return view.job == text_in(summary, "job"); });
}

}  // namespace

ResultTable score_table(const Json& summary) { return view_of(summary).scores(summary); }

std::vector<ResultTable> result_tables(const Json& summary) { return view_of(summary).tables(summary); }

}  // namespace vida::report
