// SPDX-License-Identifier: MIT
#include "gate/first_cause.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"
#include "base/mapped_file.h"
#include "lm/fake_model.h"
#include "run/export.h"
#include "run/runner.h"
#include "tests/support/fake_exam.h"
#include "tests/support/require.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;

// Prompts with a header in Chinese and two worked examples.
class ShotExam : public FakeExam {
 public:
  using FakeExam::FakeExam;
  int shots() const override { return 2; }
  ExamItem item(int64_t index) const override {
    ExamItem item = FakeExam::item(index);
    const std::string subject = item.subject == "algebra" ? "代数" : "诗词";
    item.prompt = fmt::format(
        "以下是关于{}的题目。\n\n例题一是什么？\n答案： A\n\n例题二又是什么？\n答案： B\n\n第 {} "
        "题？\n答案：",
        subject,
        item.row);
    return item;
  }
};

int row_of(const std::string& prompt) { return std::stoi(prompt.substr(prompt.rfind("第 ") + 4)); }

FakeScript examinee() {
  FakeScript script;
  script.score = [](const std::string& prompt, const std::string& text) {
    return text == " A" ? -1.25 : -2.0 - row_of(prompt);
  };
  script.generate = [](const std::string& prompt) {
    return "#### " + std::to_string(row_of(prompt));
  };
  return script;
}

class FirstCause : public testing::Test {
 protected:
  // A run, and its log as another harness would write it.
  void sit(FakeExamSpec spec) {
    std::vector<std::unique_ptr<Exam>> exams;
    exams.push_back(std::make_unique<ShotExam>(spec));
    RunOptions options;
    options.out = run_ = folder_ / ("run" + std::to_string(++runs_));
    run_exams(*make_fake_model(examinee()), exams, options);
    for (const auto& path :
         export_run(run_, "lm-eval", folder_ / ("out" + std::to_string(runs_)))) {
      if (path.extension() == ".json") {
        results_ = read_json(path);
        continue;
      }
      std::istringstream lines(read_file(path));
      for (std::string line; std::getline(lines, line);)
        log_.emplace_back(path.string(), parse_json(line, "log"));
    }
  }

  Explanation explained(std::optional<double> average = {}) {
    std::vector<TheirItem> theirs;
    for (const auto& [file, line] : log_) {
      for (TheirItem& item : read_samples(line.dump() + "\n", file))
        theirs.push_back(std::move(item));
    }
    return explain(run_, theirs, {.stated_average = average});
  }

  void change_prompts(const std::function<std::string(std::string)>& change) {
    for (auto& [file, line] : log_) {
      for (Json& argument : line["arguments"])
        argument["arg_0"] = change(argument["arg_0"].get<std::string>());
    }
  }

  void expect_first(const Explanation& got, Stage stage, const std::string& what) {
    ASSERT_FALSE(got.causes.empty());
    EXPECT_EQ(got.causes[0].stage, stage) << to_text(got);
    EXPECT_EQ(got.causes[0].what, what) << to_text(got);
    EXPECT_EQ(got.joined, 8);
  }

  TempFolder folder_;
  std::filesystem::path run_;
  int runs_ = 0;
  std::vector<std::pair<std::string, Json>> log_;
  Json results_;
};

std::string without(std::string text, const std::string& part) {
  const size_t at = text.find(part);
  KEJU_CHECK(at != std::string::npos, "the part to remove is there");
  return text.erase(at, part.size());
}

TEST_F(FirstCause, EqualLogsDifferInNothing) {
  sit({});
  const Explanation got = explained();
  EXPECT_TRUE(got.causes.empty()) << to_text(got);
  EXPECT_EQ(got.equal, 8);
}

TEST_F(FirstCause, LostSpace) {
  sit({});
  for (auto& [file, line] : log_) {
    for (Json& argument : line["arguments"])
      argument["arg_1"] = argument["arg_1"].get<std::string>().substr(1);
  }
  expect_first(explained(), Stage::kContinuation, "lost space");
  log_.clear();
  sit({});
  change_prompts([](std::string p) { return without(std::move(p), "\n\n"); });
  expect_first(explained(), Stage::kPrompt, "lost space");
}

TEST_F(FirstCause, EnglishSubjectHandle) {
  sit({});
  change_prompts([](std::string p) {
    for (const auto& [zh, en] : {std::pair("代数", "algebra"), {"诗词", "Poetry"}}) {
      if (const size_t at = p.find(zh); at != std::string::npos) p.replace(at, 6, en);
    }
    return p;
  });
  expect_first(explained(), Stage::kPrompt, "English subject handle");
}

TEST_F(FirstCause, DroppedShot) {
  sit({});
  change_prompts(
      [](std::string p) { return without(std::move(p), "例题二又是什么？\n答案： B\n\n"); });
  expect_first(explained(), Stage::kPrompt, "dropped shot");
  change_prompts([](std::string p) {
    return p.insert(p.find("第 "), "例题二又是什么？\n答案： B\n\n例题三呢？\n答案： C\n\n");
  });
  expect_first(explained(), Stage::kPrompt, "extra shot");
}

