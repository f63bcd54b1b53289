#include "workloads.hpp"

#include <algorithm>
#include <cmath>

#include "backend/executor.hpp"
#include "image_workloads.hpp"

namespace workloads {
namespace {

using namespace vida;

/// Numbers between -1 and 1 without any order.
double scattered(long i) { return std::sin(12.9898 * static_cast<double>(i + 1)); }

Matrix matrix(long rows, long columns, double scale) {
  Matrix result({rows, columns});
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < columns; ++j) result(i, j) = scale * scattered(i * columns + j);
  return result;
}

Matrix covariance(long n, double variance) {
  const Matrix root = matrix(n, n, 0.2);
  Matrix result({n, n});
  for (long i = 0; i < n; ++i)
    for (long j = 0; j < n; ++j) {
      for (long k = 0; k < n; ++k) result(i, j) += variance * root(i, k) * root(j, k);
      if (i == j) result(i, j) += variance;
    }
  return result;
}

/// Ten variables, seen through six dense combinations: no extent is a multiple of a block, a tile or a pack.
std::vector<FilterProblem> problems(int count, int steps_per_cycle, bool with_gaps, long cycles = 4) {
  const int n = 10, p = 6;
  StateSpaceModel system{.model = Lorenz96{.n = n},
                         .steps_per_cycle = steps_per_cycle,
                         .process_noise = covariance(n, 0.1),
                         .observation_operator = matrix(p, n, 0.6),
                         .observation_noise = covariance(p, 0.5),
                         .initial_mean = Vector({n}, 2.0),
                         .initial_covariance = covariance(n, 1.0)};
  std::vector<TwinOptions> twins;
  for (int k = 0; k < count; ++k) twins.push_back({.cycles = cycles, .problem = static_cast<std::uint32_t>(k)});
  const auto data = simulate(Device::cpu(1), {&system, 1}, twins);
  std::vector<FilterProblem> result;
  for (int k = 0; k < count; ++k)
    result.push_back(
        {.system = system, .data = data[static_cast<std::size_t>(k)], .number = static_cast<std::uint32_t>(k)});
  if (with_gaps) {
    result[0].data.y(1, 2) = result[0].data.y(2, 2) = NAN;          // one pattern over two cycles
    for (long j = 0; j < p; ++j) result.back().data.y(3, j) = NAN;  // and nothing at all
  }
  return result;
}

std::vector<Matrix> gains(std::span<const FilterProblem> of) {
  std::vector<Matrix> result;
  for (const FilterProblem& problem : of) result.push_back(scaled_transpose(problem.system.observation_operator, 0.3));
  return result;
}

template <class Range>
void append(std::vector<double>& to, const Range& values) {
  for (const auto value : values) to.push_back(static_cast<double>(value));
}

std::vector<double> gain_objective(const Device& device, std::span<const FilterProblem> of,
                                   const GainObjectiveOptions& options, bool with_ekf) {
  GainObjective objective(device, of, options);
  if (with_ekf) objective.track_ekf();
  std::vector<double> numbers;
  for (const GainValue& value : objective.evaluate(gains(of), true, 3)) {
    append(numbers, std::vector{value.cost, value.kl_to_reference});
    append(numbers, value.kl);
    append(numbers, value.loglik);
    append(numbers, value.gradient);
    append(numbers, value.analysis_mean);
    append(numbers, value.analysis_cov_last);
  }
  return numbers;
}

std::vector<double> filters(const Device& device, std::span<const FilterProblem> of) {
  std::vector<double> numbers;
  for (const auto& results : {extended_kalman_filter(device, of), fixed_gain_filter(device, of, gains(of))})
    for (const FilterResult& result : results) {
      append(numbers, result.analysis_mean);
      append(numbers, result.analysis_cov_last);
      append(numbers, result.gain_last);
      append(numbers, result.gain_steady);
      append(numbers, std::vector{result.chi_square, result.mse});
    }
  return numbers;
}

/// Everything that these runs leave.
std::vector<double> numbers_of(const Device& device, std::span<const FilterProblem> of,
                               std::span<const AssimilationRun> runs, Precision precision) {
  std::vector<double> numbers;
  for (const AssimilationResult& result : assimilate(
           device, of, runs,
           {.precision = precision, .keep_means = true, .keep_ranks = true, .keep_members = true, .crps_every = 2})) {
    for (const Matrix* part :
         {&result.scores, &result.analysis_mean, &result.analysis_spread, &result.members, &result.covariance})
      for (const double value : *part) numbers.push_back(std::isnan(value) ? -1 : value);
    append(numbers, result.ranks);
  }
  return numbers;
}

/// Six single components of the ten are seen, with independent errors.
void observe_components(StateSpaceModel& system) {
  system.observation_operator = Matrix({6, 10});
  for (long j = 0; j < 6; ++j) system.observation_operator(j, j + 2) = 1;
  system.observation_noise = scaled_identity(6, 0.5);
}

LinearDynamics linear_dynamics() {
  Matrix step = scaled_identity(10, 0.9);
  for (long e = 0; e < step.size(); ++e) step.data()[e] += 0.05 * scattered(e);
  return {step};
}

/// The methods, or all of the list: through dense operators with gaps, and through single components of a noiseless
/// model with localisation where there is one.
std::vector<double> assimilation(const Device& device, const std::vector<std::string>& methods, Precision precision) {
  auto of = problems(2, 1, true);
  auto plain = problems(2, 2, true);
  for (FilterProblem& problem : plain) {
    observe_components(problem.system);
    problem.system.process_noise = Matrix({10, 10});
    of.push_back(problem);
  }
  for (const std::size_t problem : {0, 3}) {  // for methods that need a linear model
    of.push_back(of[problem]);
    of.back().system.model = linear_dynamics();
  }
  std::vector<AssimilationRun> runs;
  for (const FilterMethod& method : filter_methods()) {
    if (!methods.empty() && std::find(methods.begin(), methods.end(), method.name) == methods.end()) continue;
    for (const long problem : {0, 3}) {
      FilterSettings filter{.method = method.name, .members = 13, .inflation = 1.1, .relaxation = 0.2};
      filter.rotation = problem == 0;
      filter.tangent = problem == 0 ? "exact" : "frozen";
      if (method.localised && problem == 3) filter.radius = 2;
      if (problem == 3) filter.lag = 2;
      long of = problem;
      if (method.linear) of = 4 + problem / 3;
      if (method.name == "ienks" && problem == 0) of = 2;             // without model noise
      if (method.name == "optimal-particle" && problem == 3) of = 1;  // with it
      runs.push_back({.problem = of, .filter = filter, .seed = 3});
    }
  }
  return numbers_of(device, of, runs, precision);
}

/// Two cycles of a model without noise.
FilterProblem everything_observed(const Dynamics& model) {
  const long n = dimension(model), cycles = 2;
  FilterProblem problem{.system = {.model = model,
                                   .process_noise = Matrix({n, n}),
                                   .observation_operator = scaled_identity(n, 1),
                                   .observation_noise = scaled_identity(n, 0.5),
                                   .initial_mean = Vector({n}, 2.0),
                                   .initial_covariance = scaled_identity(n, 1.0)},
                        .data = {.y = Matrix({cycles, n}), .truth = Matrix({cycles, n})}};
  for (long e = 0; e < problem.data.y.size(); ++e) problem.data.y.data()[e] = 2 + scattered(e);
  return problem;
}

/// What the product of methods and problems does not come to: more members than a tile of weights, fewer than there are
/// observations, more observations and components than a local analysis takes at once, functions, other models.
std::vector<double> assimilation_extents(const Device& device) {
  FilterProblem dense = problems(1, 1, true)[0], plain = problems(1, 2, true)[0];
  observe_components(plain.system);
  FilterProblem squares = plain, linear = dense;
  squares.system.observation_function = ObservationFunction::square;
  linear.system.model = linear_dynamics(), linear.system.steps_per_cycle = 2;
  const FilterProblem waves = everything_observed(KuramotoSivashinsky{.n = 8, .period = 22, .dt = 0.25});
  const FilterProblem ring = everything_observed(Lorenz96{.n = 24});
  const std::vector<FilterProblem> of = {dense, plain, squares, linear, waves, ring};
  const std::vector<AssimilationRun> runs = {
      {.problem = 0, .filter = {.method = "particle", .members = 150, .resampling_threshold = 1}, .seed = 3},
      {.problem = 1,
       .filter = {.method = "particle", .members = 150, .resampling_threshold = 1, .jitter = 0},
       .seed = 3},
      {.problem = 0, .filter = {.method = "optimal-particle", .members = 150, .resampling_threshold = 1}, .seed = 3},
      {.problem = 0, .filter = {.method = "enkf", .members = 5, .inflation = 1.1}, .seed = 3},
      {.problem = 1, .filter = {.method = "denkf", .members = 5, .relaxation = 0.3}, .seed = 3},
      {.problem = 2, .filter = {.method = "serial", .members = 9, .radius = 3}, .seed = 3},
      {.problem = 2, .filter = {.method = "letkf", .members = 9}, .seed = 3},
      {.problem = 3, .filter = {.method = "etkf", .members = 140, .rotation = true}, .seed = 3},
      {.problem = 3, .filter = {.method = "ekf"}, .seed = 3},
      {.problem = 4, .filter = {.method = "etkf", .members = 70}, .seed = 3},
      {.problem = 4, .filter = {.method = "ekf"}, .seed = 3},
      {.problem = 5, .filter = {.method = "letkf", .members = 7, .local_states = 9}, .seed = 3},
  };
  return numbers_of(device, of, runs, Precision::float64);
}

/// More cycles than a launch holds, observed to the last.
std::vector<double> assimilation_launches(const Device& device) {
  const long n = 4, cycles = 66;
  FilterProblem of{.system = {.model = Lorenz96{.n = n, .dt = 0.01},
                              .process_noise = covariance(n, 0.05),
                              .observation_operator = matrix(2, n, 0.6),
                              .observation_noise = covariance(2, 0.5),
                              .initial_mean = Vector({n}, 2.0),
                              .initial_covariance = covariance(n, 1.0)},
                   .data = {.y = Matrix({cycles, 2}), .truth = Matrix({cycles, n})}};
  for (long e = 0; e < of.data.y.size(); ++e) of.data.y.data()[e] = 2 + scattered(e);
  FilterProblem linear = of, noiseless = of;
  linear.system.model = LinearDynamics{scaled_identity(n, 0.9)};
  noiseless.system.process_noise = Matrix({n, n});
  const std::vector<FilterProblem> problems = {of, linear, noiseless};
  std::vector<AssimilationRun> runs;
  for (const FilterMethod& method : filter_methods()) {
    runs.push_back({.problem = method.linear            ? 1
                               : method.name == "ienks" ? 2
                                                        : 0,
                    .filter = {.method = method.name, .members = 6, .inflation = 1.05, .iterations = 2},
                    .seed = 3});
    runs.back().filter.resampling_threshold = 1;
  }
  return numbers_of(device, problems, runs, Precision::float64);
}

template <class Real>
std::vector<double> lorenz96_maps(const Device& device) {
  const Lorenz96 model{.n = 7};
  Array<Real, 2> states({2, 7}), vectors({2, 7});
  for (long i = 0; i < 14; ++i) {
    states.data()[i] = static_cast<Real>(3 * scattered(i));
    vectors.data()[i] = static_cast<Real>(scattered(i + 40));
  }
  std::vector<double> numbers;
  append(numbers, jacobian<Real>(device, model, states, 2));
  append(numbers, tangent<Real>(device, model, states, vectors, 2));
  append(numbers, adjoint<Real>(device, model, states, vectors, 2));
  advance<Real>(device, model, states, 3);
  append(numbers, states);
  return numbers;
}

std::vector<double> twins(const Device& device) {
  const FilterProblem problem = problems(1, 2, false).front();
  const TwinOptions options[]{{.cycles = 3, .spin_up = 2, .seed = 4}, {.cycles = 3, .seed = 4, .problem = 1}};
  std::vector<double> numbers;
  for (const Observations& data : simulate(device, {&problem.system, 1}, options)) {
    append(numbers, data.y);
    append(numbers, data.truth);
  }
  StateSpaceModel waves = problem.system;
  waves.model = KuramotoSivashinsky{.n = 16, .period = 22, .dt = 0.25};
  waves.process_noise = waves.initial_covariance = covariance(16, 0.1);
  waves.observation_operator = matrix(6, 16, 0.6);
  waves.initial_mean = Vector({16}, 0.5);
  StateSpaceModel linear = problem.system;
  linear.model = LinearDynamics{matrix(10, 10, 0.5)};
  for (const StateSpaceModel& system : {waves, linear})
    for (const Observations& data : simulate(device, {&system, 1}, options)) append(numbers, data.truth);
  return numbers;
}

std::vector<double> ensemble(const Device& device, int n, Precision precision) {
  EnsembleOptions options{.model = {.n = n}, .members = 70, .steps = 4, .precision = precision};
  options.snapshot_every = 2;
  options.snapshot_members = 3;
  options.chunk = 40;
  options.lyapunov_exponents = n == 7 ? 2 : 0;
  const EnsembleStatistics statistics = integrate_ensemble(device, options);
  std::vector<double> numbers{static_cast<double>(statistics.finite_members)};
  for (const auto* values :
       {&statistics.mean, &statistics.variance, &statistics.minimum, &statistics.maximum, &statistics.lyapunov})
    append(numbers, *values);
  append(numbers, statistics.snapshots);
  return numbers;
}

std::vector<double> gaussian_vi(const Device& device, Precision precision) {
  const auto target = oxygen_demand();
  std::vector<double> numbers;
  for (const auto family : {GaussianFamily::full, GaussianFamily::mean_field}) {
    GaussianViOptions options{.family = family, .precision = precision, .nodes = 3, .steps = 4};
    if (family == GaussianFamily::full) options.expectation = GaussianExpectation::monte_carlo, options.draws = 20;
    options.clip = 5;
    for (const GaussianFit& fit : fit_gaussian(device, *target, simulate(device, *target, 3, 5).y, options)) {
      append(numbers, fit.mean);
      append(numbers, fit.factor);
      append(numbers, std::vector{fit.elbo});
    }
  }
  return numbers;
}

std::vector<double> targets(const Device& device) {
  const auto linear = linear_gaussian(matrix(3, 4, 1), 0.2);
  std::vector<double> numbers = log_density(device, *linear, matrix(5, 4, 1), std::vector{.1, .2, .3});
  append(numbers, simulate(device, *linear, 20, 3).y);
  for (const auto& target : {banana(), two_moons()}) append(numbers, log_density(device, *target, matrix(5, 2, 2), {}));
  return numbers;
}

/// No product has an extent below five, for which the CPU adds in another order than the plain loops of the shim.
template <class Real>
std::vector<double> flows(const Device& device) {
  const FlowShape shape{.dimension = 10, .context = 5, .layers = 2, .hidden = 20};
  const long count = 40;
  Flow<Real> flow(device, shape, 2);
  Array<Real, 3> x({2, count, 10}), context({2, count, 5});
  for (long i = 0; i < x.size(); ++i) x.data()[i] = static_cast<Real>(scattered(i));
  for (long i = 0; i < context.size(); ++i) context.data()[i] = static_cast<Real>(scattered(i + 7));
  for (std::uint32_t p = 0; p < 2; ++p) flow.set_parameters(p, initial_flow_parameters(shape, 1, p, false));
  const FlowTarget<Real> normal = [&](const FlowTargetBatch<Real>& batch) {
    std::vector<Real> points(static_cast<std::size_t>(batch.problems * batch.stride * 10));
    device.executor().download(points.data(), batch.points, points.size() * sizeof(Real));
    for (Real& value : points) value = -value;
    device.executor().upload(batch.gradient, points.data(), points.size() * sizeof(Real));
    device.executor().upload(batch.log_density, points.data(), points.size() / 10 * sizeof(Real));
  };
  std::vector<double> numbers;
  for (const auto& loss :
       {flow.negative_log_likelihood(x, context, {.context = true}), flow.reverse_kl(x, normal, context, {}, false),
        flow.reverse_kl(x, normal, context, {}, true)}) {
    append(numbers, loss.loss);
    append(numbers, loss.gradient);
    append(numbers, loss.context_gradient);
  }
  const auto image = flow.sample({.seed = 3}, count, context);
  append(numbers, image.points);
  append(numbers, image.log_det);
  append(numbers, flow.log_density(x, context));
  return numbers;
}

/// More samples than a shard holds.
std::vector<double> flow_shards(const Device& device) {
  const FlowShape shape{.dimension = 10, .layers = 1, .hidden = 6, .depth = 1};
  Flow<double> flow(device, shape);
  Array<double, 3> x({1, 300, 10});
  for (long i = 0; i < x.size(); ++i) x.data()[i] = scattered(i);
  flow.set_parameters(0, initial_flow_parameters(shape, 1, 0, false));
  const auto loss = flow.negative_log_likelihood(x);
  std::vector<double> numbers = loss.loss;
  append(numbers, loss.gradient);
  return numbers;
}

/// Training by both objectives: a recorded step, validation, and a problem that ends at its last good parameters.
template <class Real>
std::vector<double> flow_training(const Device& device) {
  constexpr auto precision = sizeof(Real) == 8 ? Precision::float64 : Precision::float32;
  FlowTrainingOptions options{.precision = precision, .steps = 3, .draws = 40, .validate_every = 3};
  options.validation_draws = 40;
  const auto linear = linear_gaussian(matrix(5, 10, 0.5), 0.2);
  Matrix y = matrix(2, 5, 1);
  y(1, 0) = 1e300;  // its square is no number
  FlowShape shape{.dimension = 10, .layers = 1, .hidden = 20, .depth = 1};
  std::vector<double> numbers;
  const auto take = [&](const FlowFit& fit) {
    append(numbers, fit.parameters);
    append(numbers, fit.validation);
    append(numbers, fit.losses);
    numbers.push_back(static_cast<double>(fit.flagged_at));
  };
  for (const FlowFit& fit : fit_flow(device, *linear, y, shape, options)) take(fit);
  shape.context = 5;
  take(fit_amortized_flow(device, *linear, shape, options));
  for (double& number : numbers)
    if (!std::isfinite(number)) number = -1;  // to be compared
  return numbers;
}

std::vector<double> importance(const Device& device) {
  std::vector<double> log_weights;
  for (long i = 0; i < 200; ++i) log_weights.push_back(3 * scattered(i));
  const ParetoSmoothed smoothed = pareto_smoothed(device, log_weights);
  std::vector<double> numbers{smoothed.k_hat};
  append(numbers, smoothed.log_weights);
  return numbers;
}

}  // namespace

