#pragma once

#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vida::report {

/// One cell of a table.
struct Cell {
  std::string markup;      ///< empty: there is no value
  bool is_number = false;  ///< aligned on its decimal point
  int decimals = 0;        ///< digits behind the point of a number; -1 where it has a power of ten
  bool marked = false;     ///< to be looked at
};

/// Text from anywhere; it is escaped.
Cell text_cell(std::string_view text);
/// Four decimals, more for small numbers and fewer for large ones, a power of ten far from 1. No value when it is not
/// finite.
Cell number_cell(double value);
/// The same with so many decimals whatever its size.
Cell number_cell(double value, int decimals);
/// A value of a file as it is: numbers as above, true and false as yes and no, lists with commas. No value for null.
Cell json_cell(const nlohmann::ordered_json& value);
/// The same cell, marked when `condition` holds.
Cell marked_if(bool condition, Cell cell);

struct Column {
  std::string title;
  std::string unit = {};  ///< of the numbers below, "nat"; empty: none
  bool operator==(const Column&) const = default;
};

/// A table for people. Columns and rows without any value are left out.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Cells in the order of the columns; those that are missing at the end have no value.
  void row(std::vector<Cell> cells);
  /// Puts a column before all others, with the same cell in each row.
  void lead(const Column& column, const Cell& cell);
  /// Adds the rows of another table, each value below the column of its own title; a title that is new gets a column
  /// behind the one that it follows there.
  void append(const Table& other);

  /// True where no cell but those of the first column has a value.
  bool empty() const;
  /// True where a cell is marked.
  bool marked() const;
  /// The first `longest` rows, with a line that says how many were left out.
  std::string markup(const std::string& caption, std::size_t longest = 200) const;

 private:
  bool has_values(std::size_t column) const;
  std::string row_markup(const std::vector<Cell>& cells, const std::vector<int>& decimals) const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace vida::report
