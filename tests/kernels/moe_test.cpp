// SPDX-License-Identifier: MIT
#include "kernel_test.h"

namespace keju::kernel_test {
namespace {

class MoeOps : public PerIsa {
 protected:
  struct Routed {
    std::vector<int32_t> ids;
    std::vector<float> weights;
  };
  Routed route(const std::vector<float>& logits, RouteSpec spec) {
    spec.experts = static_cast<int64_t>(logits.size());
    Array x = Array::of({logits});
    Routed r;
    r.ids.resize(static_cast<size_t>(spec.chosen));
    r.weights.resize(static_cast<size_t>(spec.chosen));
    be().route(x.rows(), spec, r.ids, r.weights);
    return r;
  }
};

using Score = RouteSpec::Score;

TEST_P(MoeOps, SoftmaxOverAllExperts) {
  const Routed r = route({0, std::log(2.0f), 0, std::log(4.0f)}, {.chosen = 2});
  EXPECT_EQ(r.ids, (std::vector<int32_t>{3, 1}));
  EXPECT_TRUE(near(r.weights[0], 0.5, 1e-6));
  EXPECT_TRUE(near(r.weights[1], 0.25, 1e-6));
}

TEST_P(MoeOps, NormalisedAndScaled) {
  const Routed r =
      route({0, std::log(2.0f), 0, std::log(4.0f)}, {.chosen = 2, .normalise = true, .scale = 3});
  EXPECT_TRUE(near(r.weights[0], 2, 1e-6));
  EXPECT_TRUE(near(r.weights[1], 1, 1e-6));
}

TEST_P(MoeOps, SoftmaxOverTheChosenOnly) {
  const Routed r = route({0, std::log(3.0f), -5, 0}, {.softmax_after_topk = true, .chosen = 2});
  EXPECT_EQ(r.ids, (std::vector<int32_t>{1, 0}));  // 0 and 3 tie: the lower id
  EXPECT_TRUE(near(r.weights[0], 0.75, 1e-6));
  EXPECT_TRUE(near(r.weights[1], 0.25, 1e-6));
}

TEST_P(MoeOps, CorrectionChoosesButDoesNotWeigh) {
  const auto correction = be().make_vector(std::vector<float>{0, 0, 0, 5});
  const Routed r =
      route({1, 2, 0, -1}, {.score = Score::kSigmoid, .chosen = 2, .correction = correction.get()});
  EXPECT_EQ(r.ids, (std::vector<int32_t>{3, 1}));
  EXPECT_TRUE(near(r.weights[0], 1 / (1 + std::exp(1.0)), 1e-6));
  EXPECT_TRUE(near(r.weights[1], 1 / (1 + std::exp(-2.0)), 1e-6));
}

TEST_P(MoeOps, OnlyOpenGroupsAreChosenFrom) {
  // Groups (0,1) (2,3) (4,5): best 3, 2, 2.9; sums of two 3, 3.9, 3.
  const std::vector<float> logits = {3, 0, 2, 1.9f, 2.9f, 0.1f};
  RouteSpec spec{.score = Score::kSigmoid, .chosen = 2, .groups = 3, .topk_groups = 1};
  EXPECT_EQ(route(logits, spec).ids, (std::vector<int32_t>{0, 1}));
  spec.group_score_top2 = true;
  EXPECT_EQ(route(logits, spec).ids, (std::vector<int32_t>{2, 3}));
}

// One expert at a time, in double.
TEST_P(MoeOps, ExpertsAreAWeightedSumOfTheirOwnLayers) {
  constexpr int64_t kExperts = 4;
  constexpr int64_t kWidth = 32;
  constexpr int64_t kInner = 64;
  constexpr int64_t kRows = 7;
  std::vector<Stored> up_stored;
  std::vector<Stored> down_stored;
  std::vector<std::unique_ptr<Matrix>> up;
  std::vector<std::unique_ptr<Matrix>> down;
  std::vector<std::unique_ptr<Vector>> bias;
  ExpertWeights weights;
  for (uint64_t e = 0; e < kExperts; ++e) {
    up_stored.push_back(random_matrix(DType::kQ8_0, 2 * kInner, kWidth, 70 + e));
    down_stored.push_back(random_matrix(DType::kF32, kWidth, kInner, 80 + e));
    Draw draw(90 + e);
    bias.push_back(be().make_vector(draw.floats(kWidth)));
  }
  for (size_t e = 0; e < kExperts; ++e) {
    up.push_back(be().make_matrix(up_stored[e].source()));
    down.push_back(be().make_matrix(down_stored[e].source()));
    weights.gate_up.push_back(up.back().get());
    weights.down.push_back(down.back().get());
    weights.down_bias.push_back(bias[e].get());
  }
  Array x = Array::random(kRows, kWidth, 60);
  Array out = Array::random(kRows, kWidth, 61);
  const Array before = out;
  Draw draw(62);
  std::vector<int32_t> ids;
  std::vector<float> scale;
  for (int64_t t = 0; t < kRows; ++t) {
    const int32_t first = static_cast<int32_t>(draw.below(kExperts));
    ids.push_back(first);
    ids.push_back((first + 1) % kExperts);
    scale.push_back(draw.between(0, 1));
    scale.push_back(draw.between(0, 1));
  }
  be().experts(x.rows(), ids, scale, weights, {}, out.rows());
  for (int64_t t = 0; t < kRows; ++t) {
    std::vector<double> want(kWidth);
    for (int64_t d = 0; d < kWidth; ++d) want[static_cast<size_t>(d)] = before.at(t, d);
    for (int64_t j = 0; j < 2; ++j) {
      const size_t pair = static_cast<size_t>(t * 2 + j);
      const size_t e = static_cast<size_t>(ids[pair]);
      std::vector<double> inner(2 * kInner);
      for (int64_t f = 0; f < 2 * kInner; ++f) {
        const std::vector<float> row = up_stored[e].expanded_row(f);
        for (int64_t k = 0; k < kWidth; ++k) {
          inner[static_cast<size_t>(f)] +=
              static_cast<double>(x.at(t, k)) * static_cast<double>(row[static_cast<size_t>(k)]);
        }
      }
      for (int64_t d = 0; d < kWidth; ++d) {
        const std::vector<float> row = down_stored[e].expanded_row(d);
        double sum = bias[e]->data[d];
        for (size_t f = 0; f < kInner; ++f) {
          sum += inner[f] / (1 + std::exp(-inner[f])) * inner[f + kInner] *
                 static_cast<double>(row[f]);
        }
        want[static_cast<size_t>(d)] += static_cast<double>(scale[pair]) * sum;
      }
    }
    for (int64_t d = 0; d < kWidth; ++d) {
      EXPECT_TRUE(near(out.at(t, d), want[static_cast<size_t>(d)], 2e-4));
    }
  }
  EXPECT_TRUE(out.room_untouched());

  // A row alone gives the same bits as among the others.
  for (int64_t t = 0; t < kRows; ++t) {
    Array one = before;
    const std::span<const int32_t> own_ids(ids.data() + 2 * t, 2);
    const std::span<const float> own_scale(scale.data() + 2 * t, 2);
    be().experts(x.rows(t, 1), own_ids, own_scale, weights, {}, one.rows(t, 1));
    EXPECT_TRUE(same_bits(one.row(t), out.row(t)));
  }
}

KEJU_PER_ISA(MoeOps);

}  // namespace
}  // namespace keju::kernel_test
