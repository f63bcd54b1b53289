#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "vida/array.hpp"

namespace vida::io {

/// A NetCDF file opened for reading. Variables of any numeric type arrive as double, in the file's (row-major) order.
class NetcdfReader {
 public:
  /// Throws FileError when the file is missing or is not NetCDF. `setting` is what named the file; messages begin with
  /// it.
  explicit NetcdfReader(const std::filesystem::path& path, const std::string& setting = "");
  ~NetcdfReader();
  NetcdfReader(const NetcdfReader&) = delete;
  NetcdfReader& operator=(const NetcdfReader&) = delete;

  const std::filesystem::path& path() const { return path_; }
  bool has(const std::string& name) const;
  /// Extents of a variable, empty for a scalar. Throws FileError when it is not there.
  std::vector<long> shape(const std::string& name) const;
  /// Every value, row-major; the file's _FillValue becomes NaN. Throws FileError when it is missing or not numeric.
  std::vector<double> values(const std::string& name) const;
  /// The part that begins at `start` and has `extents`, row-major; otherwise as values().
  std::vector<double> slab(const std::string& name, const std::vector<long>& start,
                           const std::vector<long>& extents) const;
  double scalar(const std::string& name) const;
  /// An array of exactly this rank. Throws FileError with both ranks otherwise.
  template <int Rank>
  Array<double, Rank> array(const std::string& name) const {
    require_rank(name, Rank);
    const auto extents = shape(name);
    const auto data = values(name);  // before as much memory is taken as a damaged shape asks for
    Extents<Rank> sizes{};
    for (int axis = 0; axis < Rank; ++axis) sizes[axis] = extents[axis];
    Array<double, Rank> result(sizes);
    std::copy(data.begin(), data.end(), result.begin());
    return result;
  }
  /// Text of an attribute; empty `variable` asks for a global one. Empty when it is not there.
  std::string text_attribute(const std::string& variable, const std::string& name) const;

 private:
  int variable(const std::string& name) const;
  /// How many values such a part of the variable has. Throws FileError when a file of this size cannot hold them.
  std::size_t size_of(int id, const std::string& name, const std::vector<long>& extents) const;
  int numeric_variable(const std::string& name) const;
  void fill_with_nan(int id, std::vector<double>& data) const;
  void require_rank(const std::string& name, int rank) const;

  /// "observations.file: 'obs.nc'", as messages begin.
  std::string where() const;

  std::filesystem::path path_;
  std::string setting_;
  int file_ = -1;
};

/// What a variable is, for people and for xarray.
struct Description {
  std::string long_name;
  std::string units = "1";
  std::string coordinates = {};  ///< names of auxiliary coordinates, space separated
};

/// How numbers are stored.
enum class Storage { float32, float64 };

/// A NetCDF-4 file being written. Define everything through put(), or through define() and put_slab() where the values
/// come piece by piece; dimensions appear at their first use.
class NetcdfWriter {
 public:
  explicit NetcdfWriter(const std::filesystem::path& path);
  ~NetcdfWriter();
  NetcdfWriter(const NetcdfWriter&) = delete;
  NetcdfWriter& operator=(const NetcdfWriter&) = delete;

  void attribute(const std::string& name, const std::string& text);
  void attribute(const std::string& name, double value);
  void attribute(const std::string& name, long value);
  /// Writes one variable. The sizes of dims are taken from extents, and must agree with earlier uses of the same name.
  void put(const std::string& name, const std::vector<std::string>& dims, const std::vector<long>& extents,
           std::span<const double> values, const Description& description);
  /// The same for whole numbers (stored as 64-bit integers).
  void put(const std::string& name, const std::vector<std::string>& dims, const std::vector<long>& extents,
           std::span<const long> values, const Description& description);
  template <int Rank>
  void put(const std::string& name, const std::vector<std::string>& dims, const Array<double, Rank>& values,
           const Description& description) {
    put(name, dims, {values.extents().begin(), values.extents().end()},
        std::span<const double>(values.data(), static_cast<std::size_t>(values.size())), description);
  }
  /// Defines a variable for put_slab(). It is stored as it is, without compression: what comes in pieces is large and
  /// comes fast.
  void define(const std::string& name, const std::vector<std::string>& dims, const std::vector<long>& extents,
              Storage storage, const Description& description);
  /// Writes the part of a variable that begins at `start` and has `extents`. Every value of it must be written once
  /// before close(). Throws InvalidArgument when the part and the values do not agree.
  void put_slab(const std::string& name, const std::vector<long>& start, const std::vector<long>& extents,
                std::span<const float> values);
  void put_slab(const std::string& name, const std::vector<long>& start, const std::vector<long>& extents,
                std::span<const double> values);
  /// Flushes and closes; throws FileError when the disk refuses. The destructor closes without a word.
  void close();

 private:
  enum class Layout { compressed, plain };
  int define(const std::string& name, int type, Layout layout, const std::vector<std::string>& dims,
             const std::vector<long>& extents, const Description& description);
  /// The variable, where a slab of it begins and how large it is, as NetCDF wants them.
  struct Slab {
    int id;
    std::vector<std::size_t> start, count;
  };
  Slab slab(const std::string& name, const std::vector<long>& start, const std::vector<long>& extents,
            std::size_t values) const;

  std::filesystem::path path_;
  int file_ = -1;
  std::map<std::string, std::pair<int, long>> dimensions_;  // name -> id, size
};

}  // namespace vida::io
