#include "io/netcdf.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netcdf.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "io/classic_header.hpp"
#include "io/files.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

void check(int status, const std::string& where, const std::string& what) {
  if (status != NC_NOERR) throw FileError(fmt::format("{}: {}: {}", where, what, nc_strerror(status)));
}

void check_written(int status, const std::filesystem::path& path, const std::string& what) {
  if (status != NC_NOERR) throw WriteError(fmt::format("'{}': {}: {}", path.string(), what, nc_strerror(status)));
}

long product(const std::vector<long>& extents) {
  return std::accumulate(extents.begin(), extents.end(), 1L, std::multiplies<>());
}

/// What deflate makes of a byte at best, and what may be asked for in any case: a small file may hold fill values.
constexpr std::uintmax_t kBestCompression = 1032, kAlwaysFine = std::uintmax_t{16} << 20;

/// Chunks near 1 MB along the slowest axes, so that one cycle or one run can be read without the rest.
std::vector<std::size_t> chunk_sizes(const std::vector<long>& extents) {
  std::vector<std::size_t> chunks(extents.begin(), extents.end());
  std::size_t bytes = std::accumulate(chunks.begin(), chunks.end(), sizeof(double), std::multiplies<>());
  for (auto& chunk : chunks) {
    const std::size_t target = std::size_t{1} << 20;
    if (bytes <= target) break;
    const std::size_t rest = bytes / chunk;
    chunk = std::max<std::size_t>(1, target / rest);
    bytes = chunk * rest;
  }
  return chunks;
}

}  // namespace

NetcdfReader::NetcdfReader(const std::filesystem::path& path, const std::string& setting)
    : path_(path), setting_(setting) {
  try {
    require_readable(path);
  } catch (const FileError& error) {
    throw FileError((setting.empty() ? "" : setting + ": ") + error.what());
  }
  if (const auto fault = fault_of_classic_header(path); !fault.empty())
    throw FileError(fmt::format("{}: cannot be read as NetCDF: {}.", where(), fault));
  check(nc_open(path.c_str(), NC_NOWRITE, &file_), where(), "cannot be read as NetCDF");
}

std::string NetcdfReader::where() const {
  return fmt::format("{}{}'{}'", setting_, setting_.empty() ? "" : ": ", path_.string());
}

NetcdfReader::~NetcdfReader() { nc_close(file_); }

bool NetcdfReader::has(const std::string& name) const {
  int id = 0;
  return nc_inq_varid(file_, name.c_str(), &id) == NC_NOERR;
}

int NetcdfReader::variable(const std::string& name) const {
  int id = 0;
  if (nc_inq_varid(file_, name.c_str(), &id) != NC_NOERR)
    throw FileError(fmt::format("{} holds no variable '{}'.", where(), name));
  return id;
}

std::vector<long> NetcdfReader::shape(const std::string& name) const {
  const int id = variable(name);
  int rank = 0;
  check(nc_inq_varndims(file_, id, &rank), where(), name);
  std::vector<int> dims(rank);
  check(nc_inq_vardimid(file_, id, dims.data()), where(), name);
  std::vector<long> extents;
  for (int dim : dims) {
    std::size_t length = 0;
    check(nc_inq_dimlen(file_, dim, &length), where(), name);
    extents.push_back(static_cast<long>(length));
  }
  return extents;
}

int NetcdfReader::numeric_variable(const std::string& name) const {
  const int id = variable(name);
  nc_type type = NC_NAT;
  check(nc_inq_vartype(file_, id, &type), where(), name);
  if (type == NC_CHAR || type > NC_UINT64 || type == NC_STRING)
    throw FileError(fmt::format("{}: variable '{}' is not numeric.", where(), name));
  return id;
}

