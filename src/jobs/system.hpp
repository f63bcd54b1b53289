#pragma once

#include <optional>

#include "io/config.hpp"
#include "io/data_file.hpp"
#include "vida/twin.hpp"

namespace vida::jobs {

/// Whether observations.start = "filter": the simulated truth starts from N(m0, C0) of the filter.
bool starts_as_the_filter(const io::Config& config);

/// Takes what the data file tells into the configuration (n, cycles, operator, ...). Throws InvalidArgument when the
/// user wrote another value than the file holds.
void adopt(io::Config& config, const io::DataFile& file);

/// The filter's knowledge: model values of [filter] where they differ, Q, H, R and the initial law. `data` may be null.
/// item: which data set of the file.
StateSpaceModel filter_system(const io::Config& config, const io::DataFile* data, long item);

/// Where the truth starts.
enum class TruthStart { standard_normal, as_the_filter };

/// The system that makes the truth: the model's own values.
StateSpaceModel truth_system(const io::Config& config, const io::DataFile* data, long item,
                             TruthStart start = TruthStart::standard_normal);

}  // namespace vida::jobs
