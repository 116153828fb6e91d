// SPDX-License-Identifier: MIT
#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "base/mapped_file.h"
#include "report/leaderboard.h"
#include "tests/report/report_runs.h"
#include "tests/support/json_schema.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> ids_of(const Json& board) {
  std::vector<std::string> ids;
  for (const Json& table : board["tables"]) {
    if (table["chapter"] != "Published scores") ids.push_back(table["id"].get<std::string>());
  }
  return ids;
}

std::vector<std::string> ranking(const Json& table) {
  std::vector<std::string> out;
  for (const Json& row : table["rows"]) {
    const Json& rank = row["values"]["rank"];
    out.push_back((rank.is_null() ? "-" : rank.dump()) + " " +
                  row["values"]["model"].get<std::string>());
  }
  return out;
}

TEST_F(Report, RanksModelsOnEveryBoardAndOverall) {
  const std::vector<FakeExamSpec> papers = {choose_spec(), generate_spec(), text_spec()};
  const auto good = run("a", examinee("Good", 9, 0.8), papers);
  const auto fair = run("b", examinee("Fair", 6, 0.9), papers);
  const auto best = run("c", examinee("Best", 10, 0.7), papers);
  const Json board = json_of({good, fair, best});

  EXPECT_THAT(ids_of(board),
              ElementsAre("overall",
                          "board-fake-official-test-0shot",
                          "subjects-board-fake-official-test-0shot",
                          "board-sums-official-test-0shot",
                          "subjects-board-sums-official-test-0shot",
                          "board-text-official-test-0shot",
                          "subjects-board-text-official-test-0shot",
                          "abilities",
                          "model-best",
                          "model-fair",
                          "model-good",
                          "kinship",
                          "models",
                          "price",
                          "speed",
                          "lengths",
                          "runs"));
  EXPECT_THAT(ranking(table_of(board, "overall")), ElementsAre("1 Best", "2 Good", "3 Fair"));
  const Json& first = table_of(board, "overall")["rows"][0]["values"];
  EXPECT_DOUBLE_EQ(first["score"].get<double>(), 100.0);
  EXPECT_EQ(first["items"], 128) << "texts have no place in a mean of scores";

  const Json& exam = table_of(board, "board-fake-official-test-0shot");
  EXPECT_THAT(ranking(exam), ElementsAre("1 Best", "2 Good", "3 Fair"));
  EXPECT_DOUBLE_EQ(exam["rows"][1]["values"]["score"].get<double>(), 90.0);
  EXPECT_DOUBLE_EQ(exam["rows"][2]["values"]["category:STEM"].get<double>(), 60.0);
  EXPECT_EQ(exam["rows"][2]["values"]["scored"], 120);

  const Json& texts = table_of(board, "board-text-official-test-0shot");
  EXPECT_THAT(ranking(texts), ElementsAre("1 Best", "2 Good", "3 Fair"));
  EXPECT_NEAR(texts["rows"][0]["values"]["score"].get<double>(), 0.7, 1e-12);
}

TEST_F(Report, FollowsItsSchemas) {
  const Json board = json_of({run("a", examinee("A", 9), {choose_spec(), text_spec()})});
  const JsonSchema schema(read_json("reports/leaderboard.schema.json"));
  EXPECT_THAT(schema.check(board), IsEmpty());
  Json wrong = board;
  wrong["tables"][0]["id"] = "Over all";
  EXPECT_EQ(schema.check(wrong).size(), 1u);
}

