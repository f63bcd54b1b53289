// The calls of cuda_runtime_api.h. Each checks its arguments as CUDA would, or more sharply, and returns CUDA's error.

#include <cuda_runtime.h>
#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "grid.hpp"
#include "memory.hpp"
#include "registers.hpp"
#include "state.hpp"
#include "streams.hpp"

namespace cuda_shim {

namespace {

std::recursive_mutex mutex;  // one call at a time
thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;
cudaError_t broken = cudaSuccess;  // an error that no later call recovers from
long executed = 0, malloc_calls = 0, launches = 0, copies = 0;
std::size_t most_bytes = 0;
std::map<const void*, std::size_t> opted_in;  // shared memory that a kernel may have beyond 48 KiB

struct ErrorText {
  const char *name, *text;
};
ErrorText text_of(cudaError_t error) {
  switch (error) {
#define CASE(code, text) \
  case code:             \
    return {#code, text};
    CASE(cudaSuccess, "no error")
    CASE(cudaErrorInvalidValue, "invalid argument")
    CASE(cudaErrorMemoryAllocation, "out of memory")
    CASE(cudaErrorInvalidConfiguration, "invalid configuration argument")
    CASE(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy")
    CASE(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version")
    CASE(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable")
    CASE(cudaErrorNoDevice, "no CUDA-capable device is detected")
    CASE(cudaErrorInvalidDevice, "invalid device ordinal")
    CASE(cudaErrorInvalidResourceHandle, "invalid resource handle")
    CASE(cudaErrorNotReady, "device not ready")
    CASE(cudaErrorIllegalAddress, "an illegal memory access was encountered")
    CASE(cudaErrorLaunchOutOfResources, "too many resources requested for launch")
    CASE(cudaErrorLaunchFailure, "unspecified launch failure")
    CASE(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing")
#undef CASE
  }
  return {"unknown", "unknown error"};
}

cudaError_t keep(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t refuse(cudaError_t error, const std::string& finding) {
  report(finding);
  return keep(error);
}

cudaError_t break_device(cudaError_t error) {
  broken = error;
  streams::clear();
  return keep(error);
}

/// What stops a call before it starts: no driver, no such device, a lost device.
cudaError_t obstacle() {
  if (current.devices < 0) return cudaErrorInsufficientDriver;
  if (current.devices == 0) return cudaErrorNoDevice;
  if (current_device >= current.devices) return cudaErrorInvalidDevice;
  return broken;
}

bool is_usable(const Stream* stream, const char* call) {
  if (stream && streams::exists(stream)) return true;
  report(stream ? fmt::format("{}: the stream does not exist", call)
                : fmt::format("{}: the default stream synchronises with every other one; vida has its own", call));
  return false;
}

cudaError_t add(Stream* stream, std::function<cudaError_t()> work) {
  const auto counted = [work = std::move(work)] {
    if (++executed == current.lost_at) return cudaErrorDevicesUnavailable;
    return work();
  };
  const cudaError_t error = streams::add(stream, {counted, nullptr});
  return error == cudaSuccess ? cudaSuccess : break_device(error);
}

cudaError_t run_until(const std::function<bool()>& done) {
  if (broken != cudaSuccess) return keep(broken);
  const cudaError_t error = streams::run_until(done);
  return error == cudaSuccess ? cudaSuccess : break_device(error);
}

/// "kernels::GainForward<double>" without the namespace that all share.
std::string name_of(const std::type_info& type) {
  int status = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = text ? text : type.name();
  std::free(text);
  const std::string prefix = "vida::kernels::";
  for (auto at = name.find(prefix); at != name.npos; at = name.find(prefix)) name.erase(at, prefix.size());
  return name;
}

}  // namespace

void reset(const Settings& settings) {
  const std::lock_guard lock(mutex);
  static const Settings from_environment = current;
  current = settings;
  if (settings.mutant.empty()) current.mutant = from_environment.mutant;
  if (settings.seed == Settings{}.seed) current.seed = from_environment.seed;
  current.log = settings.log && from_environment.log;
  seed_order();
  forget_sites();
  streams::clear();
  broken = last_error = cudaSuccess;
  executed = malloc_calls = launches = copies = 0;
  most_bytes = 0;
  memory::close_always();
  take_reports();
}

Settings settings() { return current; }
std::size_t live_allocations() { return memory::live_count(); }
long operations() { return executed; }
long allocations() { return malloc_calls; }
std::size_t most_memory() { return most_bytes; }

cudaError_t launch(const cudaLaunchConfig_t& config, Call call) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  Launch it{.kernel = name_of(*call.type),
            .call = std::move(call),
            .blocks = config.gridDim.x,
            .lanes = static_cast<int>(config.blockDim.x),
            .shared_bytes = config.dynamicSmemBytes,
            .device = current_device};
  if (!is_usable(config.stream, "cudaLaunchKernelEx")) return keep(cudaErrorInvalidResourceHandle);
  if (++launches == current.failing_launch) return keep(cudaErrorLaunchOutOfResources);
  if (current.lanes > 0) it.lanes = current.lanes;
  if (current.blocks > 0) it.blocks = static_cast<unsigned>(std::min<long>(it.blocks, current.blocks));
  if (it.blocks == 0 || it.lanes == 0 || it.lanes > kMaxLanes || config.blockDim.y * config.blockDim.z != 1 ||
      config.gridDim.y * config.gridDim.z != 1)
    return refuse(cudaErrorInvalidConfiguration,
                  fmt::format("{}: {} blocks of {} lanes; at least 1 of each and at most {} lanes are possible",
                              it.kernel, it.blocks, it.lanes, kMaxLanes));
  if (registers_of(it.kernel) * it.lanes > kRegisters)
    return refuse(cudaErrorLaunchOutOfResources, fmt::format("{}: {} lanes of {} registers, but a block has {}",
                                                             it.kernel, it.lanes, registers_of(it.kernel), kRegisters));
  const auto opted = opted_in.find(it.call.function);
  const std::size_t limit = opted == opted_in.end() ? kSharedWithoutOptIn : opted->second;
  if (it.shared_bytes > limit)
    return refuse(cudaErrorInvalidValue,
                  fmt::format("{}: {} bytes of shared memory, but {} are allowed", it.kernel, it.shared_bytes, limit));
  if (it.shared_bytes > 0 && is_mutated("shared", it.kernel))
    it.shared_bytes -= std::min<std::size_t>(it.shared_bytes, 8);
  return add(config.stream, [it = std::move(it)] {
    const bool good = run(it);
    memory::check_guards();
    return good ? cudaSuccess : cudaErrorLaunchFailure;
  });
}

cudaError_t launch_of_library(Stream* stream, const char* call, std::function<cudaError_t()> work) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  if (!is_usable(stream, call)) return keep(cudaErrorInvalidResourceHandle);
  if (++launches == current.failing_launch) return keep(cudaErrorLaunchOutOfResources);
  return add(stream, std::move(work));
}

}  // namespace cuda_shim

using namespace cuda_shim;

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  *version = current.devices < 0 ? 0 : 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = std::max(current.devices, 0);
  if (current.devices < 0) return keep(cudaErrorInsufficientDriver);
  return current.devices == 0 ? keep(cudaErrorNoDevice) : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (const cudaError_t error = obstacle()) return keep(error);
  if (device < 0 || device >= current.devices) return keep(cudaErrorInvalidDevice);
  *properties = {.name = "cuda_shim",
                 .totalGlobalMem = current.memory,
                 .sharedMemPerBlockOptin = kSharedLimit,
                 .major = 9,
                 .minor = 0,
                 .multiProcessorCount = 2};
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= std::max(current.devices, 1)) return keep(cudaErrorInvalidDevice);
  current_device = device;
  return keep(obstacle());
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, broken); }
const char* cudaGetErrorName(cudaError_t error) { return text_of(error).name; }
const char* cudaGetErrorString(cudaError_t error) { return text_of(error).text; }

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  if (const cudaError_t error = obstacle()) return keep(error);
  *total = current.memory;
  *free = current.memory - memory::live_bytes(current_device);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  *memory = nullptr;
  if (streams::any_captures())
    return refuse(cudaErrorStreamCaptureUnsupported, "cudaMalloc: not possible while a stream captures");
  if (bytes == 0) return cudaSuccess;
  if (++malloc_calls == current.failing_allocation) return keep(cudaErrorMemoryAllocation);
  *memory = memory::allocate(bytes, current_device);
  most_bytes = std::max(most_bytes, memory::live_bytes(current_device));
  return *memory ? cudaSuccess : keep(cudaErrorMemoryAllocation);
}

