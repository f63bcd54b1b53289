#pragma once

#include <string>

#include "report/run_folder.hpp"

namespace vida::report {

/// How a run ended, in a few words: "finished", "interrupted", "2 problems flagged".
std::string status_of(const nlohmann::ordered_json& summary);
/// Whether it ended as it should.
bool ended_well(const nlohmann::ordered_json& summary);

/// Seconds of the job's main work, of all its parts; NaN where the summary does not tell.
double seconds_of(const nlohmann::ordered_json& summary);

/// Everything about one run: what it was, its notes, results, figures, times and configuration. `pictures`: the markup
/// of its figures; warnings about the folder stand beside the notes of the run.
std::string run_section(const RunFolder& run, const std::string& pictures);

}  // namespace vida::report
