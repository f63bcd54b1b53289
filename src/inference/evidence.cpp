#include "vida/evidence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "backend/smaller_chunks.hpp"
#include "inference/prepared_target.hpp"
#include "inference/trapezium_grid.hpp"

namespace vida {
namespace {

constexpr double kReach = 8;           // the scan covers [-kReach, kReach]^d
constexpr long kScanPoints = 81;       // an axis: spacing 0.2
constexpr long kMostNodes = 1L << 20;  // of one grid
constexpr long kGroup = 512;           // problems whose grids need the same multiple of it are worked together
constexpr int kRepeats = 12;           // of grids that did not hold the density of one problem
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t size(long value) { return static_cast<std::size_t>(value); }

TrapeziumGrid scan_grid(long d) {
  const Interval all{-kReach, kReach};
  return {{all, all}, {d == 1 ? 1 : kScanPoints, kScanPoints}, {}};
}

/// One problem on its way: what to evaluate next, and what is known.
struct Refinement {
  long problem = 0;
  TrapeziumGrid grid;
  double log_evidence = NAN;  // on the latest grid that held the density
  int repeats = 0;
  bool settled = false;

  long stride() const { return round_up(grid.count(), kGroup); }
};

/// How much smaller a spacing must be for a change with three times the spacing to fall to `wanted`: the logarithm of
/// the error goes with a power of the spacing, -2 for a Gaussian and -1 for analytic densities in general.
double refinement_factor(double change, double wanted) {
  constexpr double kLeast = 1.4;
  if (!(change < 0.5)) return 3;
  if (change < wanted) return kLeast;
  return std::clamp(std::pow(std::log(wanted) / std::log(change), 1 / 1.5), kLeast, 3.0);
}

class EvidenceBatch {
 public:
  EvidenceBatch(const Device& device, const Target& target, const Matrix& observations, const EvidenceOptions& options)
      : executor_(device.executor()),
        room_(device.is_cuda() ? static_cast<long>(device.memory_limit()) : kCache * device.threads()),
        name_(target.name()),
        d_(target.dimension()),
        observations_(observations),
        tolerance_(options.tolerance),
        loose_(std::cbrt(10 * options.tolerance)),
        drop_(6 - std::log(options.tolerance)),
        target_(prepare<double>(target, executor_)) {}

  Vector run() {
    const long problems = observations_.extent(0);
    Vector result({problems});
    std::vector<Refinement> open(size(problems));
    for (long i = 0; i < problems; ++i) open[size(i)] = {.problem = i, .grid = scan_grid(d_)};
    while (!open.empty()) {
      std::stable_sort(open.begin(), open.end(),
                       [](const Refinement& a, const Refinement& b) { return a.stride() < b.stride(); });
      for (std::size_t first = 0, end = 0; first < open.size(); first = end) {
        const long stride = open[first].stride();
        while (end < open.size() && open[end].stride() == stride) ++end;
        evaluate({open.data() + first, end - first}, stride);
      }
      for (const Refinement& one : open)
        if (one.settled) result[one.problem] = one.log_evidence;
      std::erase_if(open, [](const Refinement& one) { return one.settled; });
    }
    return result;
  }

 private:
  static constexpr long kCache = 1 << 20;  // of one core

  /// One round for problems with grids of about one size, as many at once as there is room for.
  void evaluate(std::span<Refinement> some, long stride) {
    const long p = observations_.extent(1), problems = std::ssize(some);
    const long each = static_cast<long>(sizeof(double)) * ((2 * d_ + 1) * stride + p);
    long capacity = std::clamp(room_ / each, 1L, problems);
    with_smaller_chunks(capacity, [&](long smaller) {
      const auto reserve = [&](Buffer<double>& device, std::vector<double>& host, long numbers) {
        if (device.size() < size(smaller * numbers)) device = Buffer<double>(executor_, size(smaller * numbers));
        if (host.size() < size(smaller * numbers)) host.resize(size(smaller * numbers));
      };
      reserve(points_, host_points_, d_ * stride);
      reserve(gradient_, host_points_, d_ * stride);
      reserve(densities_, host_densities_, stride);
      reserve(y_, host_y_, p);
    });
    for (long first = 0; first < problems; first += capacity) {
      const long here = std::min(capacity, problems - first);
      for (long i = 0; i < here; ++i) {
        const Refinement& one = some[size(first + i)];
        one.grid.write(host_points_.data() + i * d_ * stride, d_, stride);
        std::copy_n(observations_.data() + one.problem * p, p, host_y_.data() + i * p);
      }
      points_.upload(host_points_.data(), size(here * d_ * stride));
      y_.upload(host_y_.data(), size(here * p));
      target_->evaluate({here, stride, points_.data(), y_.data(), densities_.data(), gradient_.data()});
      densities_.download(host_densities_.data(), size(here * stride));
      for (long i = 0; i < here; ++i) {
        Refinement& one = some[size(first + i)];
        advance(one, summarised(one.grid, host_densities_.data() + i * stride, drop_));
      }
    }
  }

