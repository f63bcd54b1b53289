#include <fmt/format.h>

#include <thread>

#include "cli/options.hpp"
#include "ranks/ranks.hpp"
#include "vida/device.hpp"
#include "vida/version.hpp"

namespace vida::cli {

int info() {
  const CudaStatus cuda = cuda_status();
  fmt::print("vida      {}\n", kVersion);
  fmt::print("build     {}, {}, {}\n", VIDA_COMPILER, VIDA_BUILD_TYPE, VIDA_TUNING);
  fmt::print("CPU       {}, {} cores\n", cpu_description(), Device::cpu().threads());
  fmt::print("CUDA      {}\n", cuda.built ? "built for " + cuda.architectures : std::string("not in this build"));
  fmt::print("MPI       {}\n", ranks::mpi_description());
  if (cuda.devices > 0) {
    for (int k = 0; k < cuda.devices; ++k) {
      const std::string name = fmt::format("cuda:{}", k);
      fmt::print("GPU       {}, {}\n", name, Device({.name = name}).description());
    }
  } else {
    fmt::print("GPU       none in use: {}\n", cuda.reason);
  }
  return kFinished;
}

}  // namespace vida::cli
