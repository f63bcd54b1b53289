#include "io/netcdf.hpp"

#include <fmt/format.h>
#include <netcdf.h>

#include <cmath>
#include <limits>
#include <numeric>

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

std::vector<double> NetcdfReader::values(const std::string& name) const {
  const int id = variable(name);
  nc_type type = NC_NAT;
  check(nc_inq_vartype(file_, id, &type), where(), name);
  if (type == NC_CHAR || type > NC_UINT64 || type == NC_STRING)
    throw FileError(fmt::format("{}: variable '{}' is not numeric.", where(), name));
  const auto extents = shape(name);
  std::vector<double> data(std::accumulate(extents.begin(), extents.end(), 1L, std::multiplies<>()));
  if (!data.empty()) check(nc_get_var_double(file_, id, data.data()), where(), name);
  double fill = 0;
  if (nc_get_att_double(file_, id, "_FillValue", &fill) == NC_NOERR && !std::isnan(fill))
    for (double& value : data)
      if (value == fill) value = std::numeric_limits<double>::quiet_NaN();
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

int NetcdfWriter::define(const std::string& name, int type, const std::vector<std::string>& dims,
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
  if (!ids.empty()) {
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
  const int id = define(name, NC_DOUBLE, dims, extents, description);
  check_written(nc_put_var_double(file_, id, values.data()), path_, name);
}

void NetcdfWriter::put(const std::string& name, const std::vector<std::string>& dims, const std::vector<long>& extents,
                       std::span<const long> values, const Description& description) {
  const int id = define(name, NC_INT64, dims, extents, description);
  check_written(nc_put_var_long(file_, id, values.data()), path_, name);
}

void NetcdfWriter::close() {
  const int file = file_;
  file_ = -1;
  check_written(nc_close(file), path_, "cannot be completed");
}

}  // namespace vida::io
