// SPDX-License-Identifier: MIT
// Cyclic option orders, from the suite to the columns.
#include "run/robustness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lm/fake_model.h"
#include "run/results.h"
#include "run/runner.h"
#include "tests/support/json_schema.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

std::unique_ptr<Exam> open_cyclic(int64_t limit = 3) {
  ExamOptions options;
  options.suite = "keju-opt";
  options.limit = limit;
  options.cyclic = true;
  return Exam::open(options);
}

// The text behind a letter in a prompt ("B. text\n").
std::string shown(const std::string& prompt, char letter) {
  const size_t at = prompt.find(std::string("\n") + letter + ". ") + 4;
  return prompt.substr(at, prompt.find('\n', at) - at);
}

Json robustness(const std::function<double(const std::string&, const std::string&)>& score) {
  const TempFolder folder;
  FakeScript script;
  script.score = score;
  const auto model = make_fake_model(script);
  std::vector<std::unique_ptr<Exam>> exams;
  exams.push_back(open_cyclic());
  RunOptions options;
  options.out = folder / "run";
  run_exams(*model, exams, options);
  const Json results = read_results(folder / "run");
  EXPECT_THAT(JsonSchema(read_json("reports/results.schema.json")).check(results),
              testing::IsEmpty());
  EXPECT_EQ(results["exams"][0]["protocol"], "keju-opt/official+cyclic");
  return results["exams"][0]["robustness"];
}

// The texts of the right options, from the canonical order.
std::map<std::string, std::string> keys() {
  std::map<std::string, std::string> out;
  const auto exam = open_cyclic();
  for (int64_t i = 0; i < exam->size(); i += 4) {
    const ExamItem item = exam->item(i);
    const std::string question = item.prompt.substr(0, item.prompt.find("\nA. "));
    out[question] = shown(item.prompt, static_cast<char>('A' + item.gold));
  }
  return out;
}

TEST(Cyclic, RotatesOptionsAndKeyTogether) {
  const auto exam = open_cyclic();
  ASSERT_EQ(exam->size(), 10 * 3 * 4);
  const ExamItem first = exam->item(4);
  for (int64_t rotation = 1; rotation < 4; ++rotation) {
    const ExamItem item = exam->item(4 + rotation);
    EXPECT_EQ(item.id, first.id + "~" + std::to_string(rotation));
    EXPECT_EQ(item.gold, (first.gold + 4 - rotation) % 4);
    for (int letter = 0; letter < 4; ++letter) {
      EXPECT_EQ(shown(item.prompt, static_cast<char>('A' + letter)),
                shown(first.prompt, static_cast<char>('A' + (letter + rotation) % 4)));
    }
    EXPECT_EQ(item.continuations, first.continuations);
  }
  EXPECT_DOUBLE_EQ(exam->chance(), 0.25);
}

TEST(Cyclic, AModelThatKnowsTheTextsIsRightInEveryOrder) {
  const auto answers = keys();
  const Json r = robustness([&](const std::string& prompt, const std::string& letter) {
    const std::string question = prompt.substr(0, prompt.find("\nA. "));
    return shown(prompt, letter[0]) == answers.at(question) ? -1.0 : -2.0;
  });
  EXPECT_EQ(r["questions"], 30);
  EXPECT_EQ(r["orders"], 4);
  for (const char* column : {"canonical", "mean", "worst", "all_right"}) EXPECT_EQ(r[column], 1.0);
  EXPECT_EQ(r["letter_spread"], 0.0);
  EXPECT_EQ(r["canonical_gain"]["value"], 0.0);
}

TEST(Cyclic, AModelThatSeesOnlyLettersIsRightOnceInFour) {
  const Json r = robustness(
      [](const std::string&, const std::string& letter) { return letter == "B" ? -1.0 : -2.0; });
  EXPECT_DOUBLE_EQ(r["mean"].get<double>(), 0.25);
  EXPECT_EQ(r["all_right"], 0.0);
  EXPECT_EQ(r["letter_spread"], 1.0);
  EXPECT_EQ(r["letters"][1]["chosen"], 1.0);
  EXPECT_EQ(r["letters"][1]["recall"], 1.0);
  EXPECT_EQ(r["letters"][0]["recall"], 0.0);
  EXPECT_LE(r["worst"].get<double>(), 0.25);
}

// Right where the whole item stands as published, else always A.
TEST(Cyclic, AModelThatKnowsThePublishedOrderShowsAGain) {
  std::map<std::string, char> published;
  const auto exam = open_cyclic();
  for (int64_t i = 0; i < exam->size(); i += 4) {
    published[exam->item(i).prompt] = static_cast<char>('A' + exam->item(i).gold);
  }
  const Json r = robustness([&](const std::string& prompt, const std::string& letter) {
    const auto found = published.find(prompt);
    return letter[0] == (found == published.end() ? 'A' : found->second) ? -1.0 : -2.0;
  });
  EXPECT_EQ(r["canonical"], 1.0);
  // In the other orders A is right once where the key is B, C or D, and never where it is A.
  EXPECT_GT(r["canonical_gain"]["low"].get<double>(), 0.5);
  EXPECT_LT(r["worst"].get<double>(), 1.0);
}

TEST(Cyclic, NeedsOptionsToRotate) {
  ExamOptions options;
  options.suite = "keju-refusal";
  options.cyclic = true;
  EXPECT_EQ(error_of([&] { Exam::open(options); }).code(), Code::kUsage);
}

}  // namespace
}  // namespace keju
