#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdlib>
#include <optional>

#include "cli/flow_command.hpp"
#include "vida/error.hpp"

namespace vida::cli {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char letter : text) {
    if (letter == ',')
      words.emplace_back();
    else
      words.back() += letter;
  }
  return words;
}

std::optional<double> number(const std::string& word) {
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (word.empty() || *end != '\0') return {};
  return value;
}

/// The numbers of a list; a word that is none otherwise.
struct List {
  std::vector<double> numbers;
  std::optional<std::string> other;
};

List parse(const std::string& text) {
  List list;
  for (const auto& word : words_of(text)) {
    const auto value = number(word);
    if (!value) return {{}, word};
    list.numbers.push_back(*value);
  }
  return list;
}

Matrix from_list(const std::string& text, const std::vector<double>& numbers, int c) {
  if (std::ssize(numbers) != c)
    throw InvalidArgument(
        fmt::format("--context {} holds {} numbers, but the context of this flow has {}.", text, numbers.size(), c));
  for (std::size_t j = 0; j < numbers.size(); ++j)
    if (!std::isfinite(numbers[j]))
      throw InvalidArgument(
          fmt::format("--context {}: number {} is {}; finite numbers are needed.", text, j, numbers[j]));
  Matrix contexts({1, c});
  std::copy(numbers.begin(), numbers.end(), contexts.begin());
  return contexts;
}

Matrix from_file(const std::string& path, int c) {
  const io::NetcdfReader file(path, "--context");
  const std::string name = file.has("context") ? "context" : "y";
  if (!file.has(name))
    throw FileError(
        fmt::format("--context: '{}' holds neither context nor y; one of them [context, {}] is needed.", path, c));
  const auto shape = file.shape(name);
  if (shape.empty() || shape.back() != c)
    throw FileError(
        fmt::format("--context: '{}' holds {} with shape [{}], but the context of this flow has {} "
                    "numbers: [context, {}] is needed.",
                    path, name, fmt::join(shape, ", "), c, c));
  const auto values = file.values(name);
  if (values.empty()) throw FileError(fmt::format("--context: '{}' holds no row of {}.", path, name));
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw FileError(
          fmt::format("--context: '{}' holds {} = {} in row {}, number {}; finite numbers are needed. "
                      "Leave out the rows that are incomplete.",
                      path, name, values[i], i / static_cast<std::size_t>(c), i % static_cast<std::size_t>(c)));
  Matrix contexts({std::ssize(values) / c, c});
  std::copy(values.begin(), values.end(), contexts.begin());
  return contexts;
}

}  // namespace

Matrix read_contexts(const std::string& text, int c) {
  const List list = parse(text);
  if (!list.other) return from_list(text, list.numbers, c);
  std::error_code ignored;
  if (text.find(',') != text.npos && !std::filesystem::exists(text, ignored))
    throw InvalidArgument(
        fmt::format("--context {}: '{}' is not a number, nor is there a file of that name. Give {} "
                    "numbers with commas between them, or a NetCDF file.",
                    text, *list.other, c));
  return from_file(text, c);
}

}  // namespace vida::cli
