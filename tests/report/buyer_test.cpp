// SPDX-License-Identifier: MIT
#include "report/buyer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/run_items.h"
#include "tests/report/report_runs.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<float> one_to(int n) {
  std::vector<float> values;
  for (int i = 1; i <= n; ++i) values.push_back(static_cast<float>(i));
  return values;
}

// Ends of the distribution-free interval of the median, for n values: ranks from Conover, Practical
// Nonparametric Statistics (binomial tables at p = 1/2).
TEST(Quantile, IntervalOfTheMedianIsThatOfTheBinomialTables) {
  EXPECT_EQ(quantile(one_to(10), 0.5).low, 2.0);    // P[Bin(10, ½) ≤ 1] = 0.0107, ≤ 2: 0.0547
  EXPECT_EQ(quantile(one_to(10), 0.5).high, 9.0);   // P[Bin ≤ 8] = 0.9893
  EXPECT_EQ(quantile(one_to(20), 0.5).low, 6.0);    // P[Bin(20, ½) ≤ 5] = 0.0207
  EXPECT_EQ(quantile(one_to(20), 0.5).high, 15.0);  // P[Bin ≤ 14] = 0.9793
  EXPECT_EQ(quantile(one_to(20), 0.5).value, 10.0);
}

TEST(Quantile, TooFewValuesHaveNoUpperEnd) {
  // P[Bin(n, 0.99) ≤ n − 1] = 1 − 0.99ⁿ reaches 0.975 at n = 368.
  EXPECT_FALSE(quantile(one_to(367), 0.99).high.has_value());
  EXPECT_TRUE(quantile(one_to(368), 0.99).high.has_value());
  EXPECT_FALSE(quantile(one_to(5), 0.5).low.has_value());  // 2⁻⁵ > 0.025
}

TEST(Requirement, IsJudgedByTheWholeInterval) {
  Requirement least, most;
  least.at_least = 60;
  most.at_most = 60;
  EXPECT_EQ(judge(least, 60, 70), Met::kMet);
  EXPECT_EQ(judge(least, 50, 59.9), Met::kNotMet);
  EXPECT_EQ(judge(least, 55, 65), Met::kNotEstablished);
  EXPECT_EQ(judge(least, {}, {}), Met::kNotEstablished);
  EXPECT_EQ(judge(most, 50, 60), Met::kMet);
  EXPECT_EQ(judge(most, 60.1, {}), Met::kNotMet);
  EXPECT_EQ(judge(most, 50, {}), Met::kNotEstablished);
}

class Buyer : public Report {
 protected:
  std::string file(const std::string& text) {
    write_file_atomically(folder_ / "f.yaml", text);
    return (folder_ / "f.yaml").string();
  }
  ReportResult with(const std::string& requirements, const std::filesystem::path& run) {
    ReportOptions options;
    options.acceptance = file("requirements:\n" + requirements);
    return write_report({run}, folder_ / "out", options);
  }
};

TEST_F(Buyer, AcceptanceFileIsMetNotMetOrNotEstablished) {
  // 108 of 120 right: Wilson's interval is 83.3 to 94.2.
  const auto a = run("a", examinee("A", 9), {choose_spec()});
  const ReportResult met = with("  - {what: score, suite: fake, at_least: 80}\n", a);
  EXPECT_TRUE(met.all_met);
  const ReportResult three = with(
      "  - {what: score, suite: fake, at_least: 80}\n"
      "  - {what: score, suite: fake, at_least: 90}\n"
      "  - {what: score, suite: fake, at_least: 95}\n"
      "  - {what: refusal_rate, at_most: 5}\n",
      a);
  ASSERT_EQ(three.acceptance.size(), 4u);
  EXPECT_EQ(three.acceptance[0].verdict, "met");
  EXPECT_EQ(three.acceptance[1].verdict, "not established");
  EXPECT_EQ(three.acceptance[2].verdict, "not met");
  EXPECT_EQ(three.acceptance[3].verdict, "not established") << "nothing was generated";
  EXPECT_TRUE(three.any_failed);
  EXPECT_THAT(read_file(folder_ / "out" / "leaderboard.html"), HasSubstr("不能断定"));
}

