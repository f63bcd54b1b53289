#pragma once

// Every model behind one call: advance an ensemble, or a mean with its derivative. The kind is chosen at run time, once
// for a step of all columns, so that a filter is compiled once for all models.

#include "dense.cuh"
#include "dynamics/kuramoto_sivashinsky.cuh"
#include "dynamics/slopes.cuh"

namespace vida::kernels {

enum class ModelKind : int { lorenz96, lorenz63, linear, kuramoto_sivashinsky };
enum class Tangent : int { exact, frozen };

struct ModelShape {
  ModelKind kind;
  int n;
  int group;        // columns advanced together: a pack on the CPU
  int ldn;          // leading dimension of n x n matrices
  long parameters;  // elements of one parameter set
};

/// The model with one parameter set: dt first; from kMatrixOffset on, F [rows, ldn] of a linear model or the
/// SpectralParameters.
template <class Real>
struct Model {
  ModelShape shape;
  const Real* parameters;

  /// Work area of advance() and tangent().
  struct Work {
    ColumnWork<Real> columns;
    ColumnRing<Real> stages[4];  // of the mean, single columns
    SpectralWork<Real> spectral;
    VIDA_BOTH Work(Pieces<Real>& pieces, const ModelShape& s)
        : columns(pieces, static_cast<int>(padded(s.n, kTileRows)), s.group),
          stages{ring(pieces, s), ring(pieces, s), ring(pieces, s), ring(pieces, s)},
          spectral(pieces, s.kind == ModelKind::kuramoto_sivashinsky ? s.n : 0, s.group) {
      columns.state.n = columns.first.n = columns.second.n = s.n;
    }

   private:
    VIDA_BOTH static ColumnRing<Real> ring(Pieces<Real>& pieces, const ModelShape& s) {
      return {pieces.take(ColumnRing<Real>::elements(s.n, 1)), s.n, 1};
    }
  };

  VIDA_FN Real dt() const { return parameters[0]; }

  /// X [n, ld] <- its first `columns` columns after `steps` steps.
  template <class Team>
  VIDA_CALL void advance(Team team, Real* X, int ld, int columns, int steps, const Work& work) const {
    switch (shape.kind) {
      case ModelKind::lorenz96:
        return advance_by(team, Lorenz96Slope<Real>(parameters), X, ld, columns, steps, work);
      case ModelKind::lorenz63:
        return advance_by(team, Lorenz63Slope<Real>(parameters), X, ld, columns, steps, work);
      case ModelKind::linear:
        for (int step = 0; step < steps; ++step) {
          if (step) team.sync();
          multiply(team, X, ld, columns, work);
        }
        return;
      case ModelKind::kuramoto_sivashinsky:
        return advance_spectrum(team, X, ld, columns, steps, work);
    }
  }

  /// mean <- mean after one step. Leaves in `work` where tangent() takes the derivative of that step: at the states of
  /// the stages (`exact`) or at the new mean (`frozen`).
  template <class Team>
  VIDA_CALL void linearize(Team team, Real* mean, Tangent kind, const Work& work) const {
    switch (shape.kind) {
      case ModelKind::lorenz96:
        return linearize_by(team, Lorenz96Slope<Real>(parameters), mean, kind, work);
      case ModelKind::lorenz63:
        return linearize_by(team, Lorenz63Slope<Real>(parameters), mean, kind, work);
      case ModelKind::linear: {
        const Real* F = parameters + kMatrixOffset;
        for (int i = team.rank(); i < shape.n; i += team.size())
          *work.stages[0].row(i) = dot(team, shape.n, F + static_cast<long>(i) * shape.ldn, mean);
        team.sync();
        for (int i = team.rank(); i < shape.n; i += team.size()) mean[i] = *work.stages[0].row(i);
        return;
      }
      case ModelKind::kuramoto_sivashinsky:
        return spectral_linearize(team, mean, work);
    }
  }

  /// P [n, ld] <- J P for its first `columns` columns, J the derivative of the step of linearize(): `exact`, propagated
  /// through the stages, or `frozen`, the series of exp(dt M) at the new mean; of the
  /// Kuramoto-Sivashinsky model always exact.
  template <class Team>
  VIDA_CALL void tangent(Team team, Real* P, int ld, int columns, Tangent kind, const Work& work) const {
    switch (shape.kind) {
      case ModelKind::lorenz96:
        return tangent_by(team, Lorenz96Slope<Real>(parameters), P, ld, columns, kind, work);
      case ModelKind::lorenz63:
        return tangent_by(team, Lorenz63Slope<Real>(parameters), P, ld, columns, kind, work);
      case ModelKind::linear:
        return multiply(team, P, ld, columns, work);
      case ModelKind::kuramoto_sivashinsky:
        return spectral_tangent(team, P, ld, columns, work);
    }
  }

  static constexpr int kMatrixOffset = 16;

 private:
  template <class Pack>
  VIDA_FN static Real first_of(Pack values) {
    Real elements[width<Pack, Real>];
    store(elements, values);
    return elements[0];
  }

  /// function(first column, columns) for each group.
  template <class Team, class Function>
  VIDA_FN void for_groups(Team team, int columns, Function function) const {
    for (int first = 0; first < columns; first += shape.group) {
      if (first) team.sync();
      function(first, columns - first < shape.group ? columns - first : shape.group);
    }
  }

