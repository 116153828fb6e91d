// SPDX-License-Identifier: MIT
// Exact mode is one arithmetic: every level must give the plain loops' bits, on every shape, with
// any number of threads, whatever other rows stand in the step.
#include "attention_case.h"
#include "fast_checks.h"

namespace keju::kernel_test {
namespace {

class Bitwise : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> plain_ = backend("plain", 2);
  std::unique_ptr<Backend> one_ = backend(GetParam(), 1);
  std::unique_ptr<Backend> three_ = backend(GetParam(), 3);
};

struct LinearShape {
  int64_t rows;
  int64_t n;
  int64_t k;
};

// Every number of rows meets every kind of width; depths go round.
std::vector<LinearShape> linear_shapes(const DTypeFacts& type) {
  std::vector<int64_t> depths = {1, 45, 64, 96, 320, 640};
  if (type.block_elems == 32) depths = {32, 64, 96, 320, 640, 2048};
  if (type.block_elems == 256) depths = {256, 512, 768, 2048};
  std::vector<LinearShape> shapes;
  size_t next = 0;
  for (const int64_t rows : {1, 2, 3, 4, 5, 7, 12, 13, 25, 64, 65}) {
    for (const int64_t n : {1, 16, 40, 67, 130}) {
      const int64_t k = depths[next++ % depths.size()];
      if (rows * n * k < 1 << 21) shapes.push_back({rows, n, k});
    }
  }
  return shapes;
}

TEST_P(Bitwise, LinearOnEveryTypeAndShape) {
  uint64_t stream = 0;
  for (const DTypeFacts& type : all_dtypes()) {
    for (const LinearShape& s : linear_shapes(type)) {
      const Stored stored = random_matrix(type.type, s.n, s.k, ++stream);
      Array x = Array::random(s.rows, s.k, ++stream);
      Draw draw(++stream);
      const std::vector<float> bias = draw.floats(s.n);
      const bool with_bias = draw.below(2) == 1;
      const bool accumulate = draw.below(2) == 1;
      const Array start = Array::random(s.rows, s.n, ++stream);
      const auto run = [&](Backend& b) {
        const auto w = b.make_matrix(stored.source());
        const auto own_bias = b.make_vector(bias);
        Array out = start;
        b.linear(x.rows(), *w, with_bias ? own_bias.get() : nullptr, accumulate, out.rows());
        EXPECT_TRUE(out.room_untouched());
        return out;
      };
      const Array want = run(*plain_);
      for (Backend* b : {one_.get(), three_.get()}) {
        ASSERT_TRUE(same_bits(run(*b), want))
            << type.name << " rows " << s.rows << " n " << s.n << " k " << s.k;
      }
    }
  }
}

TEST_P(Bitwise, LinearThroughGates) { gates_equal_plain(*plain_, {one_.get(), three_.get()}); }

// Gates of more rows than one pass takes, of more k than one run.
TEST_P(Bitwise, LinearThroughGatesOnManyRows) {
  const Stored stored = random_matrix(DType::kQ8_0, 64, 1312, 7);
  Array x = Array::random(530, 1312, 8);
  const auto run = [&](Backend& b) {
    Array wide(530, 64);
    Array out(530, 32);
    const auto w = b.make_matrix(stored.source());
    b.linear_glu(x.rows(), *w, nullptr, {}, wide.rows(), out.rows());
    return out;
  };
  EXPECT_TRUE(same_bits(run(*three_), run(*plain_)));
}

TEST_P(Bitwise, LinearRowAloneEqualsRowInBatch) {
  const Stored stored = random_matrix(DType::kQ4_K, 50, 512, 5);
  Array x = Array::random(65, 512, 6);
  const auto w = three_->make_matrix(stored.source());
  Array all(65, 50);
  three_->linear(x.rows(), *w, nullptr, false, all.rows());
  for (const int64_t count : {1, 2, 3, 4, 5, 13, 40}) {
    for (const int64_t first : {0, 11, 25}) {
      Array some(65, 50);
      three_->linear(x.rows(first, count), *w, nullptr, false, some.rows(first, count));
      for (int64_t t = first; t < first + count; ++t) {
        ASSERT_TRUE(same_bits(some.row(t), all.row(t))) << count << " rows from " << first;
      }
    }
  }
}

// More rows than one pass over a group of columns takes.
TEST_P(Bitwise, LinearOnManyRows) {
  const Stored stored = random_matrix(DType::kQ8_0, 33, 64, 7);
  Array x = Array::random(900, 64, 8);
  Array want(900, 33);
  const auto w = plain_->make_matrix(stored.source());
  plain_->linear(x.rows(), *w, nullptr, false, want.rows());
  const auto packed = three_->make_matrix(stored.source());
  Array got(900, 33);
  three_->linear(x.rows(), *packed, nullptr, false, got.rows());
  EXPECT_TRUE(same_bits(got, want));
}

TEST_P(Bitwise, EmbedAndAddRows) {
  uint64_t stream = 5000;
  for (const DTypeFacts& type : all_dtypes()) {
    for (const int64_t k : {type.block_elems, 3 * type.block_elems, 768}) {
      const Stored stored = random_matrix(type.type, 37, k, ++stream);
      const std::vector<int32_t> ids = {36, 0, 15, 16, 17, 31, 32, 3, 3, 35};
      const Array start = Array::random(10, k, ++stream);
      const auto run = [&](Backend& b) {
        const auto table = b.make_matrix(stored.source());
        Array out(10, k);
        b.embed(*table, ids, 0.77f, out.rows());
        Array sum = start;
        b.add_rows(*table, ids, sum.rows());
        EXPECT_TRUE(out.room_untouched() && sum.room_untouched());
        return std::pair{out, sum};
      };
      const auto want = run(*plain_);
      for (Backend* b : {one_.get(), three_.get()}) {
        const auto got = run(*b);
        ASSERT_TRUE(same_bits(got.first, want.first)) << type.name << " k " << k;
        ASSERT_TRUE(same_bits(got.second, want.second)) << type.name << " k " << k;
      }
    }
  }
}

TEST_P(Bitwise, RowOps) {
  uint64_t stream = 6000;
  for (const int64_t width : {1, 7, 15, 16, 17, 33, 64, 100, 577, 2048}) {
    const Array x = Array::random(13, 2 * width, ++stream, 12);
    const Array y = Array::random(13, width, ++stream, 3);
    Draw draw(++stream);
    const std::vector<float> w = draw.floats(width);
    const std::vector<float> b = draw.floats(width);
    const auto run = [&](Backend& be) {
      std::vector<Array> results;
      const auto weight = be.make_vector(w);
      const auto bias = be.make_vector(b);
      Array left = y;
      for (const NormKind kind : {NormKind::kRms, NormKind::kLayer}) {
        for (const int variant : {0, 1, 2, 3}) {
          const NormSpec spec{.kind = kind,
                              .weight = variant > 0 ? weight.get() : nullptr,
                              .bias = variant > 1 ? bias.get() : nullptr,
                              .eps = 1e-5f,
                              .one_plus_weight = variant == 3};
          Array out(13, width);
          be.norm(left.rows(), spec, out.rows());
          results.push_back(out);
        }
      }
      Array both = x;
      for (const Activation activation : {Activation::kSilu,
                                          Activation::kGeluTanh,
                                          Activation::kGeluErf,
                                          Activation::kRelu,
                                          Activation::kRelu2,
                                          Activation::kGeluQuick}) {
        Array out(13, width);
        be.glu(both.rows(), {.activation = activation}, out.rows());
        results.push_back(out);
        Array in_place = x;
        be.activate(in_place.rows(), activation);
        results.push_back(in_place);
      }
      Array out(13, width);
      be.glu(both.rows(), {.clamp_limit = 7, .sigmoid_alpha = 1.702f}, out.rows());
      results.push_back(out);
      be.add(out.rows(), left.rows(), -0.31f);
      results.push_back(out);
      Array gate = Array::random(13, 1, 6999);
      be.sigmoid_scale(left.rows(), gate.rows());
      results.push_back(left);
      return results;
    };
    const std::vector<Array> want = run(*plain_);
    for (Backend* be : {one_.get(), three_.get()}) {
      const std::vector<Array> got = run(*be);
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_TRUE(same_bits(got[i], want[i])) << "width " << width << " result " << i;
        ASSERT_TRUE(got[i].room_untouched());
      }
    }
  }
}

