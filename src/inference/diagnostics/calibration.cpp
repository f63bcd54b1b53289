#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "inference/diagnostics/incomplete_gamma.hpp"
#include "vida/diagnostics.hpp"

namespace vida {
namespace {

void check_ranks(View<const long, 2> ranks, long draws) {
  if (draws < 1) throw InvalidArgument(fmt::format("draws is {}; ranks come from at least one.", draws));
  if (ranks.empty())
    throw InvalidArgument(
        fmt::format("ranks has shape {}; at least one replication is needed.", to_string<2>(ranks.extents())));
  for (long i = 0; i < ranks.size(); ++i)
    if (ranks.data()[i] < 0 || ranks.data()[i] > draws)
      throw InvalidArgument(fmt::format("ranks[{}, {}] is {}; ranks among {} draws are 0 .. {}.", i / ranks.extent(1),
                                        i % ranks.extent(1), ranks.data()[i], draws, draws));
}

void check_numbers(const char* name, const double* data, long count) {
  for (long i = 0; i < count; ++i)
    if (std::isnan(data[i]))
      throw InvalidArgument(fmt::format("{} holds nan at position {}; it has no rank.", name, i));
}

}  // namespace

Array<long, 2> calibration_ranks(View<const double, 2> truth, View<const double, 3> draws) {
  const auto [replications, parameters] = truth.extents();
  if (draws.extent(0) != replications || draws.extent(2) != parameters || draws.extent(1) < 1)
    throw InvalidArgument(fmt::format("draws has shape {}, expected [{}, draw, {}] to match truth.",
                                      to_string<3>(draws.extents()), replications, parameters));
  check_numbers("truth", truth.data(), truth.size());
  check_numbers("draws", draws.data(), draws.size());
  Array<long, 2> ranks({replications, parameters});
  for (long r = 0; r < replications; ++r)
    for (long draw = 0; draw < draws.extent(1); ++draw)
      for (long p = 0; p < parameters; ++p) ranks(r, p) += draws(r, draw, p) < truth(r, p) ? 1 : 0;
  return ranks;
}

UniformityTest rank_uniformity(View<const long, 2> ranks, long draws, int bins) {
  check_ranks(ranks, draws);
  const long values = draws + 1;
  if (bins < 2 || bins > values)
    throw InvalidArgument(
        fmt::format("bins is {}; {} draws give {} ranks, so 2 .. {} bins.", bins, draws, values, values));
  const auto [replications, parameters] = ranks.extents();
  std::vector<double> expected(bins);
  for (long rank = 0; rank < values; ++rank)
    expected[rank * bins / values] += static_cast<double>(replications) / static_cast<double>(values);
  if (const double least = *std::min_element(expected.begin(), expected.end()); least < 5)
    throw InvalidArgument(
        fmt::format("bins is {}, which leaves {:.3g} of {} replications to a bin; chi-square needs 5. "
                    "Use fewer bins or more replications.",
                    bins, least, replications));
  UniformityTest test{Vector({parameters}), Vector({parameters}), bins};
  for (long p = 0; p < parameters; ++p) {
    std::vector<double> counts(bins);
    for (long r = 0; r < replications; ++r) ++counts[ranks(r, p) * bins / values];
    for (int bin = 0; bin < bins; ++bin)
      test.statistic[p] += (counts[bin] - expected[bin]) * (counts[bin] - expected[bin]) / expected[bin];
    test.p_value[p] = upper_incomplete_gamma((bins - 1) / 2.0, test.statistic[p] / 2);
  }
  return test;
}

Coverage central_coverage(View<const long, 2> ranks, long draws, double level) {
  check_ranks(ranks, draws);
  if (!(level > 0 && level < 1))
    throw InvalidArgument(fmt::format("level is {}; a central interval has a probability between 0 and 1.", level));
  // Leaving out k ranks on either side, draws + 1 - 2 k equally probable ones remain.
  const long cut = std::min(std::lround(0.5 * static_cast<double>(draws + 1) * (1 - level)), draws / 2);
  const auto [replications, parameters] = ranks.extents();
  const auto count = static_cast<double>(replications);
  Coverage coverage{.observed = Vector({parameters}),
                    .nominal = static_cast<double>(draws + 1 - 2 * cut) / static_cast<double>(draws + 1)};
  for (long r = 0; r < replications; ++r)
    for (long p = 0; p < parameters; ++p)
      coverage.observed[p] += ranks(r, p) >= cut && ranks(r, p) <= draws - cut ? 1 / count : 0;
  coverage.standard_error = std::sqrt(coverage.nominal * (1 - coverage.nominal) / count);
  return coverage;
}

}  // namespace vida
