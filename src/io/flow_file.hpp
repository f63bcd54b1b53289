#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "vida/array.hpp"
#include "vida/flow.hpp"

namespace vida::io {

/// Trained flows of one shape, as they are kept in a safetensors file.
struct SavedFlows {
  FlowShape shape;
  Matrix parameters;                            ///< [problem, parameter], each row in the order of flow_tensors()
  std::map<std::string, std::string> metadata;  ///< notes of the caller: target, job
};

/// Writes the tensors of flow_tensors() in float64, each with a leading axis [problem, ...] when there are several
/// problems. The metadata get format = "vida-flow" and the shape beside the caller's notes. Throws InvalidArgument when
/// the parameters do not fit the shape, a weight is not finite or a note takes a name of vida's own; FileError when the
/// file cannot be written.
void write_flows(const std::filesystem::path& path, const SavedFlows& flows);

/// Reads such a file. One that another program wrote (PyTorch), without vida's metadata, is read too: its shape follows
/// from names and extents, scale_limit from the metadata or else 1. Other tensors beside params.layers.* are passed
/// over. Throws FileError when the file is not safetensors or cut short, when a tensor is missing, has another shape
/// than the flow, or holds a weight that is not finite, and when there is no flow in it.
SavedFlows read_flows(const std::filesystem::path& path);

}  // namespace vida::io
