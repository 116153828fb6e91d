// SPDX-License-Identifier: MIT
// The plan of a card's memory: what it allows runs to its end on a card of exactly that size, what
// it refuses is refused with numbers before anything is loaded, and blocks are expanded where they
// fit.
#include <gmock/gmock.h>

#include <cstdlib>

#include "base/error.h"
#include "engine/decoder.h"
#include "engine/local_model.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/simt/cuda_test.h"
#include "tests/support/require.h"
#include "tests/support/temp_folder.h"
#include "tests/support/toy_tokenizer.h"

namespace keju::cuda {
namespace {

using testing::HasSubstr;

constexpr int64_t kContext = 128;
constexpr EngineOptions kOptions{.step_rows = 48, .live_sequences = 2, .context_length = kContext};

struct Planned {
  CudaPlan plan;
  std::vector<std::unique_ptr<Card>> cards;
};

// Plans a model for cards of these sizes: copies on all of them.
Planned plan_for(const std::shared_ptr<const Checkpoint>& checkpoint,
                 const std::vector<int64_t>& sizes,
                 bool exact,
                 bool keep_stored = false) {
  Planned planned;
  const auto count = make_cuda_count({.exact = exact});
  Backend* const only = count.get();
  Decoder(checkpoint, std::span(&only, 1))
      .rehearse(kOptions.step_rows, kOptions.live_sequences, kContext);
  std::vector<CudaShare> shares;
  for (const int64_t size : sizes) {
    planned.cards.push_back(
        std::make_unique<Card>(exact, FakeRuntime::Settings{.total_bytes = size}));
    shares.push_back({&planned.cards.back()->be(), only});
  }
  const int64_t least = most_step_pages(kOptions.step_rows) + kContext / kPagePositions + 1;
  planned.plan = plan_cuda(
      shares, {.least_pages = least, .useful_pages = least + 8, .keep_stored = keep_stored});
  return planned;
}

std::unique_ptr<LocalModel> model_on(Planned& planned,
                                     const std::shared_ptr<const Checkpoint>& checkpoint) {
  LocalModelParts parts;
  parts.checkpoint = checkpoint;
  parts.tokenizer = make_toy_tokenizer();
  parts.backend = &planned.cards[0]->be();
  parts.options = kOptions;
  parts.options.kv_pages = planned.plan.pages;
  return LocalModel::create(std::move(parts));
}

Prompt prompt_of(const std::string& text) {
  Prompt prompt;
  prompt.pieces = {{text, ParseSpecial::kNo, {}}};
  return prompt;
}

// Scores, generations with sampling, and a text that fills the context.
std::vector<Request> requests() {
  std::vector<Request> all;
  for (uint64_t i = 0; i < 9; ++i) {
    Request request;
    request.id = i;
    const std::string text(10 + i * 12, static_cast<char>('a' + i));
    if (i % 3 == 0) {
      request.what = GenerateRequest{
          .prompt = prompt_of(text), .max_tokens = 20, .temperature = i == 0 ? 0.0 : 1.0};
    } else if (i % 3 == 1) {
      request.what = ScoreRequest{prompt_of(text), {"ab", "cde", "f"}};
    } else {
      request.what = RollingRequest{text + text};
    }
    all.push_back(std::move(request));
  }
  return all;
}

void run_all(LocalModel& model) {
  VectorSource source(requests());
  const auto session = model.start(source);
  size_t answered = 0;
  while (const auto response = session->next()) {
    EXPECT_EQ(response->error, "");
    ++answered;
  }
  EXPECT_EQ(answered, requests().size());
}

std::string refusal(const std::shared_ptr<const Checkpoint>& checkpoint, int64_t size, bool exact) {
  try {
    plan_for(checkpoint, {size}, exact);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kDevice) << error.what();
    return error.what();
  }
  return "";
}

class Plan : public testing::TestWithParam<const char*> {};

TEST_P(Plan, WhatItAllowsRunsToItsEndOnACardOfExactlyThatSize) {
  KEJU_NEED(shared);
  const auto checkpoint =
      Checkpoint::open((shared_dir() / "fixtures/models" / GetParam()).string());
  for (const bool exact : {true, false}) {
    int64_t too_small = 1000;
    int64_t enough = int64_t{1} << 32;
    while (enough - too_small > 1) {
      const int64_t middle = (too_small + enough) / 2;
      (refusal(checkpoint, middle, exact).empty() ? enough : too_small) = middle;
    }
    Planned planned = plan_for(checkpoint, {enough}, exact);
    const auto model = model_on(planned, checkpoint);
    const auto before = planned.cards[0]->record->calls;
    run_all(*model);
    // Nothing is left to fail for memory once the first text has begun.
    EXPECT_EQ(planned.cards[0]->record->calls["allocate"], before.at("allocate"));
    EXPECT_EQ(planned.cards[0]->record->calls["pinned"], before.at("pinned"));
    const int64_t taken = planned.cards[0]->record->bytes_most;
    EXPECT_LE(taken, enough);
    EXPECT_LE(enough, 2 * taken) << "the plan asks for far more than is used";
    const std::string said = refusal(checkpoint, too_small, exact);
    EXPECT_THAT(said, HasSubstr("cuda: memory of interpreted card 0: found "));
    EXPECT_THAT(said, HasSubstr(" MiB free, need "));
    EXPECT_THAT(said, testing::Not(HasSubstr("\n")));
  }
}

INSTANTIATE_TEST_SUITE_P(Models,
                         Plan,
                         testing::Values("llama", "gpt2", "qwen2", "mixtral"),
                         [](const auto& one) { return std::string(one.param); });

TEST(Plans, ARefusalLoadsNothing) {
  KEJU_NEED(shared);
  const auto checkpoint = Checkpoint::open((shared_dir() / "fixtures/models/llama").string());
  const auto count = make_cuda_count({});
  Backend* const only = count.get();
  Decoder(checkpoint, std::span(&only, 1)).rehearse(48, 2, kContext);
  Card card(false, {.total_bytes = 5000});
  const CudaShare share{&card.be(), only};
  EXPECT_THROW(plan_cuda(std::span(&share, 1), {.least_pages = 300, .useful_pages = 300}), Error);
  EXPECT_EQ(card.record->bytes_most, 0);
}

// A checkpoint of Q4_K blocks.
class Blocks : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = (folder_ / "tiny.gguf").string();
    ASSERT_EQ(std::system(("python3 scripts/make_checkpoint.py tiny " + path).c_str()), 0);
    checkpoint_ = Checkpoint::open(path);
  }
  std::vector<double> logprobs(Planned& planned, int64_t* resident = nullptr) {
    const auto model = model_on(planned, checkpoint_);
    if (resident != nullptr) *resident = model->decoder().resident_bytes();
    mode_ = model->facts().numeric_mode;
    std::vector<TokenId> ids;
    for (int i = 0; i < 40; ++i) ids.push_back(i * 31 % 256);
    return model->token_logprobs(ids, nullptr);
  }

  TempFolder folder_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  std::string mode_;
};

