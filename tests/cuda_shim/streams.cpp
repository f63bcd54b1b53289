#include "streams.hpp"

#include <algorithm>
#include <list>

#include "memory.hpp"
#include "state.hpp"

namespace cuda_shim::streams {
namespace {

std::list<Stream> all;

/// Runs the first operation of any stream that has one ready. False: there is none.
bool run_one(cudaError_t& error) {
  std::vector<Stream*> ready;
  for (Stream& stream : all)
    if (!stream.queue.empty() && (!stream.queue.front().ready || stream.queue.front().ready()))
      ready.push_back(&stream);
  if (ready.empty()) return false;
  Stream* stream = ready[random_below(ready.size())];
  const Operation operation = std::move(stream->queue.front());
  stream->queue.pop_front();
  const memory::Access access;
  error = operation.run();
  return true;
}

}  // namespace

Stream* create(int device) {
  all.emplace_back().device = device;
  return &all.back();
}

bool exists(const Stream* stream) {
  return std::any_of(all.begin(), all.end(), [&](const Stream& one) { return &one == stream; });
}

bool any_captures() {
  return std::any_of(all.begin(), all.end(), [](const Stream& one) { return one.capture != nullptr; });
}

void destroy(Stream* stream) {
  all.remove_if([&](const Stream& one) { return &one == stream; });
}

void clear() {
  for (Stream& stream : all) {
    stream.queue.clear();
    stream.capture.reset();
  }
}

cudaError_t add(Stream* stream, Operation operation) {
  if (stream->capture) {
    stream->capture->operations.push_back(std::move(operation));
    return cudaSuccess;
  }
  stream->queue.push_back(std::move(operation));
  cudaError_t error = cudaSuccess;
  while (error == cudaSuccess && random_below(3) == 0 && run_one(error)) {
  }
  return error;
}

cudaError_t run_until(const std::function<bool()>& done) {
  cudaError_t error = cudaSuccess;
  while (error == cudaSuccess && !done()) {
    if (!run_one(error)) {
      report("the host waits for work that can never run: it waits for an event that nobody records");
      return cudaErrorLaunchFailure;
    }
  }
  return error;
}

}  // namespace cuda_shim::streams
