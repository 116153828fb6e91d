// SPDX-License-Identifier: MIT
#include "run/rescore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "lm/fake_model.h"
#include "run/results.h"
#include "run/runner.h"
#include "run/store.h"
#include "tests/support/fake_exam.h"
#include "tests/support/json_schema.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

FakeExamSpec sums_spec() {
  FakeExamSpec spec;
  spec.suite = "sums";
  spec.protocol.id = "sums/official";
  spec.protocol.task = Task::kGenerate;
  spec.protocol.extract = "hash_number";
  spec.protocol.compare = "number_equal";
  return spec;
}

// Choices: always option A, longer ones less likely by the letter. Texts: the item's number stands
// last, another one behind "####" where the number is odd.
FakeScript script() {
  FakeScript out;
  out.score = [](const std::string&, const std::string& option) {
    return option == " A" ? -1.0 : -2.0;
  };
  out.generate = [](const std::string& prompt) {
    const int number = prompt[prompt.find('?') - 1] - '0';
    return number % 2 == 0 ? "#### " + std::to_string(number)
                           : "#### 77, that is " + std::to_string(number);
  };
  return out;
}

void make_run(const std::filesystem::path& out, std::vector<FakeExamSpec> specs) {
  const auto model = make_fake_model(script());
  RunOptions options;
  options.out = out;
  run_exams(*model, fake_exams(std::move(specs)), options);
}

std::filesystem::path write(const TempFolder& folder,
                            const std::string& name,
                            const std::string& text) {
  write_file_atomically(folder / name, text);
  return folder / name;
}

double micro(const Json& exam) { return exam["micro"]["value"].get<double>(); }

TEST(Rescore, WithoutAChangeGivesTheParentsDigestAndValues) {
  const TempFolder folder;
  make_run(folder / "a", {{}, sums_spec()});
  const RescoreSummary summary = rescore({folder / "a", folder / "b", {}, {}});
  EXPECT_EQ(summary.items, 16);
  EXPECT_EQ(summary.changed, 0);
  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(summary.digest, summary.parent_digest);
  const Json parent = read_results(folder / "a"), child = read_results(folder / "b");
  EXPECT_EQ(child["parent"]["digest"], parent["digest"]);
  EXPECT_EQ(child["parent"]["run"], "a");
  EXPECT_EQ(child["exams"], parent["exams"]);
  EXPECT_EQ(child["speed"], parent["speed"]);
  EXPECT_TRUE(parent["parent"].is_null());
}

// Of the numbers 0 to 4 and 0 to 2, "####" gives the even ones; the last number gives all.
TEST(Rescore, AnotherExtractionRuleIsAnotherProtocol) {
  const TempFolder folder;
  make_run(folder / "a", {{}, sums_spec()});
  const RescoreSummary summary = rescore({folder / "a", folder / "b", "last_number", {}});
  EXPECT_EQ(summary.changed, 3);
  EXPECT_NE(summary.digest, summary.parent_digest);
  const Json parent = read_results(folder / "a"), child = read_results(folder / "b");
  EXPECT_DOUBLE_EQ(micro(parent["exams"][1]), 5.0 / 8);
  EXPECT_DOUBLE_EQ(micro(child["exams"][1]), 1.0);
  EXPECT_EQ(child["exams"][1]["protocol"], "sums/official+last_number");
  EXPECT_EQ(child["exams"][1]["key"], "sums/official+last_number:test:0shot");
  EXPECT_EQ(child["exams"][0], parent["exams"][0]) << "the rule is not for options";
  EXPECT_EQ(child["parent"]["changes"]["rule"], "last_number");
  EXPECT_THAT(JsonSchema(read_json("reports/results.schema.json")).check(child), IsEmpty());
  // The outputs are the parent's, byte for byte.
  const auto before = read_records(folder / "a"), after = read_records(folder / "b");
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 8; i < before.size(); ++i) {
    EXPECT_EQ(before[i].item, after[i].item);
    EXPECT_EQ(std::get<GenerateResult>(before[i].response.what).text,
              std::get<GenerateResult>(after[i].response.what).text);
  }
}

TEST(Rescore, PatternsAndScoresOfOptionsAreRulesToo) {
  const TempFolder folder;
  make_run(folder / "a", {{}, sums_spec()});
  rescore({folder / "a", folder / "b", "last:is (\\d+)", {}});
  EXPECT_THAT(read_results(folder / "b")["exams"][1]["protocol"].get<std::string>(),
              testing::MatchesRegex("sums/official\\+pattern-[0-9a-f]{8}"));
  EXPECT_DOUBLE_EQ(micro(read_results(folder / "b")["exams"][1]), 3.0 / 8);
  rescore({folder / "a", folder / "c", "per_char", {}});
  EXPECT_EQ(read_results(folder / "c")["exams"][0]["protocol"], "fake/official+per_char");
  EXPECT_DOUBLE_EQ(micro(read_results(folder / "c")["exams"][0]), 3.0 / 8);
}

