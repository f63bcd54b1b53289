#pragma once

namespace cuda_shim::fibers {

/// Gives every lane below `count` a stack and the body to start with; at most 1,024.
void prepare(int count, void (*body)(int lane));

/// Runs a lane until it calls leave() or its body returns.
void resume(int lane);

/// From a lane: back to the caller of resume().
void leave();

/// Whether the address lies on the stack of a lane.
bool on_stack(int lane, const void* address);

}  // namespace cuda_shim::fibers
