#include "filtering/filter_tables.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "filtering/filter_data.hpp"

namespace vida {

template <class Real>
FilterTableSet<Real>::FilterTableSet(Executor& executor, const kernels::FilterTraits& traits,
                                     const kernels::FilterShape& shape, std::span<const FilterProblem* const> problems,
                                     std::span<const AssimilationRun> runs, const std::vector<long>& indices,
                                     const std::vector<int>& set_of, std::size_t memory_limit)
    : taper_of_(indices.size(), -1) {
  if (traits.localised()) add_tapers(executor, traits, problems, runs, indices, set_of);
  if (traits.tables == kernels::FilterTables::gains)
    gains_ = BackgroundGains<Real>(executor, shape, problems, runs, indices, set_of, memory_limit);
}

template <class Real>
void FilterTableSet<Real>::add_tapers(Executor& executor, const kernels::FilterTraits& traits,
                                      std::span<const FilterProblem* const> problems,
                                      std::span<const AssimilationRun> runs, const std::vector<long>& indices,
                                      const std::vector<int>& set_of) {
  const bool by_state = traits.tables == kernels::FilterTables::observations_of_states;
  std::vector<std::vector<TaperList>> tables;
  std::map<std::tuple<double, int, std::vector<int>>, int> known;  // radius, local states, observed components
  for (std::size_t k = 0; k < indices.size(); ++k) {
    const FilterSettings& filter = runs[static_cast<std::size_t>(indices[k])].filter;
    if (!by_state && std::isinf(filter.radius)) continue;
    const StateSpaceModel& system = problems[static_cast<std::size_t>(set_of[k])]->system;
    std::vector<int> seen;
    for (long j = 0; j < system.p(); ++j) seen.push_back(single_component(system.observation_operator, j));
    const auto [entry, added] = known.try_emplace({filter.radius, by_state ? filter.local_states : 0, std::move(seen)},
                                                  static_cast<int>(tables.size()));
    taper_of_[k] = entry->second;
    if (!added) continue;
    tables.push_back(by_state ? observations_of_states(system, filter.radius, filter.local_states)
                              : states_of_observations(system, filter.radius));
    groups_ = std::max(groups_, static_cast<int>(tables.back().size()));
    for (const TaperList& list : tables.back()) width_ = std::max(width_, static_cast<int>(list.index.size()));
  }
  const auto lists = tables.size() * static_cast<std::size_t>(groups_), width = static_cast<std::size_t>(width_);
  std::vector<int> count(lists), index(lists * width);
  std::vector<Real> weight(lists * width);
  for (std::size_t t = 0; t < tables.size(); ++t)
    for (std::size_t g = 0; g < tables[t].size(); ++g) {
      const TaperList& list = tables[t][g];
      const std::size_t row = t * static_cast<std::size_t>(groups_) + g;
      count[row] = static_cast<int>(list.index.size());
      std::copy(list.index.begin(), list.index.end(), index.begin() + static_cast<long>(row * width));
      std::transform(list.weight.begin(), list.weight.end(), weight.begin() + static_cast<long>(row * width),
                     [](double value) { return static_cast<Real>(value); });
    }
  count_ = uploaded(executor, count), index_ = uploaded(executor, index), weight_ = uploaded(executor, weight);
}

template <class Real>
kernels::FilterRun<Real> FilterTableSet<Real>::settings(const AssimilationRun& run, long position, int data,
                                                        std::uint32_t number) const {
  const FilterSettings& filter = run.filter;
  const auto real = [](double value) { return static_cast<Real>(value); };
  return {.data = data,
          .given = !run.initial_members.empty(),
          .taper = taper_of_[static_cast<std::size_t>(position)],
          .background = gains_.background_of(position),
          .seed = run.seed,
          .number = number,
          .inflation = real(filter.inflation),
          .relaxation = real(filter.relaxation),
          .rotation = filter.rotation,
          .local_states = filter.local_states,
          .xn = real(filter.xn),
          .tolerance = real(filter.tolerance),
          .lag = filter.lag,
          .iterations = filter.iterations,
          .threshold = real(filter.resampling_threshold),
          .jitter = real(filter.jitter),
          .tangent = filter.tangent == "frozen" ? kernels::Tangent::frozen : kernels::Tangent::exact};
}

template class FilterTableSet<float>;
template class FilterTableSet<double>;

}  // namespace vida
