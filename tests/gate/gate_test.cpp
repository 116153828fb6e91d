// SPDX-License-Identifier: MIT
#include "gate/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "base/mapped_file.h"
#include "base/rng.h"
#include "gate/compare.h"
#include "gate/gate_model.h"
#include "lm/fake_model.h"
#include "run/results.h"
#include "run/runner.h"
#include "score/clusters.h"
#include "tests/support/fake_exam.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int64_t kItems = 200;  // of each of two subjects

FakeExamSpec spec_of(const std::string& suite = "fake") {
  FakeExamSpec spec;
  spec.suite = suite;
  spec.protocol.id = suite + "/official";
  spec.subjects[0].items = spec.subjects[1].items = kItems;
  return spec;
}

FakeExamSpec generate_spec() {
  FakeExamSpec spec = spec_of("sums");
  spec.protocol.task = Task::kGenerate;
  spec.protocol.extract = "gsm8k_strict";
  spec.protocol.compare = "number_equal";
  spec.protocol.generate.max_tokens = 12;
  return spec;
}

int row_of(const std::string& prompt) { return std::stoi(prompt.substr(prompt.find(' '))); }

// Wrong on the rows that `wrong` names, of every subject.
FakeScript examinee(const std::string& name, std::function<bool(int row)> wrong) {
  FakeScript script;
  script.name = name;
  script.weights_digest = "weights of " + name;
  script.score = [=](const std::string& prompt, const std::string& text) {
    const int row = row_of(prompt), choice = wrong(row) ? (row + 1) % 4 : row % 4;
    return text[1] - 'A' == choice ? -1.0 : -2.0;
  };
  script.generate = [=](const std::string& prompt) -> std::string {
    return wrong(row_of(prompt)) ? "a long way round to nowhere"
                                 : "#### " + std::to_string(row_of(prompt));
  };
  return script;
}

bool third(int row) { return row % 3 == 0; }

class Gate : public testing::Test {
 protected:
  AnsweredRun run(FakeScript script, std::vector<FakeExamSpec> specs, int64_t stop_after = -1) {
    std::atomic<bool> cancel{false};
    if (stop_after >= 0) script.before_response = [&](int64_t n) { cancel = n + 1 >= stop_after; };
    const auto model = make_fake_model(std::move(script));
    RunOptions options;
    options.out = folder_ / std::to_string(++runs_);
    options.cancel = &cancel;
    run_exams(*model, fake_exams(std::move(specs)), options);
    return read_answers(options.out);
  }
  Baseline baseline(const AnsweredRun& of) { return baseline_of(of, read_results(of.where)); }
  GateReport judge(const Baseline& b, const AnsweredRun& c, const GateOptions& options = {}) {
    return run_gate(b, c, read_results(c.where), options);
  }
  TempFolder folder_;
  int runs_ = 0;
};

TEST_F(Gate, VerdictsAndExitCodes) {
  const auto base = baseline(run(examinee("base", third), {spec_of()}));
  // One row in fifty of each subject lost, one gained.
  const auto alike =
      run(examinee("alike", [](int r) { return r % 50 == 4 || (third(r) && r % 50 != 0); }),
          {spec_of()});
  const auto worse =
      run(examinee("worse", [](int r) { return third(r) || r % 3 == 1; }), {spec_of()});
  const auto hazy =
      run(examinee("hazy", [](int r) { return r % 40 == 4 || third(r); }), {spec_of()});
  EXPECT_EQ(judge(base, alike).exit_code(), 0);
  EXPECT_EQ(judge(base, worse).exit_code(), 1);
  // Ten lost of 400, none gained: the loss is established; a margin that tolerates it passes.
  EXPECT_EQ(judge(base, hazy, {.rules = {.margin = 0.06}, .discordance = 0.05}).exit_code(), 0);
  const GateReport lost = judge(base, hazy, {.discordance = 0.005});
  EXPECT_EQ(lost.exit_code(), 1) << to_markdown(lost);
  // As many gained as lost, more than was reckoned with: neither is shown.
  const auto noisy = run(examinee("noisy", [](int r) { return r % 2 == 0; }), {spec_of()});
  const GateReport open =
      judge(baseline(run(examinee("b", [](int r) { return r % 2 == 1; }), {spec_of()})),
            noisy,
            {.discordance = 0.01});
  EXPECT_EQ(open.exit_code(), 2) << to_markdown(open);
  EXPECT_EQ(open.pooled->counts.first_only, kItems);
}

