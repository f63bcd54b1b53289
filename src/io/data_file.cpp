#include "io/data_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "io/netcdf.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

/// What each variable's axes run over: c(ycle), o(bservation), s(tate).
const std::map<std::string, std::string> kAxes = {{"y", "co"},
                                                  {"truth", "cs"},
                                                  {"H", "os"},
                                                  {"R", "oo"},
                                                  {"Q", "ss"},
                                                  {"m0", "s"},
                                                  {"C0", "ss"},
                                                  {"K", "so"},
                                                  {"F", ""},
                                                  {"dt", ""},
                                                  {"steps_per_cycle", ""}};

std::string axis_names(const std::string& letters) {
  std::vector<std::string> names;
  for (char letter : letters) names.emplace_back(letter == 'c' ? "cycle" : letter == 'o' ? "obs" : "state");
  return fmt::format("[{}]", fmt::join(names, ", "));
}

/// Largest |A_ij - A_ji| over the largest |A_ij|.
double asymmetry(const double* matrix, long n) {
  double difference = 0, size = 0;
  for (long i = 0; i < n; ++i)
    for (long j = 0; j < n; ++j) {
      difference = std::max(difference, std::abs(matrix[i * n + j] - matrix[j * n + i]));
      size = std::max(size, std::abs(matrix[i * n + j]));
    }
  return size > 0 ? difference / size : 0;
}

}  // namespace

DataFile::DataFile(const std::filesystem::path& path) : path_(path) {
  const NetcdfReader file(path, "observations.file");
  if (!file.has("y")) throw FileError(fmt::format("observations.file: '{}' holds no y [cycle, obs].", path.string()));
  for (const auto& [name, axes] : kAxes) {
    if (!file.has(name)) continue;
    const auto extents = file.shape(name);
    const auto extra = static_cast<long>(extents.size()) - static_cast<long>(axes.size());
    if (extra != 0 && extra != 1)
      throw FileError(
          fmt::format("observations.file: '{}' holds {} with shape [{}]; expected {}, or one leading axis more "
                      "for a batch.",
                      path.string(), name, fmt::join(extents, ", "), axis_names(axes)));
    Variable& variable = variables_[name];
    variable.batched = extra == 1;
    variable.extents.assign(extents.begin() + extra, extents.end());
    variable.values = file.values(name);
    if (!variable.batched) continue;
    if (batched_ && extents[0] != count_)
      throw FileError(fmt::format("observations.file: '{}': {} has a leading axis of {}, another variable one of {}.",
                                  path.string(), name, extents[0], count_));
    batched_ = true;
    count_ = extents[0];
  }
  check_shapes();
  check_values();
}

void DataFile::check_shapes() {
  const Variable& y = variables_.at("y");
  if (count_ < 1 || y.extents[0] < 1 || y.extents[1] < 1)
    throw FileError(fmt::format("observations.file: '{}' holds y with shape {}: there is no observation.",
                                path_.string(), shape("y")));
  std::map<char, std::pair<long, std::string>> known = {{'c', {y.extents[0], "y"}}, {'o', {y.extents[1], "y"}}};
  for (const std::string name : {"y", "H", "truth", "m0", "Q", "C0", "K", "R"}) {
    if (!has(name)) continue;
    const std::string& axes = kAxes.at(name);
    if (const auto& extents = variables_.at(name).extents; std::count(extents.begin(), extents.end(), 0L))
      throw FileError(fmt::format("observations.file: '{}' holds {} with shape {}: no axis of it may be empty.",
                                  path_.string(), name, shape(name)));
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      const long extent = variables_.at(name).extents[axis];
      const auto [found, fresh] = known.try_emplace(axes[axis], extent, name);
      const auto& [size, other] = found->second;
      if (!fresh && size != extent)
        throw FileError(
            fmt::format("observations.file: '{}' holds {} with shape {}, but {} with shape {} needs {} = {}.",
                        path_.string(), name, shape(name), other, shape(other), axis_names(axes), [&] {
                          auto wanted = variables_.at(name).extents;
                          for (std::size_t k = 0; k < axes.size(); ++k)
                            if (known.count(axes[k])) wanted[k] = known.at(axes[k]).first;
                          return fmt::format("[{}]", fmt::join(wanted, ", "));
                        }()));
    }
  }
  if (known.count('s')) states_ = known.at('s').first;
}

