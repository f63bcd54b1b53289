#include "backend/cuda/executor.hpp"

#include <fmt/format.h>

#include "backend/cuda/check.hpp"

namespace vida::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // a failed call must not be reported again by the next one
  if (status == cudaErrorMemoryAllocation)
    throw OutOfMemory(
        fmt::format("{}: the GPU is out of memory. Use a smaller batch, or a smaller memory limit.", what));
  throw DeviceError(fmt::format("{}: {} ({}). See 'vida info'; --device cpu runs without the GPU.", what,
                                cudaGetErrorString(status), cudaGetErrorName(status)));
}

CudaExecutor::CudaExecutor(const DeviceOptions& options, int index) : index_(index) {
  make_current();
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  multiprocessors_ = properties.multiProcessorCount;
  shared_limit_ = properties.sharedMemPerBlockOptin;
  description_ = fmt::format("{} (sm_{}{})", properties.name, properties.major, properties.minor);
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  memory_limit_ = options.memory_limit ? options.memory_limit : free / 2;
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

CudaExecutor::~CudaExecutor() {
  if (cudaSetDevice(index_) != cudaSuccess) return;
  library_.reset();
  if (spill_) release(spill_);
  if (stream_) cudaStreamDestroy(stream_);
}

void CudaExecutor::make_current() const { check(cudaSetDevice(index_), "cudaSetDevice"); }

void* CudaExecutor::allocate(std::size_t bytes) {
  make_current();
  void* memory = nullptr;
  check(cudaMalloc(&memory, bytes), fmt::format("allocating {} bytes on {}", bytes, name()).c_str());
  return memory;
}

void CudaExecutor::release(void* memory) noexcept {
  cudaSetDevice(index_);
  cudaStreamSynchronize(stream_);  // queued kernels may still use it
  cudaFree(memory);
}

void CudaExecutor::upload(void* device, const void* host, std::size_t bytes) {
  make_current();
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
  wait();  // the caller may overwrite its memory at once
}

void CudaExecutor::download(void* host, const void* device, std::size_t bytes) {
  make_current();
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the GPU");
  wait();
}

void CudaExecutor::clear(void* device, std::size_t bytes) {
  make_current();
  check(cudaMemsetAsync(device, 0, bytes, stream_), "clearing GPU memory");
}

void CudaExecutor::wait() { check(cudaStreamSynchronize(stream_), "waiting for the GPU"); }

namespace {

class GraphRecording final : public Recording {
 public:
  GraphRecording(const CudaExecutor& gpu, cudaGraph_t graph) : gpu_(gpu) {
    const cudaError_t status = cudaGraphInstantiate(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "preparing a CUDA graph");
  }
  ~GraphRecording() override { cudaGraphExecDestroy(graph_); }  // launches in flight still end
  void play() override {
    gpu_.make_current();
    check(cudaGraphLaunch(graph_, gpu_.stream()), "launching a CUDA graph");
  }

 private:
  const CudaExecutor& gpu_;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace

std::unique_ptr<Recording> CudaExecutor::record(std::function<void()> work) {
  make_current();
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), "recording a CUDA graph");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
    throw;
  }
  check(cudaStreamEndCapture(stream_, &graph), "recording a CUDA graph");
  return std::make_unique<GraphRecording>(*this, graph);
}

std::string CudaExecutor::name() const { return fmt::format("cuda:{}", index_); }

std::byte* CudaExecutor::spill(std::size_t bytes) {
  if (bytes > spill_bytes_) {
    if (spill_) release(spill_);
    spill_ = nullptr;
    spill_bytes_ = 0;
    spill_ = static_cast<std::byte*>(allocate(bytes));
    spill_bytes_ = bytes;
  }
  return spill_;
}

std::unique_ptr<Executor> make_executor(const DeviceOptions& options, int index) {
  return std::make_unique<CudaExecutor>(options, index);
}

}  // namespace vida::cuda

namespace vida {

CudaStatus cuda_status() {
  CudaStatus status;
  status.built = true;
  status.architectures = VIDA_CUDA_ARCHITECTURES;
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    cudaGetLastError();
    status.reason = "no CUDA driver was found";
    return status;
  }
  const cudaError_t result = cudaGetDeviceCount(&status.devices);
  if (result != cudaSuccess) {
    cudaGetLastError();
    status.devices = 0;
    status.reason = cudaGetErrorString(result);
  } else if (status.devices == 0) {
    status.reason = "the CUDA driver reports no device";
  }
  return status;
}

}  // namespace vida
