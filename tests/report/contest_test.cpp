// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "report/print.h"
#include "tests/report/report_runs.h"

// What items say of an order: rank intervals, tie groups, totals and guessing, pairs, kinship.
namespace keju {
namespace {

using testing::HasSubstr;
using testing::Not;

class Contests : public Report {
 protected:
  // Right where `right` says so of a row.
  std::filesystem::path sit(const std::string& name,
                            std::function<bool(int)> right,
                            std::vector<FakeExamSpec> specs) {
    FakeScript script = examinee(name, 10);
    script.score = [=](const std::string& prompt, const std::string& text) {
      const int row = row_of(prompt);
      const int choice = right(row) ? row % 4 : (row + 1) % 4;
      return text[1] - 'A' == choice ? -1.0 : -2.0;
    };
    return run(name, std::move(script), std::move(specs));
  }

  // A results.json as somebody else's tool might have written it.
  void patch(const std::filesystem::path& run, const std::function<void(Json& exam)>& change) {
    Json results = read_json(run / "results.json");
    for (Json& exam : results["exams"]) change(exam);
    write_file_atomically(run / "results.json", results.dump());
  }
};

const Json& row_named(const Json& table, const std::string& model) {
  for (const Json& row : table["rows"]) {
    if (row["values"]["model"] == model) return row["values"];
  }
  static const Json kNone;
  ADD_FAILURE() << "no row " << model;
  return kNone;
}

std::vector<std::string> marks_of(const Json& table, const std::string& model) {
  std::vector<std::string> out;
  for (const Json& row : table["rows"]) {
    if (row["values"]["model"] != model) continue;
    for (const Json& mark : row["marks"]) out.push_back(mark["en"]);
  }
  return out;
}

TEST_F(Contests, EqualModelsShareATieGroupAndTheirRanksAreNotSure) {
  // A and C are right in nine tenths each, of different items; B in half.
  const std::vector<std::filesystem::path> runs = {
      sit("A", [](int row) { return row % 10 != 0; }, {choose_spec()}),
      sit("C", [](int row) { return row % 10 != 5; }, {choose_spec()}),
      sit("B", [](int row) { return row % 10 < 5; }, {choose_spec()})};
  const Json board = json_of(runs);
  for (const char* id : {"overall", "board-fake-official-test-0shot"}) {
    const Json& table = table_of(board, id);
    for (const char* twin : {"A", "C"}) {
      EXPECT_EQ(row_named(table, twin)["rank_interval"], Json({1, 2})) << id;
      EXPECT_EQ(row_named(table, twin)["tie_group"], "A") << id;
    }
    EXPECT_EQ(row_named(table, "B")["rank_interval"], Json({3, 3})) << id;
    EXPECT_EQ(row_named(table, "B")["tie_group"], "B") << id;
  }
  EXPECT_THAT(text_of("csv/overall.csv"), HasSubstr(",rank_low,rank_high,tie_group,"));
  for (const char* file : {"leaderboard.md", "leaderboard.tex", "leaderboard.html"}) {
    EXPECT_THAT(text_of(file), HasSubstr("Rank interval")) << file;
    EXPECT_THAT(text_of(file), HasSubstr("Tie group")) << file;
  }
}

TEST_F(Contests, WithoutStoresNothingIsKnownOfRanks) {
  const auto a = run("a", examinee("A", 9), {choose_spec()});
  const auto b = run("b", examinee("B", 6), {choose_spec()});
  std::filesystem::remove(b / "run.db");
  const Json board = json_of({a, b});
  const Json& overall = table_of(board, "overall");
  for (const Json& column : overall["columns"]) EXPECT_NE(column["id"], "rank_interval");
  EXPECT_EQ(row_named(overall, "A")["rank"], 1);
}

TEST_F(Contests, BoardsOfGuessersAreInNoTotal) {
  FakeExamSpec hard = choose_spec();
  hard.suite = "hard";
  hard.title_en = "Hard exam";
  hard.protocol.id = "hard/official";
  const auto guess = [](int row) { return row % 4 == 0; };
  const auto know = [](int row) { return row % 10 < 8; };
  // Each model sits both papers in runs of its own, which make one row.
  const auto both = [&](const std::string& name, auto easy, auto other) {
    const auto first = sit(name, easy, {choose_spec()});
    const auto moved = folder_ / (name + "-easy");
    std::filesystem::rename(first, moved);
    return std::vector<std::filesystem::path>{moved, sit(name, other, {hard})};
  };
  auto a = both("A", know, guess), b = both("B", guess, guess);
  std::vector<std::filesystem::path> runs = a;
  runs.insert(runs.end(), b.begin(), b.end());
  const Json lone = json_of(runs);
  EXPECT_EQ(row_named(table_of(lone, "overall"), "A")["score"], 80.0)
      << "nobody clears chance on the hard paper";
  EXPECT_THAT(text_of("leaderboard.md"), HasSubstr("no model clears chance on it: Hard exam"));
  const auto c = both("C", know, know);
  runs.insert(runs.end(), c.begin(), c.end());
  const Json three = json_of(runs);
  const Json& overall = table_of(three, "overall");
  EXPECT_EQ(row_named(overall, "C")["score"], 80.0);
  EXPECT_NEAR(row_named(overall, "C")["over_chance"].get<double>(), 100 * 55.0 / 75, 1e-9);
  EXPECT_NEAR(row_named(overall, "A")["score"].get<double>(), (80 + 25) / 2.0, 1e-9);
  EXPECT_NEAR(row_named(overall, "A")["over_chance"].get<double>(), 50 * 55.0 / 75, 1e-9)
      << "what was guessed earns nothing";
  EXPECT_THAT(marks_of(overall, "A"), testing::Contains("1 at chance"));
  EXPECT_THAT(marks_of(overall, "B"), testing::Contains("≈ chance"));
  EXPECT_TRUE(row_named(overall, "B")["rank"].is_null());
}

// As several processes leave them: a store each, none named run.db, an item in both now and then.
TEST_F(Contests, SeveralStoresAreOneRun) {
  const auto a = run("a", examinee("A", 9), {choose_spec()});
  const auto b = run("b", examinee("B", 5), {choose_spec()});
  const Json whole = json_of({a, b});
  const std::string page = text_of("leaderboard.html");
  std::filesystem::rename(a / "run.db", a / "run.0.db");
  std::filesystem::copy(a / "run.0.db", a / "run.1.db");
  EXPECT_EQ(json_of({a, b}), whole);
  EXPECT_EQ(text_of("leaderboard.html"), page);
  EXPECT_EQ(row_named(table_of(whole, "overall"), "A")["tie_group"], "A");
}

Json pairwise(const std::string& against) {
  return {
      {"kind", "pairwise"},
      {"judge", "a panel"},
      {"judge_digest", ""},
      {"judge_details", nullptr},
      {"prompt_sha256", "abc"},
      {"votes", 1},
      {"against", {{"model", against}, {"digest", "digest of " + against}}},
      {"verdicts", {{"asked", 240}, {"read", 239}, {"unreadable", 1}, {"missing", 0}}},
      {"items_judged", 120},
      {"parts", Json::array()},
      {"pairs",
       {{"wins", 90}, {"ties", 0}, {"losses", 30}, {"not_lost", 0.75}, {"three_one_none", 0.75}}},
      {"mean_of_categories", nullptr}};
}

TEST_F(Contests, PairsMakeStrengths) {
  FakeExamSpec spec = generate_spec();
  spec.subjects[0].items = spec.subjects[1].items = 100;
  const auto a = run("a", examinee("A", 8), {spec}), b = run("b", examinee("B", 5), {spec});
  for (const auto& one : {a, b}) {
    patch(one, [](Json& exam) { exam["judged"] = pairwise("Rival"); });
  }
  const Json board = json_of({a, b});
  const Json& table = table_of(board, "pairwise-board-sums-official-test-0shot");
  ASSERT_EQ(table["rows"].size(), 3u);
  const auto strength = [&](const char* model) {
    return row_named(table, model)["strength"].get<double>();
  };
  // Two who met one opponent only: the difference to it is the log-odds of their wins.
  EXPECT_NEAR(strength("A") - strength("Rival"), 400 * std::log10(160.0 / 40), 1e-6);
  EXPECT_NEAR(strength("B") - strength("Rival"), 0, 1e-6);
  EXPECT_NEAR((strength("A") + strength("B") + strength("Rival")) / 3, 1000, 1e-6);
  EXPECT_EQ(row_named(table, "A")["rank"], 1);
  EXPECT_EQ(row_named(table, "A")["wins"], 160);
  EXPECT_EQ(row_named(table, "Rival")["wins"], 140);
  EXPECT_LT(row_named(table, "A")["interval"][0].get<double>(), strength("A"));
  EXPECT_EQ(row_named(table_of(board, "judged"), "A")["unreadable"], 1);
  ReportOptions blind;
  blind.blind = true;
  write_report({a, b}, folder_ / "out", blind);
  EXPECT_THAT(text_of("leaderboard.html"), Not(HasSubstr("Rival")));
}

TEST_F(Contests, OtherJudgesMakeOtherBoards) {
  const auto a = run("a", examinee("A", 8), {generate_spec()});
  const auto b = run("b", examinee("B", 5), {generate_spec()});
  patch(a, [](Json& exam) { exam["judged"] = pairwise("Rival"); });
  patch(b, [](Json& exam) {
    exam["judged"] = pairwise("Rival");
    exam["judged"]["judge"] = "another panel";
  });
  int boards = 0;
  const Json board = json_of({a, b});
  for (const Json& table : board["tables"]) {
    boards += table["id"].get<std::string>().starts_with("board-") ? 1 : 0;
  }
  EXPECT_EQ(boards, 2);
}

TEST_F(Contests, ThresholdsOrdersAndErrataStandOnThePage) {
  const auto a = run("a", examinee("A", 8), {choose_spec()});
  const auto b = run("b", examinee("B", 7), {choose_spec()});
  patch(a, [](Json& exam) {
    const auto share = [](double value, double low, double high, Json met, Json sure) {
      return Json{{"subject", "algebra"},
                  {"zh", "应拒"},
                  {"en", "must refuse"},
                  {"of", "wrong"},
                  {"at_least", nullptr},
                  {"at_most", 0.05},
                  {"unread", 2},
                  {"met", met},
                  {"sure", sure},
                  {"value", value},
                  {"se", 0.01},
                  {"low", low},
                  {"high", high},
                  {"n", 60}};
    };
    exam["thresholds"] = {share(0.01, 0.0, 0.04, true, true),
                          share(0.2, 0.1, 0.3, false, true),
                          share(0.06, 0.03, 0.1, false, false)};
    exam["robustness"] = {{"questions", 30},
                          {"orders", 4},
                          {"canonical", 0.8},
                          {"by_order", {0.8, 0.7, 0.6, 0.7}},
                          {"mean", 0.7},
                          {"worst", 0.6},
                          {"all_right", 0.45},
                          {"letters",
                           {{{"letter", "A"}, {"chosen", 0.2}, {"recall", 0.5}},
                            {{"letter", "B"}, {"chosen", 0.8}, {"recall", 0.9}}}},
                          {"letter_spread", 0.4},
                          {"canonical_gain", {{"value", 0.13}, {"low", 0.02}, {"high", 0.24}}}};
    exam["without_errata"] = {
        {"items_left_out", 3},
        {"score", {{"value", 0.82}, {"se", 0.03}, {"low", 0.76}, {"high", 0.88}, {"n", 117}}},
        {"micro", nullptr},
        {"macro", nullptr}};
  });
  const Json board = json_of({a, b});
  const Json& thresholds = table_of(board, "thresholds")["rows"];
  ASSERT_EQ(thresholds.size(), 3u);
  EXPECT_EQ(thresholds[0]["values"]["verdict"], "met");
  EXPECT_EQ(thresholds[1]["values"]["verdict"], "not met");
  EXPECT_EQ(thresholds[2]["values"]["verdict"], "not established");
  EXPECT_EQ(thresholds[0]["values"]["bound"], "wrong ≤ 5.0 %");
  const Json& orders = row_named(table_of(board, "robustness"), "A");
  EXPECT_EQ(orders["worst"], 60.0);
  EXPECT_EQ(orders["all_right"], 45.0);
  EXPECT_EQ(orders["favourite"], "B 80.0 %");
  const Json& paper = table_of(board, "board-fake-official-test-0shot");
  EXPECT_EQ(row_named(paper, "A")["without_errata"], 82.0);
  EXPECT_EQ(row_named(paper, "A")["errata"], 3);
  EXPECT_TRUE(row_named(paper, "B")["without_errata"].is_null());
}

// A quarter is known to all; elsewhere the options are drawn by family, copies a little off.
FakeScript kinsman(const std::string& name, uint64_t family, double off) {
  FakeScript script = examinee(name, 10);
  script.score = [=](const std::string& prompt, const std::string& text) {
    const int row = row_of(prompt), option = text[1] - 'A';
    const uint64_t subject = prompt[0];
    if (row % 4 == 0 && option == row % 4) return -0.01;
    return -1 - uniform(family, subject, static_cast<uint64_t>(row * 4 + option)) + off * option;
  };
  return script;
}

TEST_F(Contests, KinStandOutFromStrangers) {
  const Json board = json_of({run("a", kinsman("Model Q4_1", 1, 0), {choose_spec(200)}),
                              run("b", kinsman("Model Q8_0", 1, 0.003), {choose_spec(200)}),
                              run("c", kinsman("Other", 2, 0), {choose_spec(200)}),
                              run("d", kinsman("Third", 3, 0), {choose_spec(200)})});
  const Json& table = table_of(board, "kinship");
  ASSERT_EQ(table["rows"].size(), 6u);
  for (const Json& row : table["rows"]) {
    const std::string a = row["values"]["model"], b = row["values"]["other"];
    const bool kin = a.starts_with("Model") && b.starts_with("Model");
    EXPECT_EQ(row["values"]["verdict"], kin ? "kin" : "apart") << a << ", " << b;
    EXPECT_EQ(row["values"]["correlation"].get<double>() > 90, kin);
  }
  EXPECT_EQ(table["charts"][0]["id"], "kinship-heat");
  EXPECT_THAT(text_of("leaderboard.html"), HasSubstr("Heat map of shared errors"));
}

}  // namespace
}  // namespace keju