// Every float that a lane can hold, sampled: the elementary functions through their ops.
TEST_P(Bitwise, ActivationsOnTheWholeRange) {
  Array x(64, 1024);
  uint32_t bits = 0;
  for (int64_t t = 0; t < 64; ++t) {
    for (int64_t d = 0; d < 1024; ++d) {
      float v = std::bit_cast<float>(bits);
      bits += 65537;  // steps over all exponents
      if (!std::isfinite(v)) v = 0;
      x.at(t, d) = v;
    }
  }
  for (const Activation activation :
       {Activation::kSilu, Activation::kGeluTanh, Activation::kGeluErf, Activation::kGeluQuick}) {
    Array want = x;
    plain_->activate(want.rows(), activation);
    Array got = x;
    one_->activate(got.rows(), activation);
    for (int64_t t = 0; t < 64; ++t) {
      for (int64_t d = 0; d < 1024; ++d) {
        if (std::isnan(want.at(t, d)) && std::isnan(got.at(t, d))) continue;
        ASSERT_TRUE(same_bits(got.at(t, d), want.at(t, d))) << "x " << x.at(t, d);
      }
    }
  }
}

TEST_P(Bitwise, QkvPostThenAttention) {
  for (const AttentionCase& c : attention_cases()) {
    AttentionRig reference(*plain_, c);
    const Array want = reference.run();
    for (Backend* b : {one_.get(), three_.get()}) {
      AttentionRig rig(*b, c);
      ASSERT_TRUE(same_bits(rig.run(), want)) << text(c);
    }
  }
}