std::size_t NetcdfReader::size_of(int id, const std::string& name, const std::vector<long>& extents) const {
  nc_type type = NC_NAT;
  std::size_t bytes = 0, values = 1;
  check(nc_inq_vartype(file_, id, &type), where(), name);
  check(nc_inq_type(file_, type, nullptr, &bytes), where(), name);
  bool overflow = false;
  for (const long extent : extents)
    overflow |= __builtin_mul_overflow(values, static_cast<std::size_t>(extent), &values);
  overflow |= __builtin_mul_overflow(values, bytes, &bytes);
  const auto held = std::filesystem::file_size(path_);
  if (values != 0 && (overflow || bytes > kAlwaysFine + kBestCompression * held))
    throw FileError(fmt::format("{} declares {} with shape [{}], more than its {} bytes can hold: it is damaged.",
                                where(), name, fmt::join(extents, ", "), held));
  return values;
}

void NetcdfReader::fill_with_nan(int id, std::vector<double>& data) const {
  double fill = 0;
  std::size_t length = 0;
  if (nc_inq_attlen(file_, id, "_FillValue", &length) != NC_NOERR || length != 1) return;
  if (nc_get_att_double(file_, id, "_FillValue", &fill) == NC_NOERR && !std::isnan(fill))
    for (double& value : data)
      if (value == fill) value = std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> NetcdfReader::values(const std::string& name) const {
  const int id = numeric_variable(name);
  std::vector<double> data(size_of(id, name, shape(name)));
  if (!data.empty()) check(nc_get_var_double(file_, id, data.data()), where(), name);
  fill_with_nan(id, data);
  return data;
}

std::vector<double> NetcdfReader::slab(const std::string& name, const std::vector<long>& start,
                                       const std::vector<long>& extents) const {
  const int id = numeric_variable(name);
  const std::vector<std::size_t> begin(start.begin(), start.end()), count(extents.begin(), extents.end());
  if (start.size() != shape(name).size() || start.size() != extents.size())
    throw InvalidArgument(fmt::format("a part of '{}' is told by {} and {} numbers; it has {} axes.", name,
                                      start.size(), extents.size(), shape(name).size()));
  std::vector<double> data(size_of(id, name, extents));
  if (!data.empty()) check(nc_get_vara_double(file_, id, begin.data(), count.data(), data.data()), where(), name);
  fill_with_nan(id, data);
  return data;
}

double NetcdfReader::scalar(const std::string& name) const {
  const auto data = values(name);
  if (data.size() != 1)
    throw FileError(fmt::format("{} holds {} with {} values; one number is needed.", where(), name, data.size()));
  return data.front();
}

void NetcdfReader::require_rank(const std::string& name, int rank) const {
  const auto extents = shape(name);
  if (static_cast<int>(extents.size()) != rank)
    throw FileError(fmt::format("{} holds {} with {} axes; {} are needed.", where(), name, extents.size(), rank));
}

std::string NetcdfReader::text_attribute(const std::string& variable_name, const std::string& name) const {
  const int id = variable_name.empty() ? NC_GLOBAL : variable(variable_name);
  std::size_t length = 0;
  nc_type type = NC_NAT;
  if (nc_inq_att(file_, id, name.c_str(), &type, &length) != NC_NOERR || type != NC_CHAR) return {};
  std::string text(length, '\0');
  check(nc_get_att_text(file_, id, name.c_str(), text.data()), where(), name);
  return text;
}

NetcdfWriter::NetcdfWriter(const std::filesystem::path& path) : path_(path) {
  check_written(nc_create(path.c_str(), NC_NETCDF4 | NC_CLOBBER, &file_), path, "cannot be written");
}

NetcdfWriter::~NetcdfWriter() {
  if (file_ >= 0) nc_close(file_);
}

void NetcdfWriter::attribute(const std::string& name, const std::string& text) {
  check_written(nc_put_att_text(file_, NC_GLOBAL, name.c_str(), text.size(), text.data()), path_, name);
}

void NetcdfWriter::attribute(const std::string& name, double value) {
  check_written(nc_put_att_double(file_, NC_GLOBAL, name.c_str(), NC_DOUBLE, 1, &value), path_, name);
}

void NetcdfWriter::attribute(const std::string& name, long value) {
  check_written(nc_put_att_long(file_, NC_GLOBAL, name.c_str(), NC_INT64, 1, &value), path_, name);
}

int NetcdfWriter::define(const std::string& name, int type, Layout layout, const std::vector<std::string>& dims,
                         const std::vector<long>& extents, const Description& description) {
  std::vector<int> ids;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    auto found = dimensions_.find(dims[axis]);
    if (found == dimensions_.end()) {
      int id = 0;
      check_written(nc_def_dim(file_, dims[axis].c_str(), static_cast<std::size_t>(extents[axis]), &id), path_,
                    dims[axis]);
      found = dimensions_.emplace(dims[axis], std::pair{id, extents[axis]}).first;
    }
    if (found->second.second != extents[axis])
      throw Error(fmt::format("{}: dimension {} is {} here and {} elsewhere in '{}'.", name, dims[axis], extents[axis],
                              found->second.second, path_.string()));
    ids.push_back(found->second.first);
  }
  int id = 0;
  check_written(nc_def_var(file_, name.c_str(), type, static_cast<int>(ids.size()), ids.data(), &id), path_, name);
  if (layout == Layout::plain) {
    check_written(nc_def_var_chunking(file_, id, NC_CONTIGUOUS, nullptr), path_, name);
    check_written(nc_def_var_fill(file_, id, NC_NOFILL, nullptr), path_, name);  // or all is written twice
  } else if (!ids.empty()) {
    check_written(nc_def_var_chunking(file_, id, NC_CHUNKED, chunk_sizes(extents).data()), path_, name);
    check_written(nc_def_var_deflate(file_, id, 1, 1, 1), path_, name);
  }
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) check_written(nc_put_att_text(file_, id, key, value.size(), value.data()), path_, name);
  };
  text("long_name", description.long_name);
  text("units", description.units);
  text("coordinates", description.coordinates);
  check_written(nc_enddef(file_), path_, name);
  return id;
}