TEST_F(Report, ChanceAndIncompleteRowsAreMarkedAndUnranked) {
  const auto good = run("a", examinee("Good", 9), {choose_spec()});
  FakeScript guess = examinee("Guess", 0);
  guess.score = [](const std::string&, const std::string& text) {
    return text == " A" ? -1.0 : -2.0;
  };
  const auto chance = run("b", guess, {choose_spec()});
  const auto half = run("c", examinee("Half", 10), {choose_spec()}, 50);
  const Json board = json_of({good, chance, half});

  const Json& exam = table_of(board, "board-fake-official-test-0shot");
  EXPECT_THAT(ranking(exam), ElementsAre("- Half", "1 Good", "- Guess"));
  EXPECT_EQ(exam["rows"][0]["marks"][0]["en"], "incomplete 50 / 120");
  EXPECT_EQ(exam["rows"][2]["marks"][0]["en"], "≈ chance");
  EXPECT_THAT(ranking(table_of(board, "overall")), ElementsAre("- Half", "1 Good", "- Guess"))
      << "unranked rows stay in their score's place";
  EXPECT_EQ(table_of(board, "runs")["rows"][2]["values"]["state"], "incomplete");
  EXPECT_THAT(text_of("leaderboard.html"), HasSubstr("incomplete 50 / 120"));
  EXPECT_THAT(text_of("leaderboard.md"), HasSubstr("(incomplete 50 / 120)"));
}

TEST_F(Report, PapersThatDifferInAnythingAreDifferentBoards) {
  std::vector<std::filesystem::path> runs = {run("0", examinee("M0", 9), {choose_spec()})};
  const std::vector<std::function<void(FakeExamSpec&)>> changes = {
      [](FakeExamSpec& e) { e.shots = 5; },
      [](FakeExamSpec& e) { e.split = "val"; },
      [](FakeExamSpec& e) { e.protocol.id = "fake/lm-eval"; },
      [](FakeExamSpec& e) { e.limit = 60; },
      [](FakeExamSpec& e) { e.subjects[0].items = 61; },
      [](FakeExamSpec& e) { e.suite_hash = "suite-2"; }};
  for (size_t i = 0; i < changes.size(); ++i) {
    FakeExamSpec spec = choose_spec();
    changes[i](spec);
    const std::string name = std::to_string(i + 1);
    runs.push_back(run(name, examinee("M" + name, 9), {spec}));
  }
  const Json board = json_of(runs);
  int boards = 0;
  for (const Json& table : board["tables"]) {
    if (!table["id"].get<std::string>().starts_with("board-")) continue;
    EXPECT_EQ(table["rows"].size(), 1u) << table["id"];
    ++boards;
  }
  EXPECT_EQ(boards, 7);
}

TEST_F(Report, RunsOfOneModelMakeOneRowAndRepeatedOnesTwo) {
  const auto a = run("a", examinee("M", 9), {choose_spec()});
  const auto b = run("b", examinee("M", 9), {generate_spec()});
  const auto again = run("c", examinee("M", 9), {choose_spec()});
  FakeScript other = examinee("M", 8);
  other.weights_digest = "another file";
  const auto namesake = run("d", other, {choose_spec()});
  const Json board = json_of({a, b, again, namesake});
  const Json& exam = table_of(board, "board-fake-official-test-0shot");
  std::vector<std::string> names;
  for (const Json& row : exam["rows"]) names.push_back(row["values"]["model"].get<std::string>());
  std::sort(names.begin(), names.end());
  EXPECT_THAT(
      names,
      ElementsAre("M [another file, fake]", "M [weights of M, fake]", "M [weights of M, fake] #2"));
  EXPECT_EQ(table_of(board, "runs")["rows"].size(), 4u);
}

TEST_F(Report, OverallUsesTheBoardsThatMostModelsFinished) {
  const auto a = run("a", examinee("A", 9), {choose_spec(), generate_spec()});
  const auto b = run("b", examinee("B", 8), {choose_spec(), generate_spec()});
  const auto c = run("c", examinee("C", 10), {choose_spec()});
  const Json board = json_of({a, b, c});
  const Json& overall = table_of(board, "overall");
  EXPECT_THAT(ranking(overall), ElementsAre("1 A", "2 B", "- C"));
  EXPECT_EQ(overall["rows"][2]["marks"][0]["en"], "boards missing");
}

