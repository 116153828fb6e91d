// SPDX-License-Identifier: MIT
// Every tiny checkpoint of ../shared/fixtures/models on every CPU ISA level: logits within the
// fixture's own tolerance of what transformers computes, token log-probs within 2e-4.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "engine/local_model.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/require.h"

namespace keju {
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

class Fixture : public testing::TestWithParam<std::string> {};

void keep_worst(double difference, double& worst) {  // a NaN stays
  if (!std::isnan(worst) && !(difference <= worst)) worst = difference;
}

// Fixtures whose files do not hold what their logits were computed from, with the bound that
// follows.
struct Defect {
  const char* name;
  const char* why;
  double logit_bound, logprob_bound;
};
constexpr Defect kDefects[] = {
    // The rows of the head were rounded to float16 after the logits were computed: no hidden state
    // reproduces them from the stored rows (least squares leaves 7e-4 to 9e-4).
    {"baichuan2-normhead", "head stored in float16", 2e-3, 1e-3},
    // config.json says scale_depth 1.4 where the logits need the square root of 2 (then they agree
    // to 8e-7): a residual scale of 0.98995 instead of 1.
    {"minicpm", "scale_depth rounded to 1.4", 2e-2, 1e-2},
};

const Defect* defect_of(const std::string& name) {
  for (const Defect& defect : kDefects) {
    if (name == defect.name) return &defect;
  }
  return nullptr;
}

TEST_P(Fixture, LogitsAndLogprobsAgreeWithTransformers) {
  KEJU_NEED(shared);
  const auto folder = shared_dir() / "fixtures/models" / GetParam();
  const Json expected = read_json(folder / "expected.json");
  const Defect* defect = defect_of(GetParam());
  const double tolerance =
      defect != nullptr ? defect->logit_bound : expected["max_abs_logit_error"].get<double>();
  const double logprob_tolerance = defect != nullptr ? defect->logprob_bound : 2e-4;
  const auto checkpoint = Checkpoint::open(folder.string());
  for (const std::string& isa : cpu_isa_levels()) {
    if (isa.find('_') != std::string::npos) continue;  // levels of fast mode
    const auto backend = make_cpu_backend({.threads = 2, .isa = isa, .mode = NumericMode::kExact});
    LocalModelParts parts;
    parts.checkpoint = checkpoint;
    parts.backend = backend.get();
    const auto model = LocalModel::create(std::move(parts));
    double worst_logit = 0, worst_logprob = 0;
    for (const Json& test : expected["cases"]) {
      std::vector<float> logits;
      const std::vector<double> logprobs =
          model->token_logprobs(test["ids"].get<std::vector<TokenId>>(), &logits);
      const Json& wanted = test["token_logprobs"];
      ASSERT_EQ(wanted.size(), logprobs.size() + 1);
      for (size_t i = 0; i < logprobs.size(); ++i) {
        const double difference = std::fabs(logprobs[i] - wanted[i + 1].get<double>());
        keep_worst(difference, worst_logprob);
      }
      const auto last = test["last_logits"].get<std::vector<double>>();
      ASSERT_EQ(last.size(), logits.size());
      for (size_t v = 0; v < last.size(); ++v) {
        const double difference = std::fabs(last[v] - static_cast<double>(logits[v]));
        keep_worst(difference, worst_logit);
      }
    }
    EXPECT_LE(worst_logit, tolerance) << isa;
    EXPECT_LE(worst_logprob, logprob_tolerance) << isa;
  }
}

INSTANTIATE_TEST_SUITE_P(Models,
                         Fixture,
                         testing::ValuesIn(fixture_names()),
                         [](const auto& fixture) {
                           std::string name = fixture.param;
                           std::replace_if(
                               name.begin(),
                               name.end(),
                               [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); },
                               '_');
                           return name;
                         });

}  // namespace
}  // namespace keju
