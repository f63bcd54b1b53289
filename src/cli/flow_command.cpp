#include "cli/flow_command.hpp"

#include <fmt/format.h>

#include "cli/interrupt.hpp"
#include "cli/log.hpp"
#include "io/flow_file.hpp"
#include "vida/error.hpp"
#include "vida/version.hpp"

namespace vida::cli {

ChosenFlow choose_flow(const FlowCommandOptions& options) {
  if (options.precision != "float32" && options.precision != "float64")
    throw InvalidArgument(fmt::format("--precision {}: expected float32 or float64.", options.precision));
  auto flows = io::read_flows(options.flow);
  const long problems = flows.parameters.extent(0);
  if (options.problem < 0 || options.problem >= problems)
    throw InvalidArgument(problems == 1 ? fmt::format("--problem {}: '{}' holds one flow, problem 0.", options.problem,
                                                      options.flow.string())
                                        : fmt::format("--problem {}: '{}' holds problems 0 to {}.", options.problem,
                                                      options.flow.string(), problems - 1));
  const auto row = flows.parameters[options.problem];
  ChosenFlow chosen{flows.shape, {row.begin(), row.end()}, std::move(flows.metadata), Matrix({1, 0})};
  if (chosen.conditional() && options.context.empty())
    throw InvalidArgument(
        fmt::format("'{}' is a flow with a context of {} numbers: give them with --context, as in "
                    "0.1,0.2, or a NetCDF file that holds context or y.",
                    options.flow.string(), chosen.shape.context));
  if (!chosen.conditional() && !options.context.empty())
    throw InvalidArgument(fmt::format("--context {}: '{}' is a flow without context; leave it out.", options.context,
                                      options.flow.string()));
  if (chosen.conditional()) chosen.contexts = read_contexts(options.context, chosen.shape.context);
  return chosen;
}

Axes table_axes(const ChosenFlow& flow, const std::string& samples, long count) {
  if (flow.conditional()) return {{"context", samples}, {flow.contexts.extent(0), count}};
  return {{samples}, {count}};
}

std::vector<long> start_of(const ChosenFlow& flow, const TablePart& part) {
  if (flow.conditional()) return {part.first_context, part.first};
  return {part.first};
}

std::vector<long> extents_of(const ChosenFlow& flow, const TablePart& part) {
  if (flow.conditional()) return {part.contexts, part.count};
  return {part.count};
}

std::vector<long> with_last(std::vector<long> sizes, long last) {
  sizes.push_back(last);
  return sizes;
}

void describe(io::NetcdfWriter& file, const FlowCommandOptions& options, const ChosenFlow& flow, const Device& device,
              const std::string& title) {
  file.attribute("title", title);
  file.attribute("source", fmt::format("vida {}", kVersion));
  file.attribute("version", std::string(kVersion));
  file.attribute("flow", options.flow.filename().string());
  for (const auto& [key, text] : flow.metadata) file.attribute("flow_" + key, text);
  file.attribute("problem", options.problem);
  file.attribute("precision", options.precision);
  file.attribute("device", device.name());
  file.attribute("device_description", device.description());
  if (flow.conditional()) file.put("y", {"context", "feature"}, flow.contexts, {"context that the flow was asked at"});
}

TableOutcome for_table_parts(const ChosenFlow& flow, long count, const std::function<long(const TablePart&)>& work) {
  TableOutcome outcome;
  for (const TablePart& part : table_parts(flow.contexts.extent(0), count, table_part_size(flow.shape))) {
    outcome.signal = InterruptGuard::signal();
    if (outcome.signal) break;
    outcome.not_finite += work(part);
  }
  return outcome;
}

int finish(const FlowCommandOptions& options, OutputFile& output, io::NetcdfWriter& file, const TableOutcome& outcome,
           long values, const std::string& what) {
  if (outcome.signal) {
    log().warning("interrupted; nothing was written.");
    return 128 + outcome.signal;
  }
  file.close();
  output.commit();
  if (outcome.not_finite)
    log().warning(fmt::format("{} of {} log densities are not finite: the points are not, or lie too far out{}.",
                              outcome.not_finite, values,
                              options.precision == "float32" ? "; try --precision float64" : ""));
  if (!options.quiet) fmt::print("{} {} are in {}\n", values, what, options.out);
  return outcome.not_finite ? kFlagged : kFinished;
}

}  // namespace vida::cli
