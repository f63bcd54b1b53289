#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "report/table.hpp"

namespace vida::report {

/// A table, and what to know when reading it.
struct ResultTable {
  std::string caption;
  Table table;
  std::vector<std::string> remarks = {};
};

/// The scores of a run with a row for each subject: the gain or those of a batch, each filter, each posterior. Runs of
/// one job are compared by these rows. `summary` is that of a known job; what it lacks has no value.
ResultTable score_table(const nlohmann::ordered_json& summary);

/// All results of a run, in the order to read them.
std::vector<ResultTable> result_tables(const nlohmann::ordered_json& summary);

// Of learn-gain and evaluate-gain.
ResultTable learned_gain_scores(const nlohmann::ordered_json& summary);
std::vector<ResultTable> learned_gain_tables(const nlohmann::ordered_json& summary);
ResultTable evaluated_gain_scores(const nlohmann::ordered_json& summary);

// Of gaussian-vi, flow-vi and amortized.
ResultTable posterior_scores(const nlohmann::ordered_json& summary);
std::vector<ResultTable> posterior_tables(const nlohmann::ordered_json& summary);
ResultTable amortized_scores(const nlohmann::ordered_json& summary);
std::vector<ResultTable> amortized_tables(const nlohmann::ordered_json& summary);

// Of assimilate and sweep.
ResultTable filter_scores(const nlohmann::ordered_json& summary);
ResultTable sweep_scores(const nlohmann::ordered_json& summary);
std::vector<ResultTable> sweep_tables(const nlohmann::ordered_json& summary);

// Of inpainting and ensemble.
ResultTable inpainting_scores(const nlohmann::ordered_json& summary);
std::vector<ResultTable> inpainting_tables(const nlohmann::ordered_json& summary);
ResultTable ensemble_scores(const nlohmann::ordered_json& summary);

}  // namespace vida::report
