#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "vida/array.hpp"

namespace vida::io {

/// The user's data: y [cycle, obs] and optionally truth [cycle, state], H [obs, state], R [obs, obs], Q [state, state],
/// m0 [state], C0 [state, state], K [state, obs], and the scalars F, dt, steps_per_cycle, found by name and rank.
/// Any of them may have one leading axis more: the batch. A NaN in y is a missing observation.
class DataFile {
 public:
  /// Reads and checks everything. Throws FileError with the shapes when they disagree, a matrix is not symmetric or
  /// anything but y holds a NaN.
  explicit DataFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  bool has(const std::string& name) const { return variables_.count(name) != 0; }
  bool batched(const std::string& name) const { return has(name) && variables_.at(name).batched; }
  /// Data sets along the leading axis, 1 without one.
  long count() const { return count_; }
  bool batched() const { return batched_; }
  long cycles() const { return variables_.at("y").extents[0]; }
  long observed() const { return variables_.at("y").extents[1]; }
  /// State variables as told by truth, H, Q, m0, C0 or K; 0 when none of them is there.
  long states() const { return states_; }
  /// "[1000, 20]", for messages.
  std::string shape(const std::string& name) const;

  Matrix matrix(const std::string& name, long item) const;
  Vector vector(const std::string& name, long item) const;
  double scalar(const std::string& name, long item) const;

 private:
  struct Variable {
    std::vector<long> extents;  // without the batch axis
    bool batched = false;
    std::vector<double> values;
  };
  const double* item(const Variable& variable, long index) const;
  void check_shapes();
  void check_values() const;

  std::filesystem::path path_;
  std::map<std::string, Variable> variables_;
  long count_ = 1, states_ = 0;
  bool batched_ = false;
};

/// Gains K [state, obs] or [run, state, obs] of a file; one matrix per run. Throws FileError that begins with the
/// setting.
struct GainFile {
  std::vector<Matrix> gains;
  bool batched = false;
};
GainFile read_gains(const std::filesystem::path& path, const std::string& setting = "gain.file");

}  // namespace vida::io
