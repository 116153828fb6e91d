// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/leaderboard.h"

namespace keju {
namespace {

auto identity(const RunView& run) {
  return std::tie(
      run.model, run.weights_digest, run.tokenizer_digest, run.template_hash, run.numeric_mode);
}

auto paper(const ExamView& exam) {
  return std::tie(exam.suite,
                  exam.protocol,
                  exam.version,
                  exam.split,
                  exam.shots,
                  exam.limit,
                  exam.suite_hash,
                  exam.item_set,
                  exam.judging);
}

int kind(const ExamView& exam) {
  if (exam.lower_is_better()) return 2;
  return exam.task == "generate" ? 1 : 0;
}

bool same_paper(const ModelRow& row, const RunView& run) {
  for (const RunView* own : row.runs) {
    for (const ExamView& a : own->exams) {
      for (const ExamView& b : run.exams) {
        if (paper(a) == paper(b)) return true;
      }
    }
  }
  return false;
}

std::vector<const RunView*> in_order(const std::vector<RunView>& runs) {
  std::vector<const RunView*> order;
  for (const RunView& run : runs) order.push_back(&run);
  std::sort(order.begin(), order.end(), [](const RunView* a, const RunView* b) {
    if (identity(*a) != identity(*b)) return identity(*a) < identity(*b);
    return std::tie(b->complete, a->digest, a->folder, a->wall_s) <
           std::tie(a->complete, b->digest, b->folder, b->wall_s);
  });
  return order;
}

// Rows that share a name are told apart by what differs: weights and numeric mode, or a number.
void name_rows(std::vector<ModelRow>& rows) {
  std::map<std::string, std::set<std::string>> identities;  // of each name
  const auto distinct = [](const RunView& run) {
    return fmt::format("{}, {}", hash_short(run.weights_digest), run.numeric_mode);
  };
  for (const ModelRow& row : rows) {
    identities[row.runs[0]->model].insert(distinct(*row.runs[0]));
  }
  std::map<std::string, int> uses;
  for (ModelRow& row : rows) {
    const RunView& run = *row.runs[0];
    row.name = run.model;
    if (identities[run.model].size() > 1) row.name += fmt::format(" [{}]", distinct(run));
    const int use = ++uses[row.name];
    if (use > 1) row.name += fmt::format(" #{}", use);
  }
}

std::string board_id(const ExamView& exam, std::map<std::string, int>& uses) {
  std::string text = fmt::format("{} {} {}shot", exam.protocol, exam.split, exam.shots);
  if (exam.limit) text += fmt::format(" first{}", *exam.limit);
  std::string id = "board-" + slug(text);
  const int use = ++uses[id];
  return use > 1 ? fmt::format("{}-{}", id, use) : id;
}

std::vector<Board> make_boards(const std::vector<ModelRow>& models) {
  std::vector<Board> boards;
  for (size_t model = 0; model < models.size(); ++model) {
    for (const RunView* run : models[model].runs) {
      for (const ExamView& exam : run->exams) {
        auto board = std::find_if(boards.begin(), boards.end(), [&](const Board& b) {
          return paper(*b.paper) == paper(exam);
        });
        if (board == boards.end()) {
          boards.push_back({&exam, "", {}});
          board = boards.end() - 1;
        }
        board->entries.push_back({model, &exam, run});
      }
    }
  }
  std::sort(boards.begin(), boards.end(), [](const Board& a, const Board& b) {
    if (kind(*a.paper) != kind(*b.paper)) return kind(*a.paper) < kind(*b.paper);
    return paper(*a.paper) < paper(*b.paper);
  });
  std::map<std::string, int> uses;
  for (Board& board : boards) board.id = board_id(*board.paper, uses);
  return boards;
}

void find_cards(Standings& standings) {
  const ReportOptions& options = *standings.options;
  std::set<std::string> wanted(options.unranked.begin(), options.unranked.end());
  for (ModelRow& row : standings.models) {
    row.card = options.cards.find(row.runs[0]->model);
    const bool foreign = !options.home.empty() && row.card != nullptr &&
                         !row.card->country.empty() && row.card->country != options.home;
    const bool named = std::find(options.unranked.begin(), options.unranked.end(), row.name) !=
                       options.unranked.end();
    wanted.erase(row.name);
    row.ranked = !foreign && !named;
  }
  if (wanted.empty()) return;
  std::vector<std::string> known;
  for (const ModelRow& row : standings.models) known.push_back(row.name);
  throw fail(Code::kUsage,
             "report: --reference: no run is of a model \"{}\"{}",
             *wanted.begin(),
             suggestion(*wanted.begin(), known));
}

}  // namespace

std::optional<double> tokens_per_second(const ModelRow& model) {
  double tokens = 0, time_s = 0;
  for (const RunView* run : model.runs) {
    tokens += static_cast<double>(run->tokens_computed);
    time_s += run->prefill_s + run->decode_s;
  }
  if (!(time_s > 0)) return std::nullopt;
  return tokens / time_s;
}

std::optional<int64_t> parameters_of(const ModelRow& model) {
  if (model.runs[0]->parameters > 0) return model.runs[0]->parameters;
  return model.card != nullptr ? model.card->parameters : std::nullopt;
}

// A model that nobody's card names and that has weights here is one with weights.
Access access_of(const ModelRow& model) {
  if (model.card != nullptr) return model.card->access;
  return model.runs[0]->has_weights ? Access::kWeights : Access::kApi;
}

Standings arrange(const std::vector<RunView>& runs, const ReportOptions& options) {
  Standings standings;
  standings.options = &options;
  for (const RunView* run : in_order(runs)) {
    auto row =
        std::find_if(standings.models.begin(), standings.models.end(), [&](const ModelRow& model) {
          return identity(*model.runs[0]) == identity(*run) && !same_paper(model, *run);
        });
    if (row == standings.models.end()) {
      standings.models.push_back({});
      row = standings.models.end() - 1;
    }
    row->runs.push_back(run);
  }
  name_rows(standings.models);
  find_cards(standings);
  standings.boards = make_boards(standings.models);
  return standings;
}

std::vector<size_t> widest_set(const std::vector<std::vector<size_t>>& candidates,
                               const std::vector<std::vector<size_t>>& sets) {
  std::vector<size_t> best;
  size_t best_cells = 0, best_models = 0;
  for (const std::vector<size_t>& candidate : candidates) {
    const auto models = static_cast<size_t>(
        std::count_if(sets.begin(), sets.end(), [&](const std::vector<size_t>& set) {
          return std::includes(set.begin(), set.end(), candidate.begin(), candidate.end());
        }));
    const size_t cells = models * candidate.size();
    if (std::tie(cells, models) > std::tie(best_cells, best_models)) {
      best = candidate;
      best_cells = cells;
      best_models = models;
    }
  }
  return best;
}

bool in_totals(const ExamView& exam) {
  return !exam.lower_is_better() && exam.items.complete() && exam.score.value.has_value();
}

bool all_guess(const Board& board) {
  return std::all_of(board.entries.begin(), board.entries.end(), [](const Board::Entry& entry) {
    return !in_totals(*entry.exam) || entry.exam->at_chance;
  });
}

std::vector<size_t> overall_boards(const Standings& standings) {
  std::vector<std::vector<size_t>> sets(standings.models.size());
  const bool none_tells = std::all_of(standings.boards.begin(), standings.boards.end(), all_guess);
  for (size_t i = 0; i < standings.boards.size(); ++i) {
    if (!none_tells && all_guess(standings.boards[i])) continue;
    for (const Board::Entry& entry : standings.boards[i].entries) {
      if (in_totals(*entry.exam)) sets[entry.model].push_back(i);
    }
  }
  return widest_set(sets, sets);
}

}  // namespace keju
