#include "cli/device.hpp"

#include <fmt/format.h>

#include "cli/log.hpp"
#include "vida/error.hpp"

namespace vida::cli {

Device open_device(const DeviceOptions& options) {
  Device device = [&] {
    try {
      return Device(options);
    } catch (const DeviceError& error) {
      throw InvalidArgument(error.what());  // what was asked for is not there: a matter of usage
    }
  }();
  if (options.name != "auto" || device.is_cuda()) return device;
  const CudaStatus cuda = cuda_status();
  if (cuda.built) log().warning(fmt::format("{}; running on the CPU.", cuda.reason));
  return device;
}

}  // namespace vida::cli
