// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/table_parts.h"

namespace keju {
namespace {

Cell percent_cell(const std::optional<double>& share) {
  return share ? Cell{fixed(100 * *share, 2), 100 * *share} : Cell{kNone, nullptr};
}

Cell percent_interval(const std::optional<double>& low, const std::optional<double>& high) {
  if (!low || !high) return {kNone, nullptr};
  return {span_text(100 * *low, 100 * *high, 2), Json::array({100 * *low, 100 * *high})};
}

// Met where the whole interval keeps to the bound, not met where none of it does.
Text verdict_of(const ThresholdView& threshold) {
  if (!threshold.met) return {"无实测", "nothing measured"};
  if (!threshold.sure || !*threshold.sure) return {"不能断定", "not established"};
  return *threshold.met ? Text{"达到", "met"} : Text{"未达到", "not met"};
}

Text bound_of(const ThresholdView& threshold) {
  const double bound = threshold.at_least ? *threshold.at_least : threshold.at_most.value_or(0);
  const std::string text = (threshold.at_least ? "≥ " : "≤ ") + fixed(100 * bound, 1) + " %";
  return threshold.of_right ? Text{"答对 " + text, "right " + text}
                            : Text{"答错 " + text, "wrong " + text};
}

}  // namespace

Table threshold_table(const Standings& standings) {
  Table table;
  table.id = "thresholds";
  table.title = {"门槛", "Thresholds"};
  table.notes = {
      {"试卷自带的比例要求（如拒答测试）：95% "
       "区间整个满足为“达到”，整个不满足为“未达到”，其余为“不能"
       "断定”。读不出的答案按错计。",
       "Shares that a suite itself asks for (refusals, for instance): met where the whole 95% "
       "interval keeps to the bound, not met where none of it does, otherwise not established. "
       "Answers that could not be read count as wrong."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"board", {"分榜", "Board"}, Column::Kind::kText},
                   {"part", {"部分", "Part"}, Column::Kind::kText},
                   {"bound", {"要求", "Bound"}, Column::Kind::kText},
                   {"found", {"实测 %", "Found %"}},
                   {"interval", {"95% 区间", "95% interval"}},
                   {"verdict", {"结论", "Verdict"}, Column::Kind::kText},
                   {"unread", {"读不出", "Unread"}},
                   {"items", {"题数", "Items"}}};
  for (const Board& board : standings.boards) {
    for (const Board::Entry& entry : board.entries) {
      for (const ThresholdView& threshold : entry.exam->thresholds) {
        table.rows.push_back({text_cell(standings.models[entry.model].name),
                              text_cell(board_title(board)),
                              text_cell(threshold.title),
                              text_cell(bound_of(threshold)),
                              percent_cell(threshold.share.value),
                              percent_interval(threshold.share.low, threshold.share.high),
                              text_cell(verdict_of(threshold)),
                              count_cell(threshold.unread),
                              count_cell(threshold.share.n)});
        if (!entry.exam->items.complete()) {
          table.rows.back()[6].marks.push_back({"未完成", "incomplete"});
        }
      }
    }
  }
  return table;
}

Table robustness_table(const Standings& standings) {
  Table table;
  table.id = "robustness";
  table.title = {"选项次序", "Option orders"};
  table.chapter = Chapter::kAbilities;
  table.notes = {
      {"每题按全部循环次序各问一遍。偏好字母：最常选的字母及其占比；召回差：各字母召回率最高与最低"
       "之差，0 为无偏好。原序增益：原序正确率减其余次序的平均；大于 0 是见过原题的迹象而非证明。",
       "Each question is asked in every cyclic order of its options. Favourite letter: the one "
       "chosen most often, and how often; recall spread: the highest recall of a letter less the "
       "lowest, 0 for no bias. Gain of the original order: accuracy there less the mean of the "
       "others; above 0 it is a sign, not a proof, that the items were seen."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"board", {"分榜", "Board"}, Column::Kind::kText},
                   {"mean", {"各序平均", "Mean of orders"}},
                   {"worst", {"最差次序", "Worst order"}},
                   {"all_right", {"各序全对", "Right in all"}},
                   {"original", {"原序", "Original order"}},
                   {"gain", {"原序增益", "Original's gain"}},
                   {"gain_interval", {"增益 95% 区间", "Gain's 95% interval"}},
                   {"favourite", {"偏好字母", "Favourite letter"}, Column::Kind::kText},
                   {"letter_spread", {"召回差", "Recall spread"}},
                   {"questions", {"题目", "Questions"}}};
  for (const Board& board : standings.boards) {
    for (const Board::Entry& entry : board.entries) {
      if (!entry.exam->robustness) continue;
      const RobustnessView& orders = *entry.exam->robustness;
      Cell favourite{kNone, nullptr};
      if (orders.favourite_share) {
        favourite =
            text_cell(orders.favourite + " " + fixed(100 * *orders.favourite_share, 1) + " %");
      }
      table.rows.push_back({text_cell(standings.models[entry.model].name),
                            text_cell(board_title(board)),
                            percent_cell(orders.mean),
                            percent_cell(orders.worst),
                            percent_cell(orders.all_right),
                            percent_cell(orders.canonical),
                            percent_cell(orders.gain),
                            percent_interval(orders.gain_low, orders.gain_high),
                            favourite,
                            percent_cell(orders.letter_spread),
                            count_cell(orders.questions)});
      if (!entry.exam->items.complete()) {
        table.rows.back()[2].marks.push_back({"未完成", "incomplete"});
      }
    }
  }
  return table;
}

}  // namespace keju
