#pragma once

#include <vector>

#include "vida/twin.hpp"

namespace vida {

/// Gaspari and Cohn (1999), equation 4.10: the compactly supported fifth-order taper of half-width c, 1 at distance 0
/// and 0 from 2 c on.
double gaspari_cohn(double distance, double half_width);

/// Half-widths for one unit of localisation radius: the taper is .634 at the radius.
inline constexpr double kHalfWidthPerRadius = 1.82;

/// Distance between two components: around the ring for models on one, along the line otherwise.
double component_distance(const Dynamics& model, double a, double b);

/// One list of a localisation table.
struct TaperList {
  std::vector<int> index;
  std::vector<double> weight;
};

/// For each observation, the components with a weight above 1e-3 and their weights.
std::vector<TaperList> states_of_observations(const StateSpaceModel& system, double radius);

/// For each local analysis of `together` consecutive components, the observations with a weight above 1e-3 and the
/// roots of the weights; the distance is the mean over the components.
std::vector<TaperList> observations_of_states(const StateSpaceModel& system, double radius, int together);

}  // namespace vida
