// SPDX-License-Identifier: MIT
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/table_parts.h"

namespace keju {
namespace {

double at_share(const std::vector<int32_t>& rising, double share) {
  const auto place = static_cast<size_t>(share * static_cast<double>(rising.size() - 1) + 0.5);
  return rising[place];
}

}  // namespace

Table length_table(const Standings& standings) {
  Table table;
  table.id = "lengths";
  table.title = {"答案长度与截断", "Lengths of answers and cuts"};
  table.chapter = Chapter::kSpeed;
  table.notes = {
      {"达到长度上限的答案没有说完，按读得出的部分计分；截断率高于 1% 时分数应存疑。",
       "An answer that hits the limit was not finished and is scored by what can be read "
       "of it; above 1% the score is in doubt."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"board", {"分榜", "Board"}, Column::Kind::kText},
                   {"answers", {"答案", "Answers"}},
                   {"mean", {"平均长度", "Mean length"}},
                   {"p10", "p10"},
                   {"p50", "p50"},
                   {"p90", "p90"},
                   {"cap", {"上限", "Limit"}},
                   {"cap_hits", {"截断", "Cuts"}},
                   {"cap_rate", {"截断率 %", "Cut %"}}};
  LengthChart chart;
  for (const Board& board : standings.boards) {
    for (const Board::Entry& entry : board.entries) {
      const ExamView& exam = *entry.exam;
      if (exam.stored == nullptr || exam.stored->lengths.empty()) continue;
      const std::vector<int32_t>& lengths = exam.stored->lengths;
      const auto count = static_cast<double>(lengths.size());
      const double sum = std::accumulate(lengths.begin(), lengths.end(), 0.0);
      const double rate = static_cast<double>(exam.cap_hits.value_or(0)) / count;
      const auto cap = static_cast<double>(exam.max_tokens.value_or(0));
      const std::string& name = standings.models[entry.model].name;
      const Text title = board_title(board);
      LengthChart::Row row{{name + "：" + title.zh, name + ": " + title.en},
                           at_share(lengths, 0.1),
                           at_share(lengths, 0.5),
                           at_share(lengths, 0.9),
                           cap,
                           rate};
      Cell share{fixed(100 * rate, 2), 100 * rate};
      if (rate > 0.01) share.marks.push_back({"存疑", "in doubt"});
      const auto tokens = [](double value) { return Cell{fixed(value, 0), value}; };
      table.rows.push_back({text_cell(name),
                            text_cell(title),
                            count_cell(static_cast<int64_t>(lengths.size())),
                            {fixed(sum / count, 1), sum / count},
                            tokens(row.p10),
                            tokens(row.p50),
                            tokens(row.p90),
                            tokens(cap),
                            count_cell(exam.cap_hits.value_or(0)),
                            share});
      if (chart.rows.size() < kMostBars) chart.rows.push_back(std::move(row));
    }
  }
  if (!chart.rows.empty()) {
    table.charts.push_back({"lengths",
                            {"答案长度（词元）", "Lengths of answers (tokens)"},
                            {"条：第 10 至 90 百分位；竖线：中位数；虚线：上限",
                             "Bar: 10th to 90th percentile; stroke: median; dashed: the limit"},
                            chart});
  }
  return table;
}

}  // namespace keju
