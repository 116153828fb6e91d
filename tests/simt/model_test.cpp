// SPDX-License-Identifier: MIT
// Tiny checkpoints of every attention and MLP kind through the CUDA backend's host code on the
// interpreter: in exact mode within the fixture's own tolerance of what transformers computes.
#include <algorithm>
#include <filesystem>
#include <random>

#include "base/error.h"
#include "base/json.h"
#include "engine/local_model.h"
#include "tests/simt/cuda_test.h"
#include "tests/support/require.h"
#include "tests/support/toy_tokenizer.h"

namespace keju::cuda {
namespace {

std::vector<std::string> fixture_names() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(shared_dir() / "fixtures/models", error)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) names.push_back("none");
  return names;
}

std::shared_ptr<const Checkpoint> fixture(const std::string& name) {
  return Checkpoint::open((shared_dir() / "fixtures/models" / name).string());
}

// Fixtures whose files do not hold what their logits were computed from (see
// tests/engine/fixtures_test.cpp) are compared with the CPU instead.
bool defective(const std::string& name) {
  return name == "baichuan2-normhead" || name == "minicpm";
}

std::unique_ptr<LocalModel> model_on(Backend& backend,
                                     std::shared_ptr<const Checkpoint> checkpoint,
                                     EngineOptions options = {}) {
  LocalModelParts parts;
  parts.checkpoint = std::move(checkpoint);
  parts.tokenizer = make_toy_tokenizer();
  parts.backend = &backend;
  parts.options = options;
  return LocalModel::create(std::move(parts));
}

class Fixture : public testing::TestWithParam<std::string> {};

TEST_P(Fixture, ExactModeAgreesWithTransformers) {
  KEJU_NEED(shared);
  const auto checkpoint = fixture(GetParam());
  const Json expected = read_json(shared_dir() / "fixtures/models" / GetParam() / "expected.json");
  const double tolerance = expected["max_abs_logit_error"].get<double>();
  Card card(true);
  const auto model = model_on(card.be(), checkpoint);
  const auto cpu = kernel_test::backend("plain", 1);
  const auto on_cpu = model_on(*cpu, checkpoint);
  for (const Json& test : expected["cases"]) {
    const auto ids = test["ids"].get<std::vector<TokenId>>();
    std::vector<float> logits, wanted_logits;
    const std::vector<double> logprobs = model->token_logprobs(ids, &logits);
    std::vector<double> wanted = on_cpu->token_logprobs(ids, &wanted_logits);
    if (!defective(GetParam())) {
      const auto& of_file = test["token_logprobs"];
      ASSERT_EQ(of_file.size(), logprobs.size() + 1);
      for (size_t i = 0; i < logprobs.size(); ++i) wanted[i] = of_file[i + 1].get<double>();
      wanted_logits = test["last_logits"].get<std::vector<float>>();
    }
    ASSERT_EQ(logits.size(), wanted_logits.size());
    ASSERT_EQ(logprobs.size(), wanted.size());
    for (size_t i = 0; i < logprobs.size(); ++i) ASSERT_NEAR(logprobs[i], wanted[i], 2e-4) << i;
    for (size_t v = 0; v < logits.size(); ++v)
      ASSERT_NEAR(logits[v], wanted_logits[v], tolerance) << v;
  }
}

INSTANTIATE_TEST_SUITE_P(Models,
                         Fixture,
                         testing::ValuesIn(fixture_names()),
                         [](const auto& fixture_info) {
                           std::string name = fixture_info.param;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace keju::cuda
