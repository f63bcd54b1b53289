#include "backend/gemm.hpp"

#include <algorithm>

#include "backend/host/launch.hpp"
#include "team.cuh"

// Register tiles over packed panels of B: kPanel columns of op(B), one shard of k long, lie together and stay in the
// first cache while every row of A passes. Rows of A are read in place, one number at a time, in either orientation.

namespace vida::host {
namespace {

using kernels::load;
using kernels::store;

#if defined(__AVX512F__)
constexpr int kRows = 8;  // 8 x 2 accumulators of 32 registers
#else
constexpr int kRows = 6;  // 6 x 2 of 16
#endif
constexpr int kPanelPacks = 2;
constexpr int kRowBlock = 128;  // rows of C that one item computes

template <class Real>
using Pack = Team::Pack<Real>;
template <class Real>
constexpr int kWidth = kernels::width<Pack<Real>, Real>;
template <class Real>
constexpr int kPanel = kPanelPacks* kWidth<Real>;

/// One strip of kPanel columns of C. Item: (group, matrix, block of rows, panel of columns).
template <class RealType>
struct GemmTiles {
  using Real = RealType;
  GemmCall<Real> call;
  long panels, row_blocks;

  void operator()(Team team, long item) const {
    const long panel = item % panels, block = item / panels % row_blocks, matrix = item / panels / row_blocks;
    const long inner = matrix % call.batch, group = matrix / call.batch;
    const Real* A = call.a.data + inner * call.a.stride + group * call.a.group_stride;
    const Real* B = call.b.data + inner * call.b.stride + group * call.b.group_stride;
    Real* C = call.c.data + inner * call.c.stride + group * call.c.group_stride;
    const int j = static_cast<int>(panel) * kPanel<Real>, columns = std::min(kPanel<Real>, call.n - j);
    const int first = static_cast<int>(block) * kRowBlock, last = std::min(call.m, first + kRowBlock);
    Real* packed = team.scratch<Real>();  // [kGemmShard, kPanel]
    for (int k = 0; k == 0 || k < call.k; k += kGemmShard) {
      const int depth = std::min(kGemmShard, call.k - k);
      pack(B, k, depth, j, columns, packed);
      const Real beta = k ? Real(1) : call.beta;
      int i = first;
      for (; i + kRows <= last; i += kRows) tile<kRows>(A, i, k, depth, packed, C, j, columns, beta);
      if (kRows > 4 && i + 4 <= last) tile<4>(A, i, k, depth, packed, C, j, columns, beta), i += 4;
      if (i + 2 <= last) tile<2>(A, i, k, depth, packed, C, j, columns, beta), i += 2;
      if (i < last) tile<1>(A, i, k, depth, packed, C, j, columns, beta);
    }
  }

 private:
  void pack(const Real* B, int k, int depth, int j, int columns, Real* to) const {
    const long ld = call.b.ld;
    if (columns < kPanel<Real>) std::fill(to, to + depth * kPanel<Real>, Real(0));
    if (!call.b.transposed) {
      const Real* from = B + k * ld + j;
      for (int r = 0; r < depth; ++r, from += ld, to += kPanel<Real>)
        if (columns == kPanel<Real>)
          for (int c = 0; c < kPanelPacks; ++c) store(to + c * kWidth<Real>, load<Pack<Real>>(from + c * kWidth<Real>));
        else
          std::copy(from, from + columns, to);
      return;
    }
    const Real* from = B + j * ld + k;
    int r = 0;
    if constexpr (kPanel<Real> % 8 == 0)
      for (; columns == kPanel<Real> && r + 8 <= depth; r += 8)
        for (int c = 0; c < kPanel<Real>; c += 8) transpose_octets(from + c * ld + r, ld, to + r * kPanel<Real> + c);
    for (; r < depth; ++r)
      for (int c = 0; c < columns; ++c) to[r * kPanel<Real> + c] = from[c * ld + r];
  }

