// SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>
#include <map>

#include "base/error.h"
#include "report/contests.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/rank.h"
#include "report/table_parts.h"

namespace keju {
namespace {

Text bilingual(const std::string& zh, const std::string& en) { return {zh, en}; }

Cell score_cell(const std::optional<double>& value, const ExamView& exam) {
  if (!value) return {kNone, nullptr};
  if (exam.lower_is_better()) return {fixed(*value, 4), *value};
  return {fixed(100 * *value, 2), 100 * *value};
}

Cell interval_cell(const EstimateView& score, const ExamView& exam) {
  if (!score.low || !score.high || !score.value) return {kNone, nullptr};
  const double scale = exam.lower_is_better() ? 1 : 100;
  const int decimals = exam.lower_is_better() ? 4 : 2;
  Cell cell{fixed(scale * *score.low, decimals) + "–" + fixed(scale * *score.high, decimals),
            Json::array({scale * *score.low, scale * *score.high})};
  cell.range = Range{scale * *score.value, scale * *score.low, scale * *score.high, 0, 100, {}};
  if (exam.chance && *exam.chance > 0) cell.range->chance = 100 * *exam.chance;
  return cell;
}

Text incomplete_mark(const CountsView& items) {
  const std::string done = grouped(items.scored + items.unscored);
  return {fmt::format("未完成 {} / {}", done, grouped(items.total)),
          fmt::format("incomplete {} / {}", done, grouped(items.total))};
}

RankRow rank_row(const ExamView& exam) {
  RankRow row;
  if (exam.score.value) row.score = (exam.lower_is_better() ? 1 : 100) * *exam.score.value;
  row.ranked = exam.items.complete() && !exam.at_chance;
  return row;
}

Cell rank_cell(std::optional<int> rank) { return {rank_text(rank), rank ? Json(*rank) : Json()}; }

// Lines up every interval of a table on one scale. Scores live on 0–100; bits per byte from 0 to a
// little beyond the largest.
void set_scale(Table& table, bool lower_is_better) {
  double most = 0;
  for (const auto& row : table.rows) {
    for (const Cell& cell : row) {
      if (cell.range) most = std::max(most, cell.range->high);
    }
  }
  for (auto& row : table.rows) {
    for (Cell& cell : row) {
      if (cell.range && lower_is_better) cell.range->to = most > 0 ? 1.05 * most : 1;
    }
  }
}

Text average_text(const ExamView& exam) {
  if (exam.lower_is_better()) return {"按字节加权平均", "weighted by bytes"};
  if (exam.average == "macro") {
    return {fmt::format("宏平均（{} 科）", exam.subjects_total),
            fmt::format("macro average over {} subjects", exam.subjects_total)};
  }
  return {"微平均（按题）", "micro average over items"};
}

Text scale_text(const ExamView& exam) {
  static const std::map<std::string, Text> kRules = {
      {"sum", {"选项对数概率之和", "sum of option log-probs"}},
      {"per_char", {"每字符对数概率", "log-prob per character"}},
      {"per_byte", {"每字节对数概率", "log-prob per byte"}},
      {"per_token", {"每词元对数概率", "log-prob per token"}},
      {"whole_mean", {"全文平均对数概率", "mean log-prob of the whole text"}},
      {"mass", {"正确选项概率占比", "share of the right options' probability"}}};
  if (exam.task == "generate") {
    return {fmt::format("贪心生成，至多 {} 词元", exam.max_tokens.value_or(0)),
            fmt::format("generated, at most {} tokens", exam.max_tokens.value_or(0))};
  }
  if (exam.lower_is_better()) return {"每字节比特数，越低越好", "bits per byte, lower is better"};
  const auto rule = kRules.find(exam.score_rule);
  return rule == kRules.end() ? Text(exam.score_rule) : rule->second;
}

std::vector<Text> board_facts(const ExamView& exam) {
  std::vector<Text> facts = {
      bilingual("协议 " + exam.protocol, "protocol " + exam.protocol),
      bilingual("划分 " + exam.split, "split " + exam.split),
      bilingual(fmt::format("{} 样例", exam.shots), fmt::format("{}-shot", exam.shots)),
      bilingual(grouped(exam.items.total) + " 题", grouped(exam.items.total) + " items"),
      average_text(exam),
      scale_text(exam)};
  if (exam.limit) {
    facts.push_back({fmt::format("每科仅前 {} 题", *exam.limit),
                     fmt::format("first {} of each subject only", *exam.limit)});
  }
  if (exam.chance && *exam.chance > 0) {
    facts.push_back({"随机水平 " + fixed(100 * *exam.chance, 2),
                     "chance level " + fixed(100 * *exam.chance, 2)});
  }
  if (!exam.data_hash_matches_card) {
    facts.push_back({"数据与登记的哈希不符", "data differ from the card's hash"});
  }
  if (exam.samples > 1) {
    facts.push_back({fmt::format("每题 {} 次作答，先按题平均", exam.samples),
                     fmt::format("{} answers per item, averaged first", exam.samples)});
  }
  if (exam.judged) {
    facts.push_back({"评审 " + exam.judged->judge, "judged by " + exam.judged->judge});
    if (exam.judged->pairwise) {
      facts.push_back({"对手 " + exam.judged->against, "against " + exam.judged->against});
    }
  }
  facts.push_back({"题集 " + hash_short(exam.item_set), "item set " + hash_short(exam.item_set)});
  facts.push_back({"首题提示 " + hash_short(exam.first_prompt_sha256),
                   "first prompt " + hash_short(exam.first_prompt_sha256)});
  return facts;
}

// Columns beside rank, model, score and interval. Each takes its cell from an entry's exam.
struct ExtraColumn {
  Column column;
  std::function<Cell(const ExamView&)> cell;
};

Cell optional_count(const std::optional<int64_t>& n) {
  return n ? count_cell(*n) : Cell{kNone, nullptr};
}

void add_score_columns(const ExamView& paper, std::vector<ExtraColumn>& out) {
  const bool macro = paper.average == "macro";
  if (!paper.lower_is_better() && paper.subjects_total > 1) {
    out.push_back(
        {{macro ? "micro" : "macro", macro ? Text{"微平均", "Micro"} : Text{"宏平均", "Macro"}},
         [macro](const ExamView& e) { return score_cell((macro ? e.micro : e.macro).value, e); }});
  }
  for (size_t i = 0; i < paper.also.size(); ++i) {
    const std::string& rule = paper.also[i].rule;
    out.push_back(
        {{"also:" + rule, bilingual("另按 " + rule, "By " + rule)}, [i](const ExamView& e) {
           return score_cell(i < e.also.size() ? e.also[i].value : std::nullopt, e);
         }});
  }
  for (size_t i = 0; i < paper.pass_at_k.size(); ++i) {
    const std::string k = std::to_string(paper.pass_at_k[i].k);
    out.push_back({{"pass@" + k, "pass@" + k}, [i](const ExamView& e) {
                     return score_cell(i < e.pass_at_k.size() ? e.pass_at_k[i].value : std::nullopt,
                                       e);
                   }});
  }
  for (size_t i = 0; i < paper.categories.size(); ++i) {
    const std::string& id = paper.categories[i].id;
    out.push_back({{"category:" + id, category_name(id)}, [i](const ExamView& e) {
                     return i < e.categories.size() ? score_cell(e.categories[i].score.value, e)
                                                    : Cell{kNone, nullptr};
                   }});
  }
}

// The score once more without the items that the errata name.
void add_errata_columns(const Board& board, std::vector<ExtraColumn>& out) {
  const bool any = std::any_of(board.entries.begin(), board.entries.end(), [](const auto& entry) {
    return entry.exam->without_errata.has_value();
  });
  if (!any) return;
  out.push_back({{"without_errata", {"剔除勘误", "Without errata"}}, [](const ExamView& e) {
                   return score_cell(e.without_errata ? e.without_errata->value : std::nullopt, e);
                 }});
  out.push_back({{"errata", {"勘误题", "Errata"}}, [](const ExamView& e) {
                   return e.without_errata ? count_cell(e.errata_left_out) : Cell{kNone, nullptr};
                 }});
}

void add_count_columns(const Board& board, std::vector<ExtraColumn>& out) {
  const ExamView& paper = *board.paper;
  const auto any = [&](auto test) {
    return std::any_of(board.entries.begin(), board.entries.end(), [&](const Board::Entry& entry) {
      return test(*entry.exam);
    });
  };
  out.push_back({{"scored", {"已判", "Scored"}},
                 [](const ExamView& e) { return count_cell(e.items.scored); }});
  out.push_back({{"unscored", {"未判", "Unscored"}},
                 [](const ExamView& e) { return count_cell(e.items.unscored); }});
  out.push_back({{"failed", {"失败", "Failed"}},
                 [](const ExamView& e) { return count_cell(e.items.failed); }});
  if (any([](const ExamView& e) { return e.items.unfinished > 0; })) {
    out.push_back({{"unfinished", {"未做", "Unfinished"}},
                   [](const ExamView& e) { return count_cell(e.items.unfinished); }});
  }
  if (paper.task == "choose") {
    out.push_back(
        {{"ties", {"并列选项", "Ties"}}, [](const ExamView& e) { return optional_count(e.ties); }});
  }
  if (paper.task == "generate") {
    out.push_back({{"ambiguous", {"答案歧义", "Ambiguous"}},
                   [](const ExamView& e) { return optional_count(e.ambiguous); }});
    out.push_back({{"no_answer", {"无答案", "No answer"}},
                   [](const ExamView& e) { return optional_count(e.not_extracted); }});
    out.push_back({{"cap_hits", {"达到长度上限", "Cap hits"}},
                   [](const ExamView& e) { return optional_count(e.cap_hits); }});
    out.push_back({{"completed_only", {"未截断者得分", "Score of uncut"}},
                   [](const ExamView& e) { return score_cell(e.completed_only.value, e); }});
  }
  if (any([](const ExamView& e) { return e.truncated_items > 0; })) {
    out.push_back({{"truncated", {"提示被截", "Prompts cut"}},
                   [](const ExamView& e) { return count_cell(e.truncated_items); }});
  }
}

// Scores that others published for this suite, with these shots: of this split, or where there are
// none, of another.
std::vector<const ReferenceTable*> beside(const ReportOptions& options, const ExamView& paper) {
  std::vector<const ReferenceTable*> same, other;
  for (const ReferenceTable& table : options.published) {
    if (!table.beside || table.suite != paper.suite) continue;
    if (table.shots && *table.shots != paper.shots) continue;
    (table.split == paper.split ? same : other).push_back(&table);
  }
  return same.empty() ? other : same;
}

// A row of a board: measured, or quoted from a published table.
struct BoardRow {
  const Board::Entry* entry = nullptr;
  const ReferenceTable* table = nullptr;
  const ReferenceTable::Row* quoted = nullptr;
};

std::vector<Cell> quoted_cells(const Standings& standings,
                               const BoardRow& row,
                               bool sure,
                               const std::vector<ExtraColumn>& extra) {
  const ModelCard* card = standings.options->cards.by_id(row.quoted->model);
  Cell model = text_cell(card == nullptr ? row.quoted->as : card->name);
  std::string what = row.table->split;
  if (!what.empty()) what = " " + what;
  model.marks.push_back({"公开成绩" + what, "published" + what});
  const auto value = [&](size_t column) -> Cell {
    if (!row.quoted->values[column]) return {kNone, nullptr};
    return {row.quoted->shown[column], *row.quoted->values[column]};
  };
  std::vector<Cell> cells = {
      {rank_text({}), nullptr}, std::move(model), value(0), {kNone, nullptr}};
  if (sure) add_place_cells({}, cells);
  for (const ExtraColumn& column : extra) {
    cells.push_back({kNone, nullptr});
    for (size_t c = 0; c < row.table->columns.size(); ++c) {
      const std::string& id = row.table->columns[c].id;
      const bool plural = id == "Social Science" && column.column.id == "category:Social Sciences";
      if (column.column.id == "category:" + id || plural) cells.back() = value(c);
    }
  }
  return cells;
}

std::vector<Cell> measured_cells(const Standings& standings,
                                 const Board::Entry& entry,
                                 const std::optional<int>& place,
                                 const std::optional<SurePlace>* sure,
                                 const std::vector<ExtraColumn>& extra) {
  const ExamView& exam = *entry.exam;
  Cell score = score_cell(exam.score.value, exam);
  if (!exam.items.complete()) score.marks.push_back(incomplete_mark(exam.items));
  if (exam.at_chance) score.marks.push_back(kChanceMark);
  if (!standings.models[entry.model].ranked) score.marks.push_back({"参照", "for reference"});
  std::vector<Cell> cells = {rank_cell(place),
                             text_cell(standings.models[entry.model].name),
                             std::move(score),
                             interval_cell(exam.score, exam)};
  if (sure != nullptr) add_place_cells(*sure, cells);
  for (const ExtraColumn& column : extra) cells.push_back(column.cell(exam));
  return cells;
}

// Of each row, how sure its place is; empty where that is not known of all that have one.
std::vector<std::optional<SurePlace>> board_places(const Board& board,
                                                   const std::vector<BoardRow>& rows,
                                                   const std::vector<std::optional<int>>& places) {
  if (board.contest == nullptr) return {};
  const std::vector<size_t>& known = board.contest->models;
  std::vector<size_t> in_contest, of_row;
  std::vector<int> shown;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!places[i]) continue;
    const auto at = std::lower_bound(known.begin(), known.end(), rows[i].entry->model);
    if (at == known.end() || *at != rows[i].entry->model) return {};
    in_contest.push_back(static_cast<size_t>(at - known.begin()));
    of_row.push_back(i);
    shown.push_back(*places[i]);
  }
  if (in_contest.size() < 2) return {};
  const auto sure = sure_places(among(board.contest->contest, in_contest), shown);
  std::vector<std::optional<SurePlace>> out(rows.size());
  for (size_t i = 0; i < sure.size(); ++i) out[of_row[i]] = sure[i];
  return out;
}

