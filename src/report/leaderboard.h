// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <memory>
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

struct BoardContest;  // report/contests.h

// A paper that models sat: rows are ranked together only where suite file, protocol, version,
// split, shots and the very set of items and prompts are equal, and of judged papers the judge, its
// prompt and votes, and whose answers the models' were held against.
struct Board {
  struct Entry {
    size_t model = 0;
    const ExamView* exam = nullptr;
    const RunView* run = nullptr;
  };
  const ExamView* paper = nullptr;  // of any entry: its identity is that of all
  std::string id;
  std::vector<Entry> entries;
  std::shared_ptr<const BoardContest> contest;  // null where there is none
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
// (boards), ties for more models, then by order. A board on which every model that finished it
// cannot be told from guessing says nothing of any of them and is in no total, unless all are so.
std::vector<size_t> overall_boards(const Standings& field);

// Of some sets of boards (rising) the one with the largest (models that have it all) × (boards),
// ties for more models, then by order. `sets`: what each model has.
std::vector<size_t> widest_set(const std::vector<std::vector<size_t>>& candidates,
                               const std::vector<std::vector<size_t>>& sets);

// Whether the exam's score may be part of a total: a finished one of right answers.
bool in_totals(const ExamView& exam);
// Whether no model that finished the board can be told from guessing.
bool all_guess(const Board& board);

// A model's total over some boards.
struct OverallRow {
  std::vector<std::optional<double>> parts;  // of the boards, 0–100
  std::vector<bool> guessed;                 // parts that cannot be told from guessing
  std::optional<double> score, low, high, open, opt;
  std::optional<double> over_chance;  // the total of what guessing does not give, 100 for all right
  double chance = 0;
  int64_t items = 0;
  bool whole = false;  // every part is of a finished run
  size_t guesses() const {
    return static_cast<size_t>(std::count(guessed.begin(), guessed.end(), true));
  }
  bool at_chance() const {
    const bool all = !guessed.empty() && guesses() == guessed.size();
    return score && (all || (chance > 0 && (!low || *low <= chance)));
  }
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
std::vector<Table> pairwise_tables(const Standings& field);
Table judged_table(const Standings& field);
Table threshold_table(const Standings& field);
Table robustness_table(const Standings& field);
Table kinship_table(const Standings& field);
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
