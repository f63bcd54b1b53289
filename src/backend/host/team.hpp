#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

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
  template <class Real>
  using Narrow = typename VectorOf<Real, 32>::type;
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

  using Words = VectorOf<std::uint64_t, kPackBytes>::type;

  /// Products of the low halves of words, which compilers do not know to be one instruction.
  static Words multiply_low_halves(Words a, Words b) {
#if defined(__AVX512F__)
    return reinterpret_cast<Words>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
    return reinterpret_cast<Words>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__) && !defined(__AVX__)
    return reinterpret_cast<Words>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
    return (a & 0xffffffff) * (b & 0xffffffff);
#endif
  }
  static void store_low_halves(std::uint32_t* to, Words words) {
    typedef std::uint32_t Halves __attribute__((vector_size(kPackBytes / 2)));
    const Halves halves = __builtin_convertvector(words, Halves);
    __builtin_memcpy(to, &halves, sizeof(halves));
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
