#include "io/checkpoint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include <vector>

#include "io/safetensors.hpp"
#include "vida/error.hpp"
#include "vida/version.hpp"

namespace vida::io {
namespace {

constexpr const char* kFormat = "vida-checkpoint-2";
constexpr const char *kIdentity = "identity.", *kNote = "note.", *kChecksum = "crc32";
constexpr const char* kRemedy = "Add --force to a new 'vida run' to begin anew, or name another folder with --out.";
constexpr const char* kJob = "job";
constexpr std::size_t kDifferencesNamed = 4;

/// Of the notes and the numbers, in the order of their names.
std::string checksum(const Safetensors& file) {
  uLong sum = crc32_z(0, nullptr, 0);
  const auto add = [&](const void* data, std::size_t bytes) {
    if (bytes) sum = crc32_z(sum, static_cast<const Bytef*>(data), bytes);
  };
  for (const auto& [key, value] : file.metadata)
    if (key != kChecksum) add(key.data(), key.size()), add(value.data(), value.size());
  for (const std::string& name : file.names()) {
    add(name.data(), name.size());
    std::visit([&](const auto& values) { add(values.data(), values.size() * sizeof(values[0])); },
               file.tensor(name).values);
  }
  return fmt::format("{:08x}", sum);
}

std::map<std::string, std::string> with_prefix(const std::map<std::string, std::string>& metadata,
                                               const std::string& prefix) {
  std::map<std::string, std::string> found;
  for (const auto& [key, value] : metadata)
    if (key.starts_with(prefix)) found[key.substr(prefix.size())] = value;
  return found;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  Safetensors file;
  file.metadata["format"] = kFormat;
  file.metadata["version"] = kVersion;
  for (const auto& [key, value] : checkpoint.identity) file.metadata[kIdentity + key] = value;
  for (const auto& [key, value] : checkpoint.notes) file.metadata[kNote + key] = value;
  for (const auto& [name, values] : checkpoint.state.entries()) {
    const auto size = std::visit([](const auto& numbers) { return std::ssize(numbers); }, values);
    file.put(name, Tensor{{size}, values});
  }
  file.metadata[kChecksum] = checksum(file);
  file.write(path);
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  const Safetensors file = [&] {
    try {
      return Safetensors(path);
    } catch (const FileError& error) {
      throw FileError(fmt::format("{} {}", error.what(), kRemedy));
    }
  }();
  const auto note = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (note("format") != kFormat)
    throw FileError(
        fmt::format("'{}' is no checkpoint that this version reads: its format is \"{}\", expected \"{}\". {}",
                    path.string(), note("format"), kFormat, kRemedy));
  if (note("version") != kVersion)
    throw FileError(fmt::format("'{}' is the checkpoint of version {} of vida, this is {}. {}", path.string(),
                                note("version"), kVersion, kRemedy));
  if (const std::string found = checksum(file); note(kChecksum) != found)
    throw FileError(fmt::format("'{}' is damaged: its checksum is {}, its content gives {}. {}", path.string(),
                                note(kChecksum), found, kRemedy));
  Checkpoint checkpoint{with_prefix(file.metadata, kIdentity), with_prefix(file.metadata, kNote), {}};
  for (const std::string& name : file.names()) checkpoint.state.put(name, file.tensor(name).values);
  return checkpoint;
}

void require_same_run(const std::filesystem::path& path, const std::map<std::string, std::string>& there,
                      const std::map<std::string, std::string>& now) {
  const auto text = [](const auto& values, const std::string& key) {
    return values.contains(key) ? values.at(key) : "not set";
  };
  auto all = there;
  all.insert(now.begin(), now.end());
  if (text(there, kJob) != text(now, kJob)) all = {{kJob, ""}};  // its settings differ anyhow
  std::vector<std::string> differences;
  for (const auto& [key, value] : all)
    if (const auto a = text(there, key), b = text(now, key); a != b)
      differences.push_back(fmt::format("{} is {} there, {} now", key, a, b));
  if (differences.empty()) return;
  const std::size_t more = differences.size() > kDifferencesNamed ? differences.size() - kDifferencesNamed : 0;
  differences.resize(differences.size() - more);
  throw FileError(fmt::format("'{}' is the checkpoint of another run: {}{}. {}", path.string(),
                              fmt::join(differences, "; "), more ? fmt::format("; and {} more", more) : "", kRemedy));
}

}  // namespace vida::io