// CUDA's own waits for the device. This one does not: vida has to wait for its stream before.
cudaError_t cudaFree(void* memory) {
  const std::lock_guard lock(mutex);
  if (!memory) return cudaSuccess;
  if (!memory::release(memory)) return refuse(cudaErrorInvalidValue, "cudaFree: the address is not a live allocation");
  return keep(broken);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  if (!is_usable(stream, "cudaMemcpyAsync")) return keep(cudaErrorInvalidResourceHandle);
  if (++copies == current.failing_copy) return keep(cudaErrorIllegalAddress);
  const bool to_device = kind != cudaMemcpyDeviceToHost, from_device = kind != cudaMemcpyHostToDevice;
  if (memory::contains(reinterpret_cast<std::uintptr_t>(to)) != to_device ||
      memory::contains(reinterpret_cast<std::uintptr_t>(from)) != from_device)
    return refuse(cudaErrorInvalidMemcpyDirection,
                  "cudaMemcpyAsync: an address lies on the other side than `kind` says");
  return add(stream, [=] {
    if (to_device && !memory::is_valid(to, bytes, "a copy writes")) return cudaErrorIllegalAddress;
    if (from_device && !memory::is_valid(from, bytes, "a copy reads")) return cudaErrorIllegalAddress;
    std::memcpy(to, from, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  if (!is_usable(stream, "cudaMemsetAsync")) return keep(cudaErrorInvalidResourceHandle);
  return add(stream, [=] {
    if (!memory::is_valid(memory, bytes, "a fill writes")) return cudaErrorIllegalAddress;
    std::memset(memory, value, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  if (flags != cudaStreamNonBlocking)
    return refuse(cudaErrorInvalidValue, "cudaStreamCreateWithFlags: a blocking stream waits for the default stream");
  *stream = streams::create(current_device);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (!is_usable(stream, "cudaStreamDestroy")) return keep(cudaErrorInvalidResourceHandle);
  if (!stream->queue.empty()) report("cudaStreamDestroy: the stream still has work");
  streams::destroy(stream);
  return keep(broken);
}

__attribute__((noinline)) cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (!is_usable(stream, "cudaStreamSynchronize")) return keep(cudaErrorInvalidResourceHandle);
  if (stream->capture) return refuse(cudaErrorStreamCaptureUnsupported, "cudaStreamSynchronize: the stream captures");
  if (is_mutated("wait", __builtin_return_address(0))) return cudaSuccess;
  return run_until([&] { return stream->queue.empty(); });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  if (!is_usable(stream, "cudaStreamWaitEvent")) return keep(cudaErrorInvalidResourceHandle);
  if (!event->last) return cudaSuccess;  // as in CUDA: an event that was never recorded holds nothing up
  const auto mark = event->last;
  streams::add(stream, {[] { return cudaSuccess; }, [mark] { return mark->done; }});
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  if (const cudaError_t error = obstacle()) return keep(error);
  *event = new Event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  if (!is_usable(stream, "cudaEventRecord")) return keep(cudaErrorInvalidResourceHandle);
  const auto mark = event->last = std::make_shared<Event::Mark>();
  return add(stream, [mark] {
    *mark = {true, std::chrono::steady_clock::now()};
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  return event->last ? run_until([&] { return event->last->done; }) : cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (!start->last || !end->last) return keep(cudaErrorInvalidResourceHandle);
  if (!start->last->done || !end->last->done) return keep(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(end->last->time - start->last->time).count();
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!is_usable(stream, "cudaStreamBeginCapture")) return keep(cudaErrorInvalidResourceHandle);
  stream->capture = std::make_unique<Graph>();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!is_usable(stream, "cudaStreamEndCapture") || !stream->capture) return keep(cudaErrorInvalidResourceHandle);
  *graph = stream->capture.release();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new Graph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (const cudaError_t error = obstacle()) return keep(error);
  if (!is_usable(stream, "cudaGraphLaunch")) return keep(cudaErrorInvalidResourceHandle);
  for (const Operation& operation : executable->operations)
    if (const cudaError_t error = streams::add(stream, operation)) return break_device(error);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute, int value) {
  if (const cudaError_t error = obstacle()) return keep(error);
  if (value < 0 || static_cast<std::size_t>(value) > kSharedLimit) return keep(cudaErrorInvalidValue);
  opted_in[function] = static_cast<std::size_t>(value);
  return cudaSuccess;
}

}  // extern "C"
