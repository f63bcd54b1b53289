#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "vida/gain.hpp"

namespace vida {
namespace {

/// pos_j, the component that observation j sees; empty when H has other rows than unit vectors.
std::vector<long> observed_components(const Matrix& H) {
  std::vector<long> positions;
  for (long j = 0; j < H.extent(0); ++j) {
    long position = -1;
    for (long i = 0; i < H.extent(1); ++i) {
      if (H(j, i) == 0) continue;
      if (H(j, i) != 1 || position >= 0) return {};
      position = i;
    }
    if (position < 0) return {};
    positions.push_back(position);
  }
  return positions;
}

long bandwidth(const std::string& name, long n) {
  const std::string digits = name.substr(7);
  const bool numeric = !digits.empty() && digits.size() < 7 && digits.find_first_not_of("0123456789") == digits.npos;
  if (!numeric || std::stol(digits) > n / 2)
    throw InvalidArgument(
        fmt::format("gain.structure is \"{}\"; expected \"banded:W\" with W between 0 and n / 2 = {}.", name, n / 2));
  return std::stol(digits);
}

}  // namespace

GainStructure::GainStructure(const std::string& name, const Matrix& H)
    : name_(name), index_({H.extent(1), H.extent(0)}, -1) {
  const long n = H.extent(1), p = H.extent(0);
  const bool banded = name.rfind("banded:", 0) == 0;
  if (name == "full") {
    for (int& index : index_) index = static_cast<int>(parameters_++);
    return;
  }
  if (name != "diagonal" && name != "circulant" && !banded)
    throw InvalidArgument(
        fmt::format("gain.structure is \"{}\"; expected \"full\", \"diagonal\", \"banded:W\" or \"circulant\".", name));
  const long reach = banded ? bandwidth(name, n) : 0;
  const auto positions = observed_components(H);
  if (positions.empty())
    throw InvalidArgument(fmt::format(
        "gain.structure \"{}\" needs observations of single components (observations.operator \"identity\", "
        "\"every:k\" or \"indices\"). Use \"full\" with a general H.",
        name));
  if (name == "circulant") {
    const long spacing = p > 1 ? positions[1] - positions[0] : n;
    for (long j = 0; j < p; ++j)
      if (positions[static_cast<std::size_t>(j)] != positions[0] + j * spacing || spacing * p != n)
        throw InvalidArgument(fmt::format(
            "gain.structure \"circulant\" needs every k-th component observed with k dividing n = {}, in order. "
            "Use \"banded:W\" for other networks.",
            n));
    for (long i = 0; i < n; ++i)
      for (long j = 0; j < p; ++j)
        index_(i, j) = static_cast<int>(((i - positions[static_cast<std::size_t>(j)]) % n + n) % n);
    parameters_ = n;
    return;
  }
  for (long i = 0; i < n; ++i)
    for (long j = 0; j < p; ++j) {
      const long distance = std::abs(i - positions[static_cast<std::size_t>(j)]);
      if (std::min(distance, n - distance) <= reach) index_(i, j) = static_cast<int>(parameters_++);
    }
}

Matrix GainStructure::expand(std::span<const double> parameters) const {
  Matrix gain(index_.extents());
  for (long e = 0; e < gain.size(); ++e) {
    const int index = index_.data()[e];
    if (index >= 0) gain.data()[e] = parameters[static_cast<std::size_t>(index)];
  }
  return gain;
}

std::vector<double> GainStructure::reduce(View<const double, 2> gradient) const {
  std::vector<double> sums(static_cast<std::size_t>(parameters_), 0.0);
  for (long e = 0; e < gradient.size(); ++e) {
    const int index = index_.data()[e];
    if (index >= 0) sums[static_cast<std::size_t>(index)] += gradient.data()[e];
  }
  return sums;
}

std::vector<double> GainStructure::project(View<const double, 2> gain) const {
  std::vector<double> parameters = reduce(gain), entries(parameters.size(), 0.0);
  for (int index : index_)
    if (index >= 0) entries[static_cast<std::size_t>(index)] += 1;
  for (std::size_t k = 0; k < parameters.size(); ++k) parameters[k] /= entries[k];
  return parameters;
}

}  // namespace vida
