// SPDX-License-Identifier: MIT
#include "run/samples.h"

#include <gtest/gtest.h>

#include <bit>

#include "base/error.h"
#include "run/request.h"
#include "score/statistics/pass_at_k.h"

namespace keju {
namespace {

// Every way of drawing k of n, the first c of which are right.
double by_enumeration(int n, int c, int k) {
  int draws = 0, with_right = 0;
  for (unsigned set = 0; set < 1U << n; ++set) {
    if (std::popcount(set) != k) continue;
    ++draws;
    with_right += (set & ((1U << c) - 1)) != 0;
  }
  return static_cast<double>(with_right) / draws;
}

TEST(Samples, PassAtKIsTheShareOfDrawsWithARightOne) {
  for (int n = 1; n <= 8; ++n) {
    for (int c = 0; c <= n; ++c) {
      for (int k = 1; k <= n; ++k) {
        EXPECT_NEAR(*pass_at_k(n, c, k), by_enumeration(n, c, k), 1e-12) << n << c << k;
      }
    }
  }
  EXPECT_NEAR(*pass_at_k(200, 1, 100), 0.5, 1e-12);  // one right of 200: in half of all halves
}

ItemRecord sample(int64_t row, int64_t number, Outcome outcome) {
  ItemRecord record;
  record.exam = "e";
  record.subject = "s";
  record.row = row;
  record.item = fmt::format("e/s/test/{}#{}", row, number);
  record.outcome = std::move(outcome);
  return record;
}

Scored value(double value) {
  Scored scored;
  scored.value = value;
  return scored;
}

TEST(Samples, AnItemsValueIsItsSamplesMean) {
  const std::vector<ItemRecord> records = {
      sample(0, 0, value(1)),
      sample(0, 1, value(0)),
      sample(0, 2, Unscored{"no answer extracted", true, 1}),
      sample(1, 0, value(1)),
      sample(1, 1, value(1)),
      sample(1, 2, value(1)),
      sample(2, 0, value(1)),
      sample(2, 1, Failed{"lost"}),
      sample(2, 2, value(1)),
      sample(3, 0, value(1)),  // not finished
  };
  std::vector<Outcome> means;
  SampledItems items(3, [&](const std::string& subject, const Outcome& mean) {
    EXPECT_EQ(subject, "s");
    means.push_back(mean);
  });
  for (const ItemRecord& record : records) items.add(record);
  items.finish();
  ASSERT_EQ(means.size(), 3U);
  EXPECT_DOUBLE_EQ(std::get<Scored>(means[0]).value, 1.0 / 3);
  EXPECT_DOUBLE_EQ(std::get<Scored>(means[1]).value, 1);
  EXPECT_EQ(std::get<Failed>(means[2]).error, "lost");

  const Json rows = items.pass_at_k();
  ASSERT_EQ(rows.size(), 2U);  // k = 1 and 2
  EXPECT_EQ(rows[0]["n"], 2);
  EXPECT_NEAR(rows[0]["value"].get<double>(), (1.0 / 3 + 1) / 2, 1e-12);
  EXPECT_NEAR(rows[1]["value"].get<double>(), (2.0 / 3 + 1) / 2, 1e-12);
}

TEST(Samples, IdsNameTheSample) {
  EXPECT_EQ(sample_of("humaneval/humaneval/test/12#3"), 3);
  EXPECT_EQ(sample_of("humaneval/humaneval/test/12"), 0);
  EXPECT_EQ(sample_of("a#b/c"), 0);
}

ExamItem two_options() {
  ExamItem item;
  item.id = "suite/subject/test/0";
  item.subject = "subject";
  item.prompt = "Question:";
  item.continuations = {" yes", " no"};
  item.options = {"yes", "no"};
  return item;
}

TEST(Requests, OptionsWithoutTheQuestionAreASecondRequest) {
  Protocol protocol;
  protocol.score = ChoiceScore::kSum;
  EXPECT_EQ(make_requests("suite", protocol, two_options()).size(), 1U);
  protocol.also = {ChoiceScore::kPmi};
  protocol.unconditional = "Answer:";
  const std::vector<Request> requests = make_requests("suite", protocol, two_options());
  ASSERT_EQ(requests.size(), 2U);
  const auto& first = std::get<ScoreRequest>(requests[0].what);
  const auto& second = std::get<ScoreRequest>(requests[1].what);
  EXPECT_EQ(first.prompt.pieces.at(0).text, "Question:");
  EXPECT_EQ(second.prompt.pieces.at(0).text, "Answer:");
  EXPECT_EQ(first.continuations, second.continuations);

  std::vector<Response> parts(2);
  ScoreResult with, without;
  with.continuations.resize(2);
  without.continuations.resize(2);
  with.continuations[0].logprob = -1;
  without.continuations[1].logprob = -4;
  parts[0].id = 6;
  parts[0].what = with;
  parts[1].id = 7;
  parts[1].what = without;
  const Response all = merged(parts);
  EXPECT_EQ(all.id, 6U);
  ASSERT_EQ(std::get<ScoreResult>(all.what).continuations.size(), 4U);
  EXPECT_EQ(std::get<ScoreResult>(all.what).continuations[0].logprob, -1);
  EXPECT_EQ(std::get<ScoreResult>(all.what).continuations[3].logprob, -4);
  parts[1].error = "too long";
  EXPECT_EQ(merged(parts).error, "too long");
}

TEST(Requests, ChatAndSamples) {
  Protocol protocol;
  protocol.task = Task::kGenerate;
  protocol.generate.chat = true;
  ExamItem item = two_options();
  item.system = "Be brief.";
  item.prefill = "It is";
  item.sample = 4;
  const std::vector<Request> requests = make_requests("suite", protocol, item);
  const auto& generate = std::get<GenerateRequest>(requests.at(0).what);
  EXPECT_TRUE(generate.prompt.pieces.empty());
  ASSERT_EQ(generate.prompt.chat.size(), 2U);
  EXPECT_EQ(generate.prompt.chat[0].role, "system");
  EXPECT_EQ(generate.prompt.chat[1].content, "Question:");
  EXPECT_EQ(generate.prompt.prefill, "It is");
  EXPECT_EQ(generate.sample, 4);
}

}  // namespace
}  // namespace keju
