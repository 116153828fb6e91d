// SPDX-License-Identifier: MIT
#include "run/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "lm/fake_model.h"
#include "run/progress.h"
#include "run/runner.h"
#include "run/speed.h"
#include "tests/support/fake_exam.h"
#include "tests/support/json_schema.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Json results_of(FakeScript script, std::vector<FakeExamSpec> specs) {
  const TempFolder folder;
  const auto model = make_fake_model(std::move(script));
  RunOptions options;
  options.out = folder.path();
  options.model_name = "Fake 1";
  options.load_s = 2.5;
  run_exams(*model, fake_exams(std::move(specs)), options);
  return read_results(folder.path());
}

// Always the first option: right where the gold index, row mod 4, is 0.
FakeScript always_a() {
  FakeScript script;
  script.score = [](const std::string&, const std::string& option) {
    return option == " A" ? -1.0 : -2.0;
  };
  return script;
}

FakeExamSpec generate_spec() {
  FakeExamSpec spec;
  spec.suite = "sums";
  spec.protocol.id = "sums/official";
  spec.protocol.task = Task::kGenerate;
  spec.protocol.extract = "gsm8k_strict";
  spec.protocol.compare = "number_equal";
  spec.protocol.generate.max_tokens = 20;
  spec.protocol.generate.stop = {"\n\n"};
  spec.protocol.average = Average::kMicro;
  return spec;
}

FakeExamSpec perplexity_spec() {
  FakeExamSpec spec;
  spec.suite = "text";
  spec.protocol.id = "text/official";
  spec.protocol.task = Task::kPerplexity;
  spec.protocol.average = Average::kMicro;
  return spec;
}

TEST(Results, FollowTheirSchema) {
  const JsonSchema schema(read_json("reports/results.schema.json"));
  FakeExamSpec all = {};
  all.protocol.also = {ChoiceScore::kPerByte, ChoiceScore::kWholeMean};
  const Json results = results_of({}, {all, generate_spec(), perplexity_spec()});
  EXPECT_THAT(schema.check(results), IsEmpty());
  FakeExamSpec unlabelled;
  unlabelled.labelled = false;
  EXPECT_THAT(schema.check(results_of({}, {unlabelled})), IsEmpty());

  Json wrong = results;
  wrong["exams"][0]["items"].erase("failed");
  wrong["complete"] = "yes";
  wrong["more"] = 1;
  EXPECT_EQ(schema.check(wrong).size(), 3u) << "the check itself must be able to fail";
}

// algebra has 5 items (rows 0 and 4 right: 2/5), poetry 3 (row 0 right: 1/3).
TEST(Results, AveragesAreTheOnesWorkedOutByHand) {
  const Json exam = results_of(always_a(), {{}})["exams"][0];
  EXPECT_DOUBLE_EQ(exam["micro"]["value"].get<double>(), 3.0 / 8);
  EXPECT_DOUBLE_EQ(exam["macro"]["value"].get<double>(), (2.0 / 5 + 1.0 / 3) / 2);
  EXPECT_EQ(exam["average"], "macro");
  EXPECT_EQ(exam["score"], exam["macro"]);
  EXPECT_EQ(exam["micro"]["n"], 8);
  // SE_k² = p(1−p)/(n−1): 0.24/4 and (2/9)/2; the macro's is a half of their root sum.
  EXPECT_NEAR(exam["macro"]["se"].get<double>(), std::sqrt(0.06 + 1.0 / 9) / 2, 1e-12);

  EXPECT_EQ(exam["subjects"][0]["id"], "algebra");
  EXPECT_DOUBLE_EQ(exam["subjects"][0]["value"].get<double>(), 0.4);
  EXPECT_EQ(exam["subjects"][1]["items"]["scored"], 3);
  EXPECT_EQ(exam["categories"].size(), 3u);
  EXPECT_DOUBLE_EQ(exam["categories"][0]["micro"]["value"].get<double>(), 0.4);
  EXPECT_EQ(exam["categories"][2]["id"], "Hard");
  EXPECT_EQ(exam["categories"][2]["items"]["total"], 5);

  EXPECT_EQ(exam["chance"], 0.25);
  EXPECT_EQ(exam["at_chance"], true) << "eight items cannot tell 0.37 from 0.25";
  EXPECT_EQ(exam["ties"], 0);
  EXPECT_EQ(exam["option_token_ids"], Json::parse("[[32,65],[32,66],[32,67],[32,68]]"));
  EXPECT_EQ(exam["first_prompt_sha256"], sha256_hex("algebra 0?\n答案："));
}

TEST(Results, ChanceMarkGoesWhereTheIntervalLeavesChance) {
  FakeScript script;
  script.score = [](const std::string& prompt, const std::string& option) {
    const size_t space = prompt.find(' ');
    const int row = std::stoi(prompt.substr(space));
    return option[1] - 'A' == row % 4 ? -1.0 : -2.0;
  };
  const Json exam = results_of(script, {{}})["exams"][0];
  EXPECT_EQ(exam["score"]["value"], 1.0);
  EXPECT_EQ(exam["score"]["high"], 1.0);
  EXPECT_LT(exam["score"]["low"].get<double>(), 1.0);
  EXPECT_EQ(exam["at_chance"], false);
}

TEST(Results, TiesAreCounted) {
  FakeScript script;
  script.score = [](const std::string&, const std::string& option) {
    return option == " C" || option == " D" ? -1.0 : -2.0;
  };
  EXPECT_EQ(results_of(script, {{}})["exams"][0]["ties"], 8);
}

