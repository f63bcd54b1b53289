#include "vida/gaussian_vi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <memory>

#include "backend/smaller_chunks.hpp"
#include "inference/gaussian_chunk.hpp"
#include "inference/gaussian_chunk_book.hpp"

namespace vida {
namespace {

std::size_t size(long value) { return static_cast<std::size_t>(value); }

void check(const Target& target, const Matrix& observations, const GaussianViOptions& options) {
  const auto refuse = [](const char* what, auto value, const char* expected) {
    throw InvalidArgument(fmt::format("gaussian-vi: {} is {}; expected {}.", what, value, expected));
  };
  if (options.steps < 1) refuse("steps", options.steps, "at least 1");
  if (!(options.step > 0) || !std::isfinite(options.step)) refuse("step", options.step, "a positive number");
  if (!(options.clip >= 0)) refuse("clip", options.clip, "a norm, or 0 for none");
  if (!(options.average >= 0 && options.average <= 1)) refuse("average", options.average, "a share from 0 to 1");
  if (options.expectation == GaussianExpectation::quadrature) {
    if (target.dimension() > 3)
      throw InvalidArgument(
          fmt::format("gaussian-vi: the Gauss-Hermite rule is for at most 3 dimensions, target {} has {}. Take "
                      "expectation = \"monte-carlo\".",
                      target.name(), target.dimension()));
    if (options.nodes < 2 || options.nodes > 64) refuse("nodes", options.nodes, "from 2 to 64");
  } else if (options.draws < 2) {
    refuse("draws", options.draws, "at least 2");
  }
  check_observations("gaussian-vi", target, observations);
}

/// The points of a step. Monte Carlo draws are replaced in every step; these give their number and weights.
QuadratureRule points_of(const Target& target, const GaussianViOptions& options) {
  if (options.expectation == GaussianExpectation::quadrature) return gauss_hermite(options.nodes, target.dimension());
  return {Matrix({options.draws, target.dimension()}), Vector({options.draws}, 1.0 / options.draws)};
}

/// Few enough problems at once that all their points stay in the cache of a core.
template <class Real>
long chunk_of(const Device& device, const Target& target, const GaussianViOptions& options, long points,
              long problems) {
  constexpr long kCache = 1 << 20;
  const long each = GaussianChunk<Real>::bytes(target, options, points);
  const long room = device.is_cuda() ? static_cast<long>(device.memory_limit()) : kCache;
  return std::clamp(room / each, 1L, problems);
}

/// Where chunks are worked on. On the CPU each thread takes chunks of its own and waits for no other. A GPU, a function
/// of the user's, which is called by one thread at a time, and fewer problems than threads take one chunk after the
/// other on the whole device.
template <class Real>
std::vector<Device> devices_of(const Device& device, const Target& target, long problems) {
  if (device.is_cuda() || problems < device.threads() || !prepare<Real>(target, device.executor())->recordable())
    return {device};
  std::vector<Device> devices;
  for (int i = 0; i < device.threads(); ++i) devices.push_back(Device::cpu(1));
  return devices;
}

template <class Real>
std::vector<GaussianFit> fit(const Device& device, const Target& target, const Matrix& observations,
                             const GaussianViOptions& options, const FitProgress& progress, Checkpoints* checkpoints) {
  const long problems = observations.extent(0);
  const QuadratureRule points = points_of(target, options);
  const std::vector<Device> devices = devices_of<Real>(device, target, problems);
  const long workers = static_cast<long>(devices.size());
  ChunkBook book(problems,
                 chunk_of<Real>(devices[0], target, options, points.weights.size(), (problems + workers - 1) / workers),
                 checkpoints);
  std::atomic<long> next{0}, done{0};  // chunk; steps of all problems
  std::atomic<bool> going{true};
  const auto take = [&](std::size_t worker, long capacity) {
    return std::make_unique<GaussianChunk<Real>>(devices[worker].executor(), target, options, points, capacity);
  };
  const auto work = [&](std::size_t worker, std::unique_ptr<GaussianChunk<Real>> memory) {
    GaussianChunk<Real>& chunk = *memory;
    for (long number = next++; number < book.chunks(); number = next++) {
      const long first = number * book.capacity(), count = std::min(book.capacity(), problems - first);
      if (book.finished(number)) {
        done += count * options.steps;
        continue;
      }
      long step = 0, noted = book.wanted();
      const auto name_state = [&](Archive& archive) {
        archive("step", step);
        chunk.name_state(archive);
      };
      chunk.start(observations, first, count);
      if (restored(book.found(number), name_state)) done += count * step;
      while (going && step < options.steps) {
        chunk.step(step);
        done += count, ++step;
        const double share =
            static_cast<double>(done) / static_cast<double>(problems) / static_cast<double>(options.steps);
        const bool speaks = worker == 0 && (step % 64 == 0 || step == options.steps);
        if (speaks && progress && share < 1 && !progress(share)) going = false;
        if (speaks) book.ask();
        const long wanted = book.wanted();
        if (wanted == noted) continue;
        noted = wanted;
        book.note(number, saved(name_state));
        if (worker == 0) book.keep();
      }
      if (step > 0 && step < options.steps) book.note(number, saved(name_state));  // told to stop
      book.put(number, chunk.finish(), step == options.steps);
    }
  };
  long capacity = book.capacity();
  auto first_memory =
      book.begun() ? take(0, capacity) : with_smaller_chunks(capacity, [&](long smaller) { return take(0, smaller); });
  if (capacity < book.capacity()) book.cut_anew(capacity);
  std::vector<std::future<void>> others;
  for (std::size_t worker = 1; worker < devices.size(); ++worker)
    others.push_back(std::async(std::launch::async, [&, worker] { work(worker, take(worker, capacity)); }));
  try {
    work(0, std::move(first_memory));
  } catch (...) {
    going = false;
    throw;
  }
  for (auto& other : others) other.get();
  book.keep();
  if (progress && going) progress(1);
  return std::move(book.fits);
}

}  // namespace

Matrix covariance(const GaussianFit& fit) {
  const long d = fit.mean.size();
  Matrix product({d, d});
  for (long i = 0; i < d; ++i)
    for (long k = 0; k < d; ++k)
      for (long c = 0; c <= std::min(i, k); ++c) product(i, k) += fit.factor(i, c) * fit.factor(k, c);
  return product;
}

std::size_t gaussian_vi_bytes(const Device& device, const Target& target, const Matrix& observations,
                              const GaussianViOptions& options) {
  check(target, observations, options);
  const long problems = observations.extent(0);
  if (problems == 0) return 0;
  const auto bytes_as = [&]<class Real>(Real) {
    const long points = points_of(target, options).weights.size();
    const long workers = std::ssize(devices_of<Real>(device, target, problems));
    const long capacity = chunk_of<Real>(device, target, options, points, (problems + workers - 1) / workers);
    return static_cast<std::size_t>(workers * capacity * GaussianChunk<Real>::bytes(target, options, points));
  };
  return options.precision == Precision::float32 ? bytes_as(0.0F) : bytes_as(0.0);
}

std::vector<GaussianFit> fit_gaussian(const Device& device, const Target& target, const Matrix& observations,
                                      const GaussianViOptions& options, const FitProgress& progress,
                                      Checkpoints* checkpoints) {
  check(target, observations, options);
  if (observations.extent(0) == 0) return {};
  return options.precision == Precision::float32
             ? fit<float>(device, target, observations, options, progress, checkpoints)
             : fit<double>(device, target, observations, options, progress, checkpoints);
}

GaussianLoss gaussian_loss(const Device& device, const Target& target, std::span<const double> observation,
                           const Vector& mean, const Matrix& factor, const Matrix& z) {
  const int d = target.dimension();
  if (mean.size() != d || factor.extents() != Extents<2>{d, d} || z.extent(1) != d || z.extent(0) < 1 ||
      static_cast<int>(observation.size()) != target.observations())
    throw InvalidArgument(
        fmt::format("gaussian_loss: target {} needs mean [{}], factor [{}, {}], z [draw, {}] and {} "
                    "observations.",
                    target.name(), d, d, d, d, target.observations()));
  for (int k = 0; k < d; ++k)
    if (factor(k, k) == 0 || !std::isfinite(factor(k, k)))
      throw InvalidArgument(fmt::format(
          "gaussian_loss: factor[{0}, {0}] is {1}: the covariance is singular. Give a factor whose diagonal "
          "holds finite numbers other than 0.",
          k, factor(k, k)));
  const kernels::GaussianLayout layout{d, 1};
  std::vector<double> parameters(size(layout.parameters()));
  for (int k = 0; k < d; ++k) {
    parameters[size(k)] = mean[k];
    for (int c = 0; c <= k; ++c) parameters[size(layout.factor(k) + c)] = factor(k, c);
  }
  GaussianViOptions options;
  options.steps = 1;
  const QuadratureRule points{z, Vector({z.extent(0)}, 1.0 / static_cast<double>(z.extent(0)))};
  GaussianChunk<double> chunk(device.executor(), target, options, points, 1);
  Matrix observations({1, static_cast<long>(observation.size())});
  std::copy(observation.begin(), observation.end(), observations.begin());
  chunk.start(observations, 0, 1);
  const auto [value, gradient] = chunk.loss_at(parameters);
  GaussianLoss loss{value, Vector({d}), Matrix({d, d})};
  for (int k = 0; k < d; ++k) {
    loss.mean_gradient[k] = gradient[size(k)];
    for (int c = 0; c <= k; ++c) loss.factor_gradient(k, c) = gradient[size(layout.factor(k) + c)];
  }
  return loss;
}

}  // namespace vida
