// SPDX-License-Identifier: MIT
#include "report/table_parts.h"

#include <algorithm>

#include "report/format.h"

namespace keju {

const Text kNone{"—"};
const Text kChanceMark{"≈ 随机", "≈ chance"};

Cell text_cell(const Text& text) { return {text, text.en}; }
Cell organisation_cell(const ModelCard* card) {
  return card == nullptr ? Cell{kNone, nullptr} : text_cell(card->organisation);
}
Cell count_cell(int64_t n) { return {grouped(n), n}; }

Text chapter_title(Chapter chapter) {
  static const Text kTitles[] = {{"总览", "Overview"},
                                 {"分榜", "Boards"},
                                 {"能力", "Abilities"},
                                 {"模型", "Models"},
                                 {"采购", "For a buyer"},
                                 {"速度与长度", "Speed and length"},
                                 {"公开成绩", "Published scores"},
                                 {"运行", "Runs"}};
  return kTitles[static_cast<size_t>(chapter)];
}

std::string span_text(double low, double high, int decimals) {
  const auto end = [&](double value) {
    std::string text = fixed(value, decimals);
    if (text.starts_with('-')) text.replace(0, 1, "−");
    return text;
  };
  return end(low) + (low < 0 || high < 0 ? " – " : "–") + end(high);
}

void drop_empty(Table& table, const std::vector<std::string>& columns) {
  for (size_t c = table.columns.size(); c-- > 0;) {
    if (std::find(columns.begin(), columns.end(), table.columns[c].id) == columns.end()) continue;
    const bool empty = std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
      return row[c].value.is_null();
    });
    if (!empty) continue;
    const auto at = static_cast<std::ptrdiff_t>(c);
    table.columns.erase(table.columns.begin() + at);
    for (auto& row : table.rows) row.erase(row.begin() + at);
  }
}

void mark_best(Table& table, const std::vector<std::string>& columns, bool lower_is_better) {
  const auto begin = table.columns.begin(), end = table.columns.end();
  const auto rank = static_cast<size_t>(
      std::find_if(begin, end, [](const Column& c) { return c.id == "rank"; }) - begin);
  const auto counts = [&](const std::vector<Cell>& row, size_t c) {
    const bool ranked = rank == table.columns.size() || !row[rank].value.is_null();
    const auto& marks = row[c].marks;
    const bool guessed = std::any_of(
        marks.begin(), marks.end(), [](const Text& mark) { return mark.en == kChanceMark.en; });
    return ranked && !guessed && row[c].value.is_number();
  };
  for (size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& id = table.columns[c].id;
    if (std::find(columns.begin(), columns.end(), id) == columns.end()) continue;
    std::optional<double> best;
    int numbers = 0;
    for (const auto& row : table.rows) {
      if (!counts(row, c)) continue;
      const double value = row[c].value.get<double>();
      if (!best || (lower_is_better ? value < *best : value > *best)) best = value;
      ++numbers;
    }
    if (numbers < 2) continue;
    for (auto& row : table.rows) {
      row[c].best = counts(row, c) && row[c].value.get<double>() == *best;
    }
  }
}

}  // namespace keju