TEST(Results, NothingToAverageIsNullAndCounted) {
  FakeExamSpec unlabelled;
  unlabelled.labelled = false;
  const Json results = results_of({}, {unlabelled});
  EXPECT_EQ(results["complete"], true);
  EXPECT_EQ(results["items"]["unscored"], 8);
  const Json& exam = results["exams"][0];
  EXPECT_TRUE(exam["score"]["value"].is_null());
  EXPECT_EQ(exam["score"]["n"], 0);
  EXPECT_EQ(exam["at_chance"], false);
}

TEST(Results, GenerationCountsCapsAndExtraction) {
  FakeScript script;
  script.generate = [](const std::string& prompt) -> std::string {
    if (prompt.find("algebra 0") == 0) return "#### 0";                         // right
    if (prompt.find("algebra 1") == 0) return "a text far beyond the limit …";  // cut
    if (prompt.find("algebra 2") == 0) return "no idea";                        // no answer
    return "#### 999";
  };
  const Json exam = results_of(script, {generate_spec()})["exams"][0];
  EXPECT_EQ(exam["items"]["total"], 8);
  EXPECT_EQ(exam["cap_hits"], 1);
  EXPECT_EQ(exam["extraction"]["extracted"], 6);
  EXPECT_EQ(exam["extraction"]["none"], 2);
  EXPECT_DOUBLE_EQ(exam["score"]["value"].get<double>(), 1.0 / 8);
  EXPECT_DOUBLE_EQ(exam["completed_only"]["value"].get<double>(), 1.0 / 7);
  EXPECT_EQ(exam["generate"]["max_tokens"], 20);
  EXPECT_TRUE(exam["chance"].is_null());
}

TEST(Results, BitsPerByteWeighsTextsByTheirBytes) {
  FakeScript script;
  script.score = [](const std::string&, const std::string& text) {
    return text.find("algebra 0") == 0 ? -std::log(2.0) * 100 : 0.0;
  };
  const Json exam = results_of(script, {perplexity_spec()})["exams"][0];
  EXPECT_EQ(exam["metric"], "bits_per_byte");
  // "algebra 0?\n答案：" has 20 bytes, "poetry 0?\n答案：" 19; five of one and three of the other.
  EXPECT_NEAR(exam["score"]["value"].get<double>(), 100.0 / (5 * 20 + 3 * 19), 1e-12);
}

TEST(Results, SpeedAndMemoryAddUp) {
  const Json results = results_of(always_a(), {{}});
  const Json& speed = results["speed"];
  EXPECT_EQ(speed["prefill_tokens"], results["tokens"]["naive"]);
  EXPECT_NEAR(speed["prefill_tokens_per_s"].get<double>(), 1e5, 1e-3);
  EXPECT_TRUE(speed["decode_tokens_per_s"].is_null());
  EXPECT_EQ(speed["ttft_s"]["n"], 8);
  EXPECT_EQ(speed["tpot_s"]["n"], 0);
  EXPECT_TRUE(speed["tpot_s"]["p50"].is_null());
  EXPECT_EQ(speed["load_s"], 2.5);
  EXPECT_GT(results["memory"]["peak_rss_bytes"].get<int64_t>(), 1'000'000);
  EXPECT_EQ(results["memory"]["promise_bytes"], 200'000'000);
  EXPECT_EQ(results["model"]["name"], "Fake 1");
}

TEST(Results, WrongFilesAreRefused) {
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { read_results(folder.path()); }).code(), Code::kIo);
  write_file_atomically(folder / "results.json", "{\"schema\":\"keju.results/2\"}");
  EXPECT_EQ(error_of([&] { read_results(folder.path()); }).code(), Code::kUnsupported);
  write_file_atomically(folder / "results.json", "{\"schema\":7}");
  EXPECT_EQ(error_of([&] { read_results(folder.path()); }).code(), Code::kInput);
  write_file_atomically(folder / "results.json", "{\"schema\":");
  EXPECT_EQ(error_of([&] { read_results(folder.path()); }).code(), Code::kInput);
}

TEST(Percentile, IsTheNearestRank) {
  const std::vector<double> five = {15, 20, 35, 40, 50};
  EXPECT_EQ(*percentile(five, 5), 15);
  EXPECT_EQ(*percentile(five, 30), 20);
  EXPECT_EQ(*percentile(five, 40), 20);
  EXPECT_EQ(*percentile(five, 50), 35);
  EXPECT_EQ(*percentile(five, 100), 50);
  EXPECT_FALSE(percentile({}, 50).has_value());
}

TEST(Eta, ComesFromTokensWhereTheyArePlanned) {
  Work work;
  work.total = 110;
  work.resumed = 10;
  work.done = 10;
  EXPECT_DOUBLE_EQ(eta_s(work, 5), 45) << "ten of a hundred items in five seconds";

  work.handed_out = 50;
  work.stats.tokens_computed = 1000;
  work.stats.tokens_planned = 5000;
  work.stats.tokens_done = 1000;
  // 4000 tokens of the window, then 50 items of 100 tokens, at 200 tokens a second.
  EXPECT_DOUBLE_EQ(eta_s(work, 5), 45);
  work.stats.tokens_planned = 2000;
  EXPECT_DOUBLE_EQ(eta_s(work, 5), (1000 + 50 * 40) / 200.0);
  work.done = 100;
  EXPECT_EQ(eta_s(work, 5), 0);
}

TEST(Eta, ComesFromItemsWhereAnswersAreGenerated) {
  Work work;
  work.total = 420;
  work.done = 34;
  work.handed_out = 420;
  work.stats = {.tokens_computed = 50'000, .decode_tokens = 40'000};
  work.stats.tokens_planned = 100'000;
  work.stats.tokens_done = 10'000;
  // All prompts would be computed at this rate in 27 s; the answers to 386 of them would not.
  EXPECT_DOUBLE_EQ(eta_s(work, 340), 3860);
}

}  // namespace
}  // namespace keju