TEST_F(FirstCause, DoubledBos) {
  sit({});
  change_prompts([](std::string p) { return "<|begin_of_text|>" + p; });
  expect_first(explained(), Stage::kPrompt, "doubled BOS");
}

TEST_F(FirstCause, MicroForMacro) {
  sit({});
  // Always A: rows 0 and 4 of five in algebra, row 0 of three in poetry: micro 3/8, macro 11/30.
  const double micro = *stated_average(results_);
  EXPECT_DOUBLE_EQ(micro, 3.0 / 8);
  const Explanation got = explained(micro);
  ASSERT_EQ(got.causes.size(), 1u);
  EXPECT_EQ(got.causes[0].stage, Stage::kAverage);
  EXPECT_EQ(got.causes[0].what, "micro for macro");
  EXPECT_TRUE(explained(11.0 / 30).causes.empty());
  EXPECT_EQ(explained(0.5).causes[0].what, "other average");
}

TEST_F(FirstCause, OtherSplit) {
  sit({});
  for (auto& [file, line] : log_)
    line["doc"]["question"] = "asked elsewhere: " + line["doc"]["question"].get<std::string>();
  change_prompts([](std::string p) { return p.replace(p.rfind("第 "), 3, "又"); });
  expect_first(explained(), Stage::kData, "other split or data");
}

TEST_F(FirstCause, LeftTruncation) {
  sit({});
  change_prompts([](std::string p) { return p.substr(p.find("题一")); });
  expect_first(explained(), Stage::kTruncation, "left truncation");
  // Inside the model a cut leaves no trace in the text: only the longest prompts score otherwise.
  log_.clear();
  FakeExamSpec spec;
  spec.subjects[0].items = 12;  // rows 10 and 11 have one more digit
  sit(spec);
  for (auto& [file, line] : log_) {
    if (line["doc_id"].get<int>() >= 10) line["resps"][0][0][0] = "-9.5";
  }
  const Explanation got = explained();
  ASSERT_EQ(got.causes.size(), 1u);
  EXPECT_EQ(got.causes[0].what, "left truncation");
  EXPECT_EQ(got.causes[0].items, 2);
}

TEST_F(FirstCause, Extraction) {
  FakeExamSpec spec;
  spec.protocol.task = Task::kGenerate;
  spec.protocol.extract = "gsm8k_strict";
  spec.protocol.compare = "number_equal";
  sit(spec);
  EXPECT_TRUE(explained().causes.empty());
  for (auto& [file, line] : log_) {
    if (line["doc_id"] != 1) continue;
    line["filtered_resps"][0] = "[invalid]";
    line["exact_match"] = 0.0;
  }
  const Explanation got = explained();
  expect_first(got, Stage::kExtraction, "extraction");
  EXPECT_EQ(got.causes[0].items, 2);
  EXPECT_THAT(got.causes[0].detail,
              HasSubstr("we read \"1\" and score 1, they read \"[invalid]\" and score 0"));
}

TEST_F(FirstCause, LogLikelihood) {
  sit({});
  log_[3].second["resps"][1][0][0] = "-0.5";  // now B is best
  const Explanation got = explained();
  expect_first(got, Stage::kAnswer, "log-likelihood, another option is best");
  EXPECT_EQ(got.causes[0].items, 1);
}

// The earliest stage leads, whatever happens to more items later on.
TEST_F(FirstCause, EarlierStagesComeFirst) {
  sit({});
  for (auto& [file, line] : log_) line["resps"][1][0][0] = "-0.5";
  Json& argument = log_[2].second["arguments"]["gen_args_0"];
  argument["arg_0"] = "<s>" + argument["arg_0"].get<std::string>();
  const Explanation got = explained();
  expect_first(got, Stage::kPrompt, "doubled BOS");
  EXPECT_EQ(got.causes.size(), 2u);
}

TEST(Samples, OpenCompass) {
  const auto items = read_samples(
      R"({"0": {"origin_prompt": [{"role": "HUMAN", "prompt": "one?"}], "prediction": "A", "gold": "A", "correct": true},
          "1": {"label: A": {"prompt": "two?\nA", "PPL": 2.5}, "label: B": {"prompt": "two?\nB", "PPL": 1.5}, "prediction": "B"}})",
      "predictions/ceval-law.json");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].task, "ceval-law");
  EXPECT_EQ(items[0].prompt, "one?");
  EXPECT_EQ(*items[0].text, "A");
  EXPECT_EQ(*items[0].score, 1);
  EXPECT_EQ(items[1].prompt, "two?\n");
  EXPECT_EQ(*items[1].extracted, "B");
  EXPECT_THROW(read_samples("[]", "x"), Error);
  EXPECT_THROW(read_samples(R"({"a": {}})", "x"), Error);
  EXPECT_THROW(read_samples("", "x"), Error);
  EXPECT_THROW(read_samples("{\"doc_id\": 0}\n", "x"), Error);
}

}  // namespace
}  // namespace keju
