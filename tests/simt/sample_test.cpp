// SPDX-License-Identifier: MIT
// The sampling kernel against the definition by a sort, and its frequencies against a softmax.
#include "tests/kernels/sample_cases.h"
#include "tests/simt/cuda_test.h"

namespace keju::cuda {
namespace {

using kernel_test::logit_cases;
using kernel_test::LogitCase;
using kernel_test::plain_sample;
using kernel_test::sample_rules;

class SampleOps : public OnCard {
 protected:
  std::vector<int32_t> draw(const std::vector<float>& logits,
                            const std::vector<SampleRule>& rules) {
    Stored stored{DType::kF32, static_cast<int64_t>(logits.size()), 1, {}};
    stored.bytes.resize(logits.size() * sizeof(float));
    std::memcpy(stored.bytes.data(), logits.data(), stored.bytes.size());
    const auto w = cuda().make_matrix(stored.source());
    Array one = Array::of({{1}});
    std::vector<int32_t> ids(rules.size(), -1);
    cuda().sample(one.rows(), *w, {}, rules, ids);
    return ids;
  }
};

TEST_P(SampleOps, AsTheDefinitionByASort) {
  uint64_t stream = 170;
  for (const LogitCase& one : logit_cases(9000)) {
    const auto vocab = static_cast<int64_t>(one.logits.size());
    const std::vector<SampleRule> rules = sample_rules(vocab, kFewCases ? 311 : 53, ++stream);
    const std::vector<int32_t> got = draw(one.logits, rules);
    for (size_t i = 0; i < rules.size(); ++i) {
      const SampleRule& r = rules[i];
      ASSERT_EQ(got[i], plain_sample(one.logits, r))
          << one.name << ": temperature " << r.temperature << " top_k " << r.top_k << " top_p "
          << r.top_p << " min_p " << r.min_p << " draw " << r.draw;
    }
  }
}

TEST_P(SampleOps, FrequenciesAreTheSoftmaxProbabilities) {
  if (kFewCases) GTEST_SKIP() << "numbers, not accesses";
  Draw source(190);
  const std::vector<float> logits = source.floats(20, -3, 4);
  std::vector<SampleRule> rules;
  for (uint64_t i = 0; i < 700; ++i)
    rules.push_back({.temperature = 1.3, .draw = uniform(kernel_test::kSeed, 191, i)});
  int degrees = 0;
  const double sum = kernel_test::chi_square(logits, 1.3, draw(logits, rules), degrees);
  EXPECT_GT(degrees, 8);
  EXPECT_LT(sum, kernel_test::chi_square_limit(degrees));
}

// Many rows, some with several draws and some with none: each as the CPU draws it from the same
// logits.
TEST_P(SampleOps, RowsOfAStep) {
  const int64_t vocab = 1500;
  const Stored stored = random_matrix(DType::kF32, vocab, 1, 200);
  Draw source(201);
  const std::vector<float> bias_values = source.floats(vocab);
  Array x = Array::random(9, 1, 202, 6);
  std::vector<SampleRule> rules;
  for (int32_t r = 0; r < 9; r += 1 + r % 2) {
    for (int32_t n = 0; n < 1 + r % 3; ++n) {
      rules.push_back({.row = r,
                       .temperature = r == 4 ? 0 : 0.9,
                       .top_k = r % 5 == 0 ? 20 : 0,
                       .top_p = r % 2 == 0 ? 0.9 : 1,
                       .draw = static_cast<double>(source.between(0, 1))});
    }
  }
  std::vector<int32_t> got(rules.size(), -1);
  const auto w = cuda().make_matrix(stored.source());
  const auto bias = cuda().make_vector(bias_values);
  const HeadSpec spec{.scale = 2, .softcap = 30, .bias = bias.get()};
  cuda().sample(x.rows(), *w, spec, rules, got);
  Array logits(9, vocab, 0);
  cuda().logits(x.rows(), *w, spec, logits.rows().data);
  for (size_t i = 0; i < rules.size(); ++i)
    EXPECT_EQ(got[i], plain_sample(logits.row(rules[i].row), rules[i])) << i;
}

KEJU_ON_CARD(SampleOps);

}  // namespace
}  // namespace keju::cuda
