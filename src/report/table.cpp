#include "report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/html.hpp"

namespace vida::report {
namespace {

constexpr const char* kMinus = "\u2212";
constexpr const char* kDigitSpace = "\u2007";  // as wide as a digit
constexpr const char* kPointSpace = "\u2008";  // as wide as a point
constexpr const char* kGroupSpace = "\u202F";  // narrow, and no line ends at it
constexpr std::size_t kGrouped = 5;            // digits before the point from which on they stand in groups of three

/// Digits of a number that is not negative, those before the point in groups of three.
std::string grouped(const std::string& digits) {
  const std::size_t whole = std::min(digits.find('.'), digits.size());
  if (whole < kGrouped) return digits;
  std::string text;
  for (std::size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % 3 == 0) text += kGroupSpace;
    text += digits[i];
  }
  return text + digits.substr(whole);
}

Cell fixed(double value, int decimals) {
  const std::string digits = fmt::format("{:.{}f}", std::abs(value), decimals);
  const bool zero = digits.find_first_not_of("0.") == digits.npos;
  return {(value < 0 && !zero ? kMinus : "") + grouped(digits), true, decimals, false};
}

Cell with_power(double value) {
  const std::string digits = fmt::format("{:.2e}", std::abs(value));
  const auto e = digits.find('e');
  const int power = std::stoi(digits.substr(e + 1));
  return {fmt::format("{}{}&nbsp;×&nbsp;10<sup>{}{}</sup>", value < 0 ? kMinus : "", digits.substr(0, e),
                      power < 0 ? kMinus : "", std::abs(power)),
          true, -1, false};
}

/// What makes the points of a column stand below each other.
std::string padding(int decimals, int widest) {
  std::string text = decimals == 0 && widest > 0 ? kPointSpace : "";
  for (int i = decimals; decimals >= 0 && i < widest; ++i) text += kDigitSpace;
  return text;
}

}  // namespace

Cell text_cell(std::string_view text) { return {html::escaped(text), false, 0, false}; }

Cell number_cell(double value) {
  if (!std::isfinite(value)) return {};
  const double size = std::abs(value);
  if (size == std::floor(size) && size < 1e12) return fixed(value, 0);
  const int magnitude = static_cast<int>(std::floor(std::log10(size)));
  if (magnitude < -4 || magnitude >= 9) return with_power(value);
  return fixed(value, std::clamp(4 - magnitude, 0, std::max(4, 1 - magnitude)));
}

Cell number_cell(double value, int decimals) { return std::isfinite(value) ? fixed(value, decimals) : Cell{}; }

Cell json_cell(const nlohmann::ordered_json& value) {
  if (value.is_boolean()) return text_cell(value.get<bool>() ? "yes" : "no");
  if (value.is_number()) return number_cell(value.get<double>());
  if (value.is_string()) return text_cell(value.get<std::string>());
  if (!value.is_array()) return {};
  std::string items;
  for (const auto& item : value)  // of numbers that somebody chose: as they were written
    items += (items.empty() ? "" : ", ") + (item.is_number() ? item.dump() : json_cell(item).markup);
  return {items, false, 0, false};
}

Cell marked_if(bool condition, Cell cell) {
  cell.marked = condition && !cell.markup.empty();
  return cell;
}

void Table::row(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::lead(const Column& column, const Cell& cell) {
  columns_.insert(columns_.begin(), column);
  for (auto& cells : rows_) cells.insert(cells.begin(), cell);
}

void Table::append(const Table& other) {
  std::size_t next = 0;  // where a column that is new belongs: behind the one before it
  for (const Column& column : other.columns_) {
    const auto found = std::find(columns_.begin(), columns_.end(), column);
    if (found != columns_.end()) {
      next = static_cast<std::size_t>(found - columns_.begin()) + 1;
      continue;
    }
    const auto place = static_cast<std::ptrdiff_t>(next++);
    columns_.insert(columns_.begin() + place, column);
    for (auto& cells : rows_) cells.insert(cells.begin() + place, Cell{});
  }
  for (const auto& cells : other.rows_) {
    std::vector<Cell> placed(columns_.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto found = std::find(columns_.begin(), columns_.end(), other.columns_[i]);
      placed[static_cast<std::size_t>(found - columns_.begin())] = cells[i];
    }
    rows_.push_back(std::move(placed));
  }
}

bool Table::has_values(std::size_t column) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const auto& cells) { return !cells[column].markup.empty(); });
}

bool Table::empty() const {
  for (std::size_t column = 1; column < columns_.size(); ++column)
    if (has_values(column)) return false;
  return true;
}

bool Table::marked() const {
  return std::any_of(rows_.begin(), rows_.end(), [](const auto& cells) {
    return std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.marked; });
  });
}

std::string Table::row_markup(const std::vector<Cell>& cells, const std::vector<int>& decimals) const {
  std::string markup;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (decimals[i] < -1) continue;  // a column without values
    const Cell& cell = cells[i];
    const bool number = decimals[i] >= 0;
    const char* kind = number && cell.marked ? " class=\"n mark\""
                       : number              ? " class=\"n\""
                       : cell.marked         ? " class=\"mark\""
                                             : "";
    const std::string pad = cell.is_number ? padding(cell.decimals, decimals[i]) : "";
    markup += fmt::format("<td{}>{}{}</td>", kind, cell.markup.empty() ? "–" : cell.markup, pad);
  }
  return html::element("tr", markup);
}

std::string Table::markup(const std::string& caption, std::size_t longest) const {
  constexpr int kText = -1, kLeftOut = -2;
  std::vector<int> decimals;  // of each column
  std::string head, body;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    int widest = has_values(i) ? kText : kLeftOut;
    for (const auto& cells : rows_)
      if (cells[i].is_number) widest = std::max({widest, cells[i].decimals, 0});
    decimals.push_back(widest);
    if (widest == kLeftOut) continue;
    head += fmt::format("<th scope=\"col\"{}>{}{}</th>", widest >= 0 ? " class=\"n\"" : "",
                        html::escaped(columns_[i].title),
                        columns_[i].unit.empty() ? "" : "<small>" + html::escaped(columns_[i].unit) + "</small>");
  }
  std::size_t shown = 0;
  for (const auto& cells : rows_) {
    const auto no_value = [](const Cell& cell) { return cell.markup.empty(); };
    if (std::all_of(cells.begin() + 1, cells.end(), no_value)) continue;
    if (shown++ < longest) body += row_markup(cells, decimals);
  }
  const std::string rest =
      shown > longest ? html::element("p", fmt::format("and {} more rows in summary.json", shown - longest)) : "";
  return fmt::format(
      "<div class=\"table\">\n<table>\n<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n"
      "</table>\n{}</div>\n",
      html::escaped(caption), head, body, rest);
}

}  // namespace vida::report
