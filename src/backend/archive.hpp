#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>

#include "backend/executor.hpp"
#include "vida/array.hpp"
#include "vida/checkpoint.hpp"
#include "vida/error.hpp"

namespace vida {

/// Takes the state of a driver into a snapshot, or gives it back: the driver names the parts of its state once, for
/// both. Restoring throws InvalidArgument where a name is missing or a size differs from what the driver has.
class Archive {
 public:
  static Archive saving(Snapshot& to) { return Archive(&to, nullptr); }
  static Archive restoring(const Snapshot& from) { return Archive(nullptr, &from); }
  bool restores() const { return from_ != nullptr; }

  /// A number, or a flag.
  template <class T>
  requires(std::is_arithmetic_v<T>) void operator()(const std::string& name, T& value) {
    std::vector<T> one{value};
    fixed(name, one);
    value = one[0];
  }
  /// As many values as there are.
  template <class T>
  void operator()(const std::string& name, std::vector<T>& values) {
    if (restores())
      values = fetched<T>(name);
    else
      store<T>(name, values.begin(), values.end());
  }
  /// As many values as the driver has already.
  template <class T>
  void fixed(const std::string& name, std::vector<T>& values) {
    const std::size_t size = values.size();
    (*this)(name, values);
    require(name, values.size(), size);
  }
  /// An array of the extents that the driver has already.
  template <class T, int Rank>
  void fixed(const std::string& name, Array<T, Rank>& array) {
    std::vector<T> values(array.begin(), array.end());
    fixed(name, values);
    std::copy(values.begin(), values.end(), array.begin());
  }
  template <class T>
  void operator()(const std::string& name, Buffer<T>& buffer) {
    auto values = restores() ? std::vector<T>(buffer.size()) : buffer.download();
    fixed(name, values);
    if (restores()) buffer.upload(values);
  }
  /// `count` values in device memory.
  template <class T>
  void device(const std::string& name, Executor& executor, T* data, std::size_t count) {
    std::vector<T> values(count);
    if (!restores()) executor.download(values.data(), data, count * sizeof(T));
    fixed(name, values);
    if (restores()) executor.upload(data, values.data(), count * sizeof(T));
  }
  /// A field of every item of a list: numbers, lists and arrays of them. The list keeps its length.
  template <class Item, class Field>
  void each(const std::string& name, std::vector<Item>& items, Field Item::*field) {
    if constexpr (std::is_arithmetic_v<Field>) {
      std::vector<Field> values;
      for (const Item& item : items) values.push_back(item.*field);
      fixed(name, values);
      for (std::size_t i = 0; i < items.size(); ++i) items[i].*field = values[i];
    } else {
      columns(name, items, field);
    }
  }

  /// The state of a part that has ended; the driver takes it back by Snapshot::part().
  void put_part(const std::string& name, const Snapshot& part) {
    if (!restores()) to_->put_part(name, part);
  }

 private:
  Archive(Snapshot* to, const Snapshot* from) : to_(to), from_(from) {}

  static void require(const std::string& name, std::size_t found, std::size_t expected) {
    if (found != expected)
      throw InvalidArgument(
          fmt::format("the state to go on from has {} values of {}, expected {}.", found, name, expected));
  }

  template <class T, class Iterator>
  void store(const std::string& name, Iterator begin, Iterator end) {
    using Stored = std::conditional_t<std::is_same_v<T, float>, float, double>;
    std::vector<Stored> values;
    values.reserve(static_cast<std::size_t>(end - begin));
    std::transform(begin, end, std::back_inserter(values), [](T value) { return static_cast<Stored>(value); });
    to_->put(name, std::move(values));
  }

  template <class T>
  std::vector<T> fetched(const std::string& name) const {
    return std::visit(
        [](const auto& from) {
          std::vector<T> values(from.size());
          std::transform(from.begin(), from.end(), values.begin(), [](auto value) { return static_cast<T>(value); });
          return values;
        },
        from_->at(name));
  }

