#pragma once

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "backend/archive.hpp"
#include "vida/gaussian_vi.hpp"

namespace vida {

/// The chunks of a call and how far each is. Threads share it.
class ChunkBook {
 public:
  ChunkBook(long problems, long capacity, Checkpoints* checkpoints) : checkpoints_(checkpoints), capacity_(capacity) {
    const Snapshot found = found_in(checkpoints);
    fits.resize(size(problems));
    begun_ = restored(found, [this](Archive& archive) { name_state(archive); });
    if (begun_) {
      for (long chunk = 0; chunk < chunks(); ++chunk) parts_[chunk] = found.part(part_name(chunk));
    }
    finished_.resize(size(chunks()));
  }

  std::vector<GaussianFit> fits;

  long capacity() const { return capacity_; }  ///< problems of a chunk
  /// Other chunks, for a book in which nothing stands yet.
  void cut_anew(long capacity) {
    capacity_ = capacity;
    finished_.assign(size(chunks()), 0);
  }
  bool begun() const { return begun_; }  ///< by the call whose state was found
  long chunks() const { return (std::ssize(fits) + capacity_ - 1) / capacity_; }
  bool finished(long chunk) const { return finished_[size(chunk)] != 0; }
  /// Where the chunk was when the state was saved; empty: at its start.
  Snapshot found(long chunk) {
    const std::lock_guard lock(mutex_);
    return parts_[chunk];
  }

  /// One thread asks after each of its steps whether a state is wanted; all take note of their chunks then.
  void ask() {
    if (checkpoints_ && checkpoints_->due()) ++wanted_;
  }
  long wanted() const { return wanted_; }
  void note(long chunk, Snapshot state) {
    const std::lock_guard lock(mutex_);
    parts_[chunk] = std::move(state);
  }
  /// `finished`: these are the chunk's last results.
  void put(long chunk, std::vector<GaussianFit> results, bool finished) {
    const std::lock_guard lock(mutex_);
    std::move(results.begin(), results.end(), fits.begin() + chunk * capacity_);
    if (!finished) return;
    finished_[size(chunk)] = 1;
    parts_.erase(chunk);
  }
  /// Hands over the state: of chunks at work as they were last noted, which is as good as any.
  void keep() {
    if (!checkpoints_) return;
    const std::lock_guard lock(mutex_);
    Snapshot state = saved([this](Archive& archive) { name_state(archive); });
    for (const auto& [chunk, part] : parts_) state.put_part(part_name(chunk), part);
    checkpoints_->keep(std::move(state));
  }

 private:
  static std::size_t size(long value) { return static_cast<std::size_t>(value); }
  static std::string part_name(long chunk) { return fmt::format("chunk{}", chunk); }

  void name_state(Archive& archive) {
    archive("capacity", capacity_);
    if (capacity_ < 1)
      throw InvalidArgument(fmt::format("the state to go on from has chunks of {} problems.", capacity_));
    finished_.resize(size(chunks()));
    archive.fixed("finished", finished_);
    archive.each("mean", fits, &GaussianFit::mean), archive.each("factor", fits, &GaussianFit::factor);
    archive.each("elbo", fits, &GaussianFit::elbo), archive.each("elbo_error", fits, &GaussianFit::elbo_error);
    archive.each("losses", fits, &GaussianFit::losses), archive.each("flagged_at", fits, &GaussianFit::flagged_at);
  }

  Checkpoints* checkpoints_;
  long capacity_;
  bool begun_ = false;
  std::vector<int> finished_;  // of each chunk
  std::mutex mutex_;
  std::map<long, Snapshot> parts_;
  std::atomic<long> wanted_{0};
};

}  // namespace vida
