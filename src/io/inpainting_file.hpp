#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vida/inpainting.hpp"

namespace vida::io {

/// A trained in-painting model with the classifier that judges completed images.
struct SavedInpainting {
  InpaintingShape shape;
  PixelMap map;
  std::vector<double> parameters;  ///< in the order of inpainting_tensors()
  ClassifierShape classifier;
  std::vector<double> classifier_parameters;  ///< in the order of classifier_tensors()
};

/// Writes the tensors of both networks in float32 and pixel_map.{lower|upper|mean|deviation} in float64; the metadata
/// get format = "vida-inpainting" and the shape. Throws FileError when the file cannot be written.
void write_inpainting(const std::filesystem::path& path, const SavedInpainting& model);

/// Reads such a file. Throws FileError when it is not safetensors, of another format or cut short, and when a tensor is
/// missing, has another shape than the model or holds what is no number. `setting` is what named the file.
SavedInpainting read_inpainting(const std::filesystem::path& path, const std::string& setting = "");

}  // namespace vida::io
