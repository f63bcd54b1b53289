#include "filtering/gain_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend/smaller_chunks.hpp"
#include "filtering/validate.hpp"

namespace vida {
namespace {

using namespace kernels;

std::size_t count_of(long elements) { return static_cast<std::size_t>(elements); }

/// How the cycles are cut: into stretches whose covariances are held together, and those into chunks whose cost terms
/// are.
struct Cut {
  long cycles, stretch, chunk;
  long stretches() const { return (cycles + stretch - 1) / stretch; }
  long first(long k) const { return k * stretch; }
  long last(long k) const { return std::min(cycles, (k + 1) * stretch); }
};

/// Device memory of as many problems as are worked at once; taken once.
template <class Real>
struct Workspace {
  Buffer<int> data_of;
  Buffer<Real> gains, operators, means, covariances, checkpoints, terms[2], values, adjoint, gradient, chi_squares, kl;
};

template <class Real>
class TypedEngine final : public GainEngine {
 public:
  TypedEngine(const Device& device, std::span<const FilterProblem> problems, const GainObjectiveOptions& options)
      : executor_(device.executor()),
        batch_(executor_, problems),
        options_(options),
        cut_{batch_.cycles(),
             options.checkpoint_interval > 0 ? std::min(options.checkpoint_interval, batch_.cycles()) : batch_.cycles(),
             std::min(options.chunk, batch_.cycles())} {
    const long fitting = static_cast<long>(device.memory_limit() / std::max<std::size_t>(memory_bytes(), 1));
    group_limit_ = std::max(1L, executor_.is_cuda() ? fitting : std::min<long>(fitting, executor_.concurrent_teams()));
  }

  std::vector<FilterResult> track_ekf() override {
    const GainShape& s = batch_.shape();
    const long slots = batch_.cycles() + 1, matrices = batch_.size() * slots;
    reference_means_ = Buffer<Real>(executor_, count_of(matrices * s.ld));
    reference_precisions_ = Buffer<Real>(executor_, count_of(matrices * s.nn()));
    reference_log_dets_ = Buffer<Real>(executor_, count_of(matrices));
    auto results = run_ekf(batch_, 0, batch_.size(),
                           {reference_means_.data(), reference_precisions_.data(), nullptr, batch_.cycles(), slots, 1});
    using Kernel = InvertCovariances<Real>;
    launch(executor_, {.items = matrices, .scratch_bytes = Kernel::scratch_bytes(s)},
           Kernel{s.n, s.ld, s.rows, reference_precisions_.data(), reference_log_dets_.data()});
    return results;
  }

  std::vector<GainEvaluation> evaluate(std::span<const long> which, std::span<const Matrix> gains,
                                       const GainRequest& request) override {
    std::vector<GainEvaluation> results;
    const long wanted = std::min(group_limit_, std::ssize(which));
    long together = wanted;
    with_smaller_chunks(together, [this](long items) { reserve(items); });
    if (together < wanted) group_limit_ = together;
    for (std::size_t first = 0; first < which.size(); first += count_of(together)) {
      const std::size_t count = std::min(which.size() - first, count_of(together));
      evaluate_group(which.subspan(first, count), gains.subspan(first, count), request, results);
    }
    return results;
  }

  std::size_t memory_bytes() const override {
    const GainShape& s = batch_.shape();
    const long elements = s.np() * 2 + GainOperators<Real>::elements(s) + (cut_.cycles + 1) * s.ld +
                          (cut_.stretch + 1) * s.nn() + (cut_.stretches() > 1 ? cut_.stretches() * s.nn() : 0) +
                          2 * cut_.chunk * TermBuffer<Real>::elements(s) + cut_.cycles * (kCycleValues + 2) +
                          AdjointState<Real>::elements(s);
    return sizeof(Real) * count_of(elements);
  }

  std::size_t reference_bytes() const override {
    const GainShape& s = batch_.shape();
    return sizeof(Real) * count_of((cut_.cycles + 1) * (s.nn() + s.ld + 1));
  }

 private:
  void reserve(long items) {
    if (items <= reserved_) return;
    const GainShape& s = batch_.shape();
    const auto take = [&](long each) { return Buffer<Real>(executor_, count_of(items * each)); };
    space_ = {}, reserved_ = 0;
    space_.data_of = Buffer<int>(executor_, count_of(items));
    space_.gains = take(s.np()), space_.gradient = take(s.np());
    space_.operators = take(GainOperators<Real>::elements(s));
    space_.means = take((cut_.cycles + 1) * s.ld);
    space_.covariances = take((cut_.stretch + 1) * s.nn());
    if (cut_.stretches() > 1) space_.checkpoints = take(cut_.stretches() * s.nn());
    for (auto& terms : space_.terms) terms = take(cut_.chunk * TermBuffer<Real>::elements(s));
    space_.values = take(cut_.cycles * kCycleValues);
    space_.chi_squares = take(cut_.cycles), space_.kl = take(cut_.cycles);
    space_.adjoint = take(AdjointState<Real>::elements(s));
    reserved_ = items;
  }

