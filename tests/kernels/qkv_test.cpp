// SPDX-License-Identifier: MIT
#include "kernel_test.h"

namespace keju::kernel_test {
namespace {

// Keys are looked at through attention's eyes: a one-hot query at position 0 of a path whose only
// other input is the key gives nothing away, so the tests use q, which is changed in place, and
// apply the same steps to k by giving k the same numbers and comparing scores.
class QkvOps : public PerIsa {
 protected:
  // q after qkv_post with these settings; one page, positions from pos0.
  Array queries(Array q, int64_t heads, const QkvSpec& spec, int32_t pos0 = 0) {
    const int64_t size = q.width() / heads;
    auto kv = be().make_kv_pages(kv_shape(1, size, 1), 1);
    Array k = Array::random(q.count(), size, 900);
    Array v = Array::random(q.count(), 1, 901);
    const int32_t pages[] = {0, 0, 0, 0};
    const std::vector<Segment> segments = {
        {0, static_cast<int32_t>(q.count()), pos0, pages, false}};
    QkvSpec own = spec;
    own.k_norm = {};
    be().qkv_post(q.heads(heads), k.heads(1), {}, v.heads(1), own, segments, 0, *kv);
    EXPECT_TRUE(q.room_untouched());
    return q;
  }

  struct Table {
    std::unique_ptr<Vector> cos;
    std::unique_ptr<Vector> sin;
  };
  Table table(int64_t positions, int64_t half) {
    std::vector<float> c;
    std::vector<float> s;
    for (int64_t p = 0; p < positions; ++p) {
      for (int64_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(p) * std::pow(100.0, -static_cast<double>(i) / 7);
        c.push_back(static_cast<float>(std::cos(angle)));
        s.push_back(static_cast<float>(std::sin(angle)));
      }
    }
    return {be().make_vector(c), be().make_vector(s)};
  }
};

TEST_P(QkvOps, QuarterTurnByHand) {
  const auto zero = be().make_vector(std::vector<float>{0, 0});
  const auto one = be().make_vector(std::vector<float>{1, 1});
  QkvSpec spec{.rope_dim = 4, .rope_cos = zero.get(), .rope_sin = one.get()};
  const Array q = Array::of({{1, 2, 3, 4}});
  EXPECT_EQ(queries(q, 1, spec).row(0), (std::vector<float>{-3, -4, 1, 2}));
  spec.rope_style = RopeStyle::kInterleaved;
  EXPECT_EQ(queries(q, 1, spec).row(0), (std::vector<float>{-2, 1, -4, 3}));
}

TEST_P(QkvOps, RotationKeepsLengthAndLeavesTheRest) {
  for (const RopeStyle style : {RopeStyle::kHalf, RopeStyle::kInterleaved}) {
    for (const int64_t dim : {2, 8, 16, 30, 64, 80}) {
      const Table t = table(200, dim / 2);
      const QkvSpec spec{.rope_style = style,
                         .rope_offset = 5,
                         .rope_dim = dim,
                         .rope_cos = t.cos.get(),
                         .rope_sin = t.sin.get()};
      const int64_t size = dim + 9;
      const Array before = Array::random(4, 3 * size, 3);
      const Array after = queries(before, 3, spec, 62);
      for (int64_t row = 0; row < 4; ++row) {
        for (int64_t h = 0; h < 3; ++h) {
          double length = 0;
          double turned = 0;
          for (int64_t e = 0; e < size; ++e) {
            const double a = before.at(row, h * size + e);
            const double b = after.at(row, h * size + e);
            if (e < 5 || e >= 5 + dim) {
              EXPECT_EQ(a, b);
            }
            length += a * a;
            turned += b * b;
          }
          EXPECT_TRUE(near(turned, length, 1e-5));
          // The first pair turns by the position itself.
          const int64_t at = h * size + 5;
          const int64_t other = style == RopeStyle::kHalf ? at + dim / 2 : at + 1;
          const double angle = static_cast<double>(62 + row);
          const double want =
              before.at(row, at) * std::cos(angle) - before.at(row, other) * std::sin(angle);
          EXPECT_TRUE(near(after.at(row, at), want, 1e-5));
        }
      }
    }
  }
}

TEST_P(QkvOps, NormsOverOneHeadOrOverTheRow) {
  using Scope = HeadNormSpec::Scope;
  const int64_t size = 20;
  const Array before = Array::random(2, 3 * size, 8, 3);
  Draw draw(9);
  const auto shared = be().make_vector(draw.floats(size));
  const auto own = be().make_vector(draw.floats(3 * size));
  for (const Scope scope : {Scope::kHead, Scope::kRow}) {
    for (const Vector* weight : {shared.get(), own.get()}) {
      QkvSpec spec;
      spec.q_norm = {scope, {.weight = weight, .eps = 1e-6f}};
      const Array after = queries(before, 3, spec);
      for (int64_t t = 0; t < 2; ++t) {
        for (int64_t i = 0; i < 3 * size; ++i) {
          const int64_t head = i / size;
          const int64_t first = scope == Scope::kHead ? head * size : 0;
          const int64_t count = scope == Scope::kHead ? size : 3 * size;
          double squares = 0;
          for (int64_t e = first; e < first + count; ++e) {
            squares += static_cast<double>(before.at(t, e)) * before.at(t, e);
          }
          const double w = weight->data[weight->size == size ? i % size : i];
          const double want =
              before.at(t, i) / std::sqrt(squares / static_cast<double>(count) + 1e-6) * w;
          EXPECT_TRUE(near(after.at(t, i), want, 1e-5));
        }
      }
    }
  }
}

TEST_P(QkvOps, NormBeforeOrAfterTheRotation) {
  const Table t = table(100, 8);
  Draw draw(10);
  const auto weight = be().make_vector(draw.floats(16));
  const Array before = Array::random(2, 32, 11);
  QkvSpec rope{.rope_dim = 16, .rope_cos = t.cos.get(), .rope_sin = t.sin.get()};
  QkvSpec norm;
  norm.q_norm = {HeadNormSpec::Scope::kHead, {.weight = weight.get()}};
  QkvSpec both = rope;
  both.q_norm = norm.q_norm;
  EXPECT_TRUE(
      same_bits(queries(before, 2, both, 30), queries(queries(before, 2, norm, 30), 2, rope, 30)));
  both.norm_after_rope = true;
  EXPECT_TRUE(
      same_bits(queries(before, 2, both, 30), queries(queries(before, 2, rope, 30), 2, norm, 30)));
}

TEST_P(QkvOps, ScaleComesFromThePosition) {
  Draw draw(12);
  const auto scale = be().make_vector(draw.floats(80, 1, 2));
  const Array before = Array::random(3, 40, 13);
  const Array after = queries(before, 2, {.q_scale = scale.get()}, 63);
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t i = 0; i < 40; ++i) {
      EXPECT_EQ(after.at(t, i), before.at(t, i) * scale->data[63 + t]);
    }
  }
}

