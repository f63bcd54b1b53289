#include "jobs/run_checkpoint.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/replace_files.hpp"
#include "vida/error.hpp"

namespace vida::jobs {
namespace {

namespace fs = std::filesystem;

constexpr double kLeastWorkForAWrite = 20;  // times as long: writing takes at most a twentieth of a run

/// "12345 bytes, CRC-32 0123abcd" of a file; empty where it cannot be read, of which the job speaks.
std::string fingerprint(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  if (!file || !fs::is_regular_file(path, error)) return "";
  std::vector<char> block(1 << 20);
  uLong sum = crc32_z(0, nullptr, 0);
  long bytes = 0;
  do {
    file.read(block.data(), std::ssize(block));
    sum = crc32_z(sum, reinterpret_cast<const Bytef*>(block.data()), static_cast<std::size_t>(file.gcount()));
    bytes += file.gcount();
  } while (file);
  return fmt::format("{} bytes, CRC-32 {:08x}", bytes, sum);
}

/// "gain.nc:2" names a part of a file.
fs::path file_of(const std::string& name) {
  std::error_code error;
  const auto colon = name.rfind(':');
  return fs::exists(name, error) || colon == std::string::npos ? name : name.substr(0, colon);
}

/// What decides a result: settings, and the files that they name.
std::map<std::string, std::string> identity_of(const io::Config& config) {
  auto identity = config.texts();
  for (const auto& [key, text] : config.texts()) {
    const io::Setting* setting = io::find_setting(key, config.job());
    if (!setting || setting->kind != io::Kind::path) continue;
    const auto names = nlohmann::json::parse(text, nullptr, false);
    if (!names.is_string()) continue;
    if (const auto print = fingerprint(file_of(names.get<std::string>())); !print.empty())
      identity["the file of " + key] = print;
  }
  return identity;
}

std::map<std::string, std::string> notes_of(const io::ConfigSource& source, const Device& device) {
  return {{"path", fs::absolute(source.path).string()},
          {"text", source.text},
          {"overrides", nlohmann::json(source.overrides).dump()},
          {"folder", source.folder.empty() ? fs::current_path().string() : source.folder.string()},
          {"device", device.description()}};
}

double number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

const std::string& note(const io::Checkpoint& checkpoint, const std::string& key) {
  const auto found = checkpoint.notes.find(key);
  if (found == checkpoint.notes.end())
    throw FileError(fmt::format("the checkpoint lacks its note \"{}\": it was not written by 'vida run'.", key));
  return found->second;
}

}  // namespace

std::optional<io::Checkpoint> RunCheckpoint::in(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / kFile, error)) return {};
  return io::read_checkpoint(folder / kFile);
}

io::ConfigSource RunCheckpoint::source_of(const io::Checkpoint& checkpoint) {
  const auto overrides = nlohmann::json::parse(note(checkpoint, "overrides"), nullptr, false);
  const bool texts = overrides.is_array() && std::all_of(overrides.begin(), overrides.end(),
                                                         [](const auto& entry) { return entry.is_string(); });
  if (!texts) throw FileError("the checkpoint's note \"overrides\" is no list of texts.");
  return {note(checkpoint, "path"), note(checkpoint, "text"), overrides.get<std::vector<std::string>>(),
          note(checkpoint, "folder")};
}

RunCheckpoint::RunCheckpoint(io::OutputFolder& folder, const io::ConfigSource& source, const io::Config& config,
                             const Device& device, const CheckpointOptions& options,
                             std::optional<io::Checkpoint> found, Listener listener)
    : folder_(folder),
      options_(options),
      kept_{identity_of(config), notes_of(source, device), {}},
      listener_(std::move(listener)),
      resumed_(found && !found->state.empty()) {
  io::remove_abandoned(folder.path());
  if (!found) {
    write({});
    return;
  }
  found_ = std::move(*found);
  has_state_ = true;
  auto there = found_.identity;
  std::erase_if(there, [&](const auto& entry) {  // the job has not named its own data yet
    const bool own = entry.first.starts_with("data: ");
    if (own) kept_.identity.insert(entry);
    return own;
  });
  auto now = kept_.identity;
  std::erase_if(now, [](const auto& entry) { return entry.first.starts_with("data: "); });
  io::require_same_run(folder.path() / kFile, there, now);
  before_ = number_of(note(found_, "seconds"));
  if (resumed_ && note(found_, "device") != device.description())
    listener_.warn(fmt::format("the run began on {}, and goes on on {}: results may differ in their last digits.",
                               note(found_, "device"), device.description()));
}

RunCheckpoint::~RunCheckpoint() {
  if (!has_state_) remove();
}

void RunCheckpoint::remove() const {
  std::error_code ignored;
  fs::remove(folder_.path() / kFile, ignored);
}

void RunCheckpoint::identify(const std::string& key, const std::string& text) {
  const std::string name = "data: " + key;
  if (const auto found = found_.identity.find(name); resumed_ && found != found_.identity.end())
    io::require_same_run(folder_.path() / kFile, {{key, found->second}}, {{key, text}});
  kept_.identity[name] = text;
}

bool RunCheckpoint::due() {
  ++asked_;
  if (options_.steps > 0 && asked_ % options_.steps == 0) return true;
  return options_.seconds > 0 && now_() - last_ >= std::max(options_.seconds, kLeastWorkForAWrite * writing_);
}

void RunCheckpoint::keep(Snapshot state) {
  try {
    write(std::move(state));
    has_state_ = safe_ = true;
  } catch (const FileError& error) {
    if (safe_)
      listener_.warn(
          fmt::format("the run's state cannot be kept: {} The run goes on; the last state that was kept stays. Make "
                      "room, and later states are kept again.",
                      error.what()));
    safe_ = false;
  }
}

void RunCheckpoint::write(Snapshot state) {
  const double start = now_();
  kept_.notes["seconds"] = fmt::format("{}", seconds());
  kept_.state = std::move(state);
  io::write_checkpoint(folder_.path() / kFile, kept_);
  kept_.state = {};
  last_ = now_();
  writing_ = last_ - start;
  listener_.debug(
      fmt::format("state kept in {:.1f} ms: {} bytes.", 1e3 * writing_, fs::file_size(folder_.path() / kFile)));
}

}  // namespace vida::jobs
