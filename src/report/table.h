// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace keju {

// A text in both of the report's languages. Strings are raw: whoever prints them escapes them.
struct Text {
  Text() = default;
  Text(std::string both) : zh(both), en(std::move(both)) {}
  Text(const char* both) : zh(both), en(both) {}
  Text(std::string chinese, std::string english) : zh(std::move(chinese)), en(std::move(english)) {}
  std::string zh, en;
  bool same() const { return zh == en; }
  bool empty() const { return zh.empty() && en.empty(); }
};

// A score on its scale, for a small drawing of the interval.
struct Range {
  double value = 0, low = 0, high = 0;
  double from = 0, to = 100;  // the scale
  std::optional<double> chance;
};

struct Cell {
  Cell() = default;
  Cell(Text shown, Json machine) : text(std::move(shown)), value(std::move(machine)) {}
  Text text;
  Json value;               // what JSON, CSV and sorting take; null for "n/a"
  std::vector<Text> marks;  // "≈ chance", "incomplete …"
  std::optional<Range> range;
  bool best = false;  // of its column
};

struct Column {
  std::string id;  // a name for machines: "score"
  Text title;
  enum class Kind { kText, kNumber, kRank, kModel } kind = Kind::kNumber;
  Text sub = {};  // a second line under the title
};

struct Table {
  std::string id;  // unique, a slug
  Text title;
  Text about;               // may be empty
  std::vector<Text> facts;  // what decided the numbers: protocol, split, shots …
  std::vector<Text> notes;  // how to read the table
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  bool folded = false;  // details that a page may hide at first
};

// All that a report shows, in order; the printers add nothing to it and leave nothing out.
struct Leaderboard {
  Text title;
  std::vector<Text> summary;
  std::vector<Table> tables;
};

}  // namespace keju