TEST_F(Blocks, AreExpandedWhereTheyFitAndStayAsStoredWhereNot) {
  Planned large = plan_for(checkpoint_, {int64_t{1} << 32}, false);
  EXPECT_TRUE(large.plan.expanded);
  EXPECT_THAT(large.plan.said.at(0), HasSubstr("(blocks expanded to BF16)"));
  int64_t expanded_bytes = 0;
  const auto expanded = logprobs(large, &expanded_bytes);
  EXPECT_EQ(mode_, "cuda-native-expanded-r1-sm_90");

  // The smallest card that takes the model at all.
  int64_t too_small = 1000;
  int64_t enough = int64_t{1} << 32;
  while (enough - too_small > 4096) {
    const int64_t middle = (too_small + enough) / 2;
    (refusal(checkpoint_, middle, false).empty() ? enough : too_small) = middle;
  }
  Planned small = plan_for(checkpoint_, {enough}, false);
  EXPECT_FALSE(small.plan.expanded);
  EXPECT_THAT(small.plan.said.at(0), HasSubstr("(blocks as stored)"));
  int64_t stored_bytes = 0;
  const auto stored = logprobs(small, &stored_bytes);
  EXPECT_EQ(mode_, "cuda-native-r1-sm_90");
  EXPECT_GT(expanded_bytes, 3 * stored_bytes);  // 16 bits against 4.5

  Planned exact = plan_for(checkpoint_, {int64_t{1} << 32}, true);
  EXPECT_FALSE(exact.plan.expanded);
  const auto truth = logprobs(exact);
  for (size_t i = 0; i < truth.size(); ++i) {
    EXPECT_NEAR(expanded[i], truth[i], 3e-2) << i;
    EXPECT_NEAR(stored[i], truth[i], 3e-2) << i;
  }
  Planned kept = plan_for(checkpoint_, {int64_t{1} << 32}, false, true);
  EXPECT_FALSE(kept.plan.expanded);
  EXPECT_EQ(logprobs(kept), stored);
}

TEST_F(Blocks, AreTheSameOnAllCards) {
  const auto size = [&](bool expanded) {
    int64_t too_small = 1000;
    int64_t enough = int64_t{1} << 32;
    while (enough - too_small > 4096) {
      const int64_t middle = (too_small + enough) / 2;
      const bool fits = refusal(checkpoint_, middle, false).empty() &&
                        (!expanded || plan_for(checkpoint_, {middle}, false).plan.expanded);
      (fits ? enough : too_small) = middle;
    }
    return enough;
  };
  const int64_t small = size(false);
  const int64_t large = size(true);
  EXPECT_TRUE(plan_for(checkpoint_, {large, large}, false).plan.expanded);
  const Planned mixed = plan_for(checkpoint_, {large, small}, false);
  EXPECT_FALSE(mixed.plan.expanded);
  EXPECT_EQ(mixed.cards[0]->be().facts().numeric_mode, mixed.cards[1]->be().facts().numeric_mode);
}

// With memory planned, more generations than it has room for wait for each other.
TEST(Plans, TextsThatDoNotFitAreRefusedOneByOne) {
  KEJU_NEED(shared);
  const auto checkpoint = Checkpoint::open((shared_dir() / "fixtures/models/llama").string());
  Planned planned = plan_for(checkpoint, {int64_t{1} << 32}, true);
  planned.plan.pages = most_step_pages(kOptions.step_rows) + 1;  // room for a page of text
  const auto model = model_on(planned, checkpoint);
  Request fits;
  fits.id = 1;
  fits.what = ScoreRequest{prompt_of("short"), {"a", "b"}};
  Request long_one;
  long_one.id = 2;
  long_one.what = ScoreRequest{prompt_of(std::string(100, 'x')), {"a", "b"}};
  VectorSource source({fits, long_one});
  const auto session = model->start(source);
  std::map<uint64_t, std::string> errors;
  while (const auto response = session->next()) errors[response->id] = response->error;
  EXPECT_EQ(errors.at(1), "");
  EXPECT_THAT(errors.at(2), HasSubstr("need at most 64: the device's memory has room for no more"));
}

}  // namespace
}  // namespace keju::cuda
