// SPDX-License-Identifier: MIT
#include <optional>

#include "base/error.h"
#include "report/escape.h"
#include "report/print.h"
#include "run/csv_cell.h"

namespace keju {
namespace {

std::string both(const Text& text) {
  if (text.same()) return markdown(text.en);
  return markdown(text.zh) + " " + markdown(text.en);
}

// A README has no language switch: headings are in both, cells in English.
std::string cell_text(const Cell& cell, const Column& column) {
  std::string out = markdown(cell.text.en);
  if (cell.best) out = "**" + out + "**";
  if (column.kind == Column::Kind::kModel && !cell.text.same()) out = both(cell.text);
  for (const Text& mark : cell.marks) out += " (" + markdown(mark.en) + ")";
  return out;
}

std::string joined(const std::vector<Text>& texts) {
  std::string out;
  for (const Text& text : texts) out += (out.empty() ? "" : " · ") + markdown(text.en);
  return out;
}

// A machine's value as one CSV cell.
std::string csv_value(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return csv_cell(value.get<std::string>());
  if (value.is_number_float()) return python_float(value.get<double>());
  return value.dump();
}

// Intervals are two columns to a machine: "low,high", "rank_low,rank_high".
std::optional<std::string> ends_of(const std::string& id) {
  if (id == "interval") return "low,high";
  if (!id.ends_with("_interval")) return std::nullopt;
  const std::string stem = id.substr(0, id.size() - std::string_view("interval").size());
  return csv_cell(stem + "low") + "," + csv_cell(stem + "high");
}

}  // namespace

std::string print_markdown(const Leaderboard& board) {
  std::string out = "# " + both(board.title) + "\n\n" + joined(board.summary) + "\n";
  for (const Table& table : board.tables) {
    if (table.chapter == Chapter::kPublished) continue;  // a README shows what was measured
    out += fmt::format("\n## {}\n\n", both(table.title));
    // Never at the beginning of a line, where a foreign text could start a list or a heading.
    std::string facts = joined(table.facts);
    if (!table.about.empty()) facts += " · " + markdown(table.about.en, kLongestNote);
    if (!facts.empty()) out += facts + "\n\n";
    std::string heads = "|", rules = "|";
    for (const Column& column : table.columns) {
      heads += " " + both(column.title);
      if (!column.sub.empty()) heads += " (" + markdown(column.sub.en) + ")";
      heads += " |";
      rules += column.kind == Column::Kind::kNumber ? " ---: |" : " :--- |";
    }
    out += heads + "\n" + rules + "\n";
    for (const auto& row : table.rows) {
      out += "|";
      for (size_t i = 0; i < row.size(); ++i)
        out += " " + cell_text(row[i], table.columns[i]) + " |";
      out += "\n";
    }
    for (const Text& note : table.notes) out += "\n" + markdown(note.en, kLongestNote) + "\n";
  }
  return out;
}

std::string print_csv(const Table& table) {
  std::string out;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const std::string& id = table.columns[i].id;
    if (i > 0) out += ',';
    out += ends_of(id).value_or(csv_cell(id));
  }
  out += ",marks\n";
  for (const auto& row : table.rows) {
    std::string marks;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      if (!ends_of(table.columns[i].id)) {
        out += csv_value(row[i].value);
      } else if (row[i].value.is_array()) {
        out += csv_value(row[i].value[0]) + "," + csv_value(row[i].value[1]);
      } else {
        out += ",";
      }
      for (const Text& mark : row[i].marks) marks += (marks.empty() ? "" : "; ") + mark.en;
    }
    out += "," + csv_cell(marks) + "\n";
  }
  return out;
}

Json print_json(const Leaderboard& board) {
  const auto text = [](const Text& t) {
    return Json{{"zh", visible(t.zh)}, {"en", visible(t.en)}};
  };
  const auto texts = [&](const std::vector<Text>& list) {
    Json out = Json::array();
    for (const Text& t : list) out.push_back(text(t));
    return out;
  };
  Json tables = Json::array();
  for (const Table& table : board.tables) {
    Json columns = Json::array(), rows = Json::array();
    for (const Column& column : table.columns) {
      columns.push_back({{"id", column.id}, {"title", text(column.title)}});
    }
    for (const auto& row : table.rows) {
      Json values = Json::object(), marks = Json::array();
      for (size_t i = 0; i < row.size(); ++i) {
        values[table.columns[i].id] = row[i].value;
        for (const Text& mark : row[i].marks) marks.push_back(text(mark));
      }
      rows.push_back({{"values", std::move(values)}, {"marks", std::move(marks)}});
    }
    for (Json& row : rows) row["published"] = false;
    for (const size_t i : table.published) rows[i]["published"] = true;
    Json charts = Json::array();
    for (const Chart& chart : table.charts) {
      charts.push_back({{"id", chart.id}, {"title", text(chart.title)}});
    }
    tables.push_back({{"id", table.id},
                      {"chapter", text(chapter_title(table.chapter)).at("en")},
                      {"title", text(table.title)},
                      {"about", text(table.about)},
                      {"facts", texts(table.facts)},
                      {"notes", texts(table.notes)},
                      {"columns", std::move(columns)},
                      {"rows", std::move(rows)},
                      {"charts", std::move(charts)}});
  }
  return {{"schema", kLeaderboardSchema},
          {"title", text(board.title)},
          {"summary", texts(board.summary)},
          {"tables", std::move(tables)}};
}

}  // namespace keju