  Trajectory<Real> trajectory() const {
    return {space_.means.data(), space_.covariances.data(), space_.checkpoints.data(),
            cut_.cycles,         cut_.stretch + 1,          cut_.stretches()};
  }

  void forward(long items, long k) {
    using Kernel = GainForward<Real>;
    const GainShape& s = batch_.shape();
    launch(executor_, {.items = items, .scratch_bytes = Kernel::scratch_bytes(s)},
           Kernel{s, batch_.data(), space_.data_of.data(), space_.gains.data(), space_.operators.data(), trajectory(),
                  cut_.first(k), cut_.last(k), k, k + 1 < cut_.stretches()});
  }

  GainTerms<Real> terms_kernel(Real* memory, long k, long first, long count, long iteration) const {
    const int samples = options_.expectation == Expectation::monte_carlo ? options_.samples : 0;
    return {batch_.shape(),
            batch_.data(),
            space_.data_of.data(),
            space_.gains.data(),
            space_.operators.data(),
            trajectory(),
            {memory, cut_.chunk},
            space_.values.data(),
            {samples, batch_.seeds(), batch_.numbers(), static_cast<std::uint32_t>(iteration)},
            cut_.first(k),
            first,
            count};
  }

  std::size_t terms_scratch() const {
    return GainTerms<Real>::scratch_bytes(batch_.shape(),
                                          options_.expectation == Expectation::monte_carlo ? options_.samples : 0);
  }

  GainBackward<Real> backward_kernel(Real* memory, long k, long first, long count) const {
    return {batch_.shape(), batch_.data(),        space_.data_of.data(),   space_.gains.data(), space_.operators.data(),
            trajectory(),   {memory, cut_.chunk}, {space_.adjoint.data()}, cut_.first(k),       first,
            count};
  }

  /// Cost terms and adjoint of stretch k: the terms of each chunk are made while the adjoint walks the chunk after it.
  void sweep(long items, long k, long iteration) {
    const long begin = cut_.first(k), end = cut_.last(k), chunks = (end - begin + cut_.chunk - 1) / cut_.chunk;
    const auto chunk_first = [&](long c) { return begin + c * cut_.chunk; };
    const auto chunk_count = [&](long c) { return std::min(end, chunk_first(c) + cut_.chunk) - chunk_first(c); };
    for (long c = chunks; c >= 0; --c) {  // adjoint of chunk c beside the terms of chunk c - 1
      GainSweep<Real> both{};
      long term_items = 0;
      if (c < chunks) {
        both.backward = backward_kernel(space_.terms[c % 2].data(), k, chunk_first(c), chunk_count(c));
        both.backward_items = items;
      }
      if (c > 0) {
        both.terms =
            terms_kernel(space_.terms[(c - 1) % 2].data(), k, chunk_first(c - 1), chunk_count(c - 1), iteration);
        term_items = items * chunk_count(c - 1);
      }
      launch_sweep(both, term_items);
    }
  }

  void launch_sweep(const GainSweep<Real>& both, long term_items) {
    const std::size_t backward_scratch = GainBackward<Real>::scratch_bytes(batch_.shape());
    if (executor_.is_cuda()) {
      launch(executor_, {.items = both.backward_items, .scratch_bytes = backward_scratch}, both.backward);
      launch(executor_, {.items = term_items, .scratch_bytes = terms_scratch()}, both.terms);
    } else {
      host::launch(
          executor_,
          {.items = both.backward_items + term_items, .scratch_bytes = std::max(backward_scratch, terms_scratch())},
          both);
    }
  }

  /// What is read off the covariances of stretch k while they are there, after its terms.
  void score(long items, long k, const GainRequest& request) {
    const GainShape& s = batch_.shape();
    const long first = cut_.first(k), count = cut_.last(k) - first;
    if (reference_means_.size())
      launch(executor_, {.items = items * count, .scratch_bytes = KlToReference<Real>::scratch_bytes(s)},
             KlToReference<Real>{s, space_.data_of.data(), trajectory(), space_.values.data(), reference_means_.data(),
                                 reference_precisions_.data(), reference_log_dets_.data(), space_.kl.data(),
                                 cut_.cycles, first, count});
    if (request.chi_square)
      launch(executor_, {.items = items * count, .scratch_bytes = InnovationStatistics<Real>::scratch_bytes(s)},
             InnovationStatistics<Real>{s, batch_.data(), space_.data_of.data(), trajectory(),
                                        space_.chi_squares.data(), first, count});
  }