TEST_F(Report, OverallIntervalOfOneBoardIsThatBoards) {
  const auto a = run("a", examinee("A", 10), {choose_spec()});
  const Json board = json_of({a, run("b", examinee("B", 8), {choose_spec()})});
  const Json& overall = table_of(board, "overall")["rows"];
  const Json& exam = table_of(board, "board-fake-official-test-0shot")["rows"];
  for (size_t i = 0; i < 2; ++i) {
    for (size_t end = 0; end < 2; ++end) {
      EXPECT_NEAR(overall[i]["values"]["interval"][end].get<double>(),
                  exam[i]["values"]["interval"][end].get<double>(),
                  1e-9);
    }
  }
  EXPECT_LT(overall[0]["values"]["interval"][0].get<double>(), 100.0);
}

TEST_F(Report, GenerativeBoardShowsCapsAndAnswersNotRead) {
  const Json board = json_of({run("a", examinee("A", 3), {generate_spec()})});
  const Json& row = table_of(board, "board-sums-official-test-0shot")["rows"][0]["values"];
  // Rows 3 and 4 of five and none of three others have no answer and hit the limit of 12 tokens.
  EXPECT_EQ(row["cap_hits"], 2);
  EXPECT_EQ(row["no_answer"], 2);
  EXPECT_DOUBLE_EQ(row["score"].get<double>(), 75.0);
  EXPECT_DOUBLE_EQ(row["completed_only"].get<double>(), 100.0);
}

TEST_F(Report, SpeedBoardHasEveryFigure) {
  const Json board = json_of({run("a", examinee("A", 3), {choose_spec(), generate_spec()})});
  const Json& row = table_of(board, "speed")["rows"][0]["values"];
  EXPECT_NEAR(row["prefill_tokens_per_s"].get<double>(), 1e5, 1);
  EXPECT_NEAR(row["decode_tokens_per_s"].get<double>(), 1e4, 1);
  EXPECT_DOUBLE_EQ(row["computed_share"].get<double>(), 1.0);
  for (const char* id : {"ttft_s_p50",
                         "ttft_s_p99",
                         "tpot_s_p90",
                         "latency_s_p99",
                         "load_s",
                         "wall_s",
                         "peak_memory",
                         "promised_memory",
                         "items_per_s"}) {
    EXPECT_TRUE(row[id].is_number()) << id;
  }
}

TEST_F(Report, SameRunsSameBytesInAnyOrder) {
  const auto a = run("a", examinee("A", 9), {choose_spec(), text_spec()});
  const auto b = run("b", examinee("B", 8), {choose_spec(), generate_spec()});
  const auto first = write_report({a, b}, folder_ / "x").files;
  const auto second = write_report({b, a}, folder_ / "y").files;
  ASSERT_EQ(first.size(), second.size());
  EXPECT_GT(first.size(), 8u);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(read_file(first[i]), read_file(second[i])) << first[i];
  }
}

// Every tag of the page must be one that our printer writes, however a run is named.
void expect_only_our_tags(const std::string& page) {
  const std::regex tag("<(/?[a-zA-Z!][a-zA-Z0-9]*)");
  const std::set<std::string> ours = {
      "!DOCTYPE", "html",     "head",   "meta", "title",   "style",      "body",    "input",
      "header",   "div",      "h1",     "h2",   "span",    "ul",         "li",      "label",
      "main",     "nav",      "a",      "p",    "section", "table",      "caption", "thead",
      "tbody",    "tr",       "th",     "td",   "svg",     "line",       "ellipse", "details",
      "summary",  "footer",   "script", "h3",   "figure",  "figcaption", "rect",    "circle",
      "polygon",  "polyline", "text"};
  int scripts = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), tag), end; it != end; ++it) {
    std::string name = (*it)[1];
    scripts += name == "script" ? 1 : 0;
    if (name[0] == '/') name.erase(0, 1);
    EXPECT_EQ(ours.count(name), 1u) << "<" << name;
  }
  EXPECT_EQ(scripts, 1);
}

