// SPDX-License-Identifier: MIT
#include "gate/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"
#include "gate/kinship_board.h"
#include "lm/fake_model.h"
#include "run/runner.h"
#include "tests/support/fake_exam.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;

FakeExamSpec spec_of() {
  FakeExamSpec spec;
  spec.subjects[0].items = spec.subjects[1].items = 100;
  return spec;
}

std::filesystem::path sit(const std::filesystem::path& out,
                          const std::string& name,
                          std::function<double(int row, int option)> score,
                          FakeExamSpec spec = spec_of()) {
  FakeScript script;
  script.name = script.weights_digest = name;
  script.score = [=](const std::string& prompt, const std::string& text) {
    return score(std::stoi(prompt.substr(prompt.find(' '))), text[1] - 'A');
  };
  RunOptions options;
  options.out = out;
  options.environment = {{"commit", "c-" + name}};
  run_exams(*make_fake_model(script), fake_exams({spec}), options);
  return out;
}

// Wrong on the first `wrong` rows of each subject.
std::function<double(int, int)> skill(int wrong) {
  return [=](int row, int option) {
    return option == (row < wrong ? row + 1 : row) % 4 ? -1.0 : -3.0;
  };
}

TEST(History, StepsByTime) {
  const TempFolder folder;
  const auto a = sit(folder / "a", "one", skill(40)), b = sit(folder / "b", "two", skill(10));
  FakeExamSpec other = spec_of();
  other.data_hash = "data-2";
  const auto c = sit(folder / "c", "three", skill(10), other);
  const auto lines = read_history({c, b, a});
  ASSERT_EQ(lines.size(), 1u);
  const auto& points = lines[0].points;
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].commit, "c-one");
  EXPECT_DOUBLE_EQ(*points[0].score, 0.6);
  EXPECT_DOUBLE_EQ(*points[1].score, 0.9);
  ASSERT_TRUE(points[1].step);
  EXPECT_NEAR(points[1].step->mean.value, 0.3, 1e-12);
  EXPECT_LT(points[1].p_adjusted, 1e-6);
  EXPECT_FALSE(points[2].step);
  EXPECT_THAT(points[2].note, HasSubstr("data_hash"));
  EXPECT_THAT(to_markdown(lines), HasSubstr("c-two"));
  const std::vector<Chart> charts = to_charts(lines);
  ASSERT_EQ(charts.size(), 1u);
  const auto& trend = std::get<TrendChart>(charts[0].what);
  ASSERT_EQ(trend.points.size(), 3u);
  EXPECT_NEAR(*trend.points[1].value, 90, 1e-9);
  EXPECT_LT(*trend.points[1].low, 90);
  EXPECT_TRUE(trend.points[1].step) << "60 to 90";
  EXPECT_FALSE(trend.points[2].step) << "other data";
  EXPECT_THAT(svg_file(charts[0], false), HasSubstr("c-two: 90.0"));
}

TEST(KinshipBoards, TwinsFallTogether) {
  const TempFolder folder;
  // Wrong options are drawn by row and family; twins share the family.
  const auto member_of = [](uint64_t family, double shift) {
    return [=](int row, int option) {
      return -uniform(family, static_cast<uint64_t>(row), static_cast<uint64_t>(option)) +
             shift * option;
    };
  };
  std::vector<AnsweredRun> runs;
  runs.push_back(read_answers(sit(folder / "a", "a", member_of(1, 0))));
  runs.push_back(read_answers(sit(folder / "b", "b", member_of(1, 0.001))));
  runs.push_back(read_answers(sit(folder / "c", "c", member_of(7, 0))));
  runs.push_back(read_answers(sit(folder / "d", "d", member_of(12, 0))));
  const KinshipBoard board = kinship_board(runs, {200, 1});
  ASSERT_EQ(board.pairs.size(), 6u);
  EXPECT_EQ(board.items, 200);
  const Kinship& twins = board.pairs[0].kinship;  // a, b
  EXPECT_EQ(board.pairs[0].witnesses, 2);
  EXPECT_EQ(board.pairs[1].witnesses, 1) << "b is a copy of a and no witness of a and c";
  EXPECT_GT(twins.excess_interval->low, 0.8);
  EXPECT_GT(*twins.correlation, 0.99);
  const Kinship& strangers = board.pairs[5].kinship;  // c, d
  EXPECT_LT(*strangers.excess, 0.3);
  EXPECT_GT(twins.correlation_interval->low, strangers.correlation_interval->high);
  EXPECT_THROW(kinship_board({runs[0]}, {}), Error);
}

}  // namespace
}  // namespace keju