  void evaluate_group(std::span<const long> which, std::span<const Matrix> gains, const GainRequest& request,
                      std::vector<GainEvaluation>& results) {
    const GainShape& s = batch_.shape();
    const long items = static_cast<long>(which.size());
    std::vector<int> data_of(which.begin(), which.end());
    std::vector<Real> padded_gains(count_of(items * s.np()), Real(0));
    for (long i = 0; i < items; ++i) pad(gains[count_of(i)].view(), s.lp, padded_gains.data() + i * s.np());
    space_.data_of.upload(data_of);
    space_.gains.upload(padded_gains);
    launch(executor_, {.items = items, .scratch_bytes = BuildGainOperators<Real>::scratch_bytes(s)},
           BuildGainOperators<Real>{s, batch_.data(), space_.data_of.data(), space_.gains.data(),
                                    space_.operators.data()});

    const long stretches = cut_.stretches();
    std::vector<Real> last_covariance(count_of(items * s.nn()));
    for (long k = 0; k < stretches; ++k) {
      forward(items, k);
      if (request.gradient) continue;
      const long count = cut_.last(k) - cut_.first(k);
      launch(executor_, {.items = items * count, .scratch_bytes = terms_scratch()},
             terms_kernel(nullptr, k, cut_.first(k), count, request.iteration));
      score(items, k, request);
    }
    const long last_slot = cut_.last(stretches - 1) - cut_.first(stretches - 1);
    for (long i = 0; i < items; ++i)
      executor_.download(last_covariance.data() + i * s.nn(), trajectory().covariance(s, i, last_slot),
                         count_of(s.nn()) * sizeof(Real));
    if (request.gradient) {
      space_.adjoint.clear();
      for (long k = stretches - 1; k >= 0; --k) {
        if (k + 1 < stretches) forward(items, k);
        sweep(items, k, request.iteration);
        score(items, k, request);
      }
      launch(executor_, {.items = items},
             GainGradient<Real>{s, space_.operators.data(), {space_.adjoint.data()}, space_.gradient.data()});
    }
    collect(which, request, last_covariance, results);
  }

  void collect(std::span<const long> which, const GainRequest& request, const std::vector<Real>& last_covariance,
               std::vector<GainEvaluation>& results) {
    const GainShape& s = batch_.shape();
    const long items = static_cast<long>(which.size()), cycles = cut_.cycles;
    const auto fetch = [&](const Buffer<Real>& buffer, long each) {
      std::vector<Real> host(count_of(items * each));
      buffer.download(host.data(), host.size());
      return host;
    };
    const auto values = fetch(space_.values, cycles * kCycleValues), means = fetch(space_.means, (cycles + 1) * s.ld);
    const auto gradients = request.gradient ? fetch(space_.gradient, s.np()) : std::vector<Real>{};
    const auto chi = request.chi_square ? fetch(space_.chi_squares, cycles) : std::vector<Real>{};
    const auto kl = reference_means_.size() ? fetch(space_.kl, cycles) : std::vector<Real>{};
    for (long i = 0; i < items; ++i) {
      GainEvaluation one;
      GainValue& value = one.value;
      for (long j = 0; j < cycles; ++j) {
        const Real* of_cycle = values.data() + (i * cycles + j) * kCycleValues;
        value.kl.push_back(static_cast<double>(of_cycle[0]));
        value.loglik.push_back(static_cast<double>(of_cycle[1]));
        value.cost += value.kl.back() - value.loglik.back();
      }
      value.analysis_mean = unpadded(means.data() + i * (cycles + 1) * s.ld + s.ld, cycles, s.n, s.ld);
      value.analysis_cov_last = unpadded(last_covariance.data() + i * s.nn(), s.n, s.n, s.ld);
      if (request.gradient) value.gradient = unpadded(gradients.data() + i * s.np(), s.n, s.p, s.lp);
      const auto mean_of = [&](const std::vector<Real>& all, long divisor) {
        if (all.empty()) return std::numeric_limits<double>::quiet_NaN();
        return std::accumulate(all.begin() + i * cycles, all.begin() + (i + 1) * cycles, 0.0) /
               static_cast<double>(divisor);
      };
      value.kl_to_reference = mean_of(kl, cycles);
      one.chi_square = mean_of(chi, batch_.observed_cycles(which[count_of(i)]));
      results.push_back(std::move(one));
    }
  }

  Executor& executor_;
  FilterBatch<Real> batch_;
  GainObjectiveOptions options_;
  Cut cut_;
  long group_limit_ = 1, reserved_ = 0;
  Workspace<Real> space_;
  Buffer<Real> reference_means_, reference_precisions_, reference_log_dets_;
};

}  // namespace

std::unique_ptr<GainEngine> GainEngine::make(const Device& device, std::span<const FilterProblem> problems,
                                             const GainObjectiveOptions& options) {
  if (problems.empty()) throw InvalidArgument("a gain objective needs at least one problem.");
  validate_batch(problems);
  if (options.chunk < 1)
    throw InvalidArgument(fmt::format("objective.chunk is {}, expected at least 1 cycle.", options.chunk));
  if (options.checkpoint_interval < 0)
    throw InvalidArgument(fmt::format("objective.checkpoint_interval is {}, expected cycles, or 0 to keep all.",
                                      options.checkpoint_interval));
  if (options.expectation == Expectation::monte_carlo && options.samples < 1)
    throw InvalidArgument(fmt::format("objective.samples is {}, expected at least 1.", options.samples));
  if (options.precision == Precision::float32) return std::make_unique<TypedEngine<float>>(device, problems, options);
  return std::make_unique<TypedEngine<double>>(device, problems, options);
}

}  // namespace vida