// algebra rows 0 to 4 and poetry rows 0 to 2; option A is right in rows 0 and 4.
TEST(Rescore, ErrataGiveEveryValueWithAndWithout) {
  const TempFolder folder;
  make_run(folder / "a", {{}});
  const Errata errata = read_errata(write(folder,
                                          "errata.csv",
                                          "item,defect,source\n"
                                          "fake/algebra/test/1,wrong key,\"a note, 2024\"\n"
                                          "fake/poetry/test/0,two right options,a note\n"
                                          "other/x/test/0,duplicate,a note\n"));
  const RescoreSummary summary = rescore({folder / "a", folder / "b", {}, errata});
  EXPECT_EQ(summary.errata_listed, 3);
  EXPECT_EQ(summary.errata_found, 2);
  EXPECT_EQ(summary.digest, summary.parent_digest);
  const Json results = read_results(folder / "b");
  EXPECT_THAT(JsonSchema(read_json("reports/results.schema.json")).check(results), IsEmpty());
  const Json& exam = results["exams"][0];
  EXPECT_DOUBLE_EQ(micro(exam), 3.0 / 8);
  const Json& without = exam["without_errata"];
  EXPECT_EQ(without["items_left_out"], 2);
  EXPECT_DOUBLE_EQ(micro(without), 2.0 / 6);
  EXPECT_DOUBLE_EQ(without["macro"]["value"].get<double>(), (2.0 / 4 + 0.0) / 2);
  EXPECT_EQ(without["score"], without["macro"]);
  EXPECT_DOUBLE_EQ(exam["subjects"][0]["without_errata"]["value"].get<double>(), 0.5);
  EXPECT_EQ(exam["subjects"][1]["without_errata"]["n"], 2);
  EXPECT_DOUBLE_EQ(exam["categories"][0]["without_errata"]["micro"]["value"].get<double>(), 0.5);
  EXPECT_EQ(results["errata"]["entries"][1]["defect"], "two right options");
  // What was scored again can be scored again.
  rescore({folder / "b", folder / "c", "per_char", {}});
  EXPECT_EQ(read_results(folder / "c")["errata"], results["errata"]);
}

TEST(Rescore, RefusesWhatItCannotDo) {
  const TempFolder folder;
  make_run(folder / "a", {{}});
  const auto failed = [&](const RescoreOptions& options) {
    return error_of([&] { rescore(options); });
  };
  EXPECT_EQ(failed({folder / "a", folder / "b", "last_numbr", {}}).code(), Code::kUsage);
  EXPECT_THAT(failed({folder / "a", folder / "b", "last_numbr", {}}).what(),
              HasSubstr("did you mean \"last_number\""));
  EXPECT_THAT(failed({folder / "a", folder / "b", "last_number", {}}).what(),
              HasSubstr("the run has no such exam"));
  EXPECT_EQ(failed({folder / "a", folder / "a", {}, {}}).code(), Code::kUsage);
  EXPECT_EQ(failed({folder / "none", folder / "b", {}, {}}).code(), Code::kIo);
  const Errata strange{"e.csv", "", {{"mmlu/x/test/1", "d", "s"}}};
  EXPECT_THAT(failed({folder / "a", folder / "b", {}, strange}).what(),
              HasSubstr("need ids like \"fake/algebra/test/0\""));
  // Nothing was asked about the whole sequence, so this rule has nothing to go by.
  EXPECT_EQ(failed({folder / "a", folder / "d", "whole_mean", {}}).code(), Code::kInput);
}

TEST(Errata, AreCheckedLineByLine) {
  const TempFolder folder;
  const auto failed = [&](const std::string& name, const std::string& text) {
    return std::string(error_of([&] { read_errata(write(folder, name, text)); }).what());
  };
  EXPECT_THAT(failed("a.csv", "item,defect\nx,y\n"), HasSubstr("a.csv:1: column \"source\""));
  EXPECT_THAT(failed("b.csv", "item,defect,sourc\nx,y,z\n"), HasSubstr("did you mean \"source\""));
  EXPECT_THAT(failed("c.csv", "item,defect,source\nx,y,z\nx,y,z\n"), HasSubstr("c.csv:3"));
  EXPECT_THAT(failed("d.csv", "item,defect,source\nx,,z\n"), HasSubstr("d.csv:2: defect"));
  EXPECT_THAT(failed("e.csv", "item,defect,source\nx,y\n"), HasSubstr("found 2 columns, need 3"));
  EXPECT_THAT(failed("f.jsonl", "{\"item\": \"x\"}\n"), HasSubstr("f.jsonl:1: column \"defect\""));
  const Errata lines = read_errata(
      write(folder, "g.jsonl", "{\"item\":\"x\",\"defect\":\"d\",\"source\":\"s\"}\r\n\n"));
  ASSERT_EQ(lines.entries.size(), 1u);
  EXPECT_EQ(lines.entries[0].source, "s");
}

}  // namespace
}  // namespace keju