void DataFile::check_values() const {
  for (const auto& [name, variable] : variables_) {
    if (name != "y" &&
        !std::all_of(variable.values.begin(), variable.values.end(), [](double x) { return std::isfinite(x); }))
      throw FileError(
          fmt::format("observations.file: '{}': {} holds a value that is not finite; only y may (a NaN there "
                      "is a missing observation).",
                      path_.string(), name));
    if (name == "y" &&
        std::any_of(variable.values.begin(), variable.values.end(), [](double x) { return std::isinf(x); }))
      throw FileError(
          fmt::format("observations.file: '{}': y holds an infinite value. Write NaN for a missing "
                      "observation.",
                      path_.string()));
    if (name != "R" && name != "Q" && name != "C0") continue;
    for (long index = 0; index < (variable.batched ? count_ : 1); ++index)
      // Files written from single precision are symmetric to about 1e-7.
      if (const double part = asymmetry(item(variable, index), variable.extents[0]); part > 1e-6)
        throw FileError(
            fmt::format("observations.file: '{}': {} is not symmetric (entries across the diagonal differ by "
                        "{:.1e} of the largest); a covariance must be.",
                        path_.string(), name, part));
  }
}

const double* DataFile::item(const Variable& variable, long index) const {
  const long size = std::accumulate(variable.extents.begin(), variable.extents.end(), 1L, std::multiplies<>());
  return variable.values.data() + (variable.batched ? index * size : 0);
}

std::string DataFile::shape(const std::string& name) const {
  auto extents = variables_.at(name).extents;
  if (variables_.at(name).batched) extents.insert(extents.begin(), count_);
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

Matrix DataFile::matrix(const std::string& name, long index) const {
  const Variable& variable = variables_.at(name);
  Matrix result({variable.extents[0], variable.extents[1]});
  std::copy_n(item(variable, index), result.size(), result.begin());
  return result;
}

Vector DataFile::vector(const std::string& name, long index) const {
  const Variable& variable = variables_.at(name);
  Vector result({variable.extents[0]});
  std::copy_n(item(variable, index), result.size(), result.begin());
  return result;
}

double DataFile::scalar(const std::string& name, long index) const { return *item(variables_.at(name), index); }

GainFile read_gains(const std::filesystem::path& path, const std::string& setting) {
  const NetcdfReader file(path, setting);
  if (!file.has("K")) throw FileError(fmt::format("{}: '{}' holds no K [state, obs].", setting, path.string()));
  auto extents = file.shape("K");
  if (extents.size() != 2 && extents.size() != 3)
    throw FileError(fmt::format("{}: '{}' holds K with shape [{}]; expected [state, obs] or [run, state, obs].",
                                setting, path.string(), fmt::join(extents, ", ")));
  if (std::count(extents.begin(), extents.end(), 0L))
    throw FileError(fmt::format("{}: '{}' holds K with shape [{}]: there is no gain in it.", setting, path.string(),
                                fmt::join(extents, ", ")));
  GainFile result{{}, extents.size() == 3};
  if (!result.batched) extents.insert(extents.begin(), 1);
  const auto values = file.values("K");
  if (!std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }))
    throw FileError(fmt::format("{}: '{}': K holds a value that is not finite.", setting, path.string()));
  for (long run = 0; run < extents[0]; ++run) {
    Matrix& gain = result.gains.emplace_back(Extents<2>{extents[1], extents[2]});
    std::copy_n(values.begin() + run * gain.size(), gain.size(), gain.begin());
  }
  return result;
}

}  // namespace vida::io