TEST_F(Gate, PerfectScoresAreSharesAndBitsAreNot) {
  FakeExamSpec spec = spec_of();
  spec.subjects[0].items = spec.subjects[1].items = 20;  // twenty times a twentieth is above one
  const auto right = [](const std::string& name) {
    return examinee(name, [](int) { return false; });
  };
  const auto a = run(right("a"), {spec}), b = run(right("b"), {spec});
  const std::string text = to_markdown(compare_runs(a, b, {}), a, b, 0);
  EXPECT_THAT(text, HasSubstr("| micro | 100.00 | 100.00 | +0.00 |"));
  EXPECT_THAT(text, Not(HasSubstr("1.0000 | 1.0000 | +")));
}

TEST_F(Gate, EqualDigestsPassAtOnce) {
  const auto script = examinee("base", [](int) { return true; });  // even below chance
  const auto base = baseline(run(script, {spec_of()}));
  const GateReport report = judge(base, run(script, {spec_of()}));
  EXPECT_TRUE(report.equal_digests);
  EXPECT_EQ(report.exit_code(), 0);
}

TEST_F(Gate, FailsClosed) {
  const auto script = examinee("base", third);
  const auto other = examinee("other", third);
  const auto base = baseline(run(script, {spec_of()}));
  const auto reason = [&](const AnsweredRun& candidate) {
    const GateReport report = judge(base, candidate);
    EXPECT_EQ(report.exit_code(), 3);
    EXPECT_FALSE(report.verdict());
    return report.invalid.empty() ? std::string() : report.invalid[0];
  };
  EXPECT_THAT(reason(run(other, {spec_of()}, 100)), HasSubstr("not complete"));
  FakeExamSpec spec = spec_of();
  spec.data_hash = "data-2";
  EXPECT_THAT(reason(run(other, {spec})), HasSubstr("data_hash"));
  spec = spec_of();
  spec.protocol.score = ChoiceScore::kPerByte;
  EXPECT_THAT(reason(run(other, {spec})), HasSubstr("protocol.score"));
  spec = spec_of();
  spec.subjects[1].items = kItems - 1;
  EXPECT_THAT(reason(run(other, {spec})), HasSubstr("items"));
  EXPECT_THAT(reason(run(other, {spec_of("another")})), HasSubstr("did not sit"));
  FakeScript failing = other;
  failing.score = [=](const std::string& prompt, const std::string& text) {
    if (row_of(prompt) == 7) throw std::runtime_error("lost");
    return other.score(prompt, text);
  };
  const auto failed = run(failing, {spec_of()});
  EXPECT_THAT(reason(failed), HasSubstr("2 of 400 items failed"));
  // Allowed failures are wrong answers: row 7 of both subjects was right.
  const GateReport allowed = judge(base, failed, {.max_errors = 0.01});
  EXPECT_EQ(allowed.pooled->counts.first_only, 2);
  // A half-run baseline is no baseline.
  const auto half = run(script, {spec_of()}, 100);
  EXPECT_EQ(judge(baseline(half), run(other, {spec_of()})).exit_code(), 3);
  EXPECT_THROW(write_baseline(baseline(half), folder_ / "half.json"), Error);
}

TEST_F(Gate, RefusesWhatItCannotDecide) {
  const auto guessing =
      baseline(run(examinee("guess", [](int r) { return r % 4 != 0; }), {spec_of()}));
  const auto candidate = run(examinee("candidate", third), {spec_of()});
  try {
    judge(guessing, candidate);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("guessing 25.00 %"));
  }
  const auto base = baseline(run(examinee("base", third), {spec_of()}));
  const auto near = run(examinee("near", [](int r) { return third(r) || r == 1; }), {spec_of()});
  try {
    judge(base, near, {.rules = {.margin = 0.01}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("--margin: found 0.0100, need 0.04"));
  }
  EXPECT_THROW(judge(base, near, {.suites = {"fakes"}}), Error);
}

// The pilot's noise sets the margin: 2 of 400 differing items allow a far smaller one than 10 %.
TEST_F(Gate, PilotSetsTheMargin) {
  Baseline base = baseline(run(examinee("base", third), {spec_of()}));
  const auto near = run(examinee("near", [](int r) { return third(r) || r == 1; }), {spec_of()});
  const auto candidate =
      run(examinee("candidate", [](int r) { return third(r) && r != 3; }), {spec_of()});
  const double assumed = judge(base, candidate).plan->smallest;
  base.pilot = pilot_of(base, near, {});
  EXPECT_DOUBLE_EQ(base.pilot->discordance, 2.0 / 400);
  EXPECT_LT(judge(base, candidate).plan->smallest, assumed / 2);
}

