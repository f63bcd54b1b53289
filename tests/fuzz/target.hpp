#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "vida/error.hpp"

/// A target: one reader, or what is read from one kind of file. Defined once in each <target>.cpp.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace vida::fuzz {

using Bytes = std::span<const std::uint8_t>;

/// A folder of this process's own below the temporary one; it goes when the process ends as it should.
const std::filesystem::path& folder();
/// A file of these bytes in it. Throws FileError when it cannot be written.
std::filesystem::path file_of(Bytes bytes, const std::string& name);
std::filesystem::path file_of(const std::string& text, const std::string& name);

/// Says what a reader must not do, and ends the process as a crash does.
[[noreturn]] void finding(const std::string& what);
/// A finding when a message says nothing.
void require_message(const std::string& message);

/// Lets a reader work. It may return, or throw FileError or InvalidArgument with a message; whatever else it throws
/// passes, and is a finding.
template <class Read>
void judge(const Read& read) {
  try {
    read();
  } catch (const FileError& error) {
    require_message(error.what());
  } catch (const InvalidArgument& error) {
    require_message(error.what());
  }
}

/// For what vida wrote itself and must be able to read: any error is a finding.
template <class Read>
auto must_read(const std::string& what, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    finding(what + ": " + error.what());
  }
}

}  // namespace vida::fuzz
