#include "filtering/taper.hpp"

#include <algorithm>
#include <cmath>

#include "filtering/filter_data.hpp"

namespace vida {
namespace {

constexpr double kLeast = 1e-3;  // weights up to this are dropped

double weight(double distance, double radius) {
  return std::isinf(radius) ? 1.0 : gaspari_cohn(distance, kHalfWidthPerRadius * radius);
}

std::vector<int> observed_components(const StateSpaceModel& system) {
  std::vector<int> components;
  for (long j = 0; j < system.p(); ++j) components.push_back(single_component(system.observation_operator, j));
  return components;
}

}  // namespace

double gaspari_cohn(double distance, double half_width) {
  const double r = distance / half_width;
  if (r >= 2) return 0;
  if (r <= 1) return 1 + r * r * (-5.0 / 3 + r * (5.0 / 8 + r * (1.0 / 2 - r / 4)));
  return std::max(0.0, 4 - 2 / (3 * r) + r * (-5 + r * (5.0 / 3 + r * (5.0 / 8 + r * (-1.0 / 2 + r / 12)))));
}

double component_distance(const Dynamics& model, double a, double b) {
  const double along = std::abs(a - b);
  return on_a_ring(model) ? std::min(along, dimension(model) - along) : along;
}

std::vector<TaperList> states_of_observations(const StateSpaceModel& system, double radius) {
  std::vector<TaperList> lists;
  for (const int seen : observed_components(system)) {
    TaperList& list = lists.emplace_back();
    for (int i = 0; i < system.n(); ++i)
      if (const double rho = weight(component_distance(system.model, i, seen), radius); rho > kLeast)
        list.index.push_back(i), list.weight.push_back(rho);
  }
  return lists;
}

std::vector<TaperList> observations_of_states(const StateSpaceModel& system, double radius, int together) {
  const std::vector<int> seen = observed_components(system);
  std::vector<TaperList> lists;
  for (int first = 0; first < system.n(); first += together) {
    const int count = std::min(together, system.n() - first);
    TaperList& list = lists.emplace_back();
    for (std::size_t j = 0; j < seen.size(); ++j) {
      double distance = 0;
      for (int i = first; i < first + count; ++i) distance += component_distance(system.model, i, seen[j]) / count;
      if (const double rho = weight(distance, radius); rho > kLeast)
        list.index.push_back(static_cast<int>(j)), list.weight.push_back(std::sqrt(rho));
    }
  }
  return lists;
}

}  // namespace vida