void NetcdfWriter::put(const std::string& name, const std::vector<std::string>& dims, const std::vector<long>& extents,
                       std::span<const double> values, const Description& description) {
  const int id = define(name, NC_DOUBLE, Layout::compressed, dims, extents, description);
  check_written(nc_put_var_double(file_, id, values.data()), path_, name);
}

void NetcdfWriter::put(const std::string& name, const std::vector<std::string>& dims, const std::vector<long>& extents,
                       std::span<const long> values, const Description& description) {
  const int id = define(name, NC_INT64, Layout::compressed, dims, extents, description);
  check_written(nc_put_var_long(file_, id, values.data()), path_, name);
}

void NetcdfWriter::define(const std::string& name, const std::vector<std::string>& dims,
                          const std::vector<long>& extents, Storage storage, const Description& description) {
  define(name, storage == Storage::float32 ? NC_FLOAT : NC_DOUBLE, Layout::plain, dims, extents, description);
}

NetcdfWriter::Slab NetcdfWriter::slab(const std::string& name, const std::vector<long>& start,
                                      const std::vector<long>& extents, std::size_t values) const {
  Slab result{0, {start.begin(), start.end()}, {extents.begin(), extents.end()}};
  int rank = 0;
  check_written(nc_inq_varid(file_, name.c_str(), &result.id), path_, name);
  check_written(nc_inq_varndims(file_, result.id, &rank), path_, name);
  if (std::ssize(start) != rank || std::ssize(extents) != rank || product(extents) != static_cast<long>(values))
    throw InvalidArgument(
        fmt::format("a part of '{}' with {} axes was given {} and {} numbers for its place, and {} "
                    "values.",
                    name, rank, start.size(), extents.size(), values));
  return result;
}

void NetcdfWriter::put_slab(const std::string& name, const std::vector<long>& start, const std::vector<long>& extents,
                            std::span<const float> values) {
  const Slab part = slab(name, start, extents, values.size());
  check_written(nc_put_vara_float(file_, part.id, part.start.data(), part.count.data(), values.data()), path_, name);
}

void NetcdfWriter::put_slab(const std::string& name, const std::vector<long>& start, const std::vector<long>& extents,
                            std::span<const double> values) {
  const Slab part = slab(name, start, extents, values.size());
  check_written(nc_put_vara_double(file_, part.id, part.start.data(), part.count.data(), values.data()), path_, name);
}

void NetcdfWriter::close() {
  const int file = file_;
  file_ = -1;
  check_written(nc_close(file), path_, "cannot be completed");
}

}  // namespace vida::io
