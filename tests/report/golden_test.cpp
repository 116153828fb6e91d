// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>

#include "base/error.h"
#include "base/mapped_file.h"
#include "report/print.h"

// Two pages as they were looked at in a browser. A change that means to change them is made with
// KEJU_WRITE_GOLDEN=1, and the pages are looked at again.
namespace keju {
namespace {

Leaderboard small_board(const std::string& first, const std::string& second) {
  Table table;
  table.id = "overall";
  table.title = {"总榜", "Overall"};
  table.about = first;
  table.facts = {{"协议 " + first, "protocol " + first}};
  table.notes = {{"说明", "A note"}};
  table.chapter = Chapter::kOverview;
  table.columns = {{"rank", {"排名", "Rank"}, Column::Kind::kRank},
                   {"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"score", {"总分", "Total"}, Column::Kind::kNumber, second},
                   {"interval", {"95% 区间", "95% interval"}}};
  Cell interval{"60.00–80.00", Json::array({60, 80})};
  interval.range = Range{70, 60, 80, 0, 100, 25.0};
  Cell score{"70.00", 70};
  score.best = true;
  Cell quoted{second, second};
  quoted.marks = {{"公开成绩", "published"}};
  table.rows = {{{"🏅️", 1}, {first, first}, score, interval},
                {{"-", nullptr}, quoted, {"65.10", 65.1}, {"—", nullptr}}};
  table.published = {1};
  BarChart bars{{{first, 70, 60.0, 80.0, false}, {second, 65.1, {}, {}, true}}};
  bars.chance = 25;
  table.charts = {{"overall-bars", {"总分", "Totals"}, {"虚线：随机", "Dashed: chance"}, bars},
                  {"radar", first, {}, RadarChart{{"a", second, "c"}, {10, 50, {}}, {60, 70, 80}}}};
  Explorer explorer;
  explorer.id = "board-x";
  explorer.title = first;
  explorer.models = {first};
  Explorer::Answer answer;
  answer.verdict = Explorer::Answer::Verdict::kWrong;
  answer.why = {"得分最高的选项是 B", "option B has the highest score"};
  answer.given = second;
  answer.logprobs = {-1.5F, -0.25F};
  explorer.items = {{"x/1", first, second, first, "A", {"A. " + first, "B. 2"}, {answer}}};
  Leaderboard board;
  board.title = {"榜", first};
  board.summary = {{"2 个模型", "2 models"}};
  board.tables = {table};
  board.explorers = {explorer};
  return board;
}

// Without style, script and their hashes, which have their own tests in a browser.
std::string markup(const Leaderboard& board) {
  std::string page = print_html(board).main;
  for (const char* tag : {"style", "script"}) {
    const std::string open = fmt::format("<{}>", tag), close = fmt::format("</{}>", tag);
    const size_t begin = page.find(open) + open.size();
    page.replace(begin, page.find(close, begin) - begin, "");
  }
  return std::regex_replace(page, std::regex("sha256-[A-Za-z0-9+/]+="), "sha256-…");
}

void expect_golden(const Leaderboard& board, const std::string& name) {
  const std::string path = "tests/report/golden/" + name;
  const std::string page = markup(board);
  if (std::getenv("KEJU_WRITE_GOLDEN") != nullptr) write_file_atomically(path, page);
  EXPECT_EQ(page, read_file(path)) << name;
}

TEST(Golden, PageOfTwoModels) {
  expect_golden(small_board("Qwen-7B-Chat", "GPT-4"), "two_models.html");
}

TEST(Golden, PageOfHostileNames) {
  const std::string evil =
      "</title><script>alert(1)</script><img src=x onerror=\"alert(2)\">'&\x1b[2J\u202e=cmd()";
  expect_golden(small_board(evil, "--></style>" + std::string(5000, '<')), "hostile.html");
}

}  // namespace
}  // namespace keju
