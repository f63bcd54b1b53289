#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "vida/error.hpp"

namespace vida::io {

/// Grey images of one size, a byte a pixel, with a class each.
struct ImageSet {
  long count = 0, rows = 0, columns = 0;
  std::vector<std::uint8_t> pixels;  ///< [image, row, column]
  std::vector<std::uint8_t> labels;  ///< [image]

  long size() const { return rows * columns; }  ///< pixels of an image
  const std::uint8_t* image(long index) const { return pixels.data() + index * size(); }
};

/// The first `limit` images of `folder`/<part>-images-idx3-ubyte with their classes from
/// `folder`/<part>-labels-idx1-ubyte (0: all). Either file may be compressed by gzip, with ".gz" behind its name or
/// without. part: "train" or "t10k". Throws FileError for a file that is missing, no IDX file of unsigned bytes,
/// truncated or too long, and for counts that differ.
ImageSet read_image_set(const std::filesystem::path& folder, const std::string& part, long limit = 0);

}  // namespace vida::io
