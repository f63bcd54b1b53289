#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace vida::host {

#if defined(__AVX512F__)
inline constexpr int kPackBytes = 64;
inline constexpr int kTilePacks = 5;  // 4 x 5 accumulators and 5 columns fit the 32 registers
#elif defined(__AVX__)
inline constexpr int kPackBytes = 32;
inline constexpr int kTilePacks = 3;  // 4 x 3 accumulators and 3 columns fit the 16 registers
#else
inline constexpr int kPackBytes = 16;
inline constexpr int kTilePacks = 3;
#endif

template <class Real, int Bytes>
struct VectorOf {
  typedef Real type __attribute__((vector_size(Bytes)));
};

/// One CPU thread as a team of one lane.
class Team {
 public:
  template <class Real>
  using Pack = typename VectorOf<Real, kPackBytes>::type;
  template <class Real>
  using Octet = typename VectorOf<Real, 8 * sizeof(Real)>::type;
  static constexpr int kTilePacks = host::kTilePacks;
  static constexpr bool kSingleLane = true;

  /// value with element k replaced. A mask, since writing one element of a register goes through memory.
  template <class Real>
  static Octet<Real> with_element(Octet<Real> value, int k, Real x) {
    using Index = std::conditional_t<sizeof(Real) == 8, std::int64_t, std::int32_t>;
    typedef Index Indices __attribute__((vector_size(8 * sizeof(Real))));
    const Indices position = {0, 1, 2, 3, 4, 5, 6, 7};
    return position == static_cast<Index>(k) ? Octet<Real>{} + x : value;
  }

  explicit Team(std::byte* scratch) : scratch_(scratch) {}
  static constexpr int rank() { return 0; }
  static constexpr int size() { return 1; }
  static constexpr int fresh(int value) { return value; }
  static void sync() {}
  template <class Real>
  Real* scratch() const {
    return reinterpret_cast<Real*>(scratch_);
  }

 private:
  std::byte* scratch_;
};

/// A pack of ensemble members, one per vector element.
class Lanes {
 public:
  template <class Real>
  using Pack = typename VectorOf<Real, kPackBytes>::type;

  explicit Lanes(long first) : first_(first) {}
  long first() const { return first_; }  ///< member in the pack's first element

 private:
  long first_;
};

}  // namespace vida::host
