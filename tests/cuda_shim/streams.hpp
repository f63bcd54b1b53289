#pragma once

// Streams: queues whose work runs later than the call that asks for it, in an order that only streams and events fix.

#include <cuda_runtime_api.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace cuda_shim {

struct Operation {
  std::function<cudaError_t()> run;
  std::function<bool()> ready;  // null: at once
};

struct Graph {
  std::vector<Operation> operations;
};

struct Event {
  struct Mark {  // a recording: waits refer to the last one at the time of their call
    bool done = false;
    std::chrono::steady_clock::time_point time;
  };
  std::shared_ptr<Mark> last;
};

struct Stream {
  int device = 0;
  std::deque<Operation> queue;
  std::unique_ptr<Graph> capture;
};

namespace streams {

Stream* create(int device);
bool exists(const Stream* stream);
bool any_captures();
void destroy(Stream* stream);
void clear();  ///< forgets all queued work

/// Adds to the queue, or to the graph while the stream captures; now and then some queued work runs.
cudaError_t add(Stream* stream, Operation operation);

/// Runs work until the condition holds; the first error ends it.
cudaError_t run_until(const std::function<bool()>& done);

}  // namespace streams

/// Queues what a library does in kernels of its own, and counts it as one launch. `call` names it in findings.
cudaError_t launch_of_library(Stream* stream, const char* call, std::function<cudaError_t()> work);
}  // namespace cuda_shim
