// SPDX-License-Identifier: MIT
// Sampled generations on the CUDA backend over the interpreter: the ids that the CPU draws, whoever
// else is generated beside them.
#include <map>

#include "engine/local_model.h"
#include "tests/simt/cuda_test.h"
#include "tests/support/require.h"
#include "tests/support/toy_tokenizer.h"

namespace keju::cuda {
namespace {

std::vector<Request> requests() {
  std::vector<Request> all;
  for (uint64_t i = 0; i < 12; ++i) {
    GenerateRequest generate;
    const std::string text(5 + i / 2 * 9, static_cast<char>('a' + i / 2));  // two of each prompt
    generate.prompt.pieces = {{text, ParseSpecial::kNo, {}}};
    generate.max_tokens = 12;
    generate.ignore_eos = true;
    generate.temperature = i % 5 == 4 ? 0 : 0.7 + 0.2 * static_cast<double>(i % 4);
    generate.top_k = i % 3 == 0 ? 30 : 0;
    generate.top_p = i % 4 == 1 ? 0.9 : 1;
    generate.min_p = i % 6 == 2 ? 0.02 : 0;
    generate.seed = 7;
    generate.sample = static_cast<int64_t>(i % 2);
    Request request;
    request.id = i;
    request.key = "item " + std::to_string(i / 2);
    request.what = std::move(generate);
    all.push_back(std::move(request));
  }
  return all;
}

using Ids = std::map<uint64_t, std::vector<TokenId>>;

Ids generated(Backend& backend, const std::string& name, EngineOptions options) {
  LocalModelParts parts;
  parts.checkpoint = Checkpoint::open((shared_dir() / "fixtures/models" / name).string());
  parts.tokenizer = make_toy_tokenizer();
  parts.backend = &backend;
  parts.options = options;
  const auto model = LocalModel::create(std::move(parts));
  VectorSource source(requests());
  const auto session = model->start(source);
  Ids ids;
  while (const auto response = session->next()) {
    EXPECT_EQ(response->error, "");
    ids[response->id] = std::get<GenerateResult>(response->what).ids;
  }
  return ids;
}

class Generation : public testing::TestWithParam<const char*> {};

// Exact mode differs from the CPU in the last bits of a logit, which moves the borders between
// tokens by a millionth of what the draws of these seeds leave.
TEST_P(Generation, DrawsTheIdsThatTheCpuDrawsWhateverTheBatch) {
  KEJU_NEED(shared);
  const auto cpu = kernel_test::backend("plain", 1);
  const Ids wanted = generated(*cpu, GetParam(), {});
  ASSERT_EQ(wanted.size(), 12u);
  EXPECT_NE(wanted.at(0), wanted.at(1)) << "two samples of one prompt";
  for (const EngineOptions& options : {EngineOptions{.step_rows = 64, .live_sequences = 16},
                                       EngineOptions{.step_rows = 17, .live_sequences = 3},
                                       EngineOptions{.step_rows = 200, .live_sequences = 1}}) {
    EXPECT_EQ(generated(*cpu, GetParam(), options), wanted);
    Card card(true);
    EXPECT_EQ(generated(card.be(), GetParam(), options), wanted);
  }
}

// Native arithmetic is its own; the batch changes nothing there either.
TEST_P(Generation, DrawsTheSameIdsInAnyBatchOfNativeMode) {
  KEJU_NEED(shared);
  Card first(false), second(false);
  EXPECT_EQ(generated(first.be(), GetParam(), {.step_rows = 64, .live_sequences = 16}),
            generated(second.be(), GetParam(), {.step_rows = 17, .live_sequences = 2}));
}

INSTANTIATE_TEST_SUITE_P(Models,
                         Generation,
                         testing::Values("llama", "gemma3", "mixtral"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace keju::cuda
