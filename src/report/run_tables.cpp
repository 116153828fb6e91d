// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>

#include "base/error.h"
#include "report/contests.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/table_parts.h"

namespace keju {
namespace {

Cell rate_cell(const std::optional<double>& rate) {
  return rate ? Cell{per_second(*rate), *rate} : Cell{kNone, nullptr};
}

Cell seconds_cell(const std::optional<double>& value) {
  return value ? Cell{seconds(*value), *value} : Cell{kNone, nullptr};
}

Cell bytes_cell(int64_t value) { return {bytes(value), value}; }

Cell hash_cell(const std::string& hash) {
  return hash.empty() ? Cell{kNone, nullptr} : Cell{hash_short(hash), hash};
}

void add_percentile_columns(Table& table, const std::string& id, const Text& name) {
  for (const char* percent : {"p50", "p90", "p99"}) {
    table.columns.push_back(
        {fmt::format("{}_{}", id, percent),
         {fmt::format("{} {}", name.zh, percent), fmt::format("{} {}", name.en, percent)}});
  }
}

void add_percentiles(std::vector<Cell>& cells, const PercentilesView& values) {
  for (const auto& value : {values.p50, values.p90, values.p99}) {
    cells.push_back(seconds_cell(value));
  }
}

std::vector<Cell> speed_row(const ModelRow& model, const RunView& run) {
  std::vector<Cell> cells = {text_cell(model.name),
                             text_cell(run.folder),
                             rate_cell(run.prefill_tokens_per_s),
                             rate_cell(run.decode_tokens_per_s)};
  add_percentiles(cells, run.ttft_s);
  add_percentiles(cells, run.tpot_s);
  add_percentiles(cells, run.latency_s);
  cells.push_back(count_cell(run.tokens_computed));
  cells.push_back(count_cell(run.tokens_naive));
  if (run.tokens_naive > 0) {
    const double share =
        static_cast<double>(run.tokens_computed) / static_cast<double>(run.tokens_naive);
    cells.push_back({fixed(100 * share, 1) + "%", share});
  } else {
    cells.push_back({kNone, nullptr});
  }
  cells.push_back(rate_cell(run.items_per_s));
  cells.push_back(run.load_s > 0 ? seconds_cell(run.load_s) : Cell{kNone, nullptr});
  cells.push_back(seconds_cell(run.wall_s));
  cells.push_back(bytes_cell(run.peak_rss_bytes));
  cells.push_back(bytes_cell(run.promise_bytes));
  if (run.peak_rss_bytes > run.promise_bytes) {
    cells[cells.size() - 2].marks.push_back({"超出承诺", "above promise"});
  }
  return cells;
}

}  // namespace

Table speed_table(const Standings& standings) {
  Table table;
  table.id = "speed";
  table.chapter = Chapter::kSpeed;
  table.title = {"速度与内存", "Speed and memory"};
  table.notes = {
      {"预填与生成速度按各阶段用时计；首词元时间自该题首次前向计算起算。“实算/"
       "逐题”是实际经过模型的词元"
       "与逐题计算（每题一次前向，选项合并）所需词元之比。内存承诺 = 权重文件 + KV 页峰值 + 200 "
       "MB。",
       "Prefill and decode rates are over the time of their phase; time to first token counts from "
       "the item's first forward pass. “Computed / naive” compares the tokens that went through "
       "the model with one forward per item, its options together. Memory promise = weights file + "
       "peak KV pages + 200 MB."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"run", {"运行", "Run"}, Column::Kind::kText},
                   {"prefill_tokens_per_s", {"预填 词元/秒", "Prefill tok/s"}},
                   {"decode_tokens_per_s", {"生成 词元/秒", "Decode tok/s"}}};
  add_percentile_columns(table, "ttft_s", {"首词元", "TTFT"});
  add_percentile_columns(table, "tpot_s", {"每词元", "TPOT"});
  add_percentile_columns(table, "latency_s", {"每题", "Latency"});
  const std::vector<Column> rest = {{"tokens_computed", {"实算词元", "Tokens computed"}},
                                    {"tokens_naive", {"逐题词元", "Tokens naive"}},
                                    {"computed_share", {"实算/逐题", "Computed / naive"}},
                                    {"items_per_s", {"题/秒", "Items/s"}},
                                    {"load_s", {"加载", "Load"}},
                                    {"wall_s", {"总用时", "Wall time"}},
                                    {"peak_memory", {"内存峰值", "Peak memory"}},
                                    {"promised_memory", {"内存承诺", "Promise"}}};
  table.columns.insert(table.columns.end(), rest.begin(), rest.end());
  for (const ModelRow& model : standings.models) {
    for (const RunView* run : model.runs) table.rows.push_back(speed_row(model, *run));
  }
  return table;
}

Table provenance_table(const Standings& standings) {
  Table table;
  table.id = "runs";
  table.chapter = Chapter::kRuns;
  table.title = {"运行与指纹", "Runs and fingerprints"};
  table.notes = {
      {"摘要覆盖每题的结果与对数概率的每一位；用相同的文件、协议与数值模式重算，应得到相同的摘要。",
       "A digest covers every item's outcome and every bit of its log-probs: the same "
       "files, protocol and numeric mode must give the same digest."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"run", {"运行", "Run"}, Column::Kind::kText},
                   {"family", {"架构", "Family"}, Column::Kind::kText},
                   {"parameters", {"参数量", "Parameters"}},
                   {"numeric_mode", {"数值模式", "Numeric mode"}, Column::Kind::kText},
                   {"items", {"题数", "Items"}},
                   {"state", {"状态", "State"}, Column::Kind::kText},
                   {"digest", {"结果摘要", "Digest"}, Column::Kind::kText},
                   {"weights_digest", {"权重", "Weights"}, Column::Kind::kText},
                   {"tokenizer_digest", {"分词器", "Tokenizer"}, Column::Kind::kText},
                   {"template_hash", {"对话模板", "Chat template"}, Column::Kind::kText},
                   {"sessions", {"启动次数", "Starts"}}};
  for (const ModelRow& model : standings.models) {
    for (const RunView* run : model.runs) {
      Cell parameters{kNone, nullptr};
      if (run->parameters > 0) parameters = {count_short(run->parameters), run->parameters};
      table.rows.push_back({text_cell(model.name),
                            text_cell(run->folder),
                            text_cell(run->family),
                            parameters,
                            text_cell(run->numeric_mode),
                            count_cell(run->items.total),
                            run->complete ? Cell{{"完成", "complete"}, "complete"}
                                          : Cell{{"未完成", "incomplete"}, "incomplete"},
                            hash_cell(run->digest),
                            hash_cell(run->weights_digest),
                            hash_cell(run->tokenizer_digest),
                            hash_cell(run->template_hash),
                            count_cell(run->sessions)});
    }
  }
  return table;
}

namespace {

void add_summary(const std::vector<RunView>& runs, const Standings& standings, Leaderboard& out) {
  int64_t items = 0;
  std::set<std::string> suites;
  for (const RunView& run : runs) items += run.items.scored + run.items.unscored;
  for (const Board& board : standings.boards) suites.insert(board.paper->suite);
  const auto fact = [&](size_t count, const std::string& zh, const std::string& en) {
    out.summary.push_back({fmt::format("{} {}", count, zh), fmt::format("{} {}", count, en)});
  };
  fact(standings.models.size(), "个模型", standings.models.size() == 1 ? "model" : "models");
  fact(suites.size(), "套试卷", suites.size() == 1 ? "suite" : "suites");
  fact(standings.boards.size(), "个分榜", standings.boards.size() == 1 ? "board" : "boards");
  out.summary.push_back({grouped(items) + " 次作答", grouped(items) + " answers"});
}

}  // namespace

Leaderboard make_leaderboard(const std::vector<RunView>& runs,
                             const ReportOptions& options,
                             ReportResult& result) {
  Standings standings = arrange(runs, options);
  hold_contests(standings);
  Leaderboard out;
  out.title = {options.title_zh, options.title_en};
  add_summary(runs, standings, out);
  const auto add = [&](Table table) {
    if (!table.rows.empty()) out.tables.push_back(std::move(table));
  };
  out.tables.push_back(overall_table(standings, false));
  add(overall_table(standings, true));
  for (const Board& board : standings.boards) {
    add(board_table(standings, board));
    if (board.paper->subjects.size() > 1) add(subject_table(standings, board));
  }
  for (Table& table : pairwise_tables(standings)) add(std::move(table));
  add(judged_table(standings));
  add(threshold_table(standings));
  add(field_table(standings));
  add(category_table(standings));
  add(robustness_table(standings));
  for (Table& section : model_sections(standings)) add(std::move(section));
  add(kinship_table(standings));
  if (!options.blind) add(model_table(standings));
  add(acceptance_table(standings, result));
  add(price_table(standings));
  add(speed_table(standings));
  add(length_table(standings));
  for (Table& table : published_tables(standings)) add(std::move(table));
  add(provenance_table(standings));
  for (const Board& board : standings.boards) {
    Explorer explorer = explorer_of(standings, board);
    if (!explorer.items.empty()) out.explorers.push_back(std::move(explorer));
  }
  // Chapters in order, whatever order their tables were made in.
  std::stable_sort(out.tables.begin(), out.tables.end(), [](const Table& a, const Table& b) {
    return a.chapter < b.chapter;
  });
  return out;
}

}  // namespace keju