TEST_F(Buyer, BadAcceptanceFilesAreRefusedWithTheirLine) {
  const auto a = run("a", examinee("A", 9), {choose_spec()});
  const auto refused = [&](const std::string& text) {
    const Error error = error_of([&] { with(text, a); });
    EXPECT_EQ(error.code(), Code::kInput);
    return std::string(error.what());
  };
  EXPECT_THAT(refused("  - {what: scores, suite: x, at_least: 1}\n"), HasSubstr("did you mean"));
  EXPECT_THAT(refused("  - {what: score, at_least: 1}\n"), HasSubstr("f.yaml:2"));
  EXPECT_THAT(refused("  - {what: ttft, at_least: 1, at_most: 2}\n"), HasSubstr("one of"));
  EXPECT_THAT(refused("  - {what: ttft, percentile: 100, at_most: 2}\n"), HasSubstr("percentile"));
}

TEST_F(Buyer, PriceOfACorrectAnswerFollowsFromTokensAndPrice) {
  const auto a = run("a", examinee("Priced", 9), {choose_spec()});
  ReportOptions options;
  options.cards.add(
      "organisations:\n  - {id: o, zh: o, en: o}\nmodels:\n  - {id: priced, name: Priced, org: o,\n"
      "     access: api, price: {currency: CNY, per_hour: 3600, date: \"2026\"}}\n",
      "m.yaml");
  write_report({a}, folder_ / "out", options);
  const Json board = read_json(folder_ / "out" / "leaderboard.json");
  const Json& row = table_of(board, "price")["rows"][0]["values"];
  EXPECT_EQ(row["correct"], 108.0);
  EXPECT_EQ(row["currency"], "CNY");
  // One CNY a second: the price of an answer is its seconds.
  EXPECT_NEAR(row["price"].get<double>(), row["seconds"].get<double>(), 1e-9);
  EXPECT_LT(row["interval"][0].get<double>(), row["price"].get<double>());
  EXPECT_GT(row["interval"][1].get<double>(), row["price"].get<double>());
}

TEST_F(Buyer, BlindReportNamesNobody) {
  FakeScript first = examinee("Secretive-7B", 9), second = examinee("Hidden-13B", 7);
  const auto a = run("run-of-secretive", first, {choose_spec(), generate_spec()});
  const auto b = run("run-of-hidden", second, {choose_spec(), generate_spec()});
  ReportOptions options;
  options.blind = true;
  options.cards.add(
      "organisations:\n  - {id: o, zh: Telltale Org, en: Telltale Org}\nmodels:\n  - {id: "
      "secretive-7b, "
      "name: Secretive-7B,\n     org: o, access: api, price: {currency: CNY, per_hour: 2, date: "
      "x}}\n",
      "m.yaml");
  const ReportResult result = write_report({a, b}, folder_ / "out", options);
  ASSERT_EQ(result.key.size(), 2u);
  EXPECT_EQ(result.key[0].first, "甲");
  EXPECT_EQ(result.key[1].first, "乙");
  for (const auto& file : result.files) {
    const std::string text = read_file(file);
    for (const char* word :
         {"Secretive", "Hidden-13B", "secretive", "run-of-", "weights of", "Telltale"}) {
      EXPECT_THAT(text, Not(HasSubstr(word))) << file;
    }
  }
  EXPECT_THAT(read_file(folder_ / "out" / "csv" / "price.csv"), HasSubstr("CNY"));
  const ReportResult again = write_report({b, a}, folder_ / "out2", options);
  EXPECT_EQ(again.key, result.key);
}

}  // namespace
}  // namespace keju
