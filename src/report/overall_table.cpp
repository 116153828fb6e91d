// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/contests.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/rank.h"
#include "report/table_parts.h"

namespace keju {
namespace {

// The interval of a weighted mean of independent scores from theirs, which need not be symmetric:
// its arms are the root sums of squares of their weighted arms (method of variance estimates
// recovery; Zou & Donner 2008). The mean of one score keeps that score's interval.
struct Arms {
  double below = 0, above = 0;  // sums of squares
  bool known = true;

  void add(const EstimateView& score, double weight) {
    known = known && score.low && score.high;
    if (!known) return;
    below += std::pow(100 * weight * (*score.value - *score.low), 2);
    above += std::pow(100 * weight * (*score.high - *score.value), 2);
  }
};

// What each board weighs in the total: OPEN boards share `open_share` alike, OPT boards the rest;
// where there are boards of one kind only, they share everything.
std::vector<double> board_weights(const Standings& standings, const std::vector<size_t>& boards) {
  double open = 0;
  for (const size_t b : boards) open += standings.boards[b].open() ? 1 : 0;
  const double opt = static_cast<double>(boards.size()) - open;
  double share = standings.options->open_share;
  if (open == 0) share = 0;
  if (opt == 0) share = 1;
  std::vector<double> weights;
  for (const size_t b : boards) {
    weights.push_back(standings.boards[b].open() ? share / open : (1 - share) / opt);
  }
  return weights;
}

Cell overall_interval(const OverallRow& row) {
  if (!row.low) return {kNone, nullptr};
  Cell cell{fixed(*row.low, 2) + "–" + fixed(*row.high, 2), Json::array({*row.low, *row.high})};
  cell.range = Range{*row.score, *row.low, *row.high, 0, 100, {}};
  if (row.chance > 0) cell.range->chance = row.chance;
  return cell;
}

Text paper_rules(const Board& board) {
  const ExamView& exam = *board.paper;
  return {fmt::format("{} · {} 样例", exam.protocol, exam.shots),
          fmt::format("{} · {}-shot", exam.protocol, exam.shots)};
}

int64_t peak_memory(const ModelRow& model) {
  int64_t peak = 0;
  for (const RunView* run : model.runs) peak = std::max(peak, run->peak_rss_bytes);
  return peak;
}

struct Kinds {
  bool open = false, opt = false;
  bool both() const { return open && opt; }
};

Kinds kinds_of(const Standings& standings, const std::vector<size_t>& boards) {
  Kinds kinds;
  for (const size_t b : boards) (standings.boards[b].open() ? kinds.open : kinds.opt) = true;
  return kinds;
}

bool some_guessing(const Standings& standings, const std::vector<size_t>& boards) {
  return std::any_of(boards.begin(), boards.end(), [&](size_t b) {
    return standings.boards[b].paper->chance.value_or(0) > 0;
  });
}

std::vector<Column> overall_columns(const Standings& standings,
                                    const std::vector<size_t>& boards,
                                    bool sure) {
  std::vector<Column> columns = {{"rank", {"排名", "Rank"}, Column::Kind::kRank},
                                 {"model", {"模型", "Model"}, Column::Kind::kModel},
                                 {"organisation", {"机构", "Organisation"}, Column::Kind::kText},
                                 {"score", {"总分", "Total"}},
                                 {"interval", {"95% 区间", "95% interval"}}};
  if (sure) add_place_columns(columns);
  if (kinds_of(standings, boards).both()) {
    columns.push_back({"open", "OPEN", Column::Kind::kNumber, {"自由作答", "own words"}});
    columns.push_back({"opt", "OPT", Column::Kind::kNumber, {"客观选择", "choices"}});
  }
  if (some_guessing(standings, boards)) {
    columns.push_back({"over_chance",
                       {"净分", "Over chance"},
                       Column::Kind::kNumber,
                       {"随机 = 0", "guessing = 0"}});
  }
  columns.push_back({"access", {"使用", "Access"}, Column::Kind::kText});
  for (const size_t b : boards) {
    const Board& board = standings.boards[b];
    columns.push_back({board.id, board_title(board), Column::Kind::kNumber, paper_rules(board)});
  }
  columns.push_back({"items", {"题数", "Items"}});
  columns.push_back({"tokens_per_s", {"词元/秒", "Tokens/s"}});
  columns.push_back({"peak_memory", {"内存峰值", "Peak memory"}});
  return columns;
}

Cell points_cell(const std::optional<double>& value) {
  return value ? Cell{fixed(*value, 2), *value} : Cell{kNone, nullptr};
}

std::vector<Cell> overall_cells(const Standings& standings,
                                const std::vector<size_t>& boards,
                                size_t m,
                                const OverallRow& row,
                                const std::optional<int>& place,
                                const std::optional<SurePlace>* sure) {
  const ModelRow& model = standings.models[m];
  Cell score = points_cell(row.score);
  if (!row.score && !boards.empty()) score.marks.push_back({"缺分榜", "boards missing"});
  if (row.score && !row.whole) score.marks.push_back({"未完成", "incomplete"});
  if (row.at_chance()) {
    score.marks.push_back(kChanceMark);
  } else if (row.guesses() > 0) {
    score.marks.push_back(
        {fmt::format("{} 项近随机", row.guesses()), fmt::format("{} at chance", row.guesses())});
  }
  if (!model.ranked) score.marks.push_back({"参照", "for reference"});
  std::vector<Cell> cells = {{rank_text(place), place ? Json(*place) : Json()},
                             text_cell(model.name),
                             organisation_cell(model.card),
                             std::move(score),
                             overall_interval(row)};
  if (sure != nullptr) add_place_cells(*sure, cells);
  if (kinds_of(standings, boards).both()) {
    cells.push_back(points_cell(row.open));
    cells.push_back(points_cell(row.opt));
  }
  if (some_guessing(standings, boards)) cells.push_back(points_cell(row.over_chance));
  cells.push_back(text_cell(access_text(access_of(model))));
  for (size_t i = 0; i < row.parts.size(); ++i) {
    cells.push_back(points_cell(row.parts[i]));
    if (row.guessed[i]) cells.back().marks.push_back(kChanceMark);
  }
  const std::optional<double> rate = tokens_per_second(model);
  cells.push_back(count_cell(row.items));
  cells.push_back(rate ? Cell{per_second(*rate), *rate} : Cell{kNone, nullptr});
  cells.push_back({bytes(peak_memory(model)), peak_memory(model)});
  return cells;
}

std::vector<Text> overall_facts(const Standings& standings, const std::vector<size_t>& boards) {
  std::vector<Text> facts = {
      {fmt::format("{} 个分榜", boards.size()),
       fmt::format("{} {}", boards.size(), boards.size() == 1 ? "board" : "boards")}};
  if (kinds_of(standings, boards).both()) {
    const double share = standings.options->open_share;
    const std::string formula =
        fmt::format("{} · OPEN + {} · OPT", fixed(share, 2), fixed(1 - share, 2));
    facts.push_back({"总分 = " + formula, "total = " + formula});
  } else {
    facts.push_back({"总分 = 各分榜的平均", "total = mean of the boards"});
  }
  return facts;
}

// The tens around all intervals.
void fit_y(ScatterChart& chart) {
  double low = 100, high = 0;
  for (const ScatterChart::Point& point : chart.points) {
    low = std::min(low, point.low.value_or(point.y));
    high = std::max(high, point.high.value_or(point.y));
  }
  chart.y_from = std::max(0.0, 10 * std::floor((low - 1) / 10));
  chart.y_to = std::min(100.0, 10 * std::ceil((high + 1) / 10));
}

std::vector<Chart> overall_charts(const Standings& standings,
                                  const std::vector<size_t>& order,
                                  const std::vector<OverallRow>& rows) {
  BarChart bars;
  ScatterChart speed, size;
  speed.x_title = {"词元/秒", "tokens per second"};
  size.x_title = {"参数量", "parameters"};
  speed.y_title = size.y_title = {"总分", "total"};
  for (const size_t m : order) {
    const OverallRow& row = rows[m];
    if (!row.score) continue;
    const ModelRow& model = standings.models[m];
    const bool quiet = !model.ranked || !row.whole || row.at_chance();
    if (bars.rows.size() < kMostBars) {
      bars.rows.push_back({model.name, *row.score, row.low, row.high, quiet});
      bars.chance = row.chance > 0 ? std::optional<double>(row.chance) : std::nullopt;
    }
    const std::optional<double> rate = tokens_per_second(model);
    const std::optional<int64_t> parameters = parameters_of(model);
    if (rate && *rate > 0)
      speed.points.push_back({model.name, *rate, *row.score, row.low, row.high});
    if (parameters && *parameters > 0) {
      size.points.push_back(
          {model.name, static_cast<double>(*parameters), *row.score, row.low, row.high});
    }
  }
  fit_y(speed);
  fit_y(size);
  std::vector<Chart> charts;
  if (bars.rows.size() > 1) {
    charts.push_back({"overall-bars",
                      {"总分与 95% 区间", "Totals with their 95% intervals"},
                      {"虚线：随机水平", "Dashed: chance"},
                      bars});
  }
  if (speed.points.size() > 1) {
    charts.push_back({"overall-speed", {"总分与速度", "Total against speed"}, {}, speed});
  }
  if (size.points.size() > 1) {
    charts.push_back({"overall-size", {"总分与参数量", "Total against size"}, {}, size});
  }
  return charts;
}

}  // namespace

OverallRow overall_row(const Standings& standings,
                       const std::vector<size_t>& boards,
                       size_t model) {
  OverallRow row;
  Arms arms;
  const std::vector<double> weights = board_weights(standings, boards);
  double over = 0, total = 0, sums[2] = {0, 0}, counts[2] = {0, 0};
  size_t known = 0, complete = 0;
  for (size_t i = 0; i < boards.size(); ++i) {
    const Board& board = standings.boards[boards[i]];
    const auto entry = std::find_if(board.entries.begin(),
                                    board.entries.end(),
                                    [&](const Board::Entry& e) { return e.model == model; });
    row.parts.emplace_back();
    row.guessed.push_back(false);
    if (entry == board.entries.end() || !entry->exam->score.value) continue;
    const ExamView& exam = *entry->exam;
    row.parts.back() = 100 * *exam.score.value;
    total += weights[i] * *row.parts.back();
    sums[board.open() ? 1 : 0] += *row.parts.back();
    counts[board.open() ? 1 : 0] += 1;
    arms.add(exam.score, weights[i]);
    row.guessed.back() = exam.at_chance;
    const double chance = 100 * exam.chance.value_or(0);
    row.chance += weights[i] * chance;
    if (chance < 100) over += weights[i] * 100 * (*row.parts.back() - chance) / (100 - chance);
    row.items += exam.score.n;
    ++known;
    complete += exam.items.complete() ? 1 : 0;
  }
  if (known == 0 || known != boards.size()) return row;
  row.score = total;
  row.over_chance = over;
  if (counts[0] > 0) row.opt = sums[0] / counts[0];
  if (counts[1] > 0) row.open = sums[1] / counts[1];
  if (arms.known) {
    row.low = *row.score - std::sqrt(arms.below);
    row.high = *row.score + std::sqrt(arms.above);
  }
  row.whole = complete == boards.size();
  return row;
}

namespace {

// Of each model, how sure its place is; empty where that is not known of all that have one.
std::vector<std::optional<SurePlace>> overall_places(
    const Standings& standings,
    const std::vector<size_t>& boards,
    const std::vector<std::optional<int>>& places) {
  std::vector<size_t> models;
  std::vector<int> shown;
  for (size_t m = 0; m < places.size(); ++m) {
    if (!places[m]) continue;
    models.push_back(m);
    shown.push_back(*places[m]);
  }
  const std::vector<double> weights = board_weights(standings, boards);
  const std::optional<Contest> contest = total_contest(standings, boards, weights, models);
  if (!contest) return {};
  const std::vector<SurePlace> known = sure_places(*contest, shown);
  std::vector<std::optional<SurePlace>> out(places.size());
  for (size_t i = 0; i < models.size(); ++i) out[models[i]] = known[i];
  return out;
}

void add_overall_notes(const Standings& standings,
                       const std::vector<size_t>& boards,
                       Table& table) {
  const auto& all = standings.boards;
  if (std::any_of(all.begin(), all.end(), [](const Board& b) { return b.contest != nullptr; })) {
    table.notes.push_back(kPlaceNote);  // for the boards' columns as well
  }
  if (some_guessing(standings, boards)) {
    table.notes.push_back(
        {"个别模型在某分榜上未高于随机水平时，该分标“≈ 随机”，按实测计入总分（约为随机水平，而非 "
         "0），总分注明项数；“净分”把各榜的随机水平记为 0、全对记为 "
         "100，再照总分加权，瞎猜不得分。",
         "Where some models do not clear chance on a board, their part is marked “≈ chance” and "
         "counts in the total as measured (about the chance level, not 0), and the total says how "
         "many. “Over chance” sets each board's chance level to 0 and all right to 100, with the "
         "total's weights: guessing earns nothing there."});
  }
  Text left_out;
  for (const Board& board : standings.boards) {
    const bool scored = std::any_of(board.entries.begin(), board.entries.end(), [](const auto& e) {
      return in_totals(*e.exam);
    });
    const auto place = static_cast<size_t>(&board - standings.boards.data());
    const bool used = std::find(boards.begin(), boards.end(), place) != boards.end();
    if (used || !scored || !all_guess(board)) continue;
    const Text title = board_title(board);
    left_out.zh += (left_out.zh.empty() ? "" : "、") + title.zh;
    left_out.en += (left_out.en.empty() ? "" : ", ") + title.en;
  }
  if (left_out.empty()) return;
  table.notes.push_back(
      {"不计入总分（所有模型都未高于随机水平）：" + left_out.zh + "。",
       "Not in the total, since no model clears chance on it: " + left_out.en + "."});
}

}  // namespace

Table overall_table(const Standings& standings, bool open_weights_only) {
  Table table;
  table.id = open_weights_only ? "open-weights" : "overall";
  table.title = open_weights_only ? Text{"开源榜", "Open weights"} : Text{"总榜", "Overall"};
  table.chapter = Chapter::kOverview;
  const std::vector<size_t> boards = overall_boards(standings);
  table.facts = overall_facts(standings, boards);
  table.notes = {
      {"OPEN 是自由作答的分榜的平均，OPT 是选择作答的分榜的平均（均为 0–100）；区间由各榜区间合成。"
       "只有在全部这些榜上完成的模型参与排名；得分相差小于 0.03 记为并列。",
       "OPEN is the mean of the boards answered in the model's own words, OPT of those answered by "
       "choosing (0–100); the interval combines theirs. Only models that finished all of them are "
       "ranked; scores less than 0.03 apart share a rank."},
      {"区间未高于随机水平的得分标为“≈ "
       "随机”，不参与排名；未完成的运行与参照模型如实标出，不参与排名。",
       "A score whose interval does not clear the chance level is marked “≈ chance” and not "
       "ranked; incomplete runs and models listed for reference are marked and not ranked."}};
  std::vector<OverallRow> rows;
  std::vector<RankRow> rank_rows;
  size_t listed = 0;
  for (size_t m = 0; m < standings.models.size(); ++m) {
    rows.push_back(overall_row(standings, boards, m));
    const bool listed_here =
        !open_weights_only || access_of(standings.models[m]) == Access::kWeights;
    listed += listed_here ? 1 : 0;
    if (!listed_here) rows.back() = {};
    const OverallRow& row = rows.back();
    rank_rows.push_back({row.score, row.whole && !row.at_chance() && standings.models[m].ranked});
  }
  if (open_weights_only && listed == standings.models.size())
    return table;  // it is the overall one
  const std::vector<std::optional<int>> places = ranks(rank_rows, {});
  const std::vector<size_t> order = board_order(rank_rows, {});
  const auto sure = overall_places(standings, boards, places);
  table.columns = overall_columns(standings, boards, !sure.empty());
  for (const size_t m : order) {
    if (open_weights_only && access_of(standings.models[m]) != Access::kWeights) continue;
    table.rows.push_back(
        overall_cells(standings, boards, m, rows[m], places[m], sure.empty() ? nullptr : &sure[m]));
  }
  add_overall_notes(standings, boards, table);
  std::vector<std::string> scored = {"score", "open", "opt", "over_chance"};
  for (const size_t b : boards) scored.push_back(standings.boards[b].id);
  mark_best(table, scored, false);
  if (!open_weights_only) table.charts = overall_charts(standings, order, rows);
  return table;
}

}  // namespace keju