TEST_P(Bitwise, QkvPostInAllItsVariants) {
  using Scope = HeadNormSpec::Scope;
  uint64_t stream = 7000;
  for (const RopeStyle style : {RopeStyle::kHalf, RopeStyle::kInterleaved}) {
    for (const Scope scope : {Scope::kNone, Scope::kHead, Scope::kRow}) {
      for (const bool after : {false, true}) {
        for (const int64_t size : {16, 40, 64, 96}) {
          const int64_t rows = 37;
          const int64_t dim = size / 2 / 2 * 2;
          Draw draw(++stream);
          const std::vector<float> cosines = draw.floats(200 * dim / 2);
          const std::vector<float> sines = draw.floats(200 * dim / 2);
          const std::vector<float> scales = draw.floats(200);
          const std::vector<float> weights = draw.floats(size);
          const std::vector<float> row_weights = draw.floats(4 * size);
          const Array q0 = Array::random(rows, 4 * size, ++stream);
          const Array k0 = Array::random(rows, 2 * size, ++stream);
          const Array v0 = Array::random(rows, 2 * 24, ++stream);
          const auto run = [&](Backend& b) {
            const auto c = b.make_vector(cosines);
            const auto s = b.make_vector(sines);
            const auto scale = b.make_vector(scales);
            const auto w = b.make_vector(weights);
            const auto row_w = b.make_vector(row_weights);
            QkvSpec spec;
            spec.q_norm = {scope, {.weight = scope == Scope::kRow ? row_w.get() : w.get()}};
            spec.k_norm = {scope, {.kind = NormKind::kLayer, .weight = w.get()}};
            spec.norm_after_rope = after;
            spec.rope_style = style;
            spec.rope_offset = size - dim;
            spec.rope_dim = dim;
            spec.rope_cos = c.get();
            spec.rope_sin = s.get();
            spec.q_scale = scale.get();
            auto kv = b.make_kv_pages(kv_shape(2, size, 24), 3);
            const int32_t pages[] = {2, 1, 0};
            Array q = q0;
            Array k = k0;
            Array v = v0;
            const std::vector<Segment> segments = {{0, 20, 50, pages, false},
                                                   {20, 17, 70, pages, false}};
            b.qkv_post(q.heads(4), k.heads(2), {}, v.heads(2), spec, segments, 0, *kv);
            Array out(rows, 4 * 24);
            b.attention(q.heads(4), *kv, {.scale = 0.2f, .window = 15}, segments, out.rows());
            EXPECT_TRUE(q.room_untouched() && out.room_untouched());
            return std::pair{q, out};
          };
          const auto want = run(*plain_);
          for (Backend* b : {one_.get(), three_.get()}) {
            const auto got = run(*b);
            ASSERT_TRUE(same_bits(got.first, want.first)) << "q, size " << size;
            ASSERT_TRUE(same_bits(got.second, want.second)) << "out, size " << size;
          }
        }
      }
    }
  }
}

