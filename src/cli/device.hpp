#pragma once

#include "vida/device.hpp"

namespace vida::cli {

/// The device, with one line on stderr when `auto` would have liked a GPU and this build could have used one. Throws
/// InvalidArgument when what was asked for is not there.
Device open_device(const DeviceOptions& options);

}  // namespace vida::cli