// What the drawing has, and nothing else.
Text bars_legend(const BarChart& bars, bool lower) {
  std::vector<Text> parts;
  if (lower) parts.push_back({"越短越好", "shorter is better"});
  if (std::any_of(bars.rows.begin(), bars.rows.end(), [](const auto& row) { return row.quiet; })) {
    parts.push_back({"灰色：公开成绩", "grey: published"});
  }
  if (bars.chance) parts.push_back({"虚线：随机水平", "dashed: chance"});
  Text out;
  for (const Text& part : parts) {
    out.zh += (out.zh.empty() ? "" : "；") + part.zh;
    out.en += (out.en.empty() ? "" : "; ") + part.en;
  }
  return out;
}

Chart board_chart(const Standings& standings,
                  const Board& board,
                  const std::vector<BoardRow>& rows,
                  const std::vector<size_t>& order) {
  const bool lower = board.paper->lower_is_better();
  const double scale = lower ? 1 : 100;
  BarChart bars;
  bars.decimals = lower ? 3 : 1;
  if (board.paper->chance && *board.paper->chance > 0) bars.chance = 100 * *board.paper->chance;
  double most = 0;
  for (const size_t i : order) {
    if (bars.rows.size() == kMostBars) break;
    if (rows[i].quoted != nullptr) {
      const ModelCard* card = standings.options->cards.by_id(rows[i].quoted->model);
      if (!rows[i].quoted->values[0]) continue;
      bars.rows.push_back({card == nullptr ? Text(rows[i].quoted->as) : Text(card->name),
                           *rows[i].quoted->values[0],
                           {},
                           {},
                           true});
      continue;
    }
    const EstimateView& score = rows[i].entry->exam->score;
    if (!score.value) continue;
    BarChart::Row bar{standings.models[rows[i].entry->model].name, scale * *score.value};
    if (score.low && score.high) {
      bar.low = scale * *score.low;
      bar.high = scale * *score.high;
    }
    most = std::max(most, bar.high.value_or(bar.value));
    bars.rows.push_back(bar);
  }
  if (lower) bars.to = std::max(1.05 * most, 1e-9);
  const Text title = board_title(board);
  return {board.id + "-bars",
          {title.zh + "：得分与 95% 区间", title.en + ": scores with 95% intervals"},
          bars_legend(bars, lower),
          bars};
}

}  // namespace

