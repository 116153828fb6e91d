// SPDX-License-Identifier: MIT
// --context past what a checkpoint states: reachable where its position encoding is defined there,
// with the log-probs of the reference; refused with both figures where it is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "engine/local_model.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/temp_folder.h"
#include "tests/support/toy_tokenizer.h"

namespace keju {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kModels = "tests/fixtures/models/";

struct Opened {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<LocalModel> model;
};

Opened open(const std::string& name, int64_t context) {
  Opened opened;
  opened.backend = make_cpu_backend({.threads = 1, .mode = NumericMode::kExact});
  LocalModelParts parts;
  parts.checkpoint = Checkpoint::open(kModels + name);
  parts.backend = opened.backend.get();
  parts.tokenizer = make_toy_tokenizer();
  parts.options.context_length = context;
  parts.name = name;
  opened.model = LocalModel::create(std::move(parts));
  return opened;
}

// The toy tokenizer's text of one id.
std::string text_of(TokenId id) { return std::string(1, static_cast<char>(id - 3)); }

ScoreResult score(LocalModel& model, const std::vector<TokenId>& ids, TokenId next) {
  ScoreRequest request;
  request.prompt.add_prefix = false;
  request.prompt.pieces = {{"", ParseSpecial::kNo, ids}};
  request.continuations = {text_of(next)};
  Request whole;
  whole.id = 1;
  whole.group = "g";
  whole.key = "1";
  whole.what = request;
  VectorSource source({whole});
  const auto session = model.start(source);
  const auto response = session->next();
  EXPECT_TRUE(response.has_value());
  EXPECT_EQ(response->error, "");
  return std::get<ScoreResult>(response->what);
}

double log_softmax(const std::vector<double>& logits, TokenId id) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double v : logits) sum += std::exp(v - most);
  return logits[static_cast<size_t>(id)] - most - std::log(sum);
}

class Past : public testing::TestWithParam<std::string> {};

TEST_P(Past, ScoresAsTheReferenceDoes) {
  const Json expected = read_json(kModels + GetParam() + "/expected.json");
  const Json& test = expected["cases"].back();
  const auto ids = test["ids"].get<std::vector<TokenId>>();
  const auto length = static_cast<int64_t>(ids.size());
  const int64_t stated = open(GetParam(), 0).model->facts().context_length;
  ASSERT_LT(stated, length);
  const Opened opened = open(GetParam(), length);
  EXPECT_EQ(opened.model->facts().context_length, length);
  const auto logits = test["last_logits"].get<std::vector<double>>();
  for (const TokenId next : {5, 11, 30}) {
    const ScoreResult result = score(*opened.model, ids, next);
    EXPECT_EQ(result.truncated_tokens, 0);
    EXPECT_NEAR(result.continuations.at(0).logprob, log_softmax(logits, next), 2e-4) << next;
  }
  // At the stated context the same text loses its beginning, and says so.
  EXPECT_EQ(score(*open(GetParam(), 0).model, ids, 5).truncated_tokens, length - stated);
}

INSTANTIATE_TEST_SUITE_P(Models,
                         Past,
                         testing::Values("llama-dynamic", "slow-internlm2-dynamic"),
                         [](const auto& model) {
                           std::string name = model.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Context, IsRefusedWherePositionsAreNotDefined) {
  struct Limit {
    const char* name;
    int64_t most;
  };
  // A rope without scaling, learned positions, and YaRN whose factor is counted in the context.
  for (const Limit& limit : {Limit{"mistral", 256}, Limit{"gpt2", 160}, Limit{"qwen2-yarn", 256}}) {
    EXPECT_EQ(open(limit.name, limit.most).model->facts().context_length, limit.most);
    const Error error = error_of([&] { open(limit.name, limit.most + 1); });
    EXPECT_EQ(error.code(), Code::kUsage);
    EXPECT_EQ(exit_code(error.code()), 4);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr(std::string(limit.name) + ": context"),
                      HasSubstr("found " + std::to_string(limit.most + 1)),
                      HasSubstr("need 1 to " + std::to_string(limit.most))));
  }
}

TEST(Context, MayBeSmallerThanStated) {
  EXPECT_EQ(open("mistral", 100).model->facts().context_length, 100);
  EXPECT_EQ(error_of([] { open("mistral", -1); }).code(), Code::kUsage);
}

}  // namespace
}  // namespace keju
