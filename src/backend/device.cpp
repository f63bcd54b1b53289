#include "vida/device.hpp"

#include <fmt/format.h>

#include <fstream>

#include "backend/executor.hpp"
#include "vida/error.hpp"

namespace vida {
namespace {

/// K of "cuda:K", 0 of "cuda".
int gpu_index(const std::string& name) {
  if (name == "cuda") return 0;
  const std::string digits = name.substr(5);
  if (name[4] != ':' || digits.empty() || digits.size() > 4 || digits.find_first_not_of("0123456789") != digits.npos)
    throw InvalidArgument(fmt::format("--device {}: expected auto, cpu, cuda or cuda:K with K = 0, 1, ...", name));
  return std::stoi(digits);
}

std::string built_for(const CudaStatus& status) { return fmt::format("(built for {})", status.architectures); }

std::shared_ptr<Executor> make_executor(const DeviceOptions& options) {
  if (options.threads < 0)
    throw InvalidArgument(
        fmt::format("--threads {}: expected a number of CPU threads, or 0 for all cores", options.threads));
  const std::string& name = options.name;
  if (name == "cpu") return host::make_executor(options);
  if (name != "auto" && name.rfind("cuda", 0) != 0)
    throw InvalidArgument(fmt::format("--device {}: expected auto, cpu, cuda or cuda:K with K = 0, 1, ...", name));
  const int index = name == "auto" ? 0 : gpu_index(name);
  const CudaStatus status = cuda_status();
  if (index < status.devices) return cuda::make_executor(options, index);
  if (status.devices > 0)
    throw DeviceError(fmt::format("--device {}: this machine has {} GPU(s), numbered from 0. Run with --device cuda:0.",
                                  name, status.devices));
  if (name == "auto") return host::make_executor(options);
  if (!status.built)
    throw DeviceError(
        fmt::format("--device {}: this build holds no CUDA kernels. Configure with -DVIDA_CUDA=ON, or run "
                    "with --device cpu.",
                    name));
  throw DeviceError(fmt::format("--device {}: {} {}. Run with --device cpu, or see 'vida info'.", name, status.reason,
                                built_for(status)));
}

}  // namespace

Device::Device(const DeviceOptions& options) : executor_(make_executor(options)) {}

bool Device::is_cuda() const { return executor_->is_cuda(); }
int Device::threads() const { return executor_->threads(); }
std::string Device::name() const { return executor_->name(); }
std::string Device::description() const { return executor_->description(); }
std::size_t Device::memory_limit() const { return executor_->memory_limit(); }

std::string cpu_description() {
  std::string model = "CPU";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != line.npos) {
      model = line.substr(colon + 2);
      break;
    }
  }
#if defined(__AVX512F__)
  return model + " (AVX-512)";
#elif defined(__AVX2__)
  return model + " (AVX2)";
#else
  return model + " (baseline vectors)";
#endif
}

}  // namespace vida
