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
#include "tests/support/toy_tokenizer.h"

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
    // The head's rows were rounded to float16 after the logits were computed. No hidden state
    // reproduces those from the stored rows: least squares over all 125,696 leaves 9e-4 at most and
    // 1.84e-4 in the root mean square, which is what such a rounding predicts (1.84e-4).
    {"baichuan2-normhead", "head stored in float16", 2e-3, 1e-3},
    // config.json says scale_depth 1.4 where the logits need the square root of 2 (then they agree
    // to 8e-7; at 1.4141 to no better than 5e-5): a residual scale of 1.4 / sqrt(2 layers) =
    // 0.98995
    // instead of 1. modeling_minicpm.py of MiniCPM-2B scales by scale_depth / sqrt(layers).
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

// ln p of ids[n - 1] after the others, of each token from `first` on: every text alone.
double alone(LocalModel& model, const std::vector<TokenId>& ids, size_t first) {
  std::vector<float> logits;
  const std::vector<TokenId> given(ids.begin(), ids.end() - 1);
  const std::vector<double> logprobs = model.token_logprobs(given, &logits);
  double sum = 0;
  for (size_t i = first; i < given.size(); ++i) sum += logprobs[i - 1];
  double most = -INFINITY, total = 0;
  for (const float v : logits) most = std::max(most, static_cast<double>(v));
  for (const float v : logits) total += std::exp(static_cast<double>(v) - most);
  return sum + static_cast<double>(logits[static_cast<size_t>(ids.back())]) - most -
         std::log(total);
}

class Regimes : public testing::TestWithParam<std::string> {};

// Frequencies that depend on a text's whole length: texts that begin alike on both sides of the
// limits may share keys only with those of their own length, and score as if each were alone.
TEST_P(Regimes, TextsOfDifferentLengthsDoNotShareKeys) {
  const auto backend = make_cpu_backend({.threads = 2, .mode = NumericMode::kExact});
  LocalModelParts parts;
  parts.checkpoint = Checkpoint::open("tests/fixtures/models/" + GetParam());
  parts.backend = backend.get();
  parts.tokenizer = make_toy_tokenizer();
  const auto model = LocalModel::create(std::move(parts));
  const int64_t context = model->facts().context_length;
  const std::vector<std::string> options = {"\x03\x04", "\x05", "\x06\x07\x08\x09", "\x0b\x0c\x0e"};
  std::vector<TokenId> text;
  for (int64_t i = 0; i + 4 < context && i < 100; ++i) {
    text.push_back(static_cast<TokenId>(3 + i * 7 % 30));
  }
  std::vector<Request> requests;
  for (size_t n = 1; n <= text.size(); n += 1 + n / 24) {
    ScoreRequest score;
    score.prompt.add_prefix = false;
    score.prompt.pieces = {{"", ParseSpecial::kNo, {text.begin(), text.begin() + n}}};
    score.continuations = options;
    Request request;
    request.id = n;
    request.group = "g";
    request.key = std::to_string(n);
    request.what = score;
    requests.push_back(request);
  }
  VectorSource source(std::move(requests));
  const auto session = model->start(source);
  size_t seen = 0;
  while (const auto response = session->next()) {
    ASSERT_EQ(response->error, "");
    const auto& score = std::get<ScoreResult>(response->what);
    for (size_t o = 0; o < options.size(); ++o, ++seen) {
      std::vector<TokenId> ids(text.begin(), text.begin() + static_cast<ptrdiff_t>(response->id));
      for (const char c : options[o]) ids.push_back(c % 150 + 3);
      EXPECT_NEAR(score.continuations[o].logprob, alone(*model, ids, response->id), 1e-5)
          << response->id << " tokens, option " << o;
    }
  }
  EXPECT_GE(seen, 60u);
}

INSTANTIATE_TEST_SUITE_P(Models, Regimes, testing::Values("slow-qwen1-past", "phi3-longrope"));

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
