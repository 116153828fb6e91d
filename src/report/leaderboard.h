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
  const ModelCard* card = nullptr;  // null: nobody's card names it
  bool ranked = true;               // false: listed for reference
};

// A paper that models sat: rows are ranked together only where suite file, protocol, version,
// split, shots and the very set of items and prompts are equal.
struct Board {
  struct Entry {
    size_t model = 0;
    const ExamView* exam = nullptr;
    const RunView* run = nullptr;
  };
  const ExamView* paper = nullptr;  // of any entry: its identity is that of all
  std::string id;
  std::vector<Entry> entries;
  // Whether the model answers in its own words (OPEN) or chooses (OPT); bits per byte are neither.
  bool open() const { return paper->task == "generate"; }
};

struct Standings {
  std::vector<ModelRow> models;
  std::vector<Board> boards;
  const ReportOptions* options = nullptr;
};

// `runs` and `options` must outlive the result. The order of `runs` does not matter.
Standings arrange(const std::vector<RunView>& runs, const ReportOptions& options);

// The boards that the overall score averages: those that the most models sat to the end. Of all
// models' sets of complete score boards the one with the largest (models that have it all) ×
// (boards), ties for more models, then by order.
std::vector<size_t> overall_boards(const Standings& field);

// A model's total over some boards.
struct OverallRow {
  std::vector<std::optional<double>> parts;  // of the boards, 0–100
  std::optional<double> score, low, high, open, opt;
  double chance = 0;
  int64_t items = 0;
  bool whole = false;  // every part is of a finished run
  bool at_chance() const { return score && chance > 0 && (!low || *low <= chance); }
};
OverallRow overall_row(const Standings& field, const std::vector<size_t>& boards, size_t model);

// Tokens through the model per second of work, over all of its runs.
std::optional<double> tokens_per_second(const ModelRow& model);
std::optional<int64_t> parameters_of(const ModelRow& model);
Access access_of(const ModelRow& model);

Leaderboard make_leaderboard(const std::vector<RunView>& runs,
                             const ReportOptions& options,
                             ReportResult& result);

// The tables of a leaderboard, one function each. Where there is nothing to show, some give a table
// without rows, which is left out.
Table overall_table(const Standings& field, bool open_weights_only);
Table board_table(const Standings& field, const Board& board);
Table subject_table(const Standings& field, const Board& board);
Table field_table(const Standings& field);
Table category_table(const Standings& field);
std::vector<Table> model_sections(const Standings& field);
Table model_table(const Standings& field);
std::vector<Table> published_tables(const Standings& field);
Table speed_table(const Standings& field);
Table length_table(const Standings& field);
Table price_table(const Standings& field);
Table acceptance_table(const Standings& field, ReportResult& result);
Table provenance_table(const Standings& field);
Explorer explorer_of(const Standings& field, const Board& board);

Text board_title(const Board& board);
Text category_name(const std::string& id);

// Renames the models of `runs` 甲, 乙, 丙 … in an order that tells nothing, and takes away what
// would tell: family, size, digests, folder names. Returns the key.
std::vector<std::pair<std::string, std::string>> make_blind(std::vector<RunView>& runs);

}  // namespace keju
