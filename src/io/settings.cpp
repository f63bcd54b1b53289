#include "io/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "vida/error.hpp"

namespace vida::io {
namespace {

/// Matches "every:3" against the choice "every:"; a plain choice must be equal.
bool matches(const std::string& choice, const std::string& text) {
  if (choice.back() != ':') return choice == text;
  if (text.size() <= choice.size() || text.compare(0, choice.size(), choice) != 0) return false;
  const std::string digits = text.substr(choice.size());
  return digits.size() < 9 && digits.find_first_not_of("0123456789") == digits.npos &&
         (choice != "every:" || std::stoi(digits) > 0);
}

bool is_choice(const Setting& setting, const std::string& text) {
  return std::any_of(setting.choices.begin(), setting.choices.end(),
                     [&](const std::string& choice) { return matches(choice, text); });
}

bool in_range(const Setting& setting, double value) {
  return (std::isfinite(value) || (setting.infinite && value > 0)) &&
         (setting.above ? value > setting.minimum : value >= setting.minimum);
}

std::string range_text(const Setting& setting) {
  if (std::isinf(setting.minimum)) return "";
  return fmt::format("{} {}", setting.above ? " above" : " of at least", setting.minimum);
}

[[noreturn]] void refuse(const Setting& setting, const Value& value) {
  throw InvalidArgument(fmt::format("{} = {}: expected {}.", setting.key, to_toml(value), expectation(setting)));
}

long edit_distance(const std::string& a, const std::string& b) {
  std::vector<long> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0L);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    long diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const long above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::string section_of(const std::string& key) {
  const auto dot = key.find('.');
  return dot == key.npos ? "" : key.substr(0, dot);
}

std::string name_of(const std::string& key) { return key.substr(key.rfind('.') + 1); }

std::string list_key(long index, const std::string& name) { return fmt::format("{}.{}.{}", kList, index, name); }

std::optional<ListKey> list_key(const std::string& key) {
  const std::string start = std::string(kList) + ".";
  const auto end = key.find('.', start.size());
  if (!key.starts_with(start) || end == key.npos) return std::nullopt;
  const std::string digits = key.substr(start.size(), end - start.size());
  if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  return ListKey{std::stol(digits), key.substr(end + 1)};
}

const Setting* find_setting(const std::string& key, const std::string& job) {
  const auto entry = list_key(key);
  const std::string line = entry ? fmt::format("{}.{}", kList, entry->name) : key;
  const Setting* found = nullptr;
  for (const Setting& setting : settings()) {
    if (setting.key != line) continue;
    if (!found) found = &setting;
    if (const char letter = job_letter(job); letter && setting.jobs.find(letter) != std::string::npos) return &setting;
  }
  return found;
}

const std::vector<std::string>& job_names() { return find_setting("job")->choices; }

char job_letter(const std::string& job) {
  static const std::map<std::string, char> letters = {
      {"learn-gain", 'l'}, {"evaluate-gain", 'e'}, {"ensemble", 's'}, {"gaussian-vi", 'g'}, {"flow-vi", 'f'},
      {"amortized", 'a'},  {"assimilate", 'd'},    {"sweep", 'w'},    {"inpainting", 'p'}};
  const auto found = letters.find(job);
  return found == letters.end() ? 0 : found->second;
}

std::optional<Value> Setting::fallback_of(const std::string& job) const {
  const auto found = fallback.own.find(job_letter(job));
  return found == fallback.own.end() ? fallback.common : found->second;
}

std::vector<const Setting*> settings_of(const std::string& job) {
  std::vector<const Setting*> chosen;
  for (const Setting& setting : settings())
    if (setting.jobs.find(job_letter(job)) != std::string::npos) chosen.push_back(&setting);
  return chosen;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  long least = std::max<long>(2, static_cast<long>(word.size()) / 3) + 1;
  for (const auto& candidate : candidates)
    if (std::abs(std::ssize(word) - std::ssize(candidate)) >= least)
      continue;  // too far apart, without a table of their letters
    else if (const long distance = edit_distance(word, candidate); distance < least) {
      least = distance;
      best = candidate;
    }
  return best;
}

std::string expectation(const Setting& setting) {
  std::vector<std::string> choices;
  for (const auto& choice : setting.choices)
    choices.push_back(choice.back() == ':' ? fmt::format("\"{}{}\"", choice, choice == "banded:" ? "W" : "K")
                                           : fmt::format("\"{}\"", choice));
  switch (setting.kind) {
    case Kind::integer:
      return "a whole number" + range_text(setting);
    case Kind::real:
      return "a number" + range_text(setting);
    case Kind::path:
      return "the name of a file, as text";
    case Kind::indices:
      return "a list of components, from 0";
    case Kind::flag:
      return "true or false";
    case Kind::numbers:
      return fmt::format("a number{} or a list of such numbers{}", range_text(setting),
                         choices.empty() ? "" : fmt::format(", or {}", fmt::join(choices, ", or ")));
    case Kind::text:
      break;
  }
  return fmt::format("{}{}", choices.size() > 1 ? "one of " : "", fmt::join(choices, ", "));
}

std::string to_toml(const Value& value) {
  const auto real = [](double number) {
    if (std::isnan(number)) return std::string("nan");
    if (std::isinf(number)) return std::string(number < 0 ? "-inf" : "inf");
    const std::string text = fmt::format("{}", number);
    return text.find_first_of(".e") == text.npos ? text + ".0" : text;
  };
  const auto quoted = [](const std::string& text) {
    std::string result = "\"";
    for (char letter : text) {
      if (letter == '"' || letter == '\\') result += '\\';
      if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f)
        result += fmt::format("\\u{:04x}", static_cast<int>(letter));
      else
        result += letter;
    }
    return result + "\"";
  };
  if (const auto* whole = std::get_if<long>(&value)) return std::to_string(*whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) return real(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  std::string list = "[";
  for (const double number : std::get<std::vector<double>>(value))
    list += (list.size() > 1 ? ", " : "") + fmt::format("{}", number);
  return list + "]";
}

Value checked(const Setting& setting, const Value& value) {
  const auto* whole = std::get_if<long>(&value);
  const auto* real = std::get_if<double>(&value);
  const auto* text = std::get_if<std::string>(&value);
  const auto* list = std::get_if<std::vector<double>>(&value);
  const double number = whole ? static_cast<double>(*whole) : real ? *real : 0;
  switch (setting.kind) {
    case Kind::integer:
      if (!whole || !in_range(setting, number)) refuse(setting, value);
      return value;
    case Kind::real:
      if (!(whole || real) || !in_range(setting, number)) refuse(setting, value);
      return number;
    case Kind::path:
      if (!text || text->empty()) refuse(setting, value);
      return value;
    case Kind::text:
      if (!text || !is_choice(setting, *text)) {
        const std::string near = text ? nearest(*text, setting.choices) : "";
        throw InvalidArgument(fmt::format("{} = {}: expected {}.{}", setting.key, to_toml(value), expectation(setting),
                                          near.empty() || near.back() == ':' ? "" : " Did you mean \"" + near + "\"?"));
      }
      return value;
    case Kind::numbers:
      if (whole || real ? !in_range(setting, number) : text ? !is_choice(setting, *text) : !list || list->empty())
        refuse(setting, value);
      if (list && !std::all_of(list->begin(), list->end(), [&](double item) { return in_range(setting, item); }))
        refuse(setting, value);
      return whole ? Value(number) : value;
    case Kind::flag:
      if (!std::holds_alternative<bool>(value)) refuse(setting, value);
      return value;
    case Kind::indices:
      break;
  }
  constexpr double largest = std::numeric_limits<int>::max();  // inf is whole, too
  if (!list || list->empty() || !std::all_of(list->begin(), list->end(), [](double item) {
        return item >= 0 && item <= largest && item == std::floor(item);
      }))
    refuse(setting, value);
  return value;
}

}  // namespace vida::io
