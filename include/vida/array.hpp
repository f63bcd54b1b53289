#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "vida/error.hpp"

namespace vida {

/// Extents of a row-major array, first axis slowest.
template <int Rank>
using Extents = std::array<long, Rank>;

template <int Rank>
long element_count(const Extents<Rank>& extents) {
  long count = 1;
  for (long extent : extents) count *= extent;
  return count;
}

/// "[1000, 40]": how shapes appear in messages.
template <int Rank>
std::string to_string(const Extents<Rank>& extents) {
  std::string text = "[";
  for (int axis = 0; axis < Rank; ++axis) text += (axis ? ", " : "") + std::to_string(extents[axis]);
  return text + "]";
}

/// A dense row-major window onto host memory that somebody else owns.
template <class T, int Rank>
class View {
 public:
  View() = default;
  View(T* data, Extents<Rank> extents) : data_(data), extents_(extents) {}
  template <class U>
  requires(std::is_same_v<const U, T>) View(const View<U, Rank>& other)
      : data_(other.data()), extents_(other.extents()) {}

  T* data() const { return data_; }
  const Extents<Rank>& extents() const { return extents_; }
  long extent(int axis) const { return extents_[axis]; }
  long size() const { return element_count<Rank>(extents_); }
  bool empty() const { return size() == 0; }
  T* begin() const { return data_; }
  T* end() const { return data_ + size(); }

  template <class... Index>
  requires(sizeof...(Index) == Rank) T& operator()(Index... index) const {
    const long position[] = {static_cast<long>(index)...};
    long offset = 0;
    for (int axis = 0; axis < Rank; ++axis) offset = offset * extents_[axis] + position[axis];
    return data_[offset];
  }

  /// The sub-array at `index` of the first axis.
  View<T, Rank - 1> operator[](long index) const requires(Rank > 1) {
    Extents<Rank - 1> rest{};
    for (int axis = 1; axis < Rank; ++axis) rest[axis - 1] = extents_[axis];
    return {data_ + index * element_count<Rank - 1>(rest), rest};
  }
  T& operator[](long index) const requires(Rank == 1) { return data_[index]; }

 private:
  T* data_ = nullptr;
  Extents<Rank> extents_{};
};

/// A dense row-major array that owns its host memory.
template <class T, int Rank>
class Array {
 public:
  Array() = default;
  explicit Array(Extents<Rank> extents, T value = T{})
      : extents_(extents), data_(element_count<Rank>(extents), value) {}

  View<T, Rank> view() { return {data_.data(), extents_}; }
  View<const T, Rank> view() const { return {data_.data(), extents_}; }
  operator View<T, Rank>() { return view(); }
  operator View<const T, Rank>() const { return view(); }

  T* data() { return data_.data(); }
  const T* data() const { return data_.data(); }
  const Extents<Rank>& extents() const { return extents_; }
  long extent(int axis) const { return extents_[axis]; }
  long size() const { return static_cast<long>(data_.size()); }
  bool empty() const { return data_.empty(); }
  auto begin() { return data_.begin(); }
  auto end() { return data_.end(); }
  auto begin() const { return data_.begin(); }
  auto end() const { return data_.end(); }

  template <class... Index>
  T& operator()(Index... index) {
    return view()(index...);
  }
  template <class... Index>
  const T& operator()(Index... index) const {
    return view()(index...);
  }
  decltype(auto) operator[](long index) { return view()[index]; }
  decltype(auto) operator[](long index) const { return view()[index]; }

  bool operator==(const Array&) const = default;

 private:
  Extents<Rank> extents_{};
  std::vector<T> data_;
};

using Vector = Array<double, 1>;
using Matrix = Array<double, 2>;

/// value * I, [n, n].
inline Matrix scaled_identity(long n, double value) {
  Matrix matrix({n, n});
  for (long i = 0; i < n; ++i) matrix(i, i) = value;
  return matrix;
}

}  // namespace vida