  template <class Team, class Slope>
  VIDA_FN void advance_by(Team team, Slope slope, Real* X, int ld, int columns, int steps, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    for_groups(team, columns, [&](int first, int count) {
      load_columns(team, X, ld, first, count, work.columns.state);
      for (int step = 0; step < steps; ++step) {
        team.sync();
        runge_kutta_columns(
            team, shape.n, count, dt(), work.columns,
            [&](int, const ColumnRing<Real>& u, int i, int c) { return slope.template at<Pack>(u, i, c); });
      }
      store_columns(team, work.columns.state, first, count, X, ld);  // of the elements that the lane put there itself
    });
  }

  template <class Team, class Slope>
  VIDA_FN void linearize_by(Team team, Slope slope, Real* mean, Tangent kind, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    const int n = shape.n;
    for (int i = team.rank(); i < n; i += team.size()) work.columns.state.put(i, 0, Pack{} + mean[i]);
    team.sync();
    runge_kutta_columns(team, n, 1, dt(), work.columns, [&](int stage, const ColumnRing<Real>& u, int i, int c) {
      work.stages[stage].put(i, 0, *u.row(i));
      return slope.template at<Pack>(u, i, c);
    });
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) {
      mean[i] = *work.columns.state.row(i);
      if (kind == Tangent::frozen) work.stages[0].put(i, 0, mean[i]);
    }
  }

  template <class Team, class Slope>
  VIDA_FN void tangent_by(Team team, Slope slope, Real* P, int ld, int columns, Tangent kind, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    const int n = shape.n;
    for_groups(team, columns, [&](int first, int count) {
      load_columns(team, P, ld, first, count, work.columns.state);
      team.sync();
      if (kind == Tangent::exact) {
        runge_kutta_columns(team, n, count, dt(), work.columns,
                            [&](int stage, const ColumnRing<Real>& u, int i, int c) {
                              return slope.template tangent<Pack>(work.stages[stage], u, i, c);
                            });
      } else {
        // term k is (dt / k) M times term k - 1
        for (int k = 1; k <= Slope::kFrozenOrder; ++k) {
          const ColumnRing<Real>& from = k == 1 ? work.columns.state : k % 2 ? work.columns.second : work.columns.first;
          const ColumnRing<Real>& to = k % 2 ? work.columns.first : work.columns.second;
          const Real factor = dt() / Real(k);
          for_pairs(team, n, (count + W - 1) / W, [&](int i, int pack) {
            const int c = pack * W;
            const Pack term = factor * slope.template tangent<Pack>(work.stages[0], from, i, c);
            to.put(i, c, term);
            Real* sum = work.columns.sum + i * shape.group + c;
            store(sum, (k == 1 ? from.template at<Pack>(i, c) : load<Pack>(sum)) + term);
          });
          team.sync();
        }
        for_pairs(team, n, (count + W - 1) / W, [&](int i, int pack) {
          work.columns.state.put(i, pack * W, load<Pack>(work.columns.sum + i * shape.group + pack * W));
        });
      }
      team.sync();
      store_columns(team, work.columns.state, first, count, P, ld);
    });
  }

  template <class Team>
  VIDA_FN SpectralColumns<Team, Real> spectral(Team team, int columns, const Work& work) const {
    return {team, shape.n, columns, shape.group, parameters + kMatrixOffset, work.spectral};
  }

  template <class Team>
  VIDA_FN void advance_spectrum(Team team, Real* X, int ld, int columns, int steps, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    for_groups(team, columns, [&](int first, int count) {
      const auto s = spectral(team, count, work);
      const auto at = [&](int i, int c) { return X + static_cast<long>(i) * ld + first + c; };
      s.begin([&](int i, int c) { return load<Pack>(at(i, c)); });
      for (int step = 0; step < steps; ++step) {
        team.sync();
        s.step([](int, int, int, Pack u) { return u * u; });
      }
      team.sync();
      s.end([&](int i, int c, Pack u) { store(at(i, c), u); });
    });
  }

  template <class Team>
  VIDA_FN void spectral_linearize(Team team, Real* mean, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    const auto single = spectral(team, 1, work);
    single.begin([&](int i, int) { return Pack{} + mean[i]; });
    team.sync();
    single.step([&](int stage, int i, int, Pack u) {
      *work.stages[stage].row(i) = first_of(u);
      return u * u;
    });
    team.sync();
    single.end([&](int i, int c, Pack u) {
      if (c == 0) mean[i] = first_of(u);
    });
  }

  template <class Team>
  VIDA_FN void spectral_tangent(Team team, Real* P, int ld, int columns, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    for_groups(team, columns, [&](int first, int count) {
      const auto s = spectral(team, count, work);
      const auto at = [&](int i, int c) { return P + static_cast<long>(i) * ld + first + c; };
      s.begin([&](int i, int c) { return load<Pack>(at(i, c)); });
      team.sync();
      s.step([&](int stage, int i, int, Pack u) { return (Real(2) * *work.stages[stage].row(i)) * u; });
      team.sync();
      s.end([&](int i, int c, Pack u) { store(at(i, c), u); });
    });
  }

  /// X <- F X.
  template <class Team>
  VIDA_FN void multiply(Team team, Real* X, int ld, int columns, const Work& work) const {
    using Pack = typename Team::template Pack<Real>;
    constexpr int W = width<Pack, Real>;
    Real* product = work.columns.sum;
    for_groups(team, columns, [&](int first, int count) {
      gemm(team, shape.n, count, shape.n, parameters + kMatrixOffset, shape.ldn, X + first, ld,
           Assign<Real>{product, shape.group});
      team.sync();
      for_pairs(team, shape.n, (count + W - 1) / W, [&](int i, int pack) {
        store(X + static_cast<long>(i) * ld + first + pack * W, load<Pack>(product + i * shape.group + pack * W));
      });
    });
  }
};

}  // namespace vida::kernels
