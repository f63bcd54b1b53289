#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "io/config.hpp"
#include "io/netcdf.hpp"
#include "jobs/job.hpp"
#include "vida/vida.hpp"

namespace vida::jobs {

/// Attributes that every result carries: title, the whole configuration, seed, version, device, precision.
void describe(io::NetcdfWriter& file, const io::Config& config, const Device& device, const std::string& title);

/// The same facts for summary.json.
nlohmann::ordered_json summary_header(const io::Config& config, const Device& device);

/// JSON has no NaN: a number that is not finite becomes null.
nlohmann::ordered_json number(double value);

/// The value as JSON, infinity as a text.
nlohmann::ordered_json json_of(const io::Value& value);

/// The value as a number, true as 1; NaN for a text or a list.
double number_of(const io::Value& value);

/// 0, 1, 2, ... as the coordinate of a dimension.
void put_index(io::NetcdfWriter& file, const std::string& dimension, long size, const std::string& meaning,
               long first = 0);

/// Times of the analyses in model time units: the first observation comes one cycle after the start.
void put_time(io::NetcdfWriter& file, const std::string& name, const std::string& dimension,
              const FilterProblem& problem, long spin_up);

/// [run, ...] from one array for each run; shorter ones (runs that stopped early) are filled up with NaN.
Matrix stack(std::span<const std::vector<double>> rows);
Array<double, 3> stack(std::span<const Matrix> matrices);

/// Writes the effective configuration and summary.json as pending files. How the run ended (interrupted, flagged) and
/// its notes are added to the summary here, so they must be complete.
void write_summary(io::OutputFolder& folder, const io::Config& config, const Outcome& outcome,
                   nlohmann::ordered_json summary);

}  // namespace vida::jobs