  template <class T>
  static std::vector<long> extents_of(const std::vector<T>& values) {
    return {std::ssize(values)};
  }
  template <class T, int Rank>
  static std::vector<long> extents_of(const Array<T, Rank>& values) {
    return {values.extents().begin(), values.extents().end()};
  }
  template <class T>
  static std::vector<T> sized(const long* extents, const std::vector<T>&) {
    return std::vector<T>(static_cast<std::size_t>(extents[0]));
  }
  template <class T, int Rank>
  static Array<T, Rank> sized(const long* extents, const Array<T, Rank>&) {
    Extents<Rank> own;
    std::copy_n(extents, Rank, own.begin());
    return Array<T, Rank>(own);
  }

  /// Lists or arrays of any sizes: their values one behind the other, and their extents.
  template <class Item, class Field>
  void columns(const std::string& name, std::vector<Item>& items, Field Item::*field) {
    using T = std::remove_cvref_t<decltype(*(items[0].*field).begin())>;
    const std::size_t rank = extents_of(Field()).size();
    std::vector<long> extents;
    std::vector<T> values;
    for (const Item& item : items) {
      const auto own = extents_of(item.*field);
      extents.insert(extents.end(), own.begin(), own.end());
      values.insert(values.end(), (item.*field).begin(), (item.*field).end());
    }
    fixed(name + ".extents", extents);
    (*this)(name, values);
    if (!restores()) return;
    std::size_t used = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      long count = 1;
      for (std::size_t axis = 0; axis < rank; ++axis) {
        const long extent = extents[i * rank + axis];
        if (extent < 0 || __builtin_mul_overflow(count, extent, &count))
          throw InvalidArgument(fmt::format("the state to go on from has an extent {} of {}.", extent, name));
      }
      if (static_cast<std::size_t>(count) > values.size() - used)
        require(name, values.size(), used + static_cast<std::size_t>(count));
      items[i].*field = sized(&extents[i * rank], items[i].*field);
      std::copy_n(values.begin() + static_cast<long>(used), count, (items[i].*field).begin());
      used += static_cast<std::size_t>(count);
    }
    require(name, values.size(), used);
  }

  Snapshot* to_;
  const Snapshot* from_;
};

/// What `name_state` (a function of an Archive) names.
template <class NameState>
Snapshot saved(const NameState& name_state) {
  Snapshot snapshot;
  Archive archive = Archive::saving(snapshot);
  name_state(archive);
  return snapshot;
}

/// Gives back what saved() took; false, and nothing changes, where there is none.
template <class NameState>
bool restored(const Snapshot& found, const NameState& name_state) {
  if (found.empty()) return false;
  Archive archive = Archive::restoring(found);
  name_state(archive);
  return true;
}

/// The state that a call finds; `checkpoints` may be null.
inline Snapshot found_in(Checkpoints* checkpoints) { return checkpoints ? checkpoints->found() : Snapshot(); }

/// For a call whose state nobody wants.
class NoCheckpoints final : public Checkpoints {
 public:
  bool due() override { return false; }
  void keep(Snapshot) override {}
};

/// A part of a call, with a state of its own beside what the whole call names.
class PartOfCheckpoints final : public Checkpoints {
 public:
  /// `found`: the state of the whole.
  PartOfCheckpoints(Checkpoints* whole, const Snapshot& found, std::string name,
                    std::function<void(Archive&)> name_state)
      : whole_(whole), name_(std::move(name)), found_(found.part(name_)), name_state_(std::move(name_state)) {}
  Snapshot found() override { return std::exchange(found_, {}); }
  bool due() override { return whole_ && whole_->due(); }
  void keep(Snapshot state) override {
    if (!whole_) return;
    Snapshot all = saved(name_state_);
    all.put_part(name_, std::move(state));
    whole_->keep(std::move(all));
  }

 private:
  Checkpoints* whole_;
  std::string name_;
  Snapshot found_;
  std::function<void(Archive&)> name_state_;
};

}  // namespace vida
