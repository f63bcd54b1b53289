#pragma once

#include <chrono>
#include <thread>

#include "ranks/ranks.hpp"

namespace vida::ranks {

/// Works the chunks 0 .. chunks - 1 of a batch on all ranks, together: whoever is free takes the next one.
///   work(chunk)             its results as bytes, at least one; it asks the board whether to stop on its way
///   deliver(chunk, bytes)   on the first rank: hears of every chunk that has ended, in any order
///   waiting()               on the first rank, while it has no chunk itself; false asks all ranks to stop
template <class Work, class Deliver, class Waiting>
void share_out(Ranks& ranks, Board& board, long chunks, Work work, Deliver deliver, Waiting waiting) {
  int others = ranks.size() - 1;  // that have not left
  const auto take_in = [&] {      // how many have left
    int left = 0;
    for (auto message = board.arrived(); message; message = board.arrived()) {
      if (message->bytes.empty())
        ++left;
      else
        deliver(message->number, std::span<const std::byte>(message->bytes));
    }
    return left;
  };
  for (long chunk = board.next(); chunk < chunks && !board.stopped(); chunk = board.next()) {
    const std::vector<std::byte> results = work(chunk);
    if (!ranks.first()) {
      board.send(chunk, results);
      continue;
    }
    deliver(chunk, std::span<const std::byte>(results));
    others -= take_in();
  }
  if (!ranks.first()) return board.send(0, {});
  while ((others -= take_in()) > 0) {
    if (!waiting()) board.stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a blocking receive would keep a core busy
  }
}

}  // namespace vida::ranks