// The categories that the two exams share, in Chinese; a suite's own ones keep their name.
Text category_name(const std::string& id) {
  static const std::map<std::string, std::string> kChinese = {{"STEM", "理工"},
                                                              {"Social Science", "社会科学"},
                                                              {"Social Sciences", "社会科学"},
                                                              {"Humanities", "人文"},
                                                              {"Other", "其他"},
                                                              {"Hard", "难题"},
                                                              {"China specific", "中国特有"}};
  const auto chinese = kChinese.find(id);
  return chinese == kChinese.end() ? Text(id) : Text(chinese->second, id);
}

Text board_title(const Board& board) {
  const ExamView& exam = *board.paper;
  return {exam.title_zh.empty() ? exam.suite : exam.title_zh,
          exam.title_en.empty() ? exam.suite : exam.title_en};
}

Table board_table(const Standings& standings, const Board& board) {
  const ExamView& paper = *board.paper;
  const bool lower = paper.lower_is_better();
  Table table;
  table.id = board.id;
  table.title = board_title(board);
  table.facts = board_facts(paper);
  table.about = paper.about;
  table.columns = {{"rank", {"排名", "Rank"}, Column::Kind::kRank},
                   {"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"score", lower ? Text{"比特/字节", "Bits/byte"} : Text{"得分", "Score"}},
                   {"interval", {"95% 区间", "95% interval"}}};
  std::vector<ExtraColumn> extra;
  add_score_columns(paper, extra);
  add_errata_columns(board, extra);
  add_count_columns(board, extra);

  std::vector<RankRow> rank_rows;
  std::vector<BoardRow> rows;
  for (const Board::Entry& entry : board.entries) {
    rank_rows.push_back(rank_row(*entry.exam));
    rank_rows.back().ranked = rank_rows.back().ranked && standings.models[entry.model].ranked;
    rows.push_back({&entry});
  }
  for (const ReferenceTable* quoted : beside(*standings.options, paper)) {
    for (const ReferenceTable::Row& row : quoted->rows) {
      rank_rows.push_back({row.values.front(), false});
      rows.push_back({nullptr, quoted, &row});
    }
    table.notes.push_back({fmt::format("公开成绩来自 {}（{}）：{}；协议不同，不与实测并排名次。",
                                       quoted->source,
                                       quoted->date,
                                       quoted->protocol),
                           fmt::format("Published scores from {} ({}): {}; another protocol, never "
                                       "ranked with measured ones.",
                                       quoted->source,
                                       quoted->date,
                                       quoted->protocol)});
  }
  const RankRules rules{lower ? 0.0 : 0.03, lower};
  const std::vector<std::optional<int>> places = ranks(rank_rows, rules);
  const std::vector<size_t> order = board_order(rank_rows, rules);
  const auto sure = board_places(board, rows, places);
  if (!sure.empty()) add_place_columns(table.columns);
  for (const ExtraColumn& column : extra) table.columns.push_back(column.column);
  for (const size_t i : order) {
    if (rows[i].quoted != nullptr) {
      table.published.push_back(table.rows.size());
      table.rows.push_back(quoted_cells(standings, rows[i], !sure.empty(), extra));
    } else {
      table.rows.push_back(measured_cells(
          standings, *rows[i].entry, places[i], sure.empty() ? nullptr : &sure[i], extra));
    }
  }
  if (rows.size() > 1) table.charts.push_back(board_chart(standings, board, rows, order));
  set_scale(table, lower);
  std::vector<std::string> scored = {"score", "micro", "macro", "completed_only"};
  for (const Column& column : table.columns) {
    const bool part = column.id.starts_with("category:") || column.id.starts_with("also:") ||
                      column.id.starts_with("pass@") || column.id == "without_errata";
    if (part) scored.push_back(column.id);
  }
  mark_best(table, scored, lower);
  return table;
}

Table subject_table(const Standings& standings, const Board& board) {
  const ExamView& paper = *board.paper;
  Table table;
  table.id = "subjects-" + board.id;
  const Text title = board_title(board);
  table.title = {title.zh + "：各科", title.en + ": subjects"};
  table.facts = {bilingual("协议 " + paper.protocol, "protocol " + paper.protocol)};
  table.folded = true;
  table.columns = {{"subject", {"科目", "Subject"}, Column::Kind::kModel},
                   {"items", {"题数", "Items"}}};
  for (size_t i = 0; i < board.entries.size(); ++i) {
    table.columns.push_back(
        {fmt::format("model:{}", i + 1), standings.models[board.entries[i].model].name});
  }
  for (size_t s = 0; s < paper.subjects.size(); ++s) {
    const PartView& subject = paper.subjects[s];
    const Text name{subject.zh.empty() ? subject.id : subject.zh,
                    subject.en.empty() ? subject.id : subject.en};
    std::vector<Cell> cells = {{name, subject.id}, count_cell(subject.items.total)};
    for (const Board::Entry& entry : board.entries) {
      const bool known = s < entry.exam->subjects.size();
      cells.push_back(
          score_cell(known ? entry.exam->subjects[s].score.value : std::nullopt, *entry.exam));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace keju
