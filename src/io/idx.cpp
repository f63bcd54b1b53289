#include "io/idx.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>

#include "io/files.hpp"

namespace vida::io {
namespace {

/// An IDX file of unsigned bytes: two zeros, 8 for the type, the number of axes, the length of each axis as a
/// big-endian word, the bytes. zlib reads plain files as they are.
class IdxFile {
 public:
  explicit IdxFile(const std::filesystem::path& path) : path_(path) {
    require_readable(path);
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) throw FileError(fmt::format("'{}' cannot be opened.", path.string()));
    gzbuffer(file_.get(), 1 << 18);
  }

  /// The lengths of `count` axes; what: what the file should hold.
  std::vector<long> axes(int count, const char* what) {
    std::array<std::uint8_t, 4> magic{};
    const long got = read(magic.data(), 4);
    const std::uint32_t expected = 0x800u + static_cast<std::uint32_t>(count);
    if (got < 4 || word(magic.data()) != expected)
      throw FileError(fmt::format("'{}' is no IDX file of {}: it begins with 0x{:08x}, expected 0x{:08x}.",
                                  path_.string(), what, word(magic.data()), expected));
    std::vector<long> lengths;
    for (int axis = 0; axis < count; ++axis) {
      std::array<std::uint8_t, 4> bytes{};
      if (read(bytes.data(), 4) < 4)
        throw FileError(fmt::format("'{}' is truncated: it ends within its header.", path_.string()));
      lengths.push_back(static_cast<long>(word(bytes.data())));
    }
    return lengths;
  }

  /// The first `wanted` of the `told` bytes that the header tells; all of them must be there, and nothing behind.
  /// Memory is taken as the bytes come: a damaged header may tell of any number.
  std::vector<std::uint8_t> bytes(long wanted, long told) {
    std::vector<std::uint8_t> values, piece(1 << 18);
    long got = 0;
    while (got <= told) {
      const long more = read(piece.data(), std::ssize(piece));
      if (more == 0) break;
      const long kept = std::clamp(wanted - got, 0L, more);
      values.insert(values.end(), piece.begin(), piece.begin() + kept);
      got += more;
    }
    if (got < told)
      throw FileError(fmt::format("'{}' is truncated: it holds {} of the {} bytes that its header tells.",
                                  path_.string(), got, told));
    if (got > told)
      throw FileError(
          fmt::format("'{}' holds more than the {} bytes that its header tells: it is damaged.", path_.string(), told));
    return values;
  }

 private:
  static std::uint32_t word(const std::uint8_t* bytes) {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
  }

  long read(std::uint8_t* to, long count) {
    long got = 0;
    while (got < count) {
      const auto piece = static_cast<unsigned>(std::min(count - got, 1L << 30));
      const int read = gzread(file_.get(), to + got, piece);
      int code = Z_OK;
      const char* reason = gzerror(file_.get(), &code);
      if (read < 0 || (read == 0 && code == Z_BUF_ERROR))
        throw FileError(fmt::format("'{}' is damaged: gzip says \"{}\" after {} bytes.", path_.string(),
                                    code == Z_BUF_ERROR ? "unexpected end of file" : reason, gztell(file_.get())));
      if (read == 0) break;
      got += read;
    }
    return got;
  }

  struct Close {
    void operator()(gzFile file) const { gzclose_r(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

std::filesystem::path plain_or_compressed(const std::filesystem::path& folder, const std::string& name) {
  for (const char* suffix : {"", ".gz"})
    if (std::filesystem::exists(folder / (name + suffix))) return folder / (name + suffix);
  throw FileError(fmt::format("'{}' holds neither {} nor {}.gz.", folder.string(), name, name));
}

}  // namespace

ImageSet read_image_set(const std::filesystem::path& folder, const std::string& part, long limit) {
  if (!std::filesystem::is_directory(folder))
    throw FileError(
        fmt::format("'{}' is not a folder; expected one with {}-images-idx3-ubyte.gz.", folder.string(), part));
  const auto image_path = plain_or_compressed(folder, part + "-images-idx3-ubyte");
  const auto label_path = plain_or_compressed(folder, part + "-labels-idx1-ubyte");
  IdxFile images(image_path), labels(label_path);
  const auto shape = images.axes(3, "images");
  const long labelled = labels.axes(1, "labels")[0];
  if (labelled != shape[0])
    throw FileError(fmt::format("'{}' holds {} images, but '{}' holds {} labels.", image_path.string(), shape[0],
                                label_path.string(), labelled));
  long pixels = 0, told = 0;
  if (__builtin_mul_overflow(shape[1], shape[2], &pixels) || __builtin_mul_overflow(shape[0], pixels, &told) ||
      pixels == 0)
    throw FileError(fmt::format("'{}' is damaged: its header tells of {} images of {} x {} pixels.",
                                image_path.string(), shape[0], shape[1], shape[2]));
  ImageSet set{.count = limit > 0 ? std::min(limit, shape[0]) : shape[0],
               .rows = shape[1],
               .columns = shape[2],
               .pixels = {},
               .labels = {}};
  set.pixels = images.bytes(set.count * set.size(), told);
  set.labels = labels.bytes(set.count, labelled);
  return set;
}

}  // namespace vida::io
