// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/table_parts.h"
#include "run/csv_cell.h"
#include "score/statistics/bradley_terry.h"

namespace keju {
namespace {

Cell percent_cell(const std::optional<double>& share) {
  return share ? Cell{fixed(100 * *share, 2), 100 * *share} : Cell{kNone, nullptr};
}

// Boards of one paper under one judge whose pairs were held against whomever.
std::string jury(const Board& board) {
  const ExamView& exam = *board.paper;
  const JudgedView& judged = *exam.judged;
  return Json::array({exam.suite,
                      exam.protocol,
                      exam.split,
                      exam.shots,
                      exam.item_set,
                      judged.judge,
                      judged.judge_digest,
                      judged.prompt_sha256,
                      judged.votes})
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Duellist {
  std::string name;
  int64_t wins = 0, ties = 0, losses = 0;
  bool ranked = true;
};

// All pairs of one jury: who met whom, on which item, with what end.
struct Duels {
  std::vector<Duellist> models;
  std::vector<Vote> votes;

  size_t place(const std::string& name) {
    for (size_t i = 0; i < models.size(); ++i) {
      if (models[i].name == name) return i;
    }
    models.push_back({name});
    return models.size() - 1;
  }

  void add(const Standings& standings, const Board::Entry& entry) {
    const ExamView& exam = *entry.exam;
    const size_t own = place(standings.models[entry.model].name);
    const size_t other = place(exam.judged->against);
    models[own].ranked = standings.models[entry.model].ranked;
    if (own == other || exam.stored == nullptr) return;  // against itself: says nothing
    for (const JudgedItem& item : exam.stored->judged) {
      const double share = item.value > 0.75 ? 1 : item.value < 0.25 ? 0 : 0.5;
      votes.push_back({static_cast<int64_t>(own),
                       static_cast<int64_t>(other),
                       share,
                       static_cast<int64_t>(item.place >> 1)});
      Duellist &a = models[own], &b = models[other];
      (share == 1 ? a.wins : share == 0 ? a.losses : a.ties) += 1;
      (share == 1 ? b.losses : share == 0 ? b.wins : b.ties) += 1;
    }
  }
};

std::vector<Cell> duellist_cells(const Duellist& model,
                                 const std::optional<Strength>& strength,
                                 std::optional<int64_t> rank) {
  Cell elo_cell{kNone, nullptr}, interval{kNone, nullptr}, place{"-", nullptr};
  if (strength) {
    const double low = elo(strength->interval.low), high = elo(strength->interval.high);
    elo_cell = {fixed(elo(strength->value), 0), elo(strength->value)};
    interval = {fixed(low, 0) + "–" + fixed(high, 0), Json::array({low, high})};
    if (rank) place = {std::to_string(*rank), *rank};
  }
  const auto pairs = static_cast<double>(model.wins + model.ties + model.losses);
  const auto share = [&](double points) {
    return pairs > 0 ? percent_cell(points / pairs) : Cell{kNone, nullptr};
  };
  const auto wins = static_cast<double>(model.wins), ties = static_cast<double>(model.ties);
  return {place,
          text_cell(model.name),
          elo_cell,
          interval,
          share(wins + ties),
          share(wins + ties / 3),
          count_cell(model.wins),
          count_cell(model.ties),
          count_cell(model.losses)};
}

Table duel_table(const Board& board, const Duels& duels) {
  const JudgedView& judged = *board.paper->judged;
  const Text title = board_title(board);
  Table table;
  table.id = "pairwise-" + board.id;
  table.title = {title.zh + "：两两对战", title.en + ": pairs"};
  table.facts = {{"评审 " + judged.judge, "judged by " + judged.judge},
                 {fmt::format("每题每序 {} 票", judged.votes),
                  fmt::format("{} per item and order", judged.votes)},
                 {"评审提示 " + hash_short(judged.prompt_sha256),
                  "judge's prompt " + hash_short(judged.prompt_sha256)}};
  table.notes = {
      {"两种先后次序的裁决一致才算胜负，不一致算平。实力：Bradley-Terry 最大似然，平局各半，按 Elo "
       "刻度（平均 1000）；区间为按题重抽的 95% 范围与渐近区间之较宽者。不败率与“3、1、0 "
       "分”是 SuperCLUE 2023 年 8 月前后的两种记分。",
       "A pair is won where both orders agree, else it is a tie. Strength: Bradley-Terry by "
       "maximum "
       "likelihood, a tie half a win for each, on Elo's scale (average 1000); the interval is the "
       "wider of the bootstrap over items and the asymptotic one. Not lost, and 3-1-0 points, are "
       "SuperCLUE's two ways to count, up to and after August 2023."}};
  table.columns = {{"rank", {"排名", "Rank"}, Column::Kind::kRank},
                   {"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"strength", {"实力", "Strength"}, Column::Kind::kNumber, "Elo"},
                   {"interval", {"95% 区间", "95% interval"}},
                   {"not_lost", {"不败率 %", "Not lost %"}},
                   {"three_one_none", {"3-1-0 得分率 %", "3-1-0 points %"}},
                   {"wins", {"胜", "Wins"}},
                   {"ties", {"平", "Ties"}},
                   {"losses", {"负", "Losses"}}};
  std::string why;
  const auto strengths = bradley_terry(
      static_cast<int64_t>(duels.models.size()), duels.votes, {.replicates = 1000}, why);
  if (!strengths) {
    table.notes.push_back({"无法估计实力：有模型从未负于（或从未遇到）其他模型，最大似然不存在。",
                           "No strengths: " + why + "."});
  }
  std::vector<size_t> order(duels.models.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (strengths) {
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return (*strengths)[a].value > (*strengths)[b].value;
    });
  }
  int64_t rank = 0;
  for (const size_t i : order) {
    const Duellist& model = duels.models[i];
    std::optional<Strength> strength;
    if (strengths) strength = (*strengths)[i];
    table.rows.push_back(duellist_cells(
        model, strength, model.ranked ? std::optional<int64_t>(++rank) : std::nullopt));
  }
  return table;
}

}  // namespace

std::vector<Table> pairwise_tables(const Standings& standings) {
  std::vector<Table> tables;
  std::map<std::string, size_t> places;
  std::vector<std::pair<const Board*, Duels>> juries;
  for (const Board& board : standings.boards) {
    if (!board.paper->judged || !board.paper->judged->pairwise) continue;
    const auto [place, fresh] = places.emplace(jury(board), juries.size());
    if (fresh) juries.emplace_back(&board, Duels{});
    for (const Board::Entry& entry : board.entries)
      juries[place->second].second.add(standings, entry);
  }
  for (const auto& [board, duels] : juries) {
    if (!duels.votes.empty()) tables.push_back(duel_table(*board, duels));
  }
  return tables;
}

Table judged_table(const Standings& standings) {
  Table table;
  table.id = "judged";
  table.title = {"评审记录", "What the judges said"};
  table.folded = true;
  table.notes = {
      {"读不出或缺失的裁决不进入任何平均，计数列在此处。评审若是模型，其偏好即成绩的一部分。",
       "Verdicts that are missing or could not be read are in no average and are counted here. "
       "Where the judge is a model, its taste is part of the score."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"board", {"分榜", "Board"}, Column::Kind::kText},
                   {"judge", {"评审", "Judge"}, Column::Kind::kText},
                   {"kind", {"方式", "Kind"}, Column::Kind::kText},
                   {"against", {"对手", "Against"}, Column::Kind::kText},
                   {"items", {"题数", "Items"}},
                   {"asked", {"裁决", "Verdicts"}},
                   {"read", {"读出", "Read"}},
                   {"unreadable", {"读不出", "Unreadable"}},
                   {"missing", {"缺失", "Missing"}},
                   {"mean_of_categories", {"两类均分", "Mean of categories"}},
                   {"parts", {"分项均分", "Parts"}, Column::Kind::kText}};
  for (const Board& board : standings.boards) {
    for (const Board::Entry& entry : board.entries) {
      if (!entry.exam->judged) continue;
      const JudgedView& judged = *entry.exam->judged;
      std::string parts;
      for (const JudgedView::Part& part : judged.parts) {
        parts += fmt::format(
            "{}{} {}", parts.empty() ? "" : ", ", visible(part.name, 60), fixed(part.mean, 2));
      }
      table.rows.push_back(
          {text_cell(standings.models[entry.model].name),
           text_cell(board_title(board)),
           text_cell(judged.judge),
           text_cell(judged.pairwise ? Text{"对战", "pairs"} : Text{"评分", "scores"}),
           judged.pairwise ? text_cell(judged.against) : Cell{kNone, nullptr},
           count_cell(judged.items),
           count_cell(judged.asked),
           count_cell(judged.read),
           count_cell(judged.unreadable),
           count_cell(judged.missing),
           percent_cell(judged.mean_of_categories),
           parts.empty() ? Cell{kNone, nullptr} : text_cell(parts)});
    }
  }
  return table;
}

}  // namespace keju
