#pragma once

#include "backend/executor.hpp"
#include "vida/error.hpp"

namespace vida {

/// Takes the memory of a chunk: take(count), and as long as the device is out of memory take() of half as many, in
/// multiples of `step`, down to one step; `count` becomes what it took. Others share the device, so that a plan made
/// from the memory that was free can come too late. Results do not depend on how work is cut into chunks.
/// Throws the OutOfMemory of the smallest chunk.
template <class Take>
auto with_smaller_chunks(long& count, Take take, long step = 1) {
  for (;;) {
    try {
      return take(count);
    } catch (const OutOfMemory&) {
      if (count <= step) throw;
      count = round_up(count / 2, step);
    }
  }
}

}  // namespace vida