TEST_F(Gate, BaselineFilesSayWhatTheirRunSays) {
  const auto whole = run(examinee("base", third), {spec_of(), generate_spec()});
  Baseline base = baseline(whole);
  base.pilot = Pilot{0.07, 1.5, "a pilot"};
  write_baseline(base, folder_ / "b.json");
  const Baseline back = read_baseline(folder_ / "b.json");
  const auto candidate =
      run(examinee("candidate", [](int r) { return r % 4 == 0; }), {spec_of(), generate_spec()});
  Json from_run = to_json(judge(base, candidate)), from_file = to_json(judge(back, candidate));
  EXPECT_EQ(from_run, from_file);
  EXPECT_EQ(from_file["plan"]["discordance"], 0.07);
  EXPECT_LT(std::filesystem::file_size(folder_ / "b.json"), 8000u);
  // Damage is found.
  std::string text = read_file(folder_ / "b.json");
  text.replace(text.find("\"values\": \"") + 12, 1, "x");
  write_file_atomically(folder_ / "bad.json", text);
  EXPECT_THROW(read_baseline(folder_ / "bad.json"), Error);
}

TEST_F(Gate, SuitesPool) {
  const auto base = baseline(run(examinee("base", third), {spec_of(), generate_spec()}));
  const auto candidate =
      run(examinee("c", [](int r) { return r % 4 == 0; }), {spec_of(), generate_spec()});
  const GateReport both = judge(base, candidate),
                   one = judge(base, candidate, {.suites = {"fake"}});
  EXPECT_EQ(both.plan->items, 800);
  EXPECT_EQ(one.plan->items, 400);
  EXPECT_LT(both.plan->smallest, one.plan->smallest);
  EXPECT_EQ(both.suites.size(), 2u);
}

TEST_F(Gate, CapHitsAndSpeed) {
  const auto base = baseline(run(examinee("base", third), {generate_spec()}));
  const auto longer =
      run(examinee("longer", [](int r) { return r % 3 == 0 || r == 1; }), {generate_spec()});
  const auto check = [&](double allowed) {
    const GateReport report = judge(base, longer, {.discordance = 0.05, .max_cap_hits = allowed});
    EXPECT_EQ(report.checks.size(), 2u);
    return report.checks.back().verdict;
  };
  EXPECT_EQ(check(0.01), Verdict::kPass);
  EXPECT_EQ(check(0.001), Verdict::kRegression);
  const auto with_speed = [&](double factor) {
    Baseline other = base;
    for (double& tokens : other.paces.decode->tokens) tokens *= factor;
    return judge(other, longer, {.discordance = 0.05, .max_slowdown = 0.5}).exit_code();
  };
  EXPECT_EQ(with_speed(1e6), 1) << "a million times slower";
  EXPECT_EQ(with_speed(1e-6), 0);
  Baseline old = base;
  old.paces = {};
  EXPECT_EQ(judge(old, longer, {.discordance = 0.05, .max_slowdown = 0.5}).exit_code(), 2)
      << "nothing to take an interval from";
}

// Stretches whose speeds wander: the bounds miss the true ratio as often as they say, each.
TEST(SpeedRatios, BoundsKeepTheirLevel) {
  int above = 0, below = 0;
  constexpr int kRuns = 400;
  for (uint64_t run = 0; run < kRuns; ++run) {
    Pace a, b;
    for (uint64_t k = 0; k < kStretches; ++k) {
      const double tokens = 500 + 1000 * uniform(run, 1, k);  // the same items in both
      a.tokens.push_back(tokens);
      b.tokens.push_back(tokens);
      a.seconds.push_back(tokens / 1000 * (0.9 + 0.2 * uniform(run, 2, k)));
      b.seconds.push_back(tokens / 800 * (0.9 + 0.2 * uniform(run, 3, k)));
    }
    const auto ratio = speed_ratio(a, b, 0.05);
    ASSERT_TRUE(ratio);
    above += ratio->low > 0.8 ? 1 : 0;
    below += ratio->high < 0.8 ? 1 : 0;
    EXPECT_LT(ratio->high - ratio->low, 0.1);
  }
  EXPECT_LE(above, 34);  // 5 % of 400 and 3.2 standard errors
  EXPECT_LE(below, 34);
  EXPECT_GE(above + below, 12);
}

