// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/rank.h"
#include "report/table_parts.h"

namespace keju {
namespace {

struct OverallRow {
  std::vector<std::optional<double>> parts;
  std::optional<double> score, low, high;
  double chance = 0;
  int64_t items = 0;
  bool whole = false;
};

// The interval of a mean of independent scores from theirs, which need not be symmetric: its arms
// are the root sums of squares of their arms (method of variance estimates recovery; Zou & Donner
// 2008). The mean of one score keeps that score's interval.
struct Arms {
  double below = 0, above = 0;  // sums of squares
  bool known = true;

  void add(const EstimateView& score) {
    known = known && score.low && score.high;
    if (!known) return;
    below += std::pow(100 * (*score.value - *score.low), 2);
    above += std::pow(100 * (*score.high - *score.value), 2);
  }
};

OverallRow overall_row(const Standings& standings,
                       const std::vector<size_t>& boards,
                       size_t model) {
  OverallRow row;
  Arms arms;
  double sum = 0;
  size_t known = 0, complete = 0;
  for (const size_t b : boards) {
    const auto& entries = standings.boards[b].entries;
    const auto entry = std::find_if(
        entries.begin(), entries.end(), [&](const Board::Entry& e) { return e.model == model; });
    if (entry == entries.end() || !entry->exam->score.value) {
      row.parts.emplace_back();
      continue;
    }
    const ExamView& exam = *entry->exam;
    row.parts.push_back(100 * *exam.score.value);
    sum += *row.parts.back();
    arms.add(exam.score);
    row.chance += 100 * exam.chance.value_or(0);
    row.items += exam.score.n;
    ++known;
    complete += exam.items.complete() ? 1 : 0;
  }
  if (known == 0 || known != boards.size()) return row;
  const auto count = static_cast<double>(known);
  row.score = sum / count;
  if (arms.known) {
    row.low = *row.score - std::sqrt(arms.below) / count;
    row.high = *row.score + std::sqrt(arms.above) / count;
  }
  row.chance /= count;
  row.whole = complete == boards.size();
  return row;
}

Cell overall_interval(const OverallRow& row) {
  if (!row.low) return {kNone, nullptr};
  Cell cell{fixed(*row.low, 2) + "–" + fixed(*row.high, 2), Json::array({*row.low, *row.high})};
  cell.range = Range{*row.score, *row.low, *row.high, 0, 100, {}};
  if (row.chance > 0) cell.range->chance = row.chance;
  return cell;
}

// Of all of a model's runs.
struct ModelSpeed {
  std::optional<double> tokens_per_s;
  int64_t peak_rss_bytes = 0;
};

ModelSpeed speed_of(const ModelRow& model) {
  ModelSpeed speed;
  double tokens = 0, time_s = 0;
  for (const RunView* run : model.runs) {
    tokens += static_cast<double>(run->tokens_computed);
    time_s += run->prefill_s + run->decode_s;
    speed.peak_rss_bytes = std::max(speed.peak_rss_bytes, run->peak_rss_bytes);
  }
  if (time_s > 0) speed.tokens_per_s = tokens / time_s;
  return speed;
}

Text paper_rules(const Board& board) {
  const ExamView& exam = *board.paper;
  return {fmt::format("{} · {} 样例", exam.protocol, exam.shots),
          fmt::format("{} · {}-shot", exam.protocol, exam.shots)};
}

std::vector<Column> overall_columns(const Standings& standings, const std::vector<size_t>& boards) {
  std::vector<Column> columns = {{"rank", {"排名", "Rank"}, Column::Kind::kRank},
                                 {"model", {"模型", "Model"}, Column::Kind::kModel},
                                 {"score", {"总分", "Score"}},
                                 {"interval", {"95% 区间", "95% interval"}}};
  for (const size_t b : boards) {
    const Board& board = standings.boards[b];
    columns.push_back({board.id, board_title(board), Column::Kind::kNumber, paper_rules(board)});
  }
  columns.push_back({"items", {"题数", "Items"}});
  columns.push_back({"tokens_per_s", {"词元/秒", "Tokens/s"}});
  columns.push_back({"peak_memory", {"内存峰值", "Peak memory"}});
  return columns;
}

}  // namespace

Table overall_table(const Standings& standings) {
  Table table;
  table.id = "overall";
  table.title = {"总榜", "Overall"};
  const std::vector<size_t> boards = overall_boards(standings);
  table.columns = overall_columns(standings, boards);
  table.facts = {
      {fmt::format("{} 个分榜的平均", boards.size()),
       fmt::format("mean of {} {}", boards.size(), boards.size() == 1 ? "board" : "boards")}};
  table.notes = {
      {"总分是下列各分榜得分（0–100）的算术平均，区间由各榜区间合成。只有在全部这些榜上完成的模型"
       "参与"
       "排名；得分相差小于 0.03 记为并列。",
       "The score is the plain mean of the boards below (0–100); its interval combines their "
       "intervals. Only models that finished all of them are ranked; scores less than 0.03 "
       "apart share a rank."},
      {"区间未高于随机水平的得分标为“≈ 随机”，不参与排名；未完成的运行如实标出，不参与排名。",
       "A score whose interval does not clear the chance level is marked “≈ chance” and not "
       "ranked; an incomplete run is marked and not ranked."}};
  std::vector<OverallRow> rows;
  std::vector<RankRow> rank_rows;
  std::vector<bool> at_chance;
  for (size_t m = 0; m < standings.models.size(); ++m) {
    rows.push_back(overall_row(standings, boards, m));
    const OverallRow& row = rows.back();
    at_chance.push_back(row.score && row.chance > 0 && (!row.low || *row.low <= row.chance));
    rank_rows.push_back({row.score, row.whole && !at_chance.back()});
  }
  const RankRules rules;
  const std::vector<std::optional<int>> places = ranks(rank_rows, rules);
  for (const size_t m : board_order(rank_rows, rules)) {
    const OverallRow& row = rows[m];
    Cell score = row.score ? Cell{fixed(*row.score, 2), *row.score} : Cell{kNone, nullptr};
    if (!row.score && !boards.empty()) score.marks.push_back({"缺分榜", "boards missing"});
    if (row.score && !row.whole) score.marks.push_back({"未完成", "incomplete"});
    if (at_chance[m]) score.marks.push_back(kChanceMark);
    std::vector<Cell> cells = {{rank_text(places[m]), places[m] ? Json(*places[m]) : Json()},
                               text_cell(standings.models[m].name),
                               std::move(score),
                               overall_interval(row)};
    for (const std::optional<double>& part : row.parts) {
      cells.push_back(part ? Cell{fixed(*part, 2), *part} : Cell{kNone, nullptr});
    }
    const ModelSpeed speed = speed_of(standings.models[m]);
    cells.push_back(count_cell(row.items));
    cells.push_back(speed.tokens_per_s ? Cell{per_second(*speed.tokens_per_s), *speed.tokens_per_s}
                                       : Cell{kNone, nullptr});
    cells.push_back({bytes(speed.peak_rss_bytes), speed.peak_rss_bytes});
    table.rows.push_back(std::move(cells));
  }
  std::vector<std::string> scored = {"score"};
  for (const size_t b : boards) scored.push_back(standings.boards[b].id);
  mark_best(table, scored, false);
  return table;
}

}  // namespace keju
