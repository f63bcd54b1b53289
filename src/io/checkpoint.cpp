#include <fmt/format.h>

#include <charconv>

#include "io/inpainting_file.hpp"
#include "io/safetensors.hpp"
#include "vida/error.hpp"
#include "vida/version.hpp"

namespace vida::io {
namespace {

constexpr const char* kFormat = "vida-checkpoint-1";
constexpr const char* kIdentity = "identity.";

/// The vectors of a state by name.
template <class State, class Visit>
void for_vectors(State& state, Visit visit) {
  visit("values", state.values);
  visit("best", state.best);
  visit("last_good", state.last_good);
  visit("first", state.first);
  visit("second", state.second);
  visit("losses", state.losses);
  visit("validation", state.validation);
  visit("validated_after", state.validated_after);
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  Safetensors file;
  file.metadata["format"] = kFormat;
  file.metadata["version"] = kVersion;
  file.metadata["step"] = std::to_string(checkpoint.state.step);
  file.metadata["best_after"] = std::to_string(checkpoint.state.best_after);
  for (const auto& [key, value] : checkpoint.identity) file.metadata[kIdentity + key] = value;
  for_vectors(checkpoint.state, [&](const char* name, const auto& values) {
    file.put(std::string("state.") + name, Tensor{{std::ssize(values)}, values});
  });
  file.put(
      "state.numbers",
      Tensor{{2}, std::vector<double>{checkpoint.state.best_loss, static_cast<double>(checkpoint.state.flagged_at)}});
  file.put("classifier", Tensor{{std::ssize(checkpoint.classifier_parameters)}, checkpoint.classifier_parameters});
  file.write(path);
}

Checkpoint read_checkpoint(const std::filesystem::path& path, const std::map<std::string, std::string>& identity) {
  const std::string remedy = "Remove it to begin anew, or name another folder with --out.";
  const Safetensors file = [&] {
    try {
      return Safetensors(path);
    } catch (const FileError& error) {
      throw FileError(fmt::format("{} {}", error.what(), remedy));
    }
  }();
  const auto note = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (note("format") != kFormat)
    throw FileError(
        fmt::format("'{}' is no checkpoint that this version reads: its format is \"{}\", expected \"{}\". {}",
                    path.string(), note("format"), kFormat, remedy));
  if (note("version") != kVersion)
    throw FileError(fmt::format("'{}' is the checkpoint of version {} of vida, this is {}. {}", path.string(),
                                note("version"), kVersion, remedy));
  Checkpoint checkpoint{identity, {}, {}};
  std::map<std::string, std::string> there;
  for (const auto& [key, value] : file.metadata)
    if (key.starts_with(kIdentity)) there[key.substr(std::string(kIdentity).size())] = value;
  const auto require_same = [&](const std::string& key) {
    const auto text = [&](const auto& values) { return values.contains(key) ? values.at(key) : "not set"; };
    if (text(there) != text(identity))
      throw FileError(fmt::format("'{}' is the checkpoint of another training: {} is {} there, {} now. {}",
                                  path.string(), key, text(there), text(identity), remedy));
  };
  for (const auto& entry : identity) require_same(entry.first);
  for (const auto& entry : there) require_same(entry.first);
  const auto whole = [&](const char* key) {
    const std::string text = note(key);
    long value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
      throw FileError(fmt::format("'{}' is damaged: {} is \"{}\". {}", path.string(), key, text, remedy));
    return value;
  };
  checkpoint.state.step = whole("step"), checkpoint.state.best_after = whole("best_after");
  const auto fill = [&](const std::string& name, auto& values) {
    if (!file.has(name))
      throw FileError(fmt::format("'{}' is damaged: it lacks '{}'. {}", path.string(), name, remedy));
    std::visit([&](const auto& from) { values.assign(from.begin(), from.end()); }, file.tensor(name).values);
  };
  for_vectors(checkpoint.state, [&](const char* name, auto& values) { fill(std::string("state.") + name, values); });
  std::vector<double> numbers;
  fill("state.numbers", numbers);
  if (numbers.size() != 2)
    throw FileError(fmt::format("'{}' is damaged: 'state.numbers' has {} numbers, expected 2. {}", path.string(),
                                numbers.size(), remedy));
  checkpoint.state.best_loss = numbers[0], checkpoint.state.flagged_at = static_cast<long>(numbers[1]);
  fill("classifier", checkpoint.classifier_parameters);
  return checkpoint;
}

}  // namespace vida::io
