#include "filtering/filter_batch.hpp"

#include <cmath>

namespace vida {

template <class Real>
FilterBatch<Real>::FilterBatch(Executor& executor, std::span<const FilterProblem> problems)
    : executor_(&executor), size_(static_cast<long>(problems.size())) {
  const FilterProblem& first = problems.front();
  const int n = first.system.n(), p = first.system.p();
  cycles_ = first.data.y.extent(0);
  shape_ = {.n = n,
            .p = p,
            .ld = executor.leading_dimension(n, sizeof(Real)),
            .lp = executor.leading_dimension(p, sizeof(Real)),
            .rows = static_cast<int>(round_up(n, kernels::kTileRows)),
            .prows = static_cast<int>(round_up(p, kernels::kTileRows)),
            .steps = first.system.steps_per_cycle,
            .incomplete = 0,
            .halo = executor.ring_halo(),
            .compact = executor.is_cuda()};
  const auto elements = [&](long each) { return std::vector<Real>(static_cast<std::size_t>(size_ * each), Real(0)); };
  const long ld = shape_.ld, lp = shape_.lp;
  auto dt = elements(1), forcing = elements(1), H = elements(shape_.pn()), R = elements(shape_.pp()),
       Q = elements(shape_.nn()), m0 = elements(ld), C0 = elements(shape_.nn()), y = elements(cycles_ * lp);
  std::vector<std::uint64_t> seeds;
  std::vector<std::uint32_t> numbers;
  for (long i = 0; i < size_; ++i) {
    const FilterProblem& problem = problems[static_cast<std::size_t>(i)];
    const StateSpaceModel& system = problem.system;
    const auto& model = std::get<Lorenz96>(system.model);
    dt[static_cast<std::size_t>(i)] = static_cast<Real>(model.dt);
    forcing[static_cast<std::size_t>(i)] = static_cast<Real>(model.forcing);
    pad(system.observation_operator.view(), ld, H.data() + i * shape_.pn());
    pad(system.observation_noise.view(), lp, R.data() + i * shape_.pp());
    pad(system.process_noise.view(), ld, Q.data() + i * shape_.nn());
    pad(View<const double, 2>(system.initial_mean.data(), {1, n}), ld, m0.data() + i * ld);
    pad(system.initial_covariance.view(), ld, C0.data() + i * shape_.nn());
    pad(problem.data.y.view(), lp, y.data() + i * cycles_ * lp);
    long observed = 0;
    for (long j = 0; j < cycles_; ++j) {
      int present = 0;
      for (int k = 0; k < p; ++k) present += !std::isnan(problem.data.y(j, k));
      observed += present > 0;
      if (present < p) shape_.incomplete = 1;
    }
    observed_cycles_.push_back(observed);
    truths_.push_back(problem.data.truth);
    seeds.push_back(problem.seed);
    numbers.push_back(problem.number);
  }
  dt_ = uploaded(executor, dt), forcing_ = uploaded(executor, forcing), H_ = uploaded(executor, H),
  R_ = uploaded(executor, R);
  Q_ = uploaded(executor, Q), m0_ = uploaded(executor, m0), C0_ = uploaded(executor, C0), y_ = uploaded(executor, y);
  ones_ = uploaded(executor, std::vector<Real>(static_cast<std::size_t>(kernels::ring_stride(n)), Real(1)));
  seeds_ = uploaded(executor, seeds), numbers_ = uploaded(executor, numbers);
}

template <class Real>
kernels::GainData<Real> FilterBatch<Real>::data() const {
  return {dt_.data(), forcing_.data(), H_.data(),
          R_.data(),  Q_.data(),       m0_.data(),
          C0_.data(), y_.data(),       ones_.data() + kernels::kHalo,
          cycles_};
}

template class FilterBatch<float>;
template class FilterBatch<double>;

}  // namespace vida