TEST(SpeedRatios, FilesOfOthersAreChecked) {
  const auto refused = [](const char* text) {
    return error_of([&] { pace_from_json(Json::parse(text), "x"); }).code() == Code::kInput;
  };
  EXPECT_TRUE(refused(R"({"seconds": [1, 2], "tokens": [1]})"));
  EXPECT_TRUE(refused(R"({"seconds": [0, 0], "tokens": [1, 1]})"));
  EXPECT_TRUE(refused(R"({"seconds": ["1"], "tokens": [1]})"));
  EXPECT_FALSE(pace_from_json(Json(), "x").has_value());
}

TEST_F(Gate, ReportsEscapeWhatTheyQuote) {
  GateReport report;
  report.baseline = "a|b <script>";
  report.candidate = "x\x01&\"";
  report.checks.push_back({"accuracy", Verdict::kRegression, "<&\"\x02 | worse"});
  const std::string xml = to_junit(report), text = to_markdown(report);
  EXPECT_THAT(xml, HasSubstr("failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("&lt;&amp;&quot;"));
  EXPECT_EQ(xml.find_first_of("\x01\x02"), std::string::npos);
  EXPECT_THAT(text, Not(HasSubstr("<script>")));
  EXPECT_THAT(text, Not(HasSubstr("a|b")));
  report.invalid.push_back("half a run");
  EXPECT_THAT(to_junit(report), HasSubstr("<error type=\"invalid\" message=\"half a run\"/>"));
}

class ModelGates : public Gate {
 protected:
  GateReport examine(const Baseline& base,
                     FakeScript script,
                     const GateOptions& options,
                     std::vector<FakeExamSpec> specs = {spec_of()}) {
    asked_ = 0;
    script.before_response = [this](int64_t) { ++asked_; };
    const auto model = make_fake_model(std::move(script));
    ModelGate gate(base, fake_exams(std::move(specs)), options, 1);
    if (!gate.invalid().empty()) {
      GateReport report;
      report.invalid = gate.invalid();
      return report;
    }
    RunOptions run;
    run.out = folder_ / std::to_string(++runs_);
    return gate.judge_model(*model, run, [](const std::string&) {});
  }
  int64_t asked_ = 0;
};

TEST_F(ModelGates, StopsEarlyAtAPlainRegression) {
  const auto base = baseline(run(examinee("base", third), {spec_of()}));
  const GateReport report = examine(base, examinee("broken", [](int r) { return r % 4 != 0; }), {});
  EXPECT_EQ(report.exit_code(), 1);
  EXPECT_TRUE(report.stopped_early);
  EXPECT_EQ(asked_, report.items_used);
  EXPECT_LT(asked_, kItems);
}

TEST_F(ModelGates, StopsEarlyWhereTheMarginIsWide) {
  const auto base = baseline(run(examinee("base", third), {spec_of()}));
  const auto same = [](int r) { return third(r) && r != 3; };
  const GateReport wide = examine(base, examinee("same", same), {.rules = {.margin = 0.2}});
  EXPECT_EQ(wide.exit_code(), 0);
  EXPECT_LT(asked_, kItems);
  // One in five differs, as many gained as lost, as was reckoned with.
  const auto even = baseline(run(examinee("even", [](int r) { return r % 2 == 0; }), {spec_of()}));
  const auto noisy = [](int r) { return (r % 5 == 0) != (r % 2 == 0); };
  const GateReport narrow = examine(even, examinee("noisy", noisy), {.discordance = 0.2});
  EXPECT_EQ(narrow.exit_code(), 0);
  EXPECT_EQ(asked_, 2 * kItems) << "a margin that only just can be decided needs all items";
  EXPECT_FALSE(narrow.stopped_early);
  EXPECT_LT(narrow.plan->alpha_final, 0.05);
}

TEST_F(ModelGates, EqualWeightsAndOtherPapersAskNothing) {
  const auto script = examinee("base", third);
  const auto base = baseline(run(script, {spec_of()}));
  EXPECT_EQ(examine(base, script, {}).exit_code(), 0);
  EXPECT_EQ(asked_, 0);
  FakeExamSpec other = spec_of();
  other.data_hash = "data-2";
  EXPECT_EQ(examine(base, examinee("x", third), {}, {other}).exit_code(), 3);
  EXPECT_EQ(asked_, 0);
  EXPECT_THROW(examine(base, examinee("x", third), {.rules = {.margin = 0.001}}), Error);
  EXPECT_EQ(asked_, 0);
}

class Compare : public Gate {};

TEST_F(Compare, CountsByHand) {
  FakeExamSpec spec = spec_of();
  spec.subjects[0].items = 4;
  spec.subjects[1].items = 2;
  // A errs on row 0 of both, B on row 1 of both: one lost and one gained in each subject.
  const auto a = run(examinee("a", [](int r) { return r == 0; }), {spec});
  const auto b = run(examinee("b", [](int r) { return r == 1; }), {spec});
  const Comparison got = compare_runs(a, b, {});
  ASSERT_FALSE(got.refused);
  const ComparedRow& suite = got.rows[0];
  EXPECT_EQ(suite.average, "macro");
  EXPECT_DOUBLE_EQ(suite.a, (0.75 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(suite.b, (0.75 + 0.5) / 2);
  EXPECT_EQ(suite.difference->counts.first_only, 2);
  EXPECT_EQ(suite.difference->counts.second_only, 2);
  EXPECT_EQ(got.flips.size(), 4u);
  EXPECT_EQ(got.flips[0].pair.a->id, "fake/algebra/test/0");
  EXPECT_EQ(got.flips[0].pair.a->said, "B");
  EXPECT_EQ(got.flips[0].pair.b->said, "A");
  const std::string text = to_markdown(got, a, b, 1);
  EXPECT_THAT(text, HasSubstr("4 items changed sides; 1 shown"));
}

TEST_F(Compare, RefusesAnotherExamAndNamesTheField) {
  FakeExamSpec other = spec_of();
  other.data_hash = "data-2";
  const auto a = run(examinee("a", third), {spec_of()}), b = run(examinee("b", third), {other});
  const Comparison refused = compare_runs(a, b, {});
  EXPECT_TRUE(refused.refused);
  EXPECT_THAT(refused.rows, IsEmpty());
  EXPECT_THAT(to_markdown(refused, a, b, 0), HasSubstr("data\\_hash"));
  EXPECT_FALSE(compare_runs(a, b, {.across_protocols = true}).rows.empty());
  EXPECT_THROW(compare_runs(a, run(examinee("c", third), {generate_spec()}), {}), Error);
}

// Options at -1 and three at -2 against one another: p = 1/(1+3/e) before, and the right option's
// probability falls to that of a wrong one where the choice moves.
TEST_F(Compare, QuantViewByHand) {
  const auto a = run(examinee("a", [](int) { return false; }), {spec_of()});
  const auto b = run(examinee("b", [](int r) { return r == 5; }), {spec_of()});
  const Comparison got = compare_runs(a, b, {.quant = true});
  ASSERT_EQ(got.quant.size(), 1u);
  const QuantView& view = got.quant[0];
  EXPECT_EQ(view.items, 400);
  EXPECT_EQ(view.same_choice, 398);
  EXPECT_EQ(view.right_to_wrong, 2);
  const double p = 1 / (1 + 3 * std::exp(-1.0)), q = p * std::exp(-1.0);
  EXPECT_NEAR(view.kl.value, 2.0 / 400 * (p - q), 1e-12);  // Σ p ln(p/p') = p·1 + q·(-1)
  EXPECT_NEAR(view.delta_p.value, 2.0 / 400 * (q - p), 1e-12);
  EXPECT_NEAR(view.delta_p_percentiles.front().second, q - p, 1e-12);
}

TEST(Clusters, PassagesCopiesAndPermutations) {
  const auto of = [](const char* text) { return cluster_of(Json::parse(text), "id"); };
  EXPECT_EQ(of(R"({"passage": "long text", "question": "one?"})"),
            of(R"({"passage": "long text", "question": "two?"})"));
  EXPECT_NE(of(R"({"passage": "long text"})"), of(R"({"passage": "other text"})"));
  EXPECT_EQ(of(R"({"Q": "which?", "A": "left", "B": "right", "Answer": "A"})"),
            of(R"({"Q": "which?", "A": "right", "B": "left", "Answer": "B"})"));
  EXPECT_NE(of(R"({"Q": "which?", "A": "left"})"), of(R"({"Q": "which?", "A": "up!"})"));
  EXPECT_NE(cluster_of(Json::parse(R"({"id": 1})"), "a"),
            cluster_of(Json::parse(R"({"id": 1})"), "b"));
}

}  // namespace
}  // namespace keju
