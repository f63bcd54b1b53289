#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/device.hpp"
#include "cli/flow_command.hpp"
#include "cli/interrupt.hpp"
#include "vida/error.hpp"

namespace vida::cli {
namespace {

template <class Real>
TableOutcome write_samples(const Device& device, const ChosenFlow& flow, const SampleOptions& options,
                           io::NetcdfWriter& file) {
  const long d = flow.shape.dimension;
  const Axes table = table_axes(flow, "draw", options.count);
  Axes points = table;
  points.names.emplace_back("state");
  points.sizes.push_back(d);
  const auto storage = sizeof(Real) == 4 ? io::Storage::float32 : io::Storage::float64;
  file.define("x", points.names, points.sizes, storage, {"draws of the flow"});
  file.define("log_density", table.names, table.sizes, io::Storage::float64, {"log density of the flow at x"});

  FlowTable<Real> samples(device, flow.shape, flow.parameters, flow.contexts);
  return for_table_parts(flow, options.count, [&](const TablePart& part) {
    const auto drawn = samples.sample(static_cast<std::uint64_t>(options.seed), part);
    const auto start = start_of(flow, part), extents = extents_of(flow, part);
    file.put_slab("x", with_last(start, 0), with_last(extents, d), std::span<const Real>(drawn.points));
    file.put_slab("log_density", start, extents, std::span<const double>(drawn.log_density));
    return std::count_if(drawn.log_density.begin(), drawn.log_density.end(),
                         [](double v) { return !std::isfinite(v); });
  });
}

}  // namespace

int sample(const SampleOptions& options) {
  if (options.count < 1 || options.count > 1L << 32)
    throw InvalidArgument(fmt::format("--count {}: expected a whole number from 1 to 2^32.", options.count));
  if (options.seed < 0)
    throw InvalidArgument(fmt::format("--seed {}: expected a whole number of at least 0.", options.seed));
  const ChosenFlow flow = choose_flow(options);
  const InterruptGuard guard;
  const Device device = open_device(options.device);
  OutputFile output(options.out, options.force);
  io::NetcdfWriter file(output.pending());
  describe(file, options, flow, device, "draws of a flow");
  file.attribute("seed", options.seed);
  const auto outcome = options.precision == "float32" ? write_samples<float>(device, flow, options, file)
                                                      : write_samples<double>(device, flow, options, file);
  return finish(options, output, file, outcome, flow.contexts.extent(0) * options.count, "samples");
}

}  // namespace vida::cli