TEST_P(Bitwise, HeadAndLogits) {
  uint64_t stream = 8000;
  for (const DType type : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ6_K}) {
    for (const int64_t rows : {1, 3, 5, 97, 100}) {
      for (const int64_t vocab : {100, 1024, 2065}) {
        if (rows * vocab > 120000) continue;
        const int64_t k = type == DType::kQ6_K ? 256 : 96;
        const Stored stored = random_matrix(type, vocab, k, ++stream);
        Array x = Array::random(rows, k, ++stream);
        Draw draw(++stream);
        const std::vector<float> bias = draw.floats(vocab);
        const bool capped = draw.below(2) == 1;
        std::vector<std::vector<int32_t>> wanted(static_cast<size_t>(rows));
        for (auto& ids : wanted) {
          for (int i = 0; i < 3; ++i) {
            ids.push_back(static_cast<int32_t>(draw.below(static_cast<uint64_t>(vocab))));
          }
        }
        const auto run = [&](Backend& b) {
          const auto w = b.make_matrix(stored.source());
          const auto own_bias = b.make_vector(bias);
          const HeadSpec spec{.scale = capped ? 0.9f : 1.0f,
                              .softcap = capped ? 6.0f : 0.0f,
                              .bias = capped ? own_bias.get() : nullptr,
                              .top = 4};
          std::vector<float> logits(static_cast<size_t>(rows * vocab));
          b.logits(x.rows(), *w, spec, logits.data());
          return std::pair{b.head(x.rows(), *w, spec, wanted), logits};
        };
        const auto want = run(*plain_);
        for (Backend* b : {one_.get(), three_.get()}) {
          const auto got = run(*b);
          ASSERT_TRUE(same_bits(got.second, want.second)) << name(type) << " rows " << rows;
          for (size_t r = 0; r < want.first.size(); ++r) {
            const HeadRow& a = got.first[r];
            const HeadRow& e = want.first[r];
            ASSERT_EQ(std::bit_cast<uint64_t>(a.log_sum_exp),
                      std::bit_cast<uint64_t>(e.log_sum_exp));
            ASSERT_EQ(a.best_id, e.best_id);
            ASSERT_TRUE(same_bits(a.best_logit, e.best_logit));
            ASSERT_TRUE(same_bits(a.wanted, e.wanted));
            ASSERT_EQ(a.top, e.top);
          }
        }
      }
    }
  }
}

TEST_P(Bitwise, Experts) {
  constexpr int64_t kExperts = 5;
  constexpr int64_t kWidth = 64;
  constexpr int64_t kInner = 96;
  for (const int64_t rows : {1, 4, 23}) {
    Array x = Array::random(rows, kWidth, 9000);
    const Array start = Array::random(rows, kWidth, 9001);
    Array logits = Array::random(rows, kExperts, 9002, 3);
    const auto run = [&](Backend& b) {
      std::vector<std::unique_ptr<Matrix>> held;
      ExpertWeights weights;
      for (uint64_t e = 0; e < kExperts; ++e) {
        held.push_back(
            b.make_matrix(random_matrix(DType::kQ4_0, 2 * kInner, kWidth, 9100 + e).source()));
        weights.gate_up.push_back(held.back().get());
        held.push_back(
            b.make_matrix(random_matrix(DType::kQ5_1, kWidth, kInner, 9200 + e).source()));
        weights.down.push_back(held.back().get());
      }
      std::vector<int32_t> ids(static_cast<size_t>(2 * rows));
      std::vector<float> scale(static_cast<size_t>(2 * rows));
      b.route(logits.rows(), {.experts = kExperts, .chosen = 2, .normalise = true}, ids, scale);
      Array out = start;
      b.experts(x.rows(), ids, scale, weights, {}, out.rows());
      return out;
    };
    const Array want = run(*plain_);
    ASSERT_TRUE(same_bits(run(*one_), want));
    ASSERT_TRUE(same_bits(run(*three_), want));
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu,
                         Bitwise,
                         testing::ValuesIn(cpu_isa_levels()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace keju::kernel_test
