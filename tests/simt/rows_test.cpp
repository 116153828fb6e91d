// SPDX-License-Identifier: MIT
// The ops on rows against the plain loops: embedding, norms, element-wise ops, products, head,
// mixture of experts.
#include "tests/simt/cuda_test.h"

namespace keju::cuda {
namespace {

class RowOps : public OnCard {};

TEST_P(RowOps, EmbeddingAndPositionsOfEveryStoredTypeToTheBit) {
  for (const DTypeFacts& type : all_dtypes()) {
    const int64_t width = type.block_elems == 1 ? 37 : 2 * type.block_elems;
    const Stored table = random_matrix(type.type, 9, width, 3);
    const std::vector<int32_t> ids = {8, 0, 3, 3, 7};
    const auto expect_equal = [&](const auto& op) {
      Array got = Array::random(5, width, 4);
      Array want = got;
      op(cuda(), *cuda().make_matrix(table.source()), got);
      op(plain(), *plain().make_matrix(table.source()), want);
      EXPECT_TRUE(same_bits(got, want)) << type.name;
      EXPECT_TRUE(got.room_untouched());
    };
    expect_equal(
        [&](Backend& be, const Matrix& m, Array& out) { be.embed(m, ids, 1.75f, out.rows()); });
    expect_equal(
        [&](Backend& be, const Matrix& m, Array& out) { be.add_rows(m, ids, out.rows()); });
  }
}

TEST_P(RowOps, NormsOfEveryKindAndWidth) {
  for (const int64_t width : {1, 5, 64, 255, 256, 257, 1000}) {
    Draw draw(static_cast<uint64_t>(width));
    const std::vector<float> weight = draw.floats(width);
    const std::vector<float> bias = draw.floats(width);
    for (int options = 0; options < 16; ++options) {
      const Array x = Array::random(3, width, 9, 4);
      const auto run = [&](Backend& be) {
        const auto w = be.make_vector(weight);
        const auto b = be.make_vector(bias);
        NormSpec spec{.kind = options % 2 ? NormKind::kLayer : NormKind::kRms, .eps = 1e-3f};
        if (options & 2) spec.weight = w.get();
        if (options & 4) spec.bias = b.get();
        spec.one_plus_weight = (options & 8) != 0;
        Array in = x;
        Array out(3, width);
        be.norm(in.rows(), spec, out.rows());
        be.norm(in.rows(), spec, in.rows());  // in place
        EXPECT_TRUE(same_bits(in, out));
        return out;
      };
      EXPECT_TRUE(all_near(run(cuda()), run(plain()), 3e-6)) << width << " options " << options;
    }
  }
}

TEST_P(RowOps, ElementWise) {
  for (const int64_t width : {1, 33, 256, 300}) {
    const auto compare = [&](const auto& op, double tolerance) {
      Array a = Array::random(4, 2 * width, 1, 6);
      Array b = Array::random(4, width, 2, 6);
      Array c = a;
      Array d = b;
      op(cuda(), a, b);
      op(plain(), c, d);
      EXPECT_TRUE(all_near(a, c, tolerance)) << width;
      EXPECT_TRUE(all_near(b, d, tolerance)) << width;
    };
    compare(
        [&](Backend& be, Array& a, Array& b) {
          Rows half = a.rows();
          half.width = width;
          be.add(half, b.rows(), -0.3f);
        },
        0);
    compare([&](Backend& be, Array& a, Array&) { be.zero(a.rows(1, 2)); }, 0);
    compare(
        [&](Backend& be, Array& a, Array&) {
          Array picked(3, 2 * width);
          be.gather(a.rows(), std::vector<int32_t>{3, 0, 3}, picked.rows());
          a = picked;
        },
        0);
    compare([&](Backend& be, Array& a, Array& b) { be.sigmoid_scale(b.rows(), a.rows()); }, 1e-6);
    for (const auto activation : {Activation::kSilu,
                                  Activation::kGeluTanh,
                                  Activation::kGeluErf,
                                  Activation::kRelu,
                                  Activation::kRelu2,
                                  Activation::kGeluQuick}) {
      compare(
          [&](Backend& be, Array& a, Array& b) {
            be.glu(a.rows(), {.activation = activation}, b.rows());
          },
          2e-6);
      compare([&](Backend& be, Array& a, Array&) { be.activate(a.rows(), activation); }, 2e-6);
    }
    compare(
        [&](Backend& be, Array& a, Array& b) {
          be.glu(a.rows(), {.clamp_limit = 3, .sigmoid_alpha = 1.702f}, b.rows());
        },
        2e-6);
  }
}

TEST_P(RowOps, ExactProductsOfEveryStoredType) {
  for (const DTypeFacts& type : all_dtypes()) {
    const int64_t cols = type.block_elems == 1 ? 43 : type.block_elems;
    const Stored stored = random_matrix(type.type, 21, cols, 5);
    Draw draw(6);
    const std::vector<float> values = draw.floats(21);
    for (const bool accumulate : {false, true}) {
      for (const bool with_bias : {false, true}) {
        const auto run = [&](Backend& be) {
          const auto w = be.make_matrix(stored.source());
          const auto bias = be.make_vector(values);
          Array x = Array::random(3, cols, 7);
          Array out = Array::random(3, 21, 8);
          be.linear(x.rows(), *w, with_bias ? bias.get() : nullptr, accumulate, out.rows());
          return out;
        };
        EXPECT_TRUE(all_near(run(cuda()), run(plain()), 1e-5)) << type.name;
      }
    }
  }
}

float rounded(float value, DType type) {
  if (type == DType::kF16) return f16_to_f32(f32_to_f16(value));
  return type == DType::kF32 ? value : bf16_to_f32(f32_to_bf16(value));
}

// Native mode: what goes into a product is rounded to 16 bits; sums are float32.
TEST_P(RowOps, NativeProductsAndTheSameBitsForAnyNumberOfRows) {
  Card card(false);
  for (const DTypeFacts& type : all_dtypes()) {
    const bool plain_type = type.block_elems == 1;
    const int64_t cols = plain_type ? 45 : std::max(96, type.block_elems);
    const int64_t outputs = 70;
    const Stored stored = random_matrix(type.type, outputs, cols, 15);
    const auto w = card.be().make_matrix(stored.source());
    const DType into = plain_type ? type.type : DType::kBF16;
    const int64_t most = plain_type ? 5 : 67;
    Array x = Array::random(most, cols, 17);
    Draw draw(18);
    const auto bias = card.be().make_vector(draw.floats(outputs));
    Array all(most, outputs);
    card.be().linear(x.rows(), *w, bias.get(), false, all.rows());
    EXPECT_TRUE(all.room_untouched());
    for (int64_t n = 0; n < outputs; ++n) {
      const std::vector<float> row = stored.expanded_row(n);
      for (int64_t t = 0; t < most; t += 3) {
        double want = static_cast<double>(bias->data[n]);
        for (int64_t k = 0; k < cols; ++k) {
          want += static_cast<double>(rounded(x.at(t, k), into)) *
                  static_cast<double>(rounded(row[static_cast<size_t>(k)], into));
        }
        ASSERT_TRUE(near(all.at(t, n), want, 2e-5)) << type.name << " row " << t << " output " << n;
      }
    }
    for (const int64_t count : {1, 2, 16, 17}) {
      if (count > most) continue;
      Array some(count, outputs);
      card.be().linear(x.rows(most - count, count), *w, bias.get(), false, some.rows());
      for (int64_t t = 0; t < count; ++t) {
        ASSERT_TRUE(same_bits(some.row(t), all.row(most - count + t)))
            << type.name << " of " << count;
      }
    }
    Array added = all;
    card.be().linear(x.rows(), *w, nullptr, true, added.rows());
    EXPECT_TRUE(near(added.at(1, 69), 2 * all.at(1, 69) - bias->data[69], 1e-5));
  }
}

// Rows that end where their memory does: nothing past them may be read, though the rounded rows are
// padded. AddressSanitizer watches.
TEST_P(RowOps, NativeProductsOfRowsWithNoRoomAfterThem) {
  Card card(false);
  const auto w = card.be().make_matrix(random_matrix(DType::kBF16, 9, 45, 15).source());
  Draw draw(19);
  std::vector<float> tight = draw.floats(2 * 45);
  tight.shrink_to_fit();
  Array roomy(2, 45), got(2, 9), want(2, 9);
  for (int64_t i = 0; i < 90; ++i) roomy.at(i / 45, i % 45) = tight[static_cast<size_t>(i)];
  card.be().linear({tight.data(), 2, 45, 45}, *w, nullptr, false, got.rows());
  card.be().linear(roomy.rows(), *w, nullptr, false, want.rows());
  EXPECT_TRUE(same_bits(got, want));
}

TEST_P(RowOps, HeadReducesAndPicks) {
  const int64_t vocab = 2 * 8192 + 1500;
  const Stored stored = random_matrix(DType::kF32, vocab, 3, 20);
  Draw draw(21);
  const std::vector<float> bias = draw.floats(vocab);
  const std::vector<std::vector<int32_t>> wanted = {{0, 17883, 8191, 8192}, {}, {1023, 1024, 1023}};
  for (int options = kFewCases ? 3 : 0; options < (kFewCases ? 4 : 8); ++options) {
    const auto run = [&](Backend& be, Array* all) {
      const auto w = be.make_matrix(stored.source());
      const auto b = be.make_vector(bias);
      HeadSpec spec{.scale = options & 1 ? 0.7f : 1.0f,
                    .softcap = options & 2 ? 2.0f : 0.0f,
                    .top = options * 3};
      if (options & 4) spec.bias = b.get();
      Array x = Array::random(3, 3, 22);
      *all = Array(3, vocab, 0);
      be.logits(x.rows(), *w, spec, all->rows().data);
      return be.head(x.rows(), *w, spec, wanted);
    };
    Array got_logits(1, 1), want_logits(1, 1);
    const auto got = run(cuda(), &got_logits);
    const auto want = run(plain(), &want_logits);
    EXPECT_TRUE(all_near(got_logits, want_logits, 1e-6));
    ASSERT_EQ(got.size(), want.size());
    for (size_t r = 0; r < want.size(); ++r) {
      EXPECT_TRUE(near(got[r].log_sum_exp, want[r].log_sum_exp, 1e-6));
      EXPECT_EQ(got[r].best_id, want[r].best_id);
      EXPECT_TRUE(near(got[r].best_logit, want[r].best_logit, 1e-6));
      ASSERT_EQ(got[r].wanted.size(), want[r].wanted.size());
      for (size_t i = 0; i < want[r].wanted.size(); ++i)
        EXPECT_TRUE(near(got[r].wanted[i], want[r].wanted[i], 1e-6));
      ASSERT_EQ(got[r].top.size(), want[r].top.size());
      for (size_t i = 0; i < want[r].top.size(); ++i) {
        EXPECT_EQ(got[r].top[i].first, want[r].top[i].first) << i;
        EXPECT_TRUE(near(got[r].top[i].second, want[r].top[i].second, 1e-6));
      }
    }
  }
}

TEST_P(RowOps, HeadGivesTiesToTheLowestId) {
  Stored stored = random_matrix(DType::kF32, 3000, 1, 30);
  for (int64_t v = 0; v < 3000; ++v) {
    const float one = v == 700 || v == 1800 || v == 701 ? 2.0f : 1.0f;
    std::memcpy(stored.bytes.data() + 4 * v, &one, 4);
  }
  const auto w = cuda().make_matrix(stored.source());
  Array x = Array::of({{1}});
  const auto row = cuda().head(x.rows(), *w, {.top = 5}, {}).at(0);
  EXPECT_EQ(row.best_id, 700);
  const std::vector<int32_t> order = {700, 701, 1800, 0, 1};
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(row.top.at(i).first, order[i]);
}

TEST_P(RowOps, RoutingOfEveryKind) {
  using Score = RouteSpec::Score;
  for (const int64_t experts : {8, 60, 96}) {
    Draw draw(static_cast<uint64_t>(experts));
    const std::vector<float> correction = draw.floats(experts);
    for (int options = 0; options < 64; ++options) {
      const auto run = [&](Backend& be) {
        RouteSpec spec{.experts = experts, .chosen = options & 1 ? 2 : 3, .scale = 2.5f};
        spec.score = options & 2 ? Score::kSigmoid : Score::kSoftmax;
        spec.softmax_after_topk = (options & 4) != 0;
        spec.normalise = (options & 8) != 0;
        const auto c = be.make_vector(correction);
        if (options & 16) spec.correction = c.get();
        if (options & 32) {
          spec.groups = 4;
          spec.topk_groups = (options & 9) == 9 ? 1 : 2;
          spec.group_score_top2 = (options & 1) != 0;
        }
        Array logits = Array::random(5, experts, 40, 3);
        for (int64_t e = 0; e < experts; ++e) logits.at(2, e) = 1;  // all equal
        std::pair<std::vector<int32_t>, std::vector<float>> out;
        out.first.resize(static_cast<size_t>(5 * spec.chosen));
        out.second.resize(out.first.size());
        be.route(logits.rows(), spec, out.first, out.second);
        return out;
      };
      const auto got = run(cuda());
      const auto want = run(plain());
      ASSERT_EQ(got.first, want.first) << experts << " options " << options;
      for (size_t i = 0; i < want.second.size(); ++i) {
        EXPECT_TRUE(near(got.second[i], want.second[i], 2e-6)) << options;
      }
    }
  }
}

TEST_P(RowOps, ExpertsAreTheirWeightedSum) {
  constexpr int64_t kExperts = 4;
  constexpr int64_t kRows = 7;
  Draw draw(50);
  std::vector<int32_t> ids;
  std::vector<float> scale;
  for (int64_t t = 0; t < kRows; ++t) {
    const auto first = static_cast<int32_t>(draw.below(3));  // expert 3 is only ever second
    for (const int32_t id : {first, (first + 1) % 4}) ids.push_back(id);
    for (int j = 0; j < 2; ++j) scale.push_back(draw.between(0, 1));
  }
  const auto run = [&](Backend& be) {
    std::vector<std::unique_ptr<Matrix>> matrices;
    std::vector<std::unique_ptr<Vector>> biases;
    ExpertWeights weights;
    for (uint64_t e = 0; e < kExperts; ++e) {
      matrices.push_back(be.make_matrix(random_matrix(DType::kQ8_0, 40, 32, 70 + e).source()));
      weights.gate_up.push_back(matrices.back().get());
      matrices.push_back(be.make_matrix(random_matrix(DType::kF32, 32, 20, 80 + e).source()));
      weights.down.push_back(matrices.back().get());
      Draw of_expert(90 + e);
      biases.push_back(be.make_vector(of_expert.floats(32)));
      weights.down_bias.push_back(biases.back().get());
    }
    Array x = Array::random(kRows, 32, 60);
    Array out = Array::random(kRows, 32, 61);
    be.experts(x.rows(), ids, scale, weights, {}, out.rows());
    return out;
  };
  EXPECT_TRUE(all_near(run(cuda()), run(plain()), 1e-5));
}

KEJU_ON_CARD(RowOps);

}  // namespace
}  // namespace keju::cuda
