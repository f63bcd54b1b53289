// The table of settings: what stands here is what a configuration can say.
#include "io/settings.hpp"

namespace vida::io {
namespace {

constexpr const char* kAll = "les";
constexpr const char* kGain = "le";

std::vector<Setting> make_table() {
  using enum Kind;
  using enum Scope;
  const auto text_of = [](const char* text) { return Value(std::string(text)); };
  const std::nullopt_t optional = std::nullopt;
  return {
      {"job", kAll, text, batch, text_of("learn-gain"), "what to do", {"learn-gain", "evaluate-gain", "ensemble"}},
      {"seed", kAll, integer, run, 0L, "of every random number; another seed, another data set", {}, 0},
      {"precision", kAll, text, batch, text_of("float64"), "of the arithmetic", {"float64", "float32"}},

      {"model.name", kAll, text, batch, text_of("lorenz96"), "dynamics", {"lorenz96"}},
      {"model.n", kAll, integer, batch, 40L, "variables on the ring", {}, 4},
      {"model.forcing", kAll, real, run, 8.0, "F"},
      {"model.dt", kAll, real, run, 0.05, "Runge-Kutta step in model time units", {}, 0, true},
      {"model.steps_per_cycle", kGain, integer, batch, 1L, "Runge-Kutta steps between observations", {}, 1},
      {"model.process_noise",
       kGain,
       numbers,
       run,
       0.1,
       "variance, list of variances, or \"file\" (Q in the file)",
       {"file"},
       0},

      {"observations.cycles", kGain, integer, batch, 1000L, "how many times the state is observed", {}, 1},
      {"observations.operator",
       kGain,
       text,
       batch,
       text_of("identity"),
       "every component, every K-th, a list, or H of the file",
       {"identity", "every:", "indices", "matrix"}},
      {"observations.indices", kGain, indices, batch, optional,
       "observed components, from 0, for operator \"indices\""},
      {"observations.noise",
       kGain,
       numbers,
       run,
       1.0,
       "variance, list of variances, or \"file\" (R in the file)",
       {"file"},
       0,
       true},
      {"observations.file", kGain, path, batch, optional,
       "NetCDF file with y [cycle, obs] to use instead of a simulation"},
      {"observations.spin_up",
       kGain,
       integer,
       run,
       0L,
       "cycles that the truth runs before the first observed one",
       {},
       0},

      {"filter.initial_mean",
       kGain,
       numbers,
       run,
       1.0,
       "of the filter: a number, a list, or \"file\" (m0 in the file)",
       {"file"}},
      {"filter.initial_variance",
       kGain,
       numbers,
       run,
       1.0,
       "of the filter: variance, list of variances, or \"file\" (C0)",
       {"file"},
       0,
       true},
      {"filter.forcing", kGain, real, run, optional, "the filter's own F, when it differs from the truth's"},
      {"filter.dt", kGain, real, run, optional, "the filter's own step, when it differs from the truth's", {}, 0, true},

      {"gain.structure",
       "l",
       text,
       batch,
       text_of("full"),
       "which entries of K are free",
       {"full", "diagonal", "banded:", "circulant"}},
      {"gain.initial", kGain, real, run, 0.4, "K_0 = initial * H', unless a file gives the gain"},
      {"gain.file", kGain, path, batch, optional, "NetCDF file with K [state, obs], instead of initial * H'"},

      {"objective.expectation",
       kGain,
       text,
       batch,
       text_of("exact"),
       "of the log-likelihood, in closed form or sampled",
       {"exact", "monte-carlo"}},
      {"objective.samples", kGain, integer, batch, 10L, "draws per cycle of the Monte Carlo form", {}, 1},
      {"objective.chunk", kGain, integer, batch, 32L, "cycles whose cost terms are held in memory at once", {}, 1},
      {"objective.checkpoint_interval",
       kGain,
       integer,
       batch,
       0L,
       "keep covariances only every so many cycles and recompute the rest; 0 keeps all",
       {},
       0},

      {"optimizer.name",
       "l",
       text,
       batch,
       text_of("gradient-descent"),
       "plain descent on the sum, or Adam on the mean",
       {"gradient-descent", "adam"}},
      {"optimizer.step",
       "l",
       real,
       run,
       optional,
       "step size; 1e-5 for gradient descent and 0.02 for Adam if left out",
       {},
       0,
       true},
      {"optimizer.iterations", "l", integer, batch, 100L, "steps to take", {}, 0},

      {"test.seed", "l", integer, run, 42L, "of the held-out data", {}, 0},
      {"test.cycles", "l", integer, batch, 1000L, "of the held-out data; 0 leaves the check out", {}, 0},

      {"ensemble.members", "s", integer, batch, 4096L, "trajectories", {}, 1},
      {"ensemble.steps", "s", integer, batch, 1000L, "Runge-Kutta steps", {}, 1},
      {"ensemble.initial_mean", "s", real, batch, 8.0, "of every component of the initial states"},
      {"ensemble.initial_variance", "s", real, batch, 1.0, "of every component of the initial states", {}, 0},
      {"ensemble.file", "s", path, batch, optional, "NetCDF file with states [member, state] to start from"},
      {"ensemble.snapshot_every", "s", integer, batch, 0L, "steps between kept snapshots; 0 keeps none", {}, 0},
      {"ensemble.snapshot_members", "s", integer, batch, 16L, "members that the snapshots hold", {}, 1},
      {"ensemble.lyapunov_exponents",
       "s",
       integer,
       batch,
       0L,
       "leading Lyapunov exponents to compute; 0 for none",
       {},
       0},
      {"ensemble.chunk", "s", integer, batch, 0L, "members integrated at once; 0 lets the memory decide", {}, 0},
  };
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = make_table();
  return table;
}

}  // namespace vida::io
