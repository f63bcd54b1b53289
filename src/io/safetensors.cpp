#include "io/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <sstream>

#include "io/files.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the numbers of a safetensors file are copied as they are");

constexpr std::size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";

std::string shape_text(const std::vector<long>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

constexpr int kDeepest = 8;  // a header nests four deep; more would only exhaust the stack

/// The header as JSON. nlohmann keeps the last of two equal keys; here the second is an error.
json parse_header(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepest)
      throw FileError(fmt::format("{} is not a safetensors file: its header nests too deep.", where));
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw FileError(fmt::format("{}: the header names '{}' twice.", where, parsed.get<std::string>()));
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {  // a number beyond double is no parse_error
    throw FileError(fmt::format("{} is not a safetensors file: its header is not JSON ({}).", where, error.what()));
  }
}

/// The header's text, by the length in front of it.
std::string_view header_text(const std::string& bytes, const std::string& where) {
  if (bytes.size() < kLengthBytes)
    throw FileError(
        fmt::format("{} is not a safetensors file, or cut short: it holds {} bytes, fewer than the {} that "
                    "give the length of its header.",
                    where, bytes.size(), kLengthBytes));
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (bytes.size() > kLengthBytes && bytes[kLengthBytes] != '{')
    throw FileError(
        fmt::format("{} is not a safetensors file: no JSON header begins at byte {}.", where, kLengthBytes));
  if (length > bytes.size() - kLengthBytes)
    throw FileError(fmt::format("{} is cut short: its header is longer than the file, {} bytes of {}.", where, length,
                                bytes.size()));
  return std::string_view(bytes).substr(kLengthBytes, length);
}

/// What the header says of one tensor.
struct Entry {
  std::string name, type;
  std::vector<long> shape;
  std::uint64_t begin = 0, end = 0;  // of its bytes, behind the header

  std::uint64_t size() const { return type == "F32" ? sizeof(float) : sizeof(double); }
};

bool is_index(const json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() <= std::numeric_limits<long>::max();
}

Entry parse_entry(const std::string& name, const json& value, const std::string& where) {
  const auto fail = [&](const std::string& what) {
    return FileError(fmt::format("{}: tensor '{}' {}.", where, name, what));
  };
  const auto has = [&](const char* key) { return value.is_object() && value.contains(key); };
  if (!has("dtype") || !has("shape") || !has("data_offsets")) throw fail("lacks dtype, shape or data_offsets");
  const json &type = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
  if (type != "F32" && type != "F64") throw fail(fmt::format("has dtype {}; F32 and F64 can be read", type.dump()));
  if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), is_index))
    throw fail(fmt::format("has shape {}; whole numbers are needed", shape.dump()));
  if (!offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), is_index))
    throw fail(fmt::format("has data_offsets {}; begin and end are needed", offsets.dump()));
  Entry entry{.name = name, .type = type, .shape = {}, .begin = offsets[0], .end = offsets[1]};

  std::uint64_t bytes = entry.size();
  bool overflow = false;
  for (const json& extent : shape) {
    overflow = __builtin_mul_overflow(bytes, extent.get<std::uint64_t>(), &bytes) || overflow;
    entry.shape.push_back(static_cast<long>(extent.get<std::uint64_t>()));
  }
  if (overflow || entry.begin > entry.end || entry.end - entry.begin != bytes)
    throw fail(fmt::format("of shape {} and dtype {} does not agree with its data_offsets {}", shape.dump(), entry.type,
                           offsets.dump()));
  return entry;
}

/// Tensors lie one behind the other and fill the file, as the format asks.
void check_layout(std::vector<Entry> entries, std::uint64_t bytes, const std::string& where) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t reached = 0;
  for (const Entry& entry : entries) {
    if (entry.end > bytes)
      throw FileError(fmt::format("{} is cut short: tensor '{}' ends at byte {} of its {} bytes of data.", where,
                                  entry.name, entry.end, bytes));
    if (entry.begin != reached)
      throw FileError(
          fmt::format("{}: tensor '{}' begins at byte {} of the data, {} the tensor before it, which ends "
                      "at {}.",
                      where, entry.name, entry.begin, entry.begin < reached ? "inside" : "not right behind", reached));
    reached = entry.end;
  }
  if (reached != bytes)
    throw FileError(fmt::format("{}: {} bytes behind the last tensor belong to none.", where, bytes - reached));
}