TEST_F(Report, HostileRunFolderHarmsNoFormat) {
  const std::string evil =
      "</title><script>alert(1)</script><img src=x onerror=\"alert(2)\">|[x](javascript:1)\x1b[2J\n"
      "=cmd()\u202e";
  FakeExamSpec spec = generate_spec();
  spec.suite = "<b>suite";
  spec.title_zh = "\"><svg onload=alert(3)>";
  spec.title_en = "'`|\n# heading";
  spec.protocol.id = "../../\"><script>";
  spec.protocol.about = "<!-- about";
  spec.split = "=1+1";
  spec.categories = {"</td><td>", "@cat"};
  spec.subjects = {{"<i>s", "=zh", "<u>", {"</td><td>"}, 3}, {"@cat", "", "", {"@cat"}, 3}};
  spec.protocol.generate.max_tokens = 20'000'000;
  FakeScript script = examinee("=cmd()", 9);
  script.generate = [](const std::string& prompt) {
    return std::string(row_of(prompt) == 1 ? 10'000'000 : 1, '<');
  };
  const auto a = run("=evil", script, {spec});
  FakeScript named = examinee(evil, 9);
  const auto b = run("<b>", named, {choose_spec()});
  write_report({a, b}, folder_ / "out");

  const std::string page = text_of("leaderboard.html");
  expect_only_our_tags(page);
  EXPECT_THAT(page, HasSubstr("&lt;/title&gt;&lt;script&gt;alert(1)"));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\u202e")));
  EXPECT_THAT(page, Not(HasSubstr("http://")));
  EXPECT_THAT(page, Not(HasSubstr("https://")));
  EXPECT_LT(page.size(), 1'000'000u);

  const std::string markdown = text_of("leaderboard.md");
  EXPECT_THAT(markdown, Not(HasSubstr("<script")));
  EXPECT_THAT(markdown, Not(HasSubstr("[x](javascript")));
  EXPECT_THAT(markdown, Not(HasSubstr("\n# heading")));

  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "out")) {
    if (entry.path().extension() != ".csv") continue;
    const std::string text = read_file(entry.path());
    EXPECT_FALSE(std::regex_search(text, std::regex("(^|[,\\n]\"?)[=+@]"))) << entry.path();
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "script"));
  read_json(folder_ / "out" / "leaderboard.json");
}

TEST_F(Report, EscapesInResultsFilesOfOthers) {
  // A results.json may be written by hand; wrong types are refused with their place.
  const auto a = run("a", examinee("A", 9), {choose_spec()});
  const std::string good = read_file(a / "results.json");
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    write_file_atomically(a / "results.json", bad);
    return error_of([&] { write_report({a}, folder_ / "out"); });
  };
  const Error scored = refused("\"scored\": 120", "\"scored\": \"many\"");
  EXPECT_EQ(scored.code(), Code::kInput);
  EXPECT_THAT(scored.what(), HasSubstr("items: scored"));
  EXPECT_EQ(refused("\"complete\": true", "\"complete\": 1").code(), Code::kInput);
  EXPECT_EQ(refused("\"tokens\":", "\"token\":").code(), Code::kInput);
  EXPECT_EQ(refused("\"exams\": [", "\"exams\": [7,").code(), Code::kInput);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out" / "leaderboard.html"));
  write_file_atomically(a / "results.json", good);
  write_report({a}, folder_ / "out");
}

TEST_F(Report, PageFetchesNothingAndSaysSo) {
  write_report({run("a", examinee("A", 9), {choose_spec()})}, folder_ / "out");
  const std::string page = text_of("leaderboard.html");
  EXPECT_THAT(page, HasSubstr("default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr(" style=")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("url(")));
  EXPECT_THAT(page, Not(HasSubstr("unsafe-inline")));
}

TEST_F(Report, NamesWhatItCannotRead) {
  EXPECT_EQ(error_of([&] { write_report({}, folder_ / "out"); }).code(), Code::kUsage);
  const Error absent = error_of([&] { write_report({folder_ / "absent"}, folder_ / "out"); });
  EXPECT_EQ(absent.code(), Code::kIo);
  EXPECT_THAT(absent.what(), HasSubstr("absent: found no folder"));
  const auto a = run("a", examinee("A", 9), {choose_spec()});
  EXPECT_EQ(error_of([&] { write_report({a, a}, folder_ / "out"); }).code(), Code::kUsage);
}

}  // namespace
}  // namespace keju
