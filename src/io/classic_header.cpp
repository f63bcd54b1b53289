#include "io/classic_header.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <vector>

namespace vida::io {
namespace {

struct Fault {
  std::string what;
};

/// Walks a header: dimensions, attributes, variables with attributes of their own. Numbers are big-endian words, of
/// eight bytes in CDF-5 unless said otherwise; names and values are padded to four bytes.
class Header {
 public:
  Header(std::ifstream& file, std::uintmax_t size, int version)
      : file_(file), left_(size - 4), wide_(version == 5), wide_offsets_(version != 1) {}

  void walk() {
    number(wide_);  // of records
    list("dimensions", 10, [&] {
      name();
      number(wide_);
      ++dimensions_;
    });
    attributes();
    list("variables", 11, [&] {
      name();
      const auto rank = count("axes of a variable", wide_ ? 8 : 4);
      for (std::uint64_t axis = 0; axis < rank; ++axis)
        if (const auto id = number(wide_); id >= dimensions_)
          throw Fault{fmt::format("a variable has axis {} of {}", id, dimensions_)};
      attributes();
      type();
      number(wide_);  // bytes
      number(wide_offsets_);
    });
  }

 private:
  void attributes() {
    list("attributes", 12, [&] {
      name();
      const auto size = type();
      skip(count("values of an attribute", size) * size);
    });
  }

  template <class Read>
  void list(const char* what, std::uint64_t tag, const Read& read) {
    const auto found = number(false);
    const auto length = count(what, 8);  // the least that one of them takes
    if (found != tag && (found != 0 || length != 0))
      throw Fault{fmt::format("no list of {} begins where one must", what)};
    for (std::uint64_t i = 0; i < length; ++i) read();
  }

  void name() { skip(count("letters of a name", 1)); }

  /// Bytes of a value.
  std::uint64_t type() {
    constexpr std::array<std::uint64_t, 12> bytes = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
    const auto found = number(false);
    if (found == 0 || found >= bytes.size()) throw Fault{fmt::format("there is no type {}", found)};
    return bytes[found];
  }

  /// A number of things of `each` bytes at least.
  std::uint64_t count(const char* what, std::uint64_t each) {
    const auto value = number(wide_);
    if (value > left_ / each) throw Fault{fmt::format("it tells of {} {}, more than the file can hold", value, what)};
    return value;
  }

  std::uint64_t number(bool wide) {
    std::array<char, 8> bytes{};
    const int size = wide ? 8 : 4;
    if (!file_.read(bytes.data(), size)) throw Fault{"the file ends within it"};
    left_ -= static_cast<std::uint64_t>(size);
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(i)]);
    return value;
  }

  void skip(std::uint64_t bytes) {
    const std::uint64_t padded = (bytes + 3) / 4 * 4;
    if (padded > left_) throw Fault{"the file ends within it"};
    file_.seekg(static_cast<std::streamoff>(padded), std::ios::cur);
    left_ -= padded;
  }

  std::ifstream& file_;
  std::uint64_t left_;  // bytes of the file behind what was read
  bool wide_, wide_offsets_;
  std::uint64_t dimensions_ = 0;
};

}  // namespace

std::string fault_of_classic_header(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4> magic{};
  if (!file.read(magic.data(), 4) || magic[0] != 'C' || magic[1] != 'D' || magic[2] != 'F') return "";
  const int version = static_cast<unsigned char>(magic[3]);
  if (version != 1 && version != 2 && version != 5) return "";
  try {
    Header(file, std::filesystem::file_size(path), version).walk();
  } catch (const Fault& fault) {
    return "its header is damaged: " + fault.what;
  }
  return "";
}

}  // namespace vida::io
