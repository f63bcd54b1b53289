#pragma once

#include <limits>
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
  double kept_mean = 0;           ///< mean analysis error of the runs that kept the truth
  double kept_forecast_mean = 0;  ///< of the same runs
  long lost = 0, failed = 0;
  double cycles_per_second = std::numeric_limits<double>::quiet_NaN();  ///< of all its runs together
};

/// All but the speed. runs: of each data set.
FilterScores filter_scores(std::vector<AssimilationSummary> runs);
/// results: those of assimilate() for the runs of one filter.
FilterScores filter_scores(std::span<const AssimilationResult> results, long burn_in);

/// A score for result.nc and summary.json.
struct SummaryField {
  const char* name;
  double AssimilationSummary::*part;
  const char* long_name;
};
const std::vector<SummaryField>& summary_fields();

/// Four decimals; "-" where there is no number.
std::string score_cell(double value);
/// Lines of equal columns, the first to the left and as wide as its longest cell. rows: the title first.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

/// One row for each label.
std::string filter_table(std::span<const std::string> labels, std::span<const FilterScores> scores);

/// One line for each filter that lost the truth or failed.
std::vector<std::string> filter_notes(std::span<const std::string> labels, std::span<const FilterScores> scores);

/// Scores, and with several data sets those of each.
nlohmann::ordered_json to_json(const FilterScores& scores);

}  // namespace vida::jobs
