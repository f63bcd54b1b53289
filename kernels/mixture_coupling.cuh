#pragma once

// Coupling layers whose moved coordinates pass the logit of a mixture of logistic laws and then an affine map (Ho et
// al. 2019, Flow++):
//
//   z = y exp(b) + a,   y = log F(x) - log(1 - F(x)),   F(x) = sum_k w_k sigma((x - mean_k) exp(-s_k)),
//
// with w = softmax(logits), s = limit tanh(r / limit) and b = scale_limit tanh(o). Without components y = x. The net of
// the layer gives its rows in blocks of one row for each moved coordinate: o, a, then for each k logits, means, and r.

#include "flow.cuh"
#include "logistic_mixture.cuh"

namespace vida::kernels {

/// The rows of a net's output, [2 + 3 components, moved, stride].
template <class RealType>
struct CouplingRows {
  using Real = RealType;
  Real* values;
  long stride;
  int moved, components;
  Real scale_limit;

  VIDA_BOTH long step() const { return moved * stride; }        // from one component to the next
  VIDA_BOTH long block() const { return components * step(); }  // from logits to means to r

  /// function(moved coordinate, column) for every pack of the coordinates of an item, a block of kFlowRows.
  template <class Pack, class Team, class Function>
  VIDA_FN void for_packs(Team team, long item, Function function) const {
    constexpr int W = width<Pack, Real>;
    const int first = static_cast<int>(item) * kFlowRows;
    const int count = moved - first < kFlowRows ? moved - first : kFlowRows;
    for_pairs(team, count, static_cast<int>(stride / W), [&](int r, int c) { function(first + r, long{c} * W); });
  }
};

/// Makes of a net's output what the maps need: o becomes its tanh, the logits log w, and r the rate exp(-s).
/// Item: block of kFlowRows moved coordinates.
template <class Real>
struct PrepareCoupling {
  CouplingRows<Real> rows;

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr Real kLimit = Real(kMixtureScaleLimit);
    rows.template for_packs<Pack>(team, item, [&](int j, long column) {
      Real* o = rows.values + j * rows.stride + column;
      store(o, pack_tanh(load<Pack>(o)));
      Real* w = o + 2 * rows.step();
      Pack largest = broadcast<Pack>(-PackTraits<Pack>::kLargest), total = {};
      for (int k = 0; k < rows.components; ++k) {
        const Pack here = load<Pack>(w + k * rows.step());
        largest = here > largest ? here : largest;
      }
      for (int k = 0; k < rows.components; ++k) total += pack_exp(load<Pack>(w + k * rows.step()) - largest);
      const Pack log_total = largest + pack_log(total);
      for (int k = 0; k < rows.components; ++k) {
        Real *const logit = w + k * rows.step(), *const r_at = logit + 2 * rows.block();
        store(logit, load<Pack>(logit) - log_total);
        store(r_at, pack_exp(-kLimit * pack_tanh(load<Pack>(r_at) * (Real(1) / kLimit))));
      }
    });
  }
};

/// x -> z of the moved coordinates, in place, with log |dz/dx| of each. Item: block of kFlowRows moved coordinates.
template <class Real>
struct MixtureCoupling {
  CouplingRows<Real> rows;  // prepared
  const int* moved;         // [moved] rows of x
  Real* x;                  // [d, stride]
  Real* before;             // [moved, stride]: what x was; null: not wanted
  Real* log_slopes;         // [moved, stride]

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    rows.template for_packs<Pack>(team, item, [&](int j, long column) {
      const long at = j * rows.stride + column;
      Real* const here = x + moved[j] * rows.stride + column;
      const Pack old = load<Pack>(here), b = rows.scale_limit * load<Pack>(rows.values + at);
      const Pack a = load<Pack>(rows.values + rows.step() + at);
      Pack y = old, slope = b;
      if (rows.components) {
        const LogisticMixture<Pack> mixture(rows.values + 2 * rows.step() + at, rows.step(), rows.block(),
                                            rows.components, old);
        y = mixture.logit();
        slope += mixture.log_slope();
      }
      if (before) store(before + at, old);
      store(here, y * pack_exp(b) + a);
      store(log_slopes + at, slope);
    });
  }
};

