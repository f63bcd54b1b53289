// Any split of a batch, into any chunks, on any number of threads, has the bits of the whole.
#include "inference/flow_table.hpp"
#include "properties/draws.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

using namespace vida::testing;

StateSpaceModel small_system(int n) {
  return {.model = Lorenz96{.n = n},
          .process_noise = scaled_identity(n, 0.1),
          .observation_operator = scaled_identity(n, 1.0),
          .observation_noise = scaled_identity(n, 1.0),
          .initial_mean = Vector({n}, 1.0),
          .initial_covariance = scaled_identity(n, 1.0)};
}

std::vector<FilterProblem> twins(int n, long count, long cycles) {
  const StateSpaceModel system = small_system(n);
  std::vector<TwinOptions> options;
  for (long i = 0; i < count; ++i) options.push_back({.cycles = cycles, .problem = static_cast<std::uint32_t>(i)});
  std::vector<FilterProblem> problems;
  for (auto& data : simulate(Device::cpu(1), {&system, 1}, options)) problems.push_back({system, std::move(data)});
  return problems;
}

Device some_device() { return Device::cpu(static_cast<int>(draw_long(1, 3))); }

/// 0 = first cut < ... < last cut = count, at random.
std::vector<long> draw_cuts(long count) {
  std::vector<long> cuts = {0};
  while (cuts.back() < count) cuts.push_back(draw_long(cuts.back() + 1, count));
  return cuts;
}

bool same_bits(const GainValue& a, const GainValue& b) {
  return a.cost == b.cost && a.kl == b.kl && a.loglik == b.loglik && a.gradient == b.gradient &&
         a.analysis_mean == b.analysis_mean && a.analysis_cov_last == b.analysis_cov_last;
}

bool same_bits(const Matrix& a, const Matrix& b) {  // NaN where NaN
  return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) {
           return x == y || (std::isnan(x) && std::isnan(y));
         });
}

RC_GTEST_PROP(Splits, TablePartsCoverEveryCellOnce, ()) {
  const long contexts = draw_long(1, 40), count = draw_long(1, 200), largest = draw_long(1, 300);
  long reached = 0;
  for (const TablePart& part : table_parts(contexts, count, largest)) {
    RC_ASSERT(part.size() >= 1 && part.size() <= largest);
    RC_ASSERT(part.contexts == 1 || part.count == count);
    RC_ASSERT(part.first_context * count + part.first == reached);
    reached += part.size();
  }
  RC_ASSERT(reached == contexts * count);
}

RC_GTEST_PROP(Splits, OfATableOfDrawsHaveTheBitsOfTheWhole, ()) {
  const FlowShape shape{
      .dimension = static_cast<int>(draw_long(2, 4)), .context = 1, .layers = 2, .hidden = 4, .depth = 1};
  const long contexts = draw_long(1, 4), count = draw_long(1, 60), d = shape.dimension;
  const Matrix values = draw_array<2>({contexts, 1});
  RC_PRE(std::all_of(values.begin(), values.end(), [](double v) { return std::abs(v) < 1e3; }));
  FlowTable<float> table(some_device(), shape, initial_flow_parameters(shape, 3, 0, false), values);
  const auto whole = table.sample(5, {0, contexts, 0, count});
  FlowTable<float> other(some_device(), shape, initial_flow_parameters(shape, 3, 0, false), values);
  for (const TablePart& part : table_parts(contexts, count, draw_long(1, contexts * count))) {
    const auto piece = other.sample(5, part);
    const long at = part.first_context * count + part.first;
    RC_ASSERT(std::equal(piece.points.begin(), piece.points.end(), whole.points.begin() + at * d));
    RC_ASSERT(std::equal(piece.log_density.begin(), piece.log_density.end(), whole.log_density.begin() + at));
  }
}

RC_GTEST_PROP(Splits, OfGainsIntoChunksAndPartsHaveTheBitsOfTheWhole, ()) {
  const int n = static_cast<int>(draw_long(4, 7));
  const long count = draw_long(1, 5), cycles = draw_long(1, 20);
  const auto problems = twins(n, count, cycles);
  const std::vector<Matrix> gains(problems.size(), scaled_identity(n, 0.5));
  const GainObjectiveOptions plain{.precision = *rc::gen::element(Precision::float32, Precision::float64),
                                   .expectation = *rc::gen::element(Expectation::exact, Expectation::monte_carlo)};
  const auto whole = GainObjective(some_device(), problems, plain).evaluate(gains);
  const auto cuts = draw_cuts(count);
  for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
    GainObjectiveOptions options = plain;
    options.chunk = draw_long(1, cycles + 2), options.checkpoint_interval = draw_long(0, cycles + 2);
    const auto first = static_cast<std::size_t>(cuts[c]), size = static_cast<std::size_t>(cuts[c + 1]) - first;
    const auto part = GainObjective(some_device(), std::span(problems).subspan(first, size), options)
                          .evaluate(std::span(gains).subspan(first, size));
    for (std::size_t i = 0; i < size; ++i) RC_ASSERT(same_bits(part[i], whole[first + i]));
  }
}

RC_GTEST_PROP(Splits, OfFiltersHaveTheBitsOfTheWhole, ()) {
  const auto problems = twins(static_cast<int>(draw_long(4, 6)), 2, draw_long(1, 12));
  std::vector<AssimilationRun> runs;
  for (long i = draw_long(1, 6); i > 0; --i) {
    AssimilationRun& run = runs.emplace_back();
    run.problem = draw_long(0, 1);
    run.filter.method = *rc::gen::element<std::string>("etkf", "enkf", "serial", "denkf", "letkf");
    run.filter.members = static_cast<int>(draw_long(3, 9));
    run.filter.inflation = *rc::gen::element(1.0, 1.1);
    run.seed = static_cast<std::uint64_t>(draw_long(0, 3));
  }
  const AssimilationOptions options{.keep_means = true, .keep_members = true};
  const auto whole = assimilate(some_device(), problems, runs, options);
  const auto cuts = draw_cuts(std::ssize(runs));
  for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
    const auto first = static_cast<std::size_t>(cuts[c]), size = static_cast<std::size_t>(cuts[c + 1]) - first;
    const auto part = assimilate(some_device(), problems, std::span(runs).subspan(first, size), options);
    for (std::size_t i = 0; i < size; ++i) {
      RC_ASSERT(same_bits(part[i].scores, whole[first + i].scores));
      RC_ASSERT(same_bits(part[i].analysis_mean, whole[first + i].analysis_mean));
      RC_ASSERT(same_bits(part[i].members, whole[first + i].members));
    }
  }
}

RC_GTEST_PROP(Splits, OfTwinsHaveTheBitsOfTheWhole, ()) {
  const int n = static_cast<int>(draw_long(4, 8));
  const long count = draw_long(1, 6), cycles = draw_long(1, 10);
  const auto whole = twins(n, count, cycles);
  const long one = draw_long(0, count - 1);
  const StateSpaceModel system = small_system(n);
  const TwinOptions options{.cycles = cycles, .problem = static_cast<std::uint32_t>(one)};
  const auto alone = simulate(some_device(), {&system, 1}, {&options, 1});
  RC_ASSERT(alone[0].y == whole[static_cast<std::size_t>(one)].data.y);
  RC_ASSERT(alone[0].truth == whole[static_cast<std::size_t>(one)].data.truth);
}

}  // namespace
}  // namespace vida
