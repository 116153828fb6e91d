// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "report/escape.h"
#include "report/print.h"

namespace keju {
namespace {

std::string texts(const std::vector<Text>& list) {
  std::string out;
  for (const Text& text : list)
    out += (out.empty() ? "" : " \\textperiodcentered{} ") + latex(text.en);
  return out;
}

std::string cell_latex(const Cell& cell) {
  std::string out = latex(cell.text.en);
  if (cell.best) out = "\\textbf{" + out + "}";
  for (const Text& mark : cell.marks) out += " (" + latex(mark.en) + ")";
  return out;
}

// Medals have no glyph in most fonts: places are numbers here.
std::string rank_latex(const Cell& cell) {
  return cell.value.is_number_integer() ? std::to_string(cell.value.get<int>()) : "--";
}

std::string table_latex(const Table& table) {
  std::string spec, heads, out;
  for (const Column& column : table.columns) {
    spec += column.kind == Column::Kind::kNumber ? 'r' : 'l';
    heads += (heads.empty() ? "" : " & ") + latex(column.title.en);
  }
  out += fmt::format(
      "\\begin{{table}}\n\\caption{{{}}}\n\\label{{tab:{}}}\n", latex(table.title.en), table.id);
  out += fmt::format("\\begin{{tabular}}{{{}}}\n\\toprule\n{} \\\\\n\\midrule\n", spec, heads);
  for (const auto& row : table.rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += " & ";
      line +=
          table.columns[i].kind == Column::Kind::kRank ? rank_latex(row[i]) : cell_latex(row[i]);
    }
    out += line + " \\\\\n";
  }
  out += "\\bottomrule\n\\end{tabular}\n";
  if (!table.facts.empty()) out += "\\\\ \\footnotesize " + texts(table.facts) + "\n";
  return out + "\\end{table}\n";
}

}  // namespace

std::string print_latex(const Leaderboard& board) {
  std::string out = "% needs the package booktabs, and for Chinese names xeCJK under XeLaTeX\n% " +
                    latex(board.title.en) + "\n";
  for (const Table& table : board.tables) {
    if (!table.folded && table.chapter != Chapter::kPublished) out += "\n" + table_latex(table);
  }
  return out;
}

}  // namespace keju
