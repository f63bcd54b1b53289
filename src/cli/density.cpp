#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "cli/device.hpp"
#include "cli/flow_command.hpp"
#include "cli/interrupt.hpp"
#include "vida/error.hpp"

namespace vida::cli {
namespace {

/// Variable x of a file: [point, state], or [context, point, state].
class Points {
 public:
  Points(const std::filesystem::path& path, const ChosenFlow& flow) : file_(path), shape_(file_.shape("x")) {
    const long d = flow.shape.dimension, contexts = flow.contexts.extent(0);
    const auto fail = [&](const std::string& needed) {
      return FileError(fmt::format("'{}' holds x with shape [{}]; this flow needs {}.", path.string(),
                                   fmt::join(shape_, ", "), needed));
    };
    if (!flow.conditional() && (shape_.size() != 2 || shape_[1] != d)) throw fail(fmt::format("[point, {}]", d));
    if (flow.conditional() && ((shape_.size() != 2 && shape_.size() != 3) || shape_.back() != d))
      throw fail(fmt::format("[point, {}], or [context, point, {}]", d, d));
    if (shape_.size() == 3 && shape_[0] != contexts)
      throw fail(fmt::format("[point, {}], or [{}, point, {}], a block for each context of --context", d, contexts, d));
    if (count() < 1) throw FileError(fmt::format("'{}' holds no point in x.", path.string()));
  }

  long count() const { return shape_[shape_.size() - 2]; }
  /// [context, point, state], or [point, state] where all contexts share the points.
  std::vector<double> values(const TablePart& part) const {
    if (shape_.size() == 2) return file_.slab("x", {part.first, 0}, {part.count, shape_[1]});
    return file_.slab("x", {part.first_context, part.first, 0}, {part.contexts, part.count, shape_[2]});
  }

 private:
  io::NetcdfReader file_;
  std::vector<long> shape_;
};

template <class Real>
TableOutcome write_densities(const Device& device, const ChosenFlow& flow, const Points& points,
                             io::NetcdfWriter& file) {
  const Axes table = table_axes(flow, "point", points.count());
  file.define("log_density", table.names, table.sizes, io::Storage::float64, {"log density of the flow at the points"});
  FlowTable<Real> densities(device, flow.shape, flow.parameters, flow.contexts);
  return for_table_parts(flow, points.count(), [&](const TablePart& part) {
    const auto values = densities.log_density(part, points.values(part));
    file.put_slab("log_density", start_of(flow, part), extents_of(flow, part), std::span<const double>(values));
    return std::count_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
  });
}

}  // namespace

int density(const DensityOptions& options) {
  const ChosenFlow flow = choose_flow(options);
  const Points points(options.points, flow);
  const InterruptGuard guard;
  const Device device = open_device(options.device);
  OutputFile output(options.out, options.force);
  io::NetcdfWriter file(output.pending());
  describe(file, options, flow, device, "log densities of a flow");
  file.attribute("points", options.points.filename().string());
  const auto outcome = options.precision == "float32" ? write_densities<float>(device, flow, points, file)
                                                      : write_densities<double>(device, flow, points, file);
  return finish(options, output, file, outcome, flow.contexts.extent(0) * points.count(), "log densities");
}

}  // namespace vida::cli