template <class Real>
std::vector<Real> copied(std::string_view bytes) {
  std::vector<Real> values(bytes.size() / sizeof(Real));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

Safetensors::Safetensors(const std::filesystem::path& path, const std::string& setting)
    : where_(fmt::format("{}{}'{}'", setting, setting.empty() ? "" : ": ", path.string())) {
  std::string bytes;
  try {
    bytes = read_text(path);
  } catch (const FileError& error) {
    throw FileError((setting.empty() ? "" : setting + ": ") + error.what());
  }
  const std::string_view text = header_text(bytes, where_);
  const json header = parse_header(text, where_);
  const std::string_view data = std::string_view(bytes).substr(kLengthBytes + text.size());

  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != kMetadata) {
      entries.push_back(parse_entry(name, value, where_));
      continue;
    }
    if (!value.is_object() ||
        !std::all_of(value.begin(), value.end(), [](const json& note) { return note.is_string(); }))
      throw FileError(fmt::format("{}: {} must hold texts only.", where_, kMetadata));
    metadata = value.get<std::map<std::string, std::string>>();
  }
  check_layout(entries, data.size(), where_);
  for (const Entry& entry : entries) {
    const std::string_view part = data.substr(entry.begin, entry.end - entry.begin);
    Tensor tensor{entry.shape, {}};
    if (entry.type == "F32")
      tensor.values = copied<float>(part);
    else
      tensor.values = copied<double>(part);
    tensors_.emplace(entry.name, std::move(tensor));
  }
}

std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : tensors_) result.push_back(name);
  return result;
}

const Tensor& Safetensors::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    throw FileError(fmt::format("{}{}holds no tensor '{}'.", where_, where_.empty() ? "" : " ", name));
  return found->second;
}

void Safetensors::require_shape(const std::string& name, const std::vector<long>& shape) const {
  if (const auto& found = tensor(name).shape; found != shape)
    throw FileError(fmt::format("{}{}holds '{}' with shape {}; {} is needed.", where_, where_.empty() ? "" : " ", name,
                                shape_text(found), shape_text(shape)));
}

void Safetensors::put(const std::string& name, Tensor tensor) {
  if (name == kMetadata) throw InvalidArgument(fmt::format("A tensor cannot be called '{}'.", name));
  long count = 1;
  for (long extent : tensor.shape) count *= std::max(extent, 0L);
  const auto held = std::visit([](const auto& values) { return static_cast<long>(values.size()); }, tensor.values);
  if (count != held)
    throw InvalidArgument(
        fmt::format("Tensor '{}' of shape {} holds {} values.", name, shape_text(tensor.shape), held));
  if (!tensors_.emplace(name, std::move(tensor)).second)
    throw InvalidArgument(fmt::format("There is a tensor '{}' already.", name));
}

void Safetensors::write(std::ostream& to) const {
  json header = json::object();
  std::vector<std::span<const char>> data;
  std::size_t end = 0;
  if (!metadata.empty()) header[kMetadata] = metadata;
  const auto append = [&]<class Real>(const std::string& name, const Tensor& tensor, const char* type, Real) {
    const auto* values = std::get_if<std::vector<Real>>(&tensor.values);
    if (!values) return;
    data.emplace_back(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(Real));
    header[name] = {{"dtype", type}, {"shape", tensor.shape}, {"data_offsets", {end, end + data.back().size()}}};
    end += data.back().size();
  };
  // Wider numbers first, so that each lies at a multiple of its size.
  for (const auto& [name, tensor] : tensors_) append(name, tensor, "F64", double{});
  for (const auto& [name, tensor] : tensors_) append(name, tensor, "F32", float{});

  std::string text;
  try {
    text = header.dump();
  } catch (const json::type_error& error) {
    throw InvalidArgument(fmt::format("A name or a note of a safetensors file is not UTF-8 ({}).", error.what()));
  }
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  const std::uint64_t length = text.size();
  to.write(reinterpret_cast<const char*>(&length), kLengthBytes);
  to << text;
  for (const auto part : data) to.write(part.data(), std::ssize(part));
}

std::string Safetensors::encoded() const {
  std::ostringstream text;
  write(text);
  return text.str();
}

void Safetensors::write(const std::filesystem::path& path) const {
  if (!path.has_filename()) throw FileError(fmt::format("'{}' names no file.", path.string()));
  OutputFolder folder(path.has_parent_path() ? path.parent_path() : ".", true);
  const auto pending = folder.pending(path.filename().string());
  std::ofstream file(pending, std::ios::binary);
  write(file);
  file.close();
  if (!file) throw WriteError(fmt::format("'{}' cannot be written: {}.", pending.string(), std::strerror(errno)));
  folder.commit();
}

}  // namespace vida::io
