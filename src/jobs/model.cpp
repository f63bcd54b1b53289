#include "jobs/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/models.hpp"
#include "io/netcdf.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {
using io::Config;
using io::DataFile;

Matrix matrix_of_file(const Config& config) {
  if (!config.has("model.matrix"))
    throw InvalidArgument("model.name = \"linear\" needs model.matrix = \"...\", a NetCDF file with F [state, state].");
  const std::string& path = config.text("model.matrix");
  const io::NetcdfReader file(path, "model.matrix");
  if (!file.has("F")) throw FileError(fmt::format("model.matrix: '{}' holds no F [state, state].", path));
  Matrix F = file.array<2>("F");
  if (F.extent(0) != F.extent(1) || F.empty())
    throw FileError(fmt::format("model.matrix: '{}' holds F with shape {}; expected a square matrix.", path,
                                to_string<2>(F.extents())));
  if (!std::all_of(F.begin(), F.end(), [](double value) { return std::isfinite(value); }))
    throw FileError(fmt::format("model.matrix: '{}': F holds a value that is not finite.", path));
  return F;
}

/// Fills a model in from the configuration: one overload for each.
struct FillIn {
  const Config& config;
  const DataFile* data;
  long item;

  double number(const std::string& key, const std::string& name) const {
    return data && data->batched(name) ? data->scalar(name, item) : config.real(key);
  }
  double dt() const { return number("model.dt", "dt"); }

  void operator()(Lorenz96& model) const {
    model = {static_cast<int>(config.integer("model.n")), number("model.forcing", "F"), dt()};
  }
  void operator()(Lorenz63& model) const {
    model = {config.real("model.sigma"), config.real("model.rho"), config.real("model.beta"), dt()};
  }
  void operator()(KuramotoSivashinsky& model) const {
    model = {static_cast<int>(config.integer("model.n")), config.real("model.period"), dt()};
  }
  void operator()(LinearDynamics& model) const { model = {matrix_of_file(config), dt()}; }
};

}  // namespace

void adopt_model(Config& config) {
  if (config.text("model.name") == "linear" && !config.has("model.n"))
    config.derive("model.n", matrix_of_file(config).extent(0));
}

Dynamics true_model(const Config& config, const DataFile* data, long item) {
  Dynamics model = io::known_model(config.text("model.name"));
  std::visit(FillIn{config, data, item}, model);
  if (dimension(model) != config.integer("model.n"))
    throw InvalidArgument(fmt::format("model.n = {}, but this {} has {} variables. Leave model.n out.",
                                      config.integer("model.n"), name_of(model), dimension(model)));
  return model;
}

Dynamics filter_model(const Config& config, const DataFile* data, long item) {
  Dynamics model = true_model(config, data, item);
  if (config.has("filter.forcing")) std::get<Lorenz96>(model).forcing = config.real("filter.forcing");
  if (config.has("filter.dt")) std::visit([&](auto& one) { one.dt = config.real("filter.dt"); }, model);
  return model;
}

}  // namespace vida::jobs
