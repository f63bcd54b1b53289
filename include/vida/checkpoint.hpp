#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace vida {

/// The state of a long call, all that it needs to go on where it was: arrays by name. Whole numbers are held as
/// doubles, which are exact below 2^53.
class Snapshot {
 public:
  using Values = std::variant<std::vector<float>, std::vector<double>>;

  bool empty() const { return entries_.empty(); }
  bool has(const std::string& name) const { return entries_.contains(name); }
  /// Throws InvalidArgument when there is none of that name.
  const Values& at(const std::string& name) const;
  void put(const std::string& name, Values values) { entries_.insert_or_assign(name, std::move(values)); }

  /// The state of a part of the call, whose entries are called "part/...". Empty where there are none.
  Snapshot part(const std::string& name) const;
  void put_part(const std::string& name, Snapshot part);

  const std::map<std::string, Values>& entries() const { return entries_; }

 private:
  std::map<std::string, Values> entries_;
};

/// Where a long call leaves its state and finds it again. A call that finds a state of its own arguments goes on from
/// it and ends with the bits of a call that never stopped. A state of other arguments is not recognised unless its
/// arrays have other sizes; whoever stores states tells them apart.
class Checkpoints {
 public:
  virtual ~Checkpoints() = default;
  /// What an earlier call left; empty: the call begins anew.
  virtual Snapshot found() { return {}; }
  /// Asked after every step at which the call could be left: true when its state is wanted.
  virtual bool due() = 0;
  /// Takes the state: when it was due, and when the call was told to stop.
  virtual void keep(Snapshot state) = 0;
};

}  // namespace vida
