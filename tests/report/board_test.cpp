// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "report/chart.h"
#include "report/escape.h"
#include "report/print.h"
#include "tests/report/report_runs.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Boards : public Report {
 protected:
  Json report(const std::vector<std::filesystem::path>& runs, const ReportOptions& options = {}) {
    write_report(runs, folder_ / "out", options);
    return read_json(folder_ / "out" / "leaderboard.json");
  }
};

std::vector<std::string> ranking(const Json& table) {
  std::vector<std::string> out;
  for (const Json& row : table["rows"]) {
    const Json& rank = row["values"]["rank"];
    out.push_back((rank.is_null() ? "-" : rank.dump()) + " " +
                  row["values"]["model"].get<std::string>());
  }
  return out;
}

FakeExamSpec ceval_spec() {
  FakeExamSpec spec = choose_spec();
  spec.suite = "ceval";
  spec.protocol.id = "ceval/official";
  spec.shots = 5;
  return spec;
}

TEST_F(Boards, PublishedRowsStandBesideMeasuredOnesAndTakeNoRank) {
  const auto a = run("a", examinee("A", 6), {ceval_spec()});
  const auto b = run("b", examinee("B", 9), {ceval_spec()});
  const Json board = report({a, b});
  const Json& table = table_of(board, "board-ceval-official-test-5shot");
  const std::vector<std::string> rows = ranking(table);
  ASSERT_EQ(rows.size(), 13u);
  EXPECT_EQ(rows[0], "1 B");      // 90
  EXPECT_EQ(rows[1], "- GPT-4");  // 68.7, five-shot test average of the README
  EXPECT_EQ(rows[2], "2 A");      // 60
  EXPECT_EQ(table["rows"][1]["values"]["score"], 68.7);
  EXPECT_EQ(table["rows"][1]["values"]["category:STEM"], 67.1);
  EXPECT_EQ(table["rows"][1]["values"]["category:Hard"], 54.9);
  EXPECT_EQ(table["rows"][1]["published"], true);
  EXPECT_EQ(table["rows"][2]["published"], false);
}

TEST_F(Boards, OpenAndOptMakeTheTotal) {
  const auto a = run("a", examinee("A", 10), {choose_spec(), generate_spec()});
  const Json first = table_of(report({a}), "overall")["rows"][0]["values"];
  EXPECT_EQ(first["opt"], 100.0);
  const double open = first["open"].get<double>();
  EXPECT_NEAR(first["score"].get<double>(), 0.7 * open + 0.3 * 100, 1e-9);
  ReportOptions half;
  half.open_share = 0.5;
  const Json second = table_of(report({a}, half), "overall")["rows"][0]["values"];
  EXPECT_NEAR(second["score"].get<double>(), 0.5 * open + 0.5 * 100, 1e-9);
}

TEST_F(Boards, ModelsFromElsewhereOrForReferenceAreListedUnranked) {
  const auto a = run("a", examinee("GPT-4", 10), {choose_spec()});
  const auto b = run("b", examinee("Qwen-7B-Chat Int4", 9), {choose_spec()});
  const auto c = run("c", examinee("C", 8), {choose_spec()});
  ReportOptions options;
  options.home = "CN";
  options.unranked = {"C"};
  const Json board = report({a, b, c}, options);
  for (const char* id : {"overall", "board-fake-official-test-0shot"}) {
    EXPECT_THAT(ranking(table_of(board, id)), ElementsAre("- GPT-4", "1 Qwen-7B-Chat Int4", "- C"));
  }
  EXPECT_THAT(ranking(table_of(board, "open-weights")), ElementsAre("1 Qwen-7B-Chat Int4", "- C"))
      << "GPT-4 is an API";
  EXPECT_EQ(table_of(board, "overall")["rows"][1]["values"]["organisation"], "Alibaba");
  options.unranked = {"D"};
  EXPECT_EQ(error_of([&] { report({a, b, c}, options); }).code(), Code::kUsage);
}

TEST_F(Boards, ModelTableSaysWhoHasNoPublishedScore) {
  const Json board = report({run("a", examinee("A", 9), {choose_spec()})});
  int none = 0;
  for (const Json& row : table_of(board, "models")["rows"]) {
    const Json& values = row["values"];
    if (values["known"] != "no published score") continue;
    ++none;
    EXPECT_NE(values["model"], "GPT-4");
  }
  EXPECT_GE(none, 3);
  EXPECT_THAT(read_file(folder_ / "out" / "leaderboard.html"), HasSubstr("无公开成绩"));
}

