// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "report/run_view.h"
#include "report/table.h"

namespace keju {

// Who is compared: runs of one model (equal name, weights, tokenizer, template and numeric mode)
// make one row, unless two of them sat the same paper; then each keeps its row, numbered.
struct ModelRow {
  std::string name;
  std::vector<const RunView*> runs;
};

// A paper that models sat: rows are ranked together only where suite file, protocol, version,
// split, shots and the very set of items and prompts are equal.
struct Board {
  struct Entry {
    size_t model = 0;
    const ExamView* exam = nullptr;
  };
  const ExamView* paper = nullptr;  // of any entry: its identity is that of all
  std::string id;
  std::vector<Entry> entries;
};

struct Standings {
  std::vector<ModelRow> models;
  std::vector<Board> boards;
};

// `runs` must outlive the result. The order of `runs` does not matter.
Standings arrange(const std::vector<RunView>& runs);

// The boards that the overall score averages: those that the most models sat to the end. Of all
// models' sets of complete score boards the one with the largest (models that have it all) ×
// (boards), ties for more models, then by order.
std::vector<size_t> overall_boards(const Standings& field);

Leaderboard make_leaderboard(const std::vector<RunView>& runs, const ReportOptions& options);

// The tables of a leaderboard, one function each.
Table overall_table(const Standings& field);
Table board_table(const Standings& field, const Board& board);
Table subject_table(const Standings& field, const Board& board);
Table speed_table(const Standings& field);
Table provenance_table(const Standings& field);
Text board_title(const Board& board);

}  // namespace keju
