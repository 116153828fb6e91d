// SPDX-License-Identifier: MIT
// The two small real models against transformers in float32 on the weights of the same files
// (../shared/oracles/logprobs). Not under the sanitizers, where this takes a quarter of an hour and
// the program's own tests run the same models.

#if !defined(__SANITIZE_ADDRESS__)

#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "engine/local_model.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/require.h"
#include "text/tokenizer.h"

namespace keju {
namespace {

struct RealModel {
  const char* oracle;
  const char* file;
};

class Oracle : public testing::TestWithParam<RealModel> {
 protected:
  void open() {
    backend_ = make_cpu_backend({.threads = 2, .isa = "", .mode = NumericMode::kExact});
    const auto checkpoint = Checkpoint::open(model_file(GetParam().file).string());
    LocalModelParts parts;
    parts.tokenizer = tokenizer_from_gguf(checkpoint->metadata());
    parts.checkpoint = checkpoint;
    parts.backend = backend_.get();
    model_ = LocalModel::create(std::move(parts));
    oracle_ =
        read_json(shared_dir() / "oracles/logprobs" / (std::string(GetParam().oracle) + ".json"));
  }
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<LocalModel> model_;
  Json oracle_;
};

TEST_P(Oracle, EveryTokenLogprobWithinAThousandth) {
  KEJU_NEED(shared);
  KEJU_NEED(models);
  open();
  for (const Json& test : oracle_["cases"]) {
    const auto logprobs = model_->token_logprobs(test["ids"].get<std::vector<TokenId>>(), nullptr);
    const Json& wanted = test["token_logprobs"];
    ASSERT_EQ(wanted.size(), logprobs.size() + 1);
    for (size_t i = 0; i < logprobs.size(); ++i) {
      EXPECT_TRUE(std::fabs(logprobs[i] - wanted[i + 1].get<double>()) <= 1e-3)
          << "token " << i + 1 << ": " << logprobs[i] << " against " << wanted[i + 1];
    }
  }
}

TEST_P(Oracle, GreedyContinuationsAgreeWhereTheMarginDecides) {
  KEJU_NEED(shared);
  KEJU_NEED(models);
  open();
  std::vector<Request> requests;
  for (const Json& test : oracle_["cases"]) {
    GenerateRequest generate;
    generate.prompt.add_prefix = false;
    generate.prompt.pieces = {{"", ParseSpecial::kNo, test["ids"].get<std::vector<TokenId>>()}};
    generate.max_tokens = static_cast<int64_t>(test["greedy_ids"].size());
    generate.ignore_eos = true;
    requests.push_back({.id = requests.size(), .group = "g", .key = "k", .what = generate});
  }
  VectorSource source(std::move(requests));
  const auto session = model_->start(source);
  size_t seen = 0;
  while (const auto response = session->next()) {
    ASSERT_EQ(response->error, "");
    ++seen;
    const Json& test = oracle_["cases"][response->id];
    const auto& ids = std::get<GenerateResult>(response->what).ids;
    for (size_t i = 0; i < ids.size(); ++i) {
      // Past a step that a rounding could turn, the texts may part.
      if (test["greedy_margins"][i].get<double>() <= 1e-3) break;
      ASSERT_EQ(ids[i], test["greedy_ids"][i].get<TokenId>())
          << "case " << response->id << " step " << i;
    }
  }
  EXPECT_EQ(seen, oracle_["cases"].size());
}

INSTANTIATE_TEST_SUITE_P(RealModels,
                         Oracle,
                         testing::Values(RealModel{"smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"},
                                         RealModel{"gemma3", "gemma-3-270m-q4_k_m.gguf"}),
                         [](const auto& chosen) { return std::string(chosen.param.oracle); });

}  // namespace
}  // namespace keju

#endif