TEST_F(Boards, ExplorerShowsWhatEachModelGaveAndWhy) {
  const auto a = run("a", examinee("A", 9), {choose_spec(), generate_spec()});
  const auto b = run("b", examinee("B", 3), {choose_spec(), generate_spec()});
  report({a, b});
  const std::string page = read_file(folder_ / "out" / "leaderboard.html");
  EXPECT_THAT(page, HasSubstr("option B has the highest score"));
  EXPECT_THAT(page, HasSubstr("a long way"));
  EXPECT_THAT(page, HasSubstr("read as 2, answer 2"));
  EXPECT_THAT(page, HasSubstr("100 of 120 items, drawn at random"));
  const std::regex item("<details class=\"item\"");
  EXPECT_EQ(std::distance(std::sregex_iterator(page.begin(), page.end(), item), {}), 108);
  ReportOptions none;
  none.items = 0;
  report({a, b}, none);
  EXPECT_THAT(read_file(folder_ / "out" / "leaderboard.html"),
              Not(HasSubstr("<details class=\"item\"")));
}

TEST_F(Boards, ManyItemsGoToPagesOfTheirOwn) {
  FakeExamSpec spec = choose_spec(1000);
  ReportOptions all;
  all.items = 5000;
  report({run("a", examinee("A", 9), {spec})}, all);
  const std::string page = read_file(folder_ / "out" / "leaderboard.html");
  EXPECT_THAT(page, HasSubstr("items/board-fake-official-test-0shot.html"));
  EXPECT_THAT(page, Not(HasSubstr("<details class=\"item\"")));
  const std::string items = read_file(folder_ / "out/items/board-fake-official-test-0shot.html");
  EXPECT_THAT(items, HasSubstr("algebra"));
  EXPECT_THAT(items, HasSubstr("default-src 'none'"));
  EXPECT_THAT(items, HasSubstr("../leaderboard.html"));
}

TEST(Latex, EveryCharacterOfTexIsText) {
  EXPECT_EQ(latex("a_b & 50% #1 $x$ {y} ~ ^"),
            "a\\_b \\& 50\\% \\#1 \\$x\\$ \\{y\\} \\textasciitilde{} \\textasciicircum{}");
  EXPECT_EQ(latex("\\input{/etc/passwd}"), "\\textbackslash{}input\\{/etc/passwd\\}");
}

TEST(Charts, FilesAreOneWellFormedElementWithoutForeignMarkup) {
  const std::string evil = "</svg><script>alert(1)</script>\"&\x1b";
  BarChart bars;
  bars.rows = {{evil, 50, 40.0, 60.0, false}, {"b", 20, {}, {}, true}};
  RadarChart radar{{evil, "b", "c"}, {1, 50, {}}, {60, 70, 80}};
  HeatMap heat{{evil, "b"}, {{evil, {1, 99}}, {"n", {{}, 50}}}};
  ScatterChart scatter{evil, "y", {{evil, 1e6, 50, 40, 60}, {"b", 3e9, 70, {}, {}}}};
  CalibrationChart calibration{{{0.3, 0.25, 10}, {0.9, 1, 0}}};
  LengthChart lengths{{{evil, 1, 2, 3, 12, 0.5}}};
  for (const Chart& chart : {Chart{"a", evil, {}, bars},
                             Chart{"b", evil, {}, radar},
                             Chart{"c", evil, {}, heat},
                             Chart{"d", evil, {}, scatter},
                             Chart{"e", evil, {}, calibration},
                             Chart{"f", evil, {}, lengths}}) {
    for (const std::string& svg :
         {svg_file(chart, true), svg_file(chart, false), svg_in_page(chart)}) {
      EXPECT_THAT(svg, Not(HasSubstr("<script")));
      EXPECT_THAT(svg, Not(HasSubstr("\x1b")));
      EXPECT_THAT(svg, Not(HasSubstr("nan")));
      EXPECT_EQ(svg.find("</svg>"), svg.rfind("</svg>"));
      EXPECT_EQ(std::count(svg.begin(), svg.end(), '<'), std::count(svg.begin(), svg.end(), '>'));
    }
  }
}

}  // namespace
}  // namespace keju
