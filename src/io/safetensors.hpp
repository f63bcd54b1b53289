#pragma once

#include <filesystem>
#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "vida/array.hpp"

namespace vida::io {

/// A named array of a safetensors file, in the type it has there.
struct Tensor {
  std::vector<long> shape;                                       ///< empty for a scalar
  std::variant<std::vector<float>, std::vector<double>> values;  ///< row-major: F32 or F64
};

/// Named tensors and notes: the weights of a network. The format is that of huggingface/safetensors: the length of the
/// header (8 bytes, little endian), the header in JSON, then the raw numbers.
class Safetensors {
 public:
  Safetensors() = default;
  /// Reads a file. Throws FileError when it is missing, not of this format, cut short, or when a header entry does not
  /// agree with the bytes. `setting` is what named the file; messages begin with it.
  explicit Safetensors(const std::filesystem::path& path, const std::string& setting = "");

  std::map<std::string, std::string> metadata;

  bool has(const std::string& name) const { return tensors_.contains(name); }
  std::vector<std::string> names() const;
  /// Throws FileError when there is none of that name.
  const Tensor& tensor(const std::string& name) const;
  /// A tensor of exactly this shape, in the wanted precision: F32 to double is exact, F64 to float rounds. Throws
  /// FileError with both shapes otherwise.
  template <class Real, int Rank>
  Array<Real, Rank> array(const std::string& name, const Extents<Rank>& extents) const {
    require_shape(name, {extents.begin(), extents.end()});
    Array<Real, Rank> result(extents);
    const auto convert = [&](const auto& from) {
      for (std::size_t i = 0; i < from.size(); ++i) result.data()[i] = static_cast<Real>(from[i]);
    };
    std::visit(convert, tensor(name).values);
    return result;
  }

  /// Adds a tensor. Throws InvalidArgument when the shape does not agree with the number of values, or the name is
  /// taken.
  void put(const std::string& name, Tensor tensor);
  template <class Real, int Rank>
  void put(const std::string& name, const Array<Real, Rank>& values) {
    put(name,
        Tensor{{values.extents().begin(), values.extents().end()}, std::vector<Real>(values.begin(), values.end())});
  }

  /// The bytes of the file, the same for the same content. Throws InvalidArgument when a text is not UTF-8.
  std::string encoded() const;
  /// Writes the file under a temporary name beside `path` and renames it when it is on disk. Throws FileError.
  void write(const std::filesystem::path& path) const;

 private:
  void write(std::ostream& to) const;
  void require_shape(const std::string& name, const std::vector<long>& shape) const;

  std::string where_;  // "target.flow: 'flow.safetensors'", as messages begin; empty when nothing was read
  std::map<std::string, Tensor> tensors_;
};

}  // namespace vida::io
