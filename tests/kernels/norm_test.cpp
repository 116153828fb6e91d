// SPDX-License-Identifier: MIT
#include "kernel_test.h"

namespace keju::kernel_test {
namespace {

class NormOps : public PerIsa {};

TEST_P(NormOps, RmsScalesEachRowByItsOwnRootMeanSquare) {
  Array x = Array::of({{3, 4}, {0, 2}});  // mean squares 12.5 and 2
  const auto w = be().make_vector(std::vector<float>{1, 2});
  Array out(2, 2);
  be().norm(x.rows(), {.weight = w.get(), .eps = 0}, out.rows());
  EXPECT_TRUE(near(out.at(0, 0), 0.8485281, 1e-6));
  EXPECT_TRUE(near(out.at(0, 1), 2.2627417, 1e-6));
  EXPECT_EQ(out.at(1, 0), 0);
  EXPECT_TRUE(near(out.at(1, 1), 2.8284271, 1e-6));
  EXPECT_TRUE(out.room_untouched());
}

TEST_P(NormOps, LayerNormHasMeanZeroAndVarianceOne) {
  Array x = Array::random(3, 77, 1, 5);
  Array out(3, 77);
  be().norm(x.rows(), {.kind = NormKind::kLayer, .eps = 0}, out.rows());
  for (int64_t t = 0; t < 3; ++t) {
    double sum = 0;
    double squares = 0;
    for (const float v : out.row(t)) {
      sum += v;
      squares += static_cast<double>(v) * v;
    }
    EXPECT_TRUE(near(sum / 77, 0, 1e-6));
    EXPECT_TRUE(near(squares / 77, 1, 1e-5));
  }
}

// In double, from the formula.
double norm_reference(const Array& x, int64_t t, int64_t d, const NormSpec& spec) {
  const double n = static_cast<double>(x.width());
  double mean = 0;
  if (spec.kind == NormKind::kLayer) {
    for (const float v : x.row(t)) mean += v;
    mean /= n;
  }
  double variance = 0;
  for (const float v : x.row(t)) variance += (v - mean) * (v - mean);
  double value = (x.at(t, d) - mean) / std::sqrt(variance / n + spec.eps);
  if (spec.weight) value *= (spec.one_plus_weight ? 1.0 : 0.0) + spec.weight->data[d];
  if (spec.bias) value += spec.bias->data[d];
  return value;
}

TEST_P(NormOps, AgreesWithDoubleOnOddSizes) {
  uint64_t stream = 10;
  for (const int64_t width : {1, 2, 15, 16, 17, 31, 100, 577, 2048}) {
    for (const NormKind kind : {NormKind::kRms, NormKind::kLayer}) {
      for (const bool one_plus : {false, true}) {
        Draw draw(++stream);
        const auto w = be().make_vector(draw.floats(width));
        const auto b = be().make_vector(draw.floats(width));
        const NormSpec spec{.kind = kind,
                            .weight = w.get(),
                            .bias = kind == NormKind::kLayer ? b.get() : nullptr,
                            .eps = 1e-5f,
                            .one_plus_weight = one_plus};
        Array x = Array::random(3, width, ++stream, 4);
        Array out(3, width);
        be().norm(x.rows(), spec, out.rows());
        for (int64_t t = 0; t < 3; ++t) {
          for (int64_t d = 0; d < width; ++d) {
            EXPECT_TRUE(near(out.at(t, d), norm_reference(x, t, d, spec), 2e-5)) << width;
          }
        }
        EXPECT_TRUE(out.room_untouched());
        be().norm(x.rows(), spec, x.rows());  // in place
        EXPECT_TRUE(same_bits(x, out));
      }
    }
  }
}

TEST_P(NormOps, AddScalesTheSecond) {
  Array h = Array::of({{1, 2, 3}, {4, 5, 6}});
  Array delta = Array::of({{1, 1, 1}, {2, 0, -2}});
  be().add(h.rows(), delta.rows(), 0.5f);
  EXPECT_EQ(h.row(0), (std::vector<float>{1.5f, 2.5f, 3.5f}));
  EXPECT_EQ(h.row(1), (std::vector<float>{5, 5, 5}));
  EXPECT_TRUE(h.room_untouched());
}

TEST_P(NormOps, AddIsOneFusedOperation) {
  Array h = Array::random(2, 37, 2);
  Array delta = Array::random(2, 37, 3);
  Array want = h;
  for (int64_t t = 0; t < 2; ++t) {
    for (int64_t d = 0; d < 37; ++d) {
      want.at(t, d) = std::fma(0.3f, delta.at(t, d), h.at(t, d));
    }
  }
  be().add(h.rows(), delta.rows(), 0.3f);
  EXPECT_TRUE(same_bits(h, want));
}

TEST_P(NormOps, GatherCopiesTheRowsAskedFor) {
  Array x = Array::random(5, 19, 4);
  Array out(3, 19);
  be().gather(x.rows(), std::vector<int32_t>{4, 0, 4}, out.rows());
  EXPECT_TRUE(same_bits(out.row(0), x.row(4)));
  EXPECT_TRUE(same_bits(out.row(1), x.row(0)));
  EXPECT_TRUE(same_bits(out.row(2), x.row(4)));
  EXPECT_TRUE(out.room_untouched());
}

KEJU_PER_ISA(NormOps);

}  // namespace
}  // namespace keju::kernel_test
