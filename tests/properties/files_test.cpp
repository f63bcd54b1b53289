// What is written is read again: configurations, safetensors, NetCDF.
#include <unistd.h>

#include "io/config.hpp"
#include "io/files.hpp"
#include "io/netcdf.hpp"
#include "io/safetensors.hpp"
#include "properties/draws.hpp"

namespace vida::io {
namespace {

using namespace vida::testing;
namespace fs = std::filesystem;

/// A path below a folder that goes with the process.
fs::path scratch(const std::string& name) {
  static const struct Folder {
    Folder() { fs::create_directory(path); }
    ~Folder() { fs::remove_all(path); }
    fs::path path = fs::path(::testing::TempDir()) / ("vida-properties-" + std::to_string(::getpid()));
  } folder;
  return folder.path / name;
}

/// A value that the setting accepts, as TOML writes it.
std::string draw_value(const Setting& setting) {
  const double least = std::isfinite(setting.minimum) ? setting.minimum : -10;
  const auto real = [&] { return least + static_cast<double>(draw_long(1, 4000)) / 64; };
  switch (setting.kind) {
    case Kind::integer:
      return to_toml(static_cast<long>(least) + draw_long(1, 1000));
    case Kind::real:
      return to_toml(real());
    case Kind::numbers:
      return to_toml(std::vector<double>{real(), real()});
    case Kind::indices:
      return to_toml(std::vector<double>{static_cast<double>(draw_long(0, 50)), 51});
    case Kind::flag:
      return to_toml(*rc::gen::inRange(0, 2) == 1);
    case Kind::path:
      return to_toml("f" + draw_text());
    case Kind::text:
      break;
  }
  std::string choice = *rc::gen::elementOf(setting.choices);
  if (choice.back() == ':') choice += std::to_string(draw_long(1, 9));
  return to_toml(choice);
}

RC_GTEST_PROP(ConfigProperties, WhatIsWrittenReadsTheSame, ()) {
  const std::string job = *rc::gen::elementOf(job_names());
  std::string text = "job = " + to_toml(job) + "\n";
  for (const Setting* setting : settings_of(job)) {
    const bool plain = setting->key != "job" && section_of(setting->key) != kList && setting->varies.empty() &&
                       setting->of.empty() && setting->key != "model.name";
    if (plain && *rc::gen::inRange(0, 4) == 0) text += setting->key + " = " + draw_value(*setting) + "\n";
  }
  const fs::path first = scratch("first.toml"), second = scratch("second.toml");
  write_text(first, text);
  const Config config = load_config(first);
  write_text(second, config.to_toml());
  const Config again = load_config(second);
  RC_ASSERT(again.to_toml() == config.to_toml());
  for (const Setting* setting : settings_of(job)) {
    RC_ASSERT(again.has(setting->key) == config.has(setting->key));
    if (config.has(setting->key)) RC_ASSERT(again.at(setting->key) == config.at(setting->key));
  }
}

RC_GTEST_PROP(SafetensorsProperties, WhatIsWrittenReadsTheSame, ()) {
  Safetensors file;
  const auto notes = *rc::gen::container<std::vector<std::string>>(rc::gen::exec(draw_text));
  for (const auto& note : notes) file.metadata["k" + note] = note;
  for (long i = draw_long(0, 4); i > 0; --i) {
    std::vector<long> shape(static_cast<std::size_t>(draw_long(0, 4)));
    long count = 1;
    for (long& extent : shape) count *= extent = draw_long(0, 5);
    const auto numbers = draw_array<1>({count});
    const std::string name = std::to_string(i) + draw_text();
    if (*rc::gen::inRange(0, 2))
      file.put(name, Tensor{shape, std::vector<double>(numbers.begin(), numbers.end())});
    else
      file.put(name, Tensor{shape, std::vector<float>(static_cast<std::size_t>(count), 0.1F)});
  }
  const fs::path path = scratch("tensors.safetensors");
  write_text(path, file.encoded());
  const Safetensors again(path);
  RC_ASSERT(again.metadata == file.metadata);
  RC_ASSERT(again.names() == file.names());
  for (const auto& name : file.names()) {
    RC_ASSERT(again.tensor(name).shape == file.tensor(name).shape);
    RC_ASSERT(again.tensor(name).values == file.tensor(name).values);
  }
  RC_ASSERT(again.encoded() == file.encoded());
}

RC_GTEST_PROP(NetcdfProperties, WhatIsWrittenReadsTheSameAsAWholeAndInParts, ()) {
  const fs::path path = scratch("arrays.nc");
  const auto extents = draw_extents<3>(1, 6);
  const auto array = draw_array<3>(extents);
  const std::string note = "n" + *rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
  {
    NetcdfWriter file(path);
    file.attribute("note", note);
    file.put("whole", {"a", "b", "c"}, array, {"an array", "m"});
    file.define("parts", {"a", "b", "c"}, {extents[0], extents[1], extents[2]}, Storage::float64, {"the same"});
    for (long i = 0; i < extents[0]; ++i)
      file.put_slab("parts", {i, 0, 0}, {1, extents[1], extents[2]},
                    std::span<const double>(array[i].data(), static_cast<std::size_t>(array[i].size())));
    file.close();
  }
  const NetcdfReader file(path);
  RC_ASSERT(file.text_attribute("", "note") == note);
  RC_ASSERT(file.array<3>("whole") == array);
  RC_ASSERT(file.array<3>("parts") == array);
  const long i = draw_long(0, extents[0] - 1), j = draw_long(0, extents[1] - 1), k = draw_long(0, extents[2] - 1);
  const auto part = file.slab("whole", {i, j, k}, {1, extents[1] - j, 1});
  for (long b = j; b < extents[1]; ++b) RC_ASSERT(part[static_cast<std::size_t>(b - j)] == array(i, b, k));
}

}  // namespace
}  // namespace vida::io
