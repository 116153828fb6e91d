// SPDX-License-Identifier: MIT
// What a plan promises before anything is computed, against what the same requests then take.

#include <gtest/gtest.h>

#include <random>

#include "engine/local_model.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/require.h"
#include "tests/support/toy_tokenizer.h"

namespace keju {
namespace {

class Ids {
 public:
  std::vector<TokenId> next(size_t count) {
    std::vector<TokenId> list(count);
    for (TokenId& id : list) id = static_cast<TokenId>(3 + random_() % 150);
    return list;
  }

 private:
  std::mt19937 random_{7};
};

Prompt prompt_of(std::vector<TokenId> ids) {
  Prompt prompt;
  prompt.add_prefix = false;
  prompt.pieces = {{"", ParseSpecial::kNo, std::move(ids)}};
  return prompt;
}

// Groups of questions under a header of their own.
std::vector<Request> exam(bool generate) {
  Ids ids;
  std::vector<Request> all;
  for (int g = 0; g < 5; ++g) {
    const auto header = ids.next(40 + 50 * static_cast<size_t>(g));
    for (int i = 0; i < 30; ++i) {
      std::vector<TokenId> text = header;
      const auto own = ids.next(10 + static_cast<size_t>(i));
      text.insert(text.end(), own.begin(), own.end());
      Request request;
      request.id = all.size();
      request.group = "g" + std::to_string(g);
      if (generate) {
        request.what = GenerateRequest{.prompt = prompt_of(text), .max_tokens = 70};
      } else {
        request.what = ScoreRequest{.prompt = prompt_of(text), .continuations = {"ab", "cde", "b"}};
      }
      all.push_back(std::move(request));
    }
  }
  return all;
}

struct Both {
  SessionStats planned, taken;
};

Both plan_and_run(bool generate, int64_t live) {
  const auto backend = make_cpu_backend({.threads = 2});
  LocalModelParts parts;
  parts.checkpoint = Checkpoint::open((shared_dir() / "fixtures/models/llama").string());
  parts.tokenizer = make_toy_tokenizer();
  parts.backend = backend.get();
  parts.options.step_rows = 64;
  parts.options.live_sequences = live;
  parts.options.window_tokens = 20'000;
  parts.options.window_least_tokens = 2'000;
  const auto model = LocalModel::create(std::move(parts));
  Both both;
  VectorSource planned(exam(generate));
  both.planned = model->plan(planned);
  VectorSource taken(exam(generate));
  const auto session = model->start(taken);
  while (const auto response = session->next()) EXPECT_EQ(response->error, "");
  both.taken = session->stats();
  return both;
}

TEST(Plan, PromisesTheTokensAndTheMemoryThatScoringTakes) {
  KEJU_NEED(shared);
  const Both both = plan_and_run(false, 16);
  EXPECT_GT(both.taken.tokens_computed, 0);
  EXPECT_EQ(both.planned.tokens_planned, both.taken.tokens_computed);
  EXPECT_EQ(both.planned.tokens_naive, both.taken.tokens_naive);
  EXPECT_EQ(both.planned.kv_peak_bytes, both.taken.kv_peak_bytes);
}

TEST(Plan, PromisesTheMemoryOfGenerationsAtTheirCaps) {
  KEJU_NEED(shared);
  for (const int64_t live : {1, 4, 16}) {
    const Both both = plan_and_run(true, live);
    EXPECT_GT(both.taken.decode_tokens, 0);
    EXPECT_GE(both.planned.kv_peak_bytes, both.taken.kv_peak_bytes) << live;
    EXPECT_LE(both.planned.kv_peak_bytes, 2 * both.taken.kv_peak_bytes) << live;
  }
}

}  // namespace
}  // namespace keju