  /// What the values on the latest grid lead to: the result, or another grid.
  void advance(Refinement& one, const TrapeziumSummary& now) const {
    if (std::isnan(now.log_integral)) fail(one, "the density is NaN or infinite at a point");
    if (now.log_integral == -kInfinity) fail(one, "the density is zero wherever it was evaluated");
    if (widen(one, now)) return;
    const double difference = std::abs(now.log_integral - one.log_evidence);
    one.settled = now.change < tolerance_ || (difference < 0.2 * tolerance_ && now.change < loose_);
    one.log_evidence = now.log_integral;
    if (one.settled) return;
    one.grid = refined(one.grid, now, finer(one.grid, now));
    if (one.grid.count() > kMostNodes)
      fail(one, fmt::format("log Z still changes by {:.2g} nats between two refinements, the tolerance is {:.2g}",
                            difference, tolerance_));
  }

  /// Nodes for smaller spacings along the axes where a larger one would change log Z.
  std::array<long, 2> finer(const TrapeziumGrid& grid, const TrapeziumSummary& now) const {
    const bool along = std::max(now.along[0], now.along[1]) > 0.1 * tolerance_;  // else both axes at once show it
    std::array<long, 2> points{1, 1};
    for (std::size_t k : {0, 1}) {
      if (grid.points[k] == 1) continue;
      const double change = along ? now.along[k] : now.change;
      const double factor = change < 0.1 * tolerance_ ? 1 : refinement_factor(change, loose_);
      points[k] = std::lround(std::ceil(now.inside[k].width() * factor / grid.spacing(k))) + 1;
    }
    return points;
  }

  /// Moves faces out beyond which there is too much, and gives up the spans. Returns whether that was needed.
  bool widen(Refinement& one, const TrapeziumSummary& now) const {
    const double most = 0.1 * tolerance_;
    bool lost = now.gap > most && !one.grid.spans.empty();
    for (std::size_t k : {0, 1}) {
      Interval& side = one.grid.box[k];
      const double by = side.width() / 2;
      const bool low = now.beyond[k].low > most, high = now.beyond[k].high > most;
      if ((low && side.low <= -kReach) || (high && side.high >= kReach))
        fail(one, fmt::format("the density does not decay within [{}, {}] along component {}", -kReach, kReach,
                              d_ == 1 ? 0 : k));
      if (low) side.low = std::max(-kReach, side.low - by);
      if (high) side.high = std::min(kReach, side.high + by);
      lost = lost || low || high;
    }
    if (lost) one.grid.spans.clear();
    if (lost && (++one.repeats > kRepeats || one.grid.count() > kMostNodes))
      fail(one, "no box that holds the density was found");
    return lost;
  }

  [[noreturn]] void fail(const Refinement& one, const std::string& what) const {
    throw Error(
        fmt::format("log_evidences: problem {} of target {}: {}. Rescale u so that the density is smooth on the "
                    "scale of 0.1 and lies within [{}, {}]^{}, or take quadrature_moments with a box.",
                    one.problem, name_, what, -kReach, kReach, d_));
  }

  Executor& executor_;
  long room_;  // bytes
  std::string name_;
  long d_;
  const Matrix& observations_;
  double tolerance_;
  double loose_;  // most change with three times the spacing: cubed it is far below the tolerance
  double drop_;   // nats below the largest density that do not count
  std::unique_ptr<PreparedTarget<double>> target_;
  Buffer<double> points_, gradient_, densities_, y_;
  std::vector<double> host_points_, host_densities_, host_y_;
};

void check(const Target& target, const Matrix& observations, const EvidenceOptions& options) {
  if (target.dimension() != 1 && target.dimension() != 2)
    throw InvalidArgument(
        fmt::format("log_evidences: target {} has dimension {}; expected 1 or 2. Use "
                    "quadrature_moments in 3 dimensions, importance sampling beyond.",
                    target.name(), target.dimension()));
  if (!(options.tolerance >= 1e-11) || !std::isfinite(options.tolerance))
    throw InvalidArgument(
        fmt::format("log_evidences: tolerance is {}; expected a number of nats from 1e-11.", options.tolerance));
  check_observations("log_evidences", target, observations);
}

}  // namespace

Vector log_evidences(const Device& device, const Target& target, const Matrix& observations,
                     const EvidenceOptions& options) {
  check(target, observations, options);
  return EvidenceBatch(device, target, observations, options).run();
}

}  // namespace vida
