#pragma once

#include <filesystem>
#include <map>
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

/// A training that can go on: what is being trained, under which identity, and how far it is.
struct Checkpoint {
  std::map<std::string, std::string> identity;  ///< settings and data; all must agree for the training to go on
  TrainingState state;
  std::vector<double> classifier_parameters;
};

/// Writes the file under a temporary name and renames it when it is on disk. Throws FileError.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Reads one. Throws FileError when it is damaged or of another version of vida, and when its identity differs from
/// `identity`, naming the first difference.
Checkpoint read_checkpoint(const std::filesystem::path& path, const std::map<std::string, std::string>& identity);

}  // namespace vida::io