const std::vector<Workload>& all() {
  static const auto complete = problems(3, 1, false), two_steps = problems(1, 2, false, 5), gaps = problems(2, 2, true);
  static const std::vector<Workload> list{
      {"gain", [](const Device& d) { return gain_objective(d, complete, {.chunk = 3}, true); }},
      {"gain_two_steps_checkpoints",
       [](const Device& d) { return gain_objective(d, two_steps, {.chunk = 1, .checkpoint_interval = 2}, false); }},
      {"gain_gaps", [](const Device& d) { return gain_objective(d, gaps, {.chunk = 2}, false); }},
      {"gain_float32",
       [](const Device& d) { return gain_objective(d, complete, {.precision = Precision::float32}, true); }},
      {"gain_monte_carlo",
       [](const Device& d) {
         return gain_objective(d, gaps, {.expectation = Expectation::monte_carlo, .samples = 3}, false);
       }},
      {"filters", [](const Device& d) { return filters(d, gaps); }},
      {"assimilation", [](const Device& d) { return assimilation(d, {"etkf"}, Precision::float64); }},
      {"assimilation_every_method", [](const Device& d) { return assimilation(d, {}, Precision::float64); }, false},
      {"assimilation_extents", assimilation_extents, false},
      {"assimilation_launches", assimilation_launches, false},
      {"assimilation_float32", [](const Device& d) { return assimilation(d, {}, Precision::float32); }},
      {"lorenz96_maps", lorenz96_maps<double>},
      {"lorenz96_maps_float32", lorenz96_maps<float>},
      {"twins", twins},
      {"ensemble_lanes", [](const Device& d) { return ensemble(d, 8, Precision::float64); }},
      {"ensemble_lanes_float32", [](const Device& d) { return ensemble(d, 8, Precision::float32); }},
      {"ensemble_teams", [](const Device& d) { return ensemble(d, 7, Precision::float64); }},
      {"gaussian_vi", [](const Device& d) { return gaussian_vi(d, Precision::float64); }},
      {"gaussian_vi_float32", [](const Device& d) { return gaussian_vi(d, Precision::float32); }},
      {"targets", targets},
      {"importance", importance},
      {"flows", flows<double>},
      {"flows_float32", flows<float>},
      {"flow_shards", flow_shards},
      {"flow_training", flow_training<double>},
      {"flow_training_float32", flow_training<float>},
      {"mixture_flow", mixture_flow<double>},
      {"mixture_flow_float32", mixture_flow<float>},
      {"inpainting_training", inpainting_training, false},
      {"inpainting_scores", inpainting_scores},
      {"ensemble_teams_float32", [](const Device& d) { return ensemble(d, 7, Precision::float32); }},
  };
  return list;
}

}  // namespace workloads
