#pragma once

#include <functional>

#include "io/config.hpp"
#include "ranks/ranks.hpp"
#include "vida/device.hpp"

namespace vida::cli {

/// What a rank computes on: the GPU of its number on its machine, or its share of the cores.
DeviceOptions device_of_rank(DeviceOptions options, ranks::Ranks& ranks);

/// Together: throws InvalidArgument, on all ranks, when they are not of one version, configuration and kind of device.
void agree(const io::Config& config, const Device& device, ranks::Ranks& ranks);

/// Runs one rank's part of the program. An error on any rank ends them all, with a message that names rank and machine.
/// Returns the exit code.
int on_rank(ranks::Ranks& ranks, const std::function<int()>& part);

}  // namespace vida::cli
