#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/program.hpp"
#include "io/netcdf.hpp"

namespace vida::test {

/// Images of 10 x 10 pixels in ink of one level, 200 .. 255, with soft edges on an empty ground: a horizontal bar
/// (class 0), an upright one (1) or a disk (2). What lies in the middle follows from the border, but not linearly: ink
/// on it belongs to a bar that crosses the middle, to one that passes it by or to the edge of a disk.
struct Pictures {
  std::vector<std::uint8_t> pixels, labels;
  std::uint32_t count() const { return static_cast<std::uint32_t>(labels.size()); }
};

inline Pictures pictures(int count, std::uint32_t seed) {
  std::mt19937 generator(seed);
  const auto uniform = [&](double from, double to) { return from + (to - from) * generator() / 4294967296.0; };
  Pictures set;
  for (int i = 0; i < count; ++i) {
    const int kind = static_cast<int>(generator() % 3);
    const double ink = uniform(200, 255), at = uniform(1.5, 7.5), half = uniform(0.8, 1.6), y = uniform(3, 6),
                 x = uniform(3, 6), radius = uniform(1.5, 3.5);
    set.labels.push_back(static_cast<std::uint8_t>(kind));
    for (int row = 0; row < 10; ++row)
      for (int column = 0; column < 10; ++column) {
        const double inside =
            kind == 2 ? radius - std::hypot(row - y, column - x) : half - std::abs((kind == 0 ? row : column) - at);
        set.pixels.push_back(static_cast<std::uint8_t>(std::lround(ink * std::clamp(inside + 0.5, 0.0, 1.0))));
      }
  }
  return set;
}

/// An IDX file: big-endian words, then bytes.
inline std::string idx(std::vector<std::uint32_t> words, const std::vector<std::uint8_t>& values) {
  std::string bytes;
  for (const std::uint32_t word : words)
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(word >> shift & 0xff);
  bytes.append(values.begin(), values.end());
  return bytes;
}

inline std::string image_file(const Pictures& set, std::uint32_t rows = 10, std::uint32_t columns = 10) {
  return idx({0x803, static_cast<std::uint32_t>(set.pixels.size()) / (rows * columns), rows, columns}, set.pixels);
}
inline std::string label_file(const Pictures& set) { return idx({0x801, set.count()}, set.labels); }

inline void write_compressed(const std::filesystem::path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  const int written = gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  if (gzclose(file) != Z_OK || written != static_cast<int>(bytes.size())) throw std::runtime_error("gzip failed");
}

/// The folder `name` with 1500 images for training and 200 for tests, one file of each compressed.
inline void write_pictures(const Workplace& place, const std::string& name = "data") {
  std::filesystem::create_directory(place.path(name));
  const Pictures training = pictures(1500, 1), test = pictures(200, 2);
  place.write(name + "/train-images-idx3-ubyte", image_file(training));
  write_compressed(place.path(name + "/train-labels-idx1-ubyte.gz"), label_file(training));
  write_compressed(place.path(name + "/t10k-images-idx3-ubyte.gz"), image_file(test));
  place.write(name + "/t10k-labels-idx1-ubyte", label_file(test));
}

/// A model of 16 unknown pixels that trains in a moment.
inline const char* const kInpainting = R"(job = "inpainting"
data = "data"
[mask]
top = 3
left = 3
height = 4
width = 4
[flow]
encoder = 32
features = 16
layers = 4
hidden = 32
components = 2
[train]
epochs = 40
batch = 64
validation = 200
step = 0.005
input_dropout = 0
dropout = 0
[classifier]
hidden = 32
epochs = 20
step = 0.01
[samples]
count = 40
examples = [5, 0]
)";

inline std::vector<std::string> inpainting_words(const std::string& out, const std::vector<std::string>& settings,
                                                 const std::string& threads = "1") {
  std::vector<std::string> words = {"run", "i.toml", "--out", out, "--threads", threads};
  for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
  return words;
}

/// Runs it into `out` without gnuplot, which would take most of the time. settings: "key=value" each.
inline Answer run_inpainting(const Workplace& place, const std::string& out = "o",
                             const std::vector<std::string>& settings = {}, const std::string& threads = "1") {
  place.write("i.toml", kInpainting);
  return place.vida(inpainting_words(out, settings, threads), {"PATH=/nowhere"});
}

inline nlohmann::json summary_in(const Workplace& place, const std::string& out) {
  return nlohmann::json::parse(place.read(out + "/summary.json"));
}

/// What result.nc says of the model, and of its training.
inline const std::vector<std::string> kScores = {
    "bits", "squared_error", "class_probability", "pixel_mean", "pixel_deviation",
    "rank", "mean",          "deviation",         "sample",     "example_probability"};
inline const std::vector<std::string> kHistory = {"loss", "validation", "validated_after"};

/// Two runs gave the same bits.
inline void expect_same_numbers(const Workplace& place, const std::string& one, const std::string& other,
                                const std::vector<std::string>& names) {
  const io::NetcdfReader a(place.path(one + "/result.nc")), b(place.path(other + "/result.nc"));
  for (const auto& name : names) EXPECT_EQ(a.values(name), b.values(name)) << name;
  EXPECT_EQ(place.read(one + "/model.safetensors"), place.read(other + "/model.safetensors"));
}
inline void expect_same_numbers(const Workplace& place, const std::string& one, const std::string& other) {
  expect_same_numbers(place, one, other, kScores);
  expect_same_numbers(place, one, other, kHistory);
}

}  // namespace vida::test
