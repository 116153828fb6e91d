// SPDX-License-Identifier: MIT
#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "report/contests.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/table_parts.h"
#include "score/statistics/kinship.h"

namespace keju {
namespace {

constexpr size_t kMostModels = 20;   // the first on the overall board; 190 pairs
constexpr size_t kMostItems = 4000;  // of all boards, a random sample of each beyond its share
constexpr int64_t kReplicates = 500;

bool is_choice(const Board& board) {
  return board.paper->task == "choose" && board.contest != nullptr;
}

// The boards of choices that the most models have in their contests, as totals choose theirs.
std::vector<size_t> shared_boards(const Standings& standings) {
  std::vector<std::vector<size_t>> sets(standings.models.size());
  for (size_t b = 0; b < standings.boards.size(); ++b) {
    if (!is_choice(standings.boards[b])) continue;
    for (const size_t m : standings.boards[b].contest->models) sets[m].push_back(b);
  }
  std::vector<std::vector<size_t>> common;  // of two models at least
  for (size_t a = 0; a < sets.size(); ++a) {
    for (size_t b = a + 1; b < sets.size(); ++b) {
      common.emplace_back();
      std::set_intersection(sets[a].begin(),
                            sets[a].end(),
                            sets[b].begin(),
                            sets[b].end(),
                            std::back_inserter(common.back()));
    }
  }
  return widest_set(common, sets);
}

std::vector<size_t> who_sat(const Standings& standings, const std::vector<size_t>& boards) {
  std::vector<std::pair<double, size_t>> sat;
  for (size_t m = 0; m < standings.models.size(); ++m) {
    double sum = 0;
    const bool all = std::all_of(boards.begin(), boards.end(), [&](size_t b) {
      const BoardContest& board = *standings.boards[b].contest;
      const auto at = std::lower_bound(board.models.begin(), board.models.end(), m);
      if (at == board.models.end() || *at != m) return false;
      sum += board.contest.means[static_cast<size_t>(at - board.models.begin())];
      return true;
    });
    if (all) sat.emplace_back(-sum, m);
  }
  std::stable_sort(sat.begin(), sat.end());
  std::vector<size_t> out;
  for (const auto& [sum, m] : sat) {
    if (out.size() < kMostModels) out.push_back(m);
  }
  return out;
}

const ExamView& exam_of(const Board& board, size_t model) {
  const auto entry = std::find_if(
      board.entries.begin(), board.entries.end(), [&](const auto& e) { return e.model == model; });
  return *entry->exam;
}

struct Bench {
  Questions questions;
  std::vector<int64_t> clusters;
  std::vector<Answers> answers;  // by model
};

// The items of a board come by their places, which is a random order: its head is a sample.
void add_board(const Board& board, const std::vector<size_t>& models, size_t most, Bench& bench) {
  std::vector<const PaperItems*> papers;
  for (const size_t m : models) papers.push_back(exam_of(board, m).stored.get());
  const std::vector<JudgedItem>& items = papers[0]->judged;
  for (size_t i = 0; i < std::min(items.size(), most); ++i) {
    const int8_t options = items[i].options;
    const bool whole = std::all_of(papers.begin(), papers.end(), [&](const PaperItems* paper) {
      return paper->judged[i].options == options && paper->judged[i].gold == items[i].gold;
    });
    if (!whole || options < 2) continue;
    bench.questions.gold.push_back(items[i].gold);
    bench.questions.options.push_back(options);
    bench.clusters.push_back(board.contest->clusters[i]);
    for (size_t m = 0; m < papers.size(); ++m) {
      const JudgedItem& item = papers[m]->judged[i];
      const float* scores = &papers[m]->option_scores[item.scores];
      bench.answers[m].choice.push_back(item.choice);
      bench.answers[m].option_scores.emplace_back(scores, scores + options);
    }
  }
}

Cell share_cell(const std::optional<double>& value) {
  return value ? Cell{fixed(100 * *value, 1), 100 * *value} : Cell{kNone, nullptr};
}

Cell interval_cell(const std::optional<Interval>& interval) {
  if (!interval) return {kNone, nullptr};
  return {span_text(100 * interval->low, 100 * interval->high, 1),
          Json::array({100 * interval->low, 100 * interval->high})};
}

// Half of what strangers leave open is the bound: copies share nearly all of it.
Text verdict_of(const Kinship& kin) {
  if (!kin.excess_interval) return {"不能断定", "not established"};
  if (kin.excess_interval->low > 0.5) return {"近亲", "kin"};
  if (kin.excess_interval->high < 0.5) return {"无亲缘", "apart"};
  return {"不能断定", "not established"};
}

Chart kinship_chart(const Standings& standings,
                    const std::vector<size_t>& models,
                    const std::vector<KinshipPair>& pairs) {
  HeatMap heat;
  for (const size_t m : models) {
    // Names are long: the columns bear the rows' numbers.
    const std::string number = std::to_string(heat.rows.size() + 1);
    heat.columns.emplace_back(number);
    heat.rows.push_back({number + " " + standings.models[m].name, {}});
    heat.rows.back().values.resize(models.size());
  }
  for (const KinshipPair& pair : pairs) {
    if (!pair.kinship.excess) continue;
    heat.rows[pair.a].values[pair.b] = heat.rows[pair.b].values[pair.a] =
        100 * *pair.kinship.excess;
  }
  return {"kinship-heat",
          {"同错热图", "Heat map of shared errors"},
          {"超出难度所能解释的同错程度：0 为陌生，100 为复制",
           "Shared errors beyond what the items explain: 0 for strangers, 100 for copies"},
          heat};
}

std::vector<Cell> pair_cells(const Standings& standings,
                             const std::vector<size_t>& models,
                             const KinshipPair& pair) {
  const Kinship& kin = pair.kinship;
  return {text_cell(standings.models[models[pair.a]].name),
          text_cell(standings.models[models[pair.b]].name),
          text_cell(verdict_of(kin)),
          share_cell(kin.excess),
          interval_cell(kin.excess_interval),
          share_cell(kin.correlation),
          interval_cell(kin.correlation_interval),
          count_cell(kin.both_wrong),
          count_cell(kin.same_wrong),
          share_cell(kin.expected),
          count_cell(pair.witnesses)};
}

}  // namespace

Table kinship_table(const Standings& standings) {
  Table table;
  table.id = "kinship";
  table.title = {"亲缘", "Kinship"};
  table.chapter = Chapter::kModels;
  const std::vector<size_t> boards = shared_boards(standings);
  const std::vector<size_t> models = boards.empty() ? boards : who_sat(standings, boards);
  if (models.size() < 2) return table;
  Bench bench;
  bench.answers.resize(models.size());
  for (const size_t b : boards)
    add_board(standings.boards[b], models, kMostItems / boards.size(), bench);
  if (bench.questions.gold.empty()) return table;
  const std::vector<KinshipPair> pairs =
      kinship_pairs(bench.questions, bench.answers, bench.clusters, {kReplicates, 1});
  const auto items = static_cast<int64_t>(bench.questions.gold.size());
  table.facts = {
      {grouped(items) + " 道选择题", grouped(items) + " questions of choice"},
      {fmt::format("{} 个分榜", boards.size()), fmt::format("{} boards", boards.size())}};
  table.notes = {
      {"两个模型都答错时选了同一错项的次数，与难度和选项习惯所能解释的次数相比：0 为陌生，100 "
       "为复制；"
       "下限高于 50 记“近亲”，上限低于 50 "
       "记“无亲缘”。预期取自其余模型（见证者，近似复制品除外）在同"
       "一题上的同错率；没有见证者时只计各自的位置偏好，人人易错的题会被当作亲缘，数值偏高。相关："
       "错项"
       "对数概率（减去每题均值）的相关系数 ×100。区间按题聚类重抽。",
       "How often two models that are both wrong chose the same wrong option, against what the "
       "items "
       "and habits explain: 0 for strangers, 100 for copies; “kin” where the lower end is above "
       "50, "
       "“apart” where the upper end is below. What is expected comes from the other models "
       "(witnesses, likely copies left out) on the same items; without witnesses only from habits "
       "of "
       "place, so that what tempts everybody counts as kinship and the figure is too high. "
       "Correlation: of the wrong options' log-probs, less each item's mean, ×100. Intervals: "
       "bootstrap over clusters of items."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"other", {"与", "And"}, Column::Kind::kText},
                   {"verdict", {"结论", "Verdict"}, Column::Kind::kText},
                   {"excess", {"同错", "Shared errors"}},
                   {"interval", {"95% 区间", "95% interval"}},
                   {"correlation", {"相关", "Correlation"}},
                   {"correlation_interval", {"相关 95% 区间", "Its 95% interval"}},
                   {"both_wrong", {"都错", "Both wrong"}},
                   {"same_wrong", {"同错项", "Same option"}},
                   {"expected", {"预期 %", "Expected %"}},
                   {"witnesses", {"见证者", "Witnesses"}}};
  table.folded = pairs.size() > 10;
  for (const KinshipPair& pair : pairs) table.rows.push_back(pair_cells(standings, models, pair));
  if (models.size() == kMostModels) {
    table.facts.push_back(
        {fmt::format("仅前 {} 名", kMostModels), fmt::format("the first {} only", kMostModels)});
  }
  table.charts.push_back(kinship_chart(standings, models, pairs));
  return table;
}

}  // namespace keju
