#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "jobs/assimilation_plan.hpp"

namespace vida::jobs {

/// One filter over all its data sets: medians, in which a run that failed counts as infinitely wrong.
struct FilterScores {
  std::vector<AssimilationSummary> runs;  ///< of each data set
  AssimilationSummary median;
  /// Of the median analysis error: from twenty batches of a single run, else 1.2533 x 1.4826 x the median absolute
  /// deviation over the root of the number of runs, which is that of normal errors and blind to outliers.
  double error_bar = 0;
  double kept_mean = 0;  ///< mean analysis error of the runs that kept the truth
  long lost = 0, failed = 0;
  double cycles_per_second = 0;  ///< of all its runs together
};

/// results: those of assimilate() for the runs of one filter.
FilterScores filter_scores(std::span<const AssimilationResult> results, long burn_in);

/// A score for result.nc and summary.json.
struct SummaryField {
  const char* name;
  double AssimilationSummary::*part;
  const char* long_name;
};
const std::vector<SummaryField>& summary_fields();

/// One row for each label.
std::string filter_table(std::span<const std::string> labels, std::span<const FilterScores> scores);

/// One line for each filter that lost the truth or failed.
std::vector<std::string> filter_notes(std::span<const std::string> labels, std::span<const FilterScores> scores);

/// Scores, and with several data sets those of each.
nlohmann::ordered_json to_json(const FilterScores& scores);

}  // namespace vida::jobs
