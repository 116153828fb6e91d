// SPDX-License-Identifier: MIT
#include "lm/fake_model.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

namespace keju {
namespace {

Request score_request(uint64_t id, const std::string& prompt, std::vector<std::string> options) {
  Request request;
  request.id = id;
  ScoreRequest what;
  what.prompt.pieces.push_back({prompt, ParseSpecial::kNo, {}});
  what.continuations = std::move(options);
  request.what = std::move(what);
  return request;
}

Request generate_request(const std::string& prompt,
                         int64_t max_tokens,
                         std::vector<std::string> stop = {}) {
  Request request;
  GenerateRequest what;
  what.prompt.pieces.push_back({prompt, ParseSpecial::kNo, {}});
  what.max_tokens = max_tokens;
  what.stop = std::move(stop);
  request.what = std::move(what);
  return request;
}

std::vector<Response> answers(LanguageModel& model, std::vector<Request> requests) {
  VectorSource source(std::move(requests));
  const std::unique_ptr<Session> session = model.start(source);
  std::vector<Response> out;
  while (std::optional<Response> response = session->next()) out.push_back(std::move(*response));
  return out;
}

GenerateResult generated(const FakeScript& script, const Request& request) {
  const std::unique_ptr<LanguageModel> model = make_fake_model(script);
  return std::get<GenerateResult>(answers(*model, {request}).at(0).what);
}

TEST(FakeModel, AnswersEveryRequestOnceAndOutOfOrder) {
  const auto model = make_fake_model({});
  std::vector<Request> requests;
  for (uint64_t id = 0; id < 20; ++id) requests.push_back(score_request(id, "p", {" A"}));

  std::map<uint64_t, int> seen;
  bool ascending = true;
  uint64_t before = 0;
  for (const Response& response : answers(*model, requests)) {
    ++seen[response.id];
    ascending = ascending && response.id >= before;
    before = response.id;
  }

  EXPECT_EQ(seen.size(), 20u);
  for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
  EXPECT_FALSE(ascending) << "nothing above may rely on the order";
}

TEST(FakeModel, AnswersDependOnTheRequestAlone) {
  const auto model = make_fake_model({});
  const auto alone = answers(*model, {score_request(5, "prompt", {" A", " B"})});
  const auto among = answers(
      *model, {score_request(1, "other", {" A"}), score_request(5, "prompt", {" A", " B"})});

  const auto& a = std::get<ScoreResult>(alone.at(0).what);
  const auto& b = std::get<ScoreResult>(among.at(0).what);  // the later request comes first
  ASSERT_EQ(among.at(0).id, 5u);
  EXPECT_EQ(a.continuations[0].logprob, b.continuations[0].logprob);
  EXPECT_EQ(a.continuations[1].logprob, b.continuations[1].logprob);
  EXPECT_NE(a.continuations[0].logprob, a.continuations[1].logprob);
  EXPECT_GE(a.continuations[0].logprob, -8);
  EXPECT_LT(a.continuations[0].logprob, 0);
}

TEST(FakeModel, ScriptDecidesScoresAndTheBestIsGreedy) {
  FakeScript script;
  script.score = [](const std::string& prompt, const std::string& continuation) {
    EXPECT_EQ(prompt, "1+1=");
    return continuation == " 2" ? -0.5 : -3.0;
  };
  const auto model = make_fake_model(script);
  const auto result = answers(*model, {score_request(0, "1+1=", {" 1", " 2"})});

  const auto& score = std::get<ScoreResult>(result.at(0).what);
  EXPECT_EQ(score.prompt_tokens, 4);
  EXPECT_EQ(score.continuations[1].logprob, -0.5);
  EXPECT_TRUE(score.continuations[1].greedy);
  EXPECT_FALSE(score.continuations[0].greedy);
  EXPECT_EQ(score.continuations[1].ids, (std::vector<TokenId>{' ', '2'}));
}

TEST(FakeModel, GenerationEndsByItselfAtAStopOrAtTheCap) {
  FakeScript script;
  script.generate = [](const std::string&) { return "一二三 Question: 四"; };

  const GenerateResult whole = generated(script, generate_request("p", 100));
  EXPECT_EQ(whole.text, "一二三 Question: 四");
  EXPECT_EQ(whole.finish, FinishReason::kEos);

  const GenerateResult stopped = generated(script, generate_request("p", 100, {"Question:"}));
  EXPECT_EQ(stopped.text, "一二三 ");
  EXPECT_EQ(stopped.finish, FinishReason::kStop);

  const GenerateResult capped = generated(script, generate_request("p", 2, {"Question:"}));
  EXPECT_EQ(capped.text, "一二");
  EXPECT_EQ(capped.finish, FinishReason::kLength);
  EXPECT_EQ(capped.ids.size(), 2u);
}

TEST(FakeModel, WhatAScriptThrowsIsThatResponsesError) {
  FakeScript script;
  script.score = [](const std::string& prompt, const std::string&) -> double {
    if (prompt == "bad") throw std::runtime_error("too long");
    return -1;
  };
  const auto model = make_fake_model(script);
  const auto result =
      answers(*model, {score_request(0, "good", {" A"}), score_request(1, "bad", {" A"})});

  EXPECT_EQ(result.at(0).error, "too long");
  EXPECT_EQ(result.at(0).id, 1u);
  EXPECT_EQ(result.at(1).error, "");
}

TEST(FakeModel, CountsTokensAndTime) {
  const auto model = make_fake_model({});
  VectorSource source({score_request(0, "four", {" A", " B"}), generate_request("p", 100)});
  const auto session = model->start(source);
  while (session->next()) {
  }
  const SessionStats stats = session->stats();
  EXPECT_EQ(stats.prefill_tokens, 4 + 2 + 2 + 1);
  EXPECT_GT(stats.decode_tokens, 5);
  EXPECT_EQ(stats.tokens_computed, stats.prefill_tokens + stats.decode_tokens);
  EXPECT_GT(stats.prefill_s, 0);
}

TEST(FinishReason, HasAName) {
  EXPECT_EQ(name(FinishReason::kStop), "stop");
  EXPECT_EQ(name(FinishReason::kLength), "length");
  EXPECT_EQ(name(FinishReason::kEos), "eos");
}

}  // namespace
}  // namespace keju
