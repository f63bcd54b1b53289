#include "backend/sort.hpp"

#include <array>
#include <bit>
#include <numeric>
#include <type_traits>

namespace vida::host {
namespace {

constexpr int kDigitBits = 11;
constexpr std::size_t kDigitValues = 1 << kDigitBits;  // a digit's counters fill half of the first cache

template <class Real>
struct Pair {
  Real key;
  std::int32_t value;
};

/// An integer that compares as the key does.
template <class Real>
auto ordered_bits(Real key) {
  using Bits = std::conditional_t<sizeof(Real) == 8, std::uint64_t, std::uint32_t>;
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Real) - 1);
  const Bits bits = std::bit_cast<Bits>(key + Real(0));  // the negative zero becomes the other one
  return bits & kSign ? ~bits : bits | kSign;
}

template <class Real>
std::size_t digit_of(Real key, std::size_t digit) {
  return ordered_bits(key) >> (kDigitBits * digit) & (kDigitValues - 1);
}

}  // namespace

/// A radix sort, digit by digit from the lowest: several times as quick as comparing 1e5 pairs.
template <class Real>
void sort_pairs(Executor& executor, Real* keys, std::int32_t* values, long count) {
  const Buffer<Pair<Real>> memory(executor, 2 * static_cast<std::size_t>(count));
  Pair<Real>*from = memory.data(), *to = from + count;
  constexpr std::size_t kDigits = (8 * sizeof(Real) + kDigitBits - 1) / kDigitBits;
  std::array<std::array<long, kDigitValues>, kDigits> counts{};
  for (long i = 0; i < count; ++i) {
    from[i] = {keys[i], values[i]};
    for (std::size_t digit = 0; digit < kDigits; ++digit) ++counts[digit][digit_of(keys[i], digit)];
  }
  for (std::size_t digit = 0; digit < kDigits; ++digit) {
    auto& next = counts[digit];
    if (next[digit_of(from[0].key, digit)] == count) continue;  // the same in all keys
    std::exclusive_scan(next.begin(), next.end(), next.begin(), 0L);
    for (long i = 0; i < count; ++i) to[next[digit_of(from[i].key, digit)]++] = from[i];
    std::swap(from, to);
  }
  for (long i = 0; i < count; ++i) {
    keys[i] = from[i].key;
    values[i] = from[i].value;
  }
}

template void sort_pairs(Executor&, float*, std::int32_t*, long);
template void sort_pairs(Executor&, double*, std::int32_t*, long);

}  // namespace vida::host