/// Adjoint of MixtureCoupling for a loss that falls by weight * log |dz/dx|: takes `gradient` from z to x for the moved
/// coordinates, and the prepared rows to the gradient for the net's output. With g = d loss / dz and the shares R, S, T
/// that component k has in F, 1 - F and f:
///   d/da = g,  d/db = g y exp(b) - weight,
///   d/dlog F, d/dlog(1 - F), d/dlog f = weight + g exp(b), weight - g exp(b), -weight = p, q, -weight;
///   d/du_k = p R (1 - sigma) - q S sigma - weight T (1 - 2 sigma),  d/dx = sum rate d/du,  d/dmean = -rate d/du,
///   d/ds = -u d/du + weight T,  d/dlogit = p R + q S - weight T - w weight.   Item: block of kFlowRows coordinates.
template <class Real>
struct MixtureCouplingBackward {
  CouplingRows<Real> rows;
  const int* moved;
  const Real* before;   // [moved, stride]
  Real* gradient;       // [d, stride]
  const Real* weights;  // [stride] of the samples, 0 in the padding

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    rows.template for_packs<Pack>(team, item, [&](int j, long column) {
      const long at = j * rows.stride + column;
      Real *const o = rows.values + at, *const a = o + rows.step();
      Real* const slope = gradient + moved[j] * rows.stride + column;
      const Pack weight = load<Pack>(weights + column), x = load<Pack>(before + at), g = load<Pack>(slope);
      const Pack t = load<Pack>(o), e = pack_exp(rows.scale_limit * t), passed = g * e;
      Pack y = x, to_x = passed;
      if (rows.components) mixture(a + rows.step(), x, passed, weight, y, to_x);
      store(slope, to_x);
      store(a, g);
      store(o, (passed * y - weight) * rows.scale_limit * (Real(1) - t * t));
    });
  }

 private:
  template <class Pack>
  VIDA_FN void mixture(Real* w_at, Pack x, Pack passed, Pack weight, Pack& y, Pack& to_x) const {
    using Mixture = LogisticMixture<Pack>;
    constexpr Real kLimit = Real(kMixtureScaleLimit);
    const long step = rows.step(), block = rows.block();
    const Mixture all(w_at, step, block, rows.components, x);
    const Pack p = weight + passed, q = weight - passed;
    y = all.logit();
    to_x = Pack{};
    for (int k = 0; k < rows.components; ++k) {
      const Pack w = Mixture::log_weight(w_at, step, block, k), rate = Mixture::rate(w_at, step, block, k);
      const Pack u = (x - Mixture::mean(w_at, step, block, k)) * rate;
      const Pack small = pack_exp(-pack_abs(u)), share = Real(1) / (Real(1) + small);
      const Pack below = u < Real(0) ? small * share : share, above = u < Real(0) ? share : small * share;
      const Pack R = pack_exp(w + (u < Real(0) ? u : Pack{}) - all.log_below) * share;
      const Pack S = pack_exp(w - (u > Real(0) ? u : Pack{}) - all.log_above) * share;
      const Pack T = weight * rate * pack_exp(w - pack_abs(u) - all.log_density) * share * share;
      const Pack to_u = p * R * above - q * S * below - T * (above - below);
      const Pack tanh = pack_log(rate) * (Real(-1) / kLimit);
      to_x += rate * to_u;
      store(w_at + k * step, p * R + q * S - T - pack_exp(w) * weight);
      store(w_at + block + k * step, -rate * to_u);
      store(w_at + 2 * block + k * step, (T - u * to_u) * (Real(1) - tanh * tanh));
    }
  }
};

/// z -> x of the moved coordinates, in place, with log |dz/dx| at x. The logit of a mixture lies between those of its
/// components, which brackets x; Newton's method finds it there, halving the bracket where a step leaves it or is slow.
/// Item: block of kFlowRows moved coordinates.
template <class Real>
struct MixtureCouplingInverse {
  static constexpr int kIterations = 80;
  static constexpr Real kTolerance = std::numeric_limits<Real>::epsilon();
  CouplingRows<Real> rows;  // prepared
  const int* moved;
  Real* x;           // [d, stride]
  Real* log_slopes;  // [moved, stride]; null: not wanted

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    using Pack = typename Team::template Pack<Real>;
    rows.template for_packs<Pack>(team, item, [&](int j, long column) {
      const long at = j * rows.stride + column;
      Real* const here = x + moved[j] * rows.stride + column;
      const Pack b = rows.scale_limit * load<Pack>(rows.values + at);
      const Pack y = (load<Pack>(here) - load<Pack>(rows.values + rows.step() + at)) * pack_exp(-b);
      Pack slope = b;
      store(here, rows.components ? solve(rows.values + 2 * rows.step() + at, y, slope) : y);
      if (log_slopes) store(log_slopes + at, slope);
    });
  }

 private:
  template <class Pack>
  VIDA_FN Pack solve(const Real* at, Pack y, Pack& log_slope) const {
    using Mixture = LogisticMixture<Pack>;
    constexpr int W = width<Pack, Real>;
    const long step = rows.step(), block = rows.block();
    Pack low = broadcast<Pack>(PackTraits<Pack>::kLargest), high = -low, x = {};
    for (int k = 0; k < rows.components; ++k) {
      const Pack alone = Mixture::mean(at, step, block, k) + y / Mixture::rate(at, step, block, k);
      low = alone < low ? alone : low;
      high = alone > high ? alone : high;
      x += pack_exp(Mixture::log_weight(at, step, block, k)) * alone;
    }
    Pack done = {}, slope_found = {};  // 1: this element is found, and no neighbour in the pack changes it any more
    for (int i = 0; i < kIterations; ++i) {
      x = clamped_between(x, low, high);
      const Mixture here(at, step, block, rows.components, x);
      const Pack error = here.logit() - y;
      slope_found = done > Real(0) ? slope_found : here.log_slope();
      low = error < Real(0) ? x : low;
      high = error > Real(0) ? x : high;
      const Pack newton = x - error * pack_exp(-here.log_slope()), middle = Real(0.5) * (low + high);
      const bool halve = i % 4 == 3;  // a Newton step that crawls or jumps to and fro is helped along
      const Pack next = newton > low ? (newton < high ? (halve && i > 7 ? middle : newton) : middle) : middle;
      const Pack size = pack_abs(x) + Real(1);
      const Pack rounding = kTolerance * (Real(1) - here.log_below - here.log_above);
      done = pack_abs(next - x) <= kTolerance * size ? broadcast<Pack>(Real(1)) : done;
      done = pack_abs(error) <= rounding ? broadcast<Pack>(Real(1)) : done;
      x = done > Real(0) ? x : next;
      if (all_set<W>(done)) break;
    }
    log_slope += slope_found;
    return x;
  }

  template <class Pack>
  VIDA_FN static Pack clamped_between(Pack x, Pack low, Pack high) {
    x = x < low ? low : x;
    return x > high ? high : x;
  }
  template <int W, class Pack>
  VIDA_FN static bool all_set(Pack done) {
    Real each[W];
    store(each, done);
    bool all = true;
    for (int i = 0; i < W; ++i) all = all && each[i] > Real(0);
    return all;
  }
};

}  // namespace vida::kernels
