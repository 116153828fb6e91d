// SPDX-License-Identifier: MIT
// Drawing tokens against the definition by a sort, against hand-made distributions, and against the
// probabilities of a softmax.
#include "tests/kernels/sample_cases.h"

namespace keju::kernel_test {
namespace {

// Logits as a matrix with one column: times the row (1) they are themselves.
Stored column_of(const std::vector<float>& logits) {
  Stored stored{DType::kF32, static_cast<int64_t>(logits.size()), 1, {}};
  stored.bytes.resize(logits.size() * sizeof(float));
  std::memcpy(stored.bytes.data(), logits.data(), stored.bytes.size());
  return stored;
}

class Sampling : public PerIsa {
 protected:
  std::vector<int32_t> draw(const std::vector<float>& logits,
                            const std::vector<SampleRule>& rules) {
    const auto w = be().make_matrix(column_of(logits).source());
    Array one = Array::of({{1}});
    std::vector<int32_t> ids(rules.size(), -1);
    be().sample(one.rows(), *w, {}, rules, ids);
    return ids;
  }
};

TEST(SampleMass, IsThePowerOfEToTheNearestInteger) {
  Draw draw(5);
  for (int i = 0; i < 200000; ++i) {
    const double x = i < 40 ? -0.75 * i : -30 * static_cast<double>(draw.between(0, 1));
    const long double want = std::exp(static_cast<long double>(x)) * (1LL << 40);
    ASSERT_NEAR(static_cast<double>(sample_mass(x)), static_cast<double>(want), 0.51) << x;
  }
  EXPECT_EQ(sample_mass(0.0), kSampleUnit);
  EXPECT_EQ(sample_mass(-0.0), kSampleUnit);
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(sample_mass(-infinite), 0u);
  EXPECT_EQ(sample_mass(-1e300), 0u);
  EXPECT_EQ(sample_mass(std::numeric_limits<double>::quiet_NaN()), 0u);
}

TEST_P(Sampling, AsTheDefinitionByASort) {
  uint64_t stream = 70;
  for (const LogitCase& one : logit_cases(20000)) {
    const auto vocab = static_cast<int64_t>(one.logits.size());
    const std::vector<SampleRule> rules = sample_rules(vocab, vocab > 5000 ? 17 : 3, ++stream);
    const std::vector<int32_t> got = draw(one.logits, rules);
    for (size_t i = 0; i < rules.size(); ++i) {
      const SampleRule& r = rules[i];
      ASSERT_EQ(got[i], plain_sample(one.logits, r))
          << one.name << ": temperature " << r.temperature << " top_k " << r.top_k << " top_p "
          << r.top_p << " min_p " << r.min_p << " draw " << r.draw;
    }
  }
}

// Probabilities 1/2, 3/10, 1/5, in another order than that of the ids.
TEST_P(Sampling, HandMadeDistribution) {
  const std::vector<float> logits = {std::log(0.3f), std::log(0.5f), std::log(0.2f)};
  struct Case {
    SampleRule rule;
    std::vector<int32_t> ids;  // of draws 0, 0.1 … 0.9
  };
  const std::vector<Case> cases = {
      {{.temperature = 1}, {1, 1, 1, 1, 1, 0, 0, 0, 2, 2}},
      // 5/8 and 3/8
      {{.temperature = 1, .top_k = 2}, {1, 1, 1, 1, 1, 1, 1, 0, 0, 0}},
      {{.temperature = 1, .top_p = 0.6}, {1, 1, 1, 1, 1, 1, 1, 0, 0, 0}},
      {{.temperature = 1, .top_p = 0.49}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
      // The first alone has 5/8 of the first two's mass.
      {{.temperature = 1, .top_k = 2, .top_p = 0.6}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
      {{.temperature = 1, .min_p = 0.5}, {1, 1, 1, 1, 1, 1, 1, 0, 0, 0}},
      {{.temperature = 1, .min_p = 0.7}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
      // Squared: 25/38, 9/38, 4/38
      {{.temperature = 0.5}, {1, 1, 1, 1, 1, 1, 1, 0, 0, 2}},
      {{.temperature = 0}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
  };
  for (size_t c = 0; c < cases.size(); ++c) {
    std::vector<SampleRule> rules;
    for (int i = 0; i < 10; ++i) {
      rules.push_back(cases[c].rule);
      rules.back().draw = i == 5 && c == 0 ? 0.51 : 0.1 * i + (i == 8 && c == 0 ? 0.01 : 0);
    }
    EXPECT_EQ(draw(logits, rules), cases[c].ids) << c;
  }
}

TEST_P(Sampling, FrequenciesAreTheSoftmaxProbabilities) {
  Draw source(90);
  const std::vector<float> logits = source.floats(300, -3, 4);
  for (const double temperature : {0.7, 1.0, 3.0}) {
    std::vector<SampleRule> rules;
    for (uint64_t i = 0; i < 20000; ++i)
      rules.push_back({.temperature = temperature, .draw = uniform(kSeed, 91, i)});
    int degrees = 0;
    const double sum = chi_square(logits, temperature, draw(logits, rules), degrees);
    EXPECT_GT(degrees, 100);
    EXPECT_LT(sum, chi_square_limit(degrees)) << temperature;
  }
}

// Rows of a step, some with several draws, some with none, greedy ones among them: each as if it
// were alone.
TEST_P(Sampling, ARowsDrawDependsOnNoOther) {
  const int64_t vocab = 2500;
  const auto w = be().make_matrix(random_matrix(DType::kQ8_0, vocab, 64, 100).source());
  Draw source(101);
  const auto bias = be().make_vector(source.floats(vocab));
  const HeadSpec spec{.scale = 4, .softcap = 9, .bias = bias.get()};
  Array x = Array::random(130, 64, 102);
  std::vector<SampleRule> rules;
  for (int32_t r = 0; r < 130; r += 1 + r % 3) {
    for (int32_t n = 0; n < 1 + r % 2; ++n) {
      rules.push_back({.row = r,
                       .temperature = r % 4 == 0 ? 0 : 0.9,
                       .top_k = r % 5 == 0 ? 20 : 0,
                       .draw = static_cast<double>(source.between(0, 1))});
    }
  }
  std::vector<int32_t> together(rules.size(), -1);
  be().sample(x.rows(), *w, spec, rules, together);
  std::vector<float> logits(static_cast<size_t>(vocab));
  for (size_t i = 0; i < rules.size(); ++i) {
    SampleRule rule = rules[i];
    const Rows own = x.rows(rule.row, 1);
    rule.row = 0;
    std::vector<int32_t> alone(1, -1);
    be().sample(own, *w, spec, std::span(&rule, 1), alone);
    EXPECT_EQ(alone[0], together[i]) << i;
    be().logits(own, *w, spec, logits.data());
    EXPECT_EQ(alone[0], plain_sample(logits, rule)) << i;
  }
}

KEJU_PER_ISA(Sampling);

}  // namespace
}  // namespace keju::kernel_test