// Keys and values: read back through attention of the first position, whose result is its value,
// and through scores, which two backends of equal keys must agree on.
TEST_P(QkvOps, SharedKeyPartIsAppendedAndTurned) {
  constexpr int64_t kNope = 12;
  constexpr int64_t kRope = 8;
  constexpr int64_t kSize = kNope + kRope;
  constexpr int64_t kRows = 70;
  const Table t = table(100, kRope / 2);
  const QkvSpec spec{.rope_style = RopeStyle::kInterleaved,
                     .rope_offset = kNope,
                     .rope_dim = kRope,
                     .rope_cos = t.cos.get(),
                     .rope_sin = t.sin.get()};
  const Array q = Array::random(kRows, 2 * kSize, 20);
  Array nope = Array::random(kRows, 2 * kNope, 21);
  Array shared = Array::random(kRows, kRope, 22);
  Array v = Array::random(kRows, 2 * 6, 23);
  Array joined(kRows, 2 * kSize);
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t h = 0; h < 2; ++h) {
      for (int64_t e = 0; e < kSize; ++e) {
        joined.at(r, h * kSize + e) =
            e < kNope ? nope.at(r, h * kNope + e) : shared.at(r, e - kNope);
      }
    }
  }
  const int32_t pages[] = {0, 1};
  const std::vector<Segment> segments = {{0, kRows, 0, pages, false}};
  std::vector<Array> results;
  for (const bool apart : {true, false}) {
    auto kv = be().make_kv_pages(kv_shape(2, kSize, 6), 2);
    Array own_q = q;
    Array own_k = apart ? nope : joined;
    const Heads extra = apart ? shared.heads(1) : Heads{};
    be().qkv_post(own_q.heads(2), own_k.heads(2), extra, v.heads(2), spec, segments, 0, *kv);
    Array out(kRows, 12);
    be().attention(own_q.heads(2), *kv, {.scale = 0.3f}, segments, out.rows());
    results.push_back(out);
  }
  EXPECT_TRUE(same_bits(results[0], results[1]));
}

// A rotated q times a rotated k depends on the distance of their positions alone.
TEST_P(QkvOps, ScoresDependOnDistanceOnly) {
  constexpr int64_t kRows = 3;
  const Table t = table(200, 8);
  const QkvSpec spec{.rope_dim = 16, .rope_cos = t.cos.get(), .rope_sin = t.sin.get()};
  const Array q = Array::random(kRows, 16, 30);
  const Array k = Array::random(kRows, 16, 31);
  const Array v = Array::random(kRows, 4, 32);
  std::vector<Array> results;
  for (const int32_t pos0 : {0, 63, 127}) {
    auto kv = be().make_kv_pages(kv_shape(1, 16, 4), 3);
    const int32_t pages[] = {2, 0, 1};
    Array own_q = q;
    Array own_k = k;
    Array own_v = v;
    const std::vector<Segment> segments = {{0, kRows, pos0, pages, false}};
    be().qkv_post(own_q.heads(1), own_k.heads(1), {}, own_v.heads(1), spec, segments, 0, *kv);
    Array out(kRows, 4);
    // Only the last three positions hold anything.
    const std::vector<Segment> last = {{2, 1, pos0 + 2, pages, false}};
    be().attention(own_q.heads(1), *kv, {.scale = 0.5f, .window = 3}, last, out.rows());
    results.push_back(out);
  }
  for (int64_t e = 0; e < 4; ++e) {
    EXPECT_TRUE(near(results[1].at(2, e), results[0].at(2, e), 1e-5));
    EXPECT_TRUE(near(results[2].at(2, e), results[0].at(2, e), 1e-5));
  }
}

KEJU_PER_ISA(QkvOps);

}  // namespace
}  // namespace keju::kernel_test
