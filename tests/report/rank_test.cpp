// SPDX-License-Identifier: MIT
#include "report/rank.h"

#include <gtest/gtest.h>

namespace keju {
namespace {

struct Published {
  const char* rank;  // as printed
  double score;
};

// Ranks the rows anew, shuffled, and compares with what was printed.
void expect_as_printed(const std::vector<Published>& board) {
  std::vector<RankRow> rows;
  for (const Published& row : board) rows.push_back({row.score, row.rank != std::string("-")});
  const std::vector<std::optional<int>> places = ranks(rows, {});
  for (size_t i = 0; i < board.size(); ++i) {
    EXPECT_EQ(rank_text(places[i]), board[i].rank) << board[i].score;
  }
  const std::vector<size_t> order = board_order(rows, {});
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i);
}

// SuperCLUE's total boards as published (protocols §13.5).
TEST(Ranks, DecemberTotalBoardComesOutAsPrinted) {
  expect_as_printed({{"-", 90.63},    {"-", 83.92},    {"-", 79.84},  {"🏅️", 79.02},
                     {"🥈", 76.54}, {"🥉", 75.04}, {"4", 74.11},  {"5", 71.92},
                     {"-", 70.28},    {"6", 69.69},    {"7", 68.98},  {"8", 68.46},
                     {"9", 68.33},    {"9", 68.32},    {"-", 67.43},  {"11", 66.35},
                     {"-", 65.29},    {"-", 61.44},    {"12", 61.27}, {"13", 61.12},
                     {"14", 60.46},   {"15", 59.33},   {"16", 58.91}, {"17", 49.50},
                     {"18", 45.36},   {"-", 37.36}});
}

TEST(Ranks, NovemberTotalBoardComesOutAsPrinted) {
  expect_as_printed({{"-", 89.79},    {"-", 75.14},  {"🏅️", 74.02}, {"🥈", 72.88},
                     {"🥉", 71.87}, {"4", 67.14},  {"5", 66.96},       {"5", 66.94},
                     {"7", 66.50},    {"-", 60.62},  {"8", 60.42},       {"-", 59.39},
                     {"9", 58.31},    {"10", 57.90}, {"11", 57.18},      {"12", 56.33},
                     {"13", 55.08},   {"14", 46.47}, {"15", 46.24},      {"16", 43.42},
                     {"-", 31.47}});
}

TEST(Ranks, TiesAreJudgedAgainstTheFirstOfTheirGroup) {
  const auto places = ranks({{50.00, true}, {49.98, true}, {49.96, true}, {49.93, true}}, {});
  EXPECT_EQ(places[0], 1);
  EXPECT_EQ(places[1], 1);
  EXPECT_EQ(places[2], 3) << "0.04 below the first, though near to the second";
  EXPECT_EQ(places[3], 3 + 1) << "exactly 0.03 below is no tie";
}

TEST(Ranks, LowerCanBeBetterAndEqualMeansTied) {
  const RankRules rules{0, true};
  const auto places = ranks({{1.25, true}, {0.80, true}, {0.80, true}, {{}, true}}, rules);
  EXPECT_EQ(places[1], 1);
  EXPECT_EQ(places[2], 1);
  EXPECT_EQ(places[0], 3);
  EXPECT_FALSE(places[3].has_value());
  EXPECT_EQ(board_order({{1.25, true}, {{}, true}, {0.80, true}}, rules),
            (std::vector<size_t>{2, 0, 1}));
}

TEST(Ranks, UnrankedRowsTakeNoPlace) {
  const auto places = ranks({{90, false}, {80, true}}, {});
  EXPECT_FALSE(places[0].has_value());
  EXPECT_EQ(places[1], 1);
  EXPECT_EQ(rank_text(places[0]), "-");
}

}  // namespace
}  // namespace keju
