#include "inference/flow_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "backend/executor.hpp"
#include "flow.cuh"
#include "vida/error.hpp"

namespace vida {
namespace {

std::size_t size_of(long count) { return static_cast<std::size_t>(count); }

}  // namespace

std::vector<TablePart> table_parts(long contexts, long count, long largest) {
  std::vector<TablePart> parts;
  const long together = std::max(largest / std::max(count, 1L), 1L);  // contexts of a part
  for (long k = 0; k < contexts; k += together)
    for (long i = 0; i < count; i += largest)
      parts.push_back({k, std::min(together, contexts - k), i, std::min(largest, count - i)});
  return parts;
}

long table_part_size(const FlowShape& shape) {
  return std::clamp((1L << 21) / (shape.dimension + shape.context), 512L, 1L << 17);
}

template <class Real>
FlowTable<Real>::FlowTable(const Device& device, const FlowShape& shape, std::span<const double> parameters,
                           const Matrix& contexts)
    : device_(device), flow_(device, shape), contexts_(contexts) {
  if (contexts.extent(1) != shape.context || contexts.extent(0) < 1)
    throw InvalidArgument(fmt::format("contexts have shape {}, expected [context, {}].",
                                      to_string<2>(contexts.extents()), shape.context));
  flow_.set_parameters(0, parameters);
}

/// [1, context x draw, d]. Each context is a problem of the kernel.
template <class Real>
Array<Real, 3> FlowTable<Real>::latent_draws(std::uint64_t seed, const TablePart& part) const {
  const int d = flow_.shape().dimension;
  const long blocks = (part.count + kernels::kFlowBlock - 1) / kernels::kFlowBlock;
  std::vector<std::uint32_t> numbers(size_of(part.contexts));
  std::iota(numbers.begin(), numbers.end(), static_cast<std::uint32_t>(part.first_context));
  const auto problems = uploaded(device_.executor(), numbers);
  const Buffer<Real> columns(device_.executor(), size_of(part.size() * d));  // [context, d, draw]
  launch(device_.executor(), {.items = part.contexts * blocks},
         kernels::LatentDraws<Real>{columns.data(), problems.data(), part.count, part.count, blocks, part.first, seed,
                                    static_cast<std::uint32_t>(Stream::filter), d});
  const std::vector<Real> z = columns.download();
  Array<Real, 3> rows({1, part.size(), d});
  for (long k = 0; k < part.contexts; ++k)
    for (long i = 0; i < part.count; ++i)
      for (long j = 0; j < d; ++j) rows(0, k * part.count + i, j) = z[size_of((k * d + j) * part.count + i)];
  return rows;
}

/// The context of every sample of a part, or the one that they share.
template <class Real>
Array<Real, 3> FlowTable<Real>::contexts_of(const TablePart& part) const {
  const long c = contexts_.extent(1), each = part.contexts == 1 ? 1 : part.count;
  if (c == 0) return {};
  Array<Real, 3> rows({1, part.contexts * each, c});
  for (long row = 0; row < rows.extent(1); ++row)
    for (long j = 0; j < c; ++j) rows(0, row, j) = static_cast<Real>(contexts_(part.first_context + row / each, j));
  return rows;
}

template <class Real>
double FlowTable<Real>::log_normal(const Real* z) const {
  double squares = 0;
  for (int j = 0; j < flow_.shape().dimension; ++j) squares += static_cast<double>(z[j]) * static_cast<double>(z[j]);
  return -squares / 2 - flow_.shape().dimension * std::log(2 * std::numbers::pi) / 2;
}

template <class Real>
TableSamples<Real> FlowTable<Real>::sample(std::uint64_t seed, const TablePart& part) {
  if (part.first < 0 || part.first + part.count > (1L << 32) || part.first_context + part.contexts > (1L << 32))
    throw InvalidArgument("draws and contexts are numbered below 2^32; ask for fewer.");
  const Array<Real, 3> z = latent_draws(seed, part);
  const FlowImage<Real> image = flow_.forward(z, contexts_of(part));
  TableSamples<Real> result{{image.points.begin(), image.points.end()}, std::vector<double>(size_of(part.size()))};
  for (long i = 0; i < part.size(); ++i)
    result.log_density[size_of(i)] = log_normal(&z(0, i, 0)) - static_cast<double>(image.log_det(0, i));
  return result;
}

template <class Real>
std::vector<double> FlowTable<Real>::log_density(const TablePart& part, std::span<const double> points) {
  const long d = flow_.shape().dimension, given = std::ssize(points);
  if (given != part.size() * d && given != part.count * d)
    throw InvalidArgument(fmt::format("{} numbers were given for {} contexts with {} points of {} each.", given,
                                      part.contexts, part.count, d));
  Array<Real, 3> x({1, part.size(), d});
  for (long i = 0; i < x.size(); ++i) x.data()[i] = static_cast<Real>(points[size_of(i % given)]);
  const FlowImage<Real> image = flow_.inverse(x, contexts_of(part));
  std::vector<double> result(size_of(part.size()));
  for (long i = 0; i < part.size(); ++i)
    result[size_of(i)] = log_normal(&image.points(0, i, 0)) + static_cast<double>(image.log_det(0, i));
  return result;
}

template class FlowTable<float>;
template class FlowTable<double>;

}  // namespace vida
