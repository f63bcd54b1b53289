#pragma once

#include "io/config.hpp"
#include "io/data_file.hpp"
#include "vida/dynamics.hpp"

namespace vida::jobs {

/// Takes the number of variables that model.matrix tells into model.n.
void adopt_model(io::Config& config);

/// The model of the truth: the values of [model], or the file's where it holds one for each data set. `data` may be
/// null. Throws InvalidArgument when model.n is not the number of its variables.
Dynamics true_model(const io::Config& config, const io::DataFile* data, long item);

/// The model of the filter: the same with the values of [filter] where they are given.
Dynamics filter_model(const io::Config& config, const io::DataFile* data, long item);

}  // namespace vida::jobs
