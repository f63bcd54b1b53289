#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "cli/output_file.hpp"
#include "inference/flow_table.hpp"
#include "io/netcdf.hpp"

// What `vida sample` and `vida density` share.
namespace vida::cli {

/// The flow of a file that was asked for, and where.
struct ChosenFlow {
  FlowShape shape;
  std::vector<double> parameters;
  std::map<std::string, std::string> metadata;
  Matrix contexts;  ///< [context, c]; one row of none when the flow has no context

  bool conditional() const { return shape.context > 0; }
};

/// Reads it. Throws FileError or InvalidArgument when file, problem, precision or contexts cannot be used.
ChosenFlow choose_flow(const FlowCommandOptions& options);

/// The contexts that --context tells, [context, c]: numbers as in 0.1,0.2, or a NetCDF file that holds `context` or `y`
/// [.., c]. Throws InvalidArgument or FileError when they are not finite or not those of a flow with c numbers.
Matrix read_contexts(const std::string& text, int c);

/// Names and sizes of the axes of a result: [context, `samples`, ..], without the first one for a flow without context.
struct Axes {
  std::vector<std::string> names;
  std::vector<long> sizes;
};
Axes table_axes(const ChosenFlow& flow, const std::string& samples, long count);
/// Where a part of the table lies in such a result, and how large it is there.
std::vector<long> start_of(const ChosenFlow& flow, const TablePart& part);
std::vector<long> extents_of(const ChosenFlow& flow, const TablePart& part);
/// The same with an axis of coordinates behind.
std::vector<long> with_last(std::vector<long> sizes, long last);

/// Title, source, the flow and its metadata as attributes; the contexts as variable y [context, feature]. That is not
/// called context: xarray keeps the name of an axis for its index.
void describe(io::NetcdfWriter& file, const FlowCommandOptions& options, const ChosenFlow& flow, const Device& device,
              const std::string& title);

/// work(part) for every part of the table, which returns how many of its values are not finite.
struct TableOutcome {
  long not_finite = 0;
  int signal = 0;  ///< that ended the work early; 0: none
};
TableOutcome for_table_parts(const ChosenFlow& flow, long count, const std::function<long(const TablePart&)>& work);

/// Closes and renames the file and says so; returns the exit code. `what`: "samples".
int finish(const FlowCommandOptions& options, OutputFile& output, io::NetcdfWriter& file, const TableOutcome& outcome,
           long values, const std::string& what);

}  // namespace vida::cli