  /// to[k, c] = from[c, k] for an 8 x 8 block, in three rounds of interleaving halves.
  static void transpose_octets(const Real* from, long ld, Real* to) {
    using Octet = Team::Octet<Real>;
    Octet rows[8], other[8];
    for (int c = 0; c < 8; ++c) rows[c] = load<Octet>(from + c * ld);
    const auto round = [](const Octet* in, Octet* out) {
      for (int c = 0; c < 4; ++c) {
        out[2 * c] = __builtin_shufflevector(in[c], in[c + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        out[2 * c + 1] = __builtin_shufflevector(in[c], in[c + 4], 4, 12, 5, 13, 6, 14, 7, 15);
      }
    };
    round(rows, other);
    round(other, rows);
    round(rows, other);
    for (int c = 0; c < 8; ++c) store(to + c * kPanel<Real>, other[c]);
  }

  template <int Rows>
  void tile(const Real* A, int i, int k, int depth, const Real* packed, Real* C, int j, int columns, Real beta) const {
    using P = Pack<Real>;
    const long row_step = call.a.transposed ? 1 : call.a.ld, k_step = call.a.transposed ? call.a.ld : 1;
    const Real* a[Rows];
    for (int r = 0; r < Rows; ++r) a[r] = A + (i + r) * row_step + k * k_step;
    P sum[Rows][kPanelPacks] = {};
    for (int q = 0; q < depth; ++q, packed += kPanel<Real>) {
      P column[kPanelPacks];
      VIDA_UNROLL
      for (int c = 0; c < kPanelPacks; ++c) column[c] = load<P>(packed + c * kWidth<Real>);
      VIDA_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const Real factor = a[r][q * k_step];
        VIDA_UNROLL
        for (int c = 0; c < kPanelPacks; ++c) sum[r][c] += factor * column[c];
      }
    }
    for (int r = 0; r < Rows; ++r) {
      Real* to = C + (i + r) * call.c.ld + j;
      Real row[kPanel<Real>];  // holds the columns beyond the matrix
      Real* into = columns == kPanel<Real> ? to : row;
      if (into == row && beta != Real(0)) std::copy(to, to + columns, row);
      VIDA_UNROLL
      for (int c = 0; c < kPanelPacks; ++c) {
        const P old = beta != Real(0) ? beta * load<P>(into + c * kWidth<Real>) : P{};
        store(into + c * kWidth<Real>, call.alpha * sum[r][c] + old);
      }
      if (into == row) std::copy(row, row + columns, to);
    }
  }
};

/// C for op(A) = A and op(B) = B' with few rows or columns, where tiles would be mostly padding: dot products of rows.
/// Item: (group, matrix, block of rows).
template <class RealType>
struct GemmDots {
  using Real = RealType;
  GemmCall<Real> call;
  long row_blocks;

  void operator()(Team, long item) const {
    const long block = item % row_blocks, matrix = item / row_blocks;
    const long inner = matrix % call.batch, group = matrix / call.batch;
    const Real* A = call.a.data + inner * call.a.stride + group * call.a.group_stride;
    const Real* B = call.b.data + inner * call.b.stride + group * call.b.group_stride;
    Real* C = call.c.data + inner * call.c.stride + group * call.c.group_stride;
    const int first = static_cast<int>(block) * kRowBlock, last = std::min(call.m, first + kRowBlock);
    for (int i = first; i < last; ++i)
      for (int j = 0; j < call.n; ++j) {
        Real* to = C + i * call.c.ld + j;
        for (int k = 0; k == 0 || k < call.k; k += kGemmShard) {
          const Real beta = k ? Real(1) : call.beta;
          const Real sum = dot(A + i * call.a.ld + k, B + j * call.b.ld + k, std::min(kGemmShard, call.k - k));
          *to = call.alpha * sum + (beta != Real(0) ? beta * *to : Real(0));
        }
      }
  }

 private:
  static Real dot(const Real* a, const Real* b, int count) {
    using P = Pack<Real>;
    P even = {}, odd = {};
    int q = 0;
    for (; q + 2 * kWidth<Real> <= count; q += 2 * kWidth<Real>) {
      even += load<P>(a + q) * load<P>(b + q);
      odd += load<P>(a + q + kWidth<Real>) * load<P>(b + q + kWidth<Real>);
    }
    even += odd;
    Real sum = Real(0);
    for (int e = 0; e < kWidth<Real>; ++e) sum += even[e];
    for (; q < count; ++q) sum += a[q] * b[q];
    return sum;
  }
};

}  // namespace

template <class Real>
void gemm(Executor& executor, const GemmCall<Real>& call) {
  const long panels = (call.n + kPanel<Real> - 1) / kPanel<Real>, row_blocks = (call.m + kRowBlock - 1) / kRowBlock;
  if (!call.a.transposed && call.b.transposed && std::min(call.m, call.n) <= 4)
    return host::launch(executor, {.items = call.groups * call.batch * row_blocks}, GemmDots<Real>{call, row_blocks});
  host::launch(executor,
               {.items = call.groups * call.batch * row_blocks * panels,
                .scratch_bytes = sizeof(Real) * static_cast<std::size_t>(kGemmShard * kPanel<Real>)},
               GemmTiles<Real>{call, panels, row_blocks});
}

template void gemm(Executor&, const GemmCall<float>&);
template void gemm(Executor&, const GemmCall<double>&);

}  // namespace vida::host
