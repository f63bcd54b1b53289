#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <type_traits>

namespace vida::bench {

/// Floating-point operations a second of one core in a loop of independent vector fma on registers alone: the bound
/// that kernels are held against. The best of several short runs, since other work on the machine can only slow it.
template <bool kDouble>
double peak_flops() {
#if defined(__AVX512F__)
  constexpr int kBytes = 64;
#elif defined(__AVX__)
  constexpr int kBytes = 32;
#else
  constexpr int kBytes = 16;
#endif
  using Real = std::conditional_t<kDouble, double, float>;
  typedef Real Pack __attribute__((vector_size(kBytes)));
  constexpr int kChains = 12;
  constexpr long kSteps = 1000000;
  static const double best = [] {
    double fastest = 0;
    for (int run = 0; run < 10; ++run) {
      Pack sum[kChains];
      for (int c = 0; c < kChains; ++c) sum[c] = Pack{} + Real(c);
      Pack factor = Pack{} + Real(0.999999), addend = Pack{} + Real(1e-6);
      asm volatile("" : "+v"(factor), "+v"(addend));
      const auto start = std::chrono::steady_clock::now();
      for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
        for (int c = 0; c < kChains; ++c) sum[c] = sum[c] * factor + addend;
      }
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      for (int c = 0; c < kChains; ++c) asm volatile("" : : "v"(sum[c]));
      fastest = std::max(fastest, 2.0 * kChains * kSteps * (kBytes / sizeof(Real)) / seconds);
    }
    return fastest;
  }();
  return best;
}

}  // namespace vida::bench
