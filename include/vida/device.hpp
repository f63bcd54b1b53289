#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace vida {

class Executor;

struct DeviceOptions {
  std::string name = "auto";     ///< "auto", "cpu", "cuda" or "cuda:K"; auto takes the first usable GPU, else the CPU
  int threads = 0;               ///< CPU threads; 0 takes every core this process may use
  std::size_t memory_limit = 0;  ///< bytes one call may plan with; 0 takes half of what is free
};

/// Where work runs. A Device owns its stream, its memory and its worker threads; nothing is global. Copies share it.
class Device {
 public:
  /// Throws DeviceError when the named device is not there, InvalidArgument when the name means nothing.
  explicit Device(const DeviceOptions& options = {});

  static Device cpu(int threads = 0) { return Device({.name = "cpu", .threads = threads}); }

  bool is_cuda() const;
  int threads() const;               ///< CPU threads; 1 on a GPU
  std::string name() const;          ///< "cpu" or "cuda:0"
  std::string description() const;   ///< model of the processor
  std::size_t memory_limit() const;  ///< bytes
  Executor& executor() const { return *executor_; }

 private:
  std::shared_ptr<Executor> executor_;
};

/// What this build knows about CUDA, for `vida info` and for messages.
struct CudaStatus {
  bool built = false;         ///< this build holds CUDA kernels
  std::string architectures;  ///< what they were compiled for, "sm_80, sm_90, sm_100"
  int devices = 0;            ///< usable devices
  std::string reason;         ///< why there is none, empty otherwise
};
CudaStatus cuda_status();

/// The CPU's model name and widest vector instruction set in use, "Intel(R) Xeon(R) Processor (AVX-512)".
std::string cpu_description();

}  // namespace vida
