// SPDX-License-Identifier: MIT
#include <limits>

#include "base/error.h"
#include "fast_checks.h"
#include "kernels/cpu/isa/w13_table.h"

namespace keju::kernel_test {
namespace {

std::unique_ptr<Backend> fast(const std::string& isa, int threads = 2) {
  CpuOptions options;
  options.isa = isa;
  options.threads = threads;
  options.mode = NumericMode::kFast;
  return make_cpu_backend(options);
}

std::vector<std::string> fast_levels() {
  std::vector<std::string> levels;
  for (const std::string& level : cpu_isa_levels()) {
    if (level == "plain" || level == "avx512_vnni") levels.push_back(level);
  }
  return levels;
}

TEST(W13Mode, IsAModeOfItsOwn) {
  for (const std::string& level : fast_levels()) {
    EXPECT_THAT(fast(level)->facts().numeric_mode, testing::StartsWith("cpu-fast-w13a13-"));
    EXPECT_NE(fast(level)->facts().numeric_mode, backend(level)->facts().numeric_mode);
  }
}

TEST(W13Mode, IsRefusedWhereTheProcessorHasNoUseForIt) {
  for (const std::string& level : cpu_isa_levels()) {
    if (level != "avx2" && level != "avx512") continue;
    try {
      fast(level);
      ADD_FAILURE() << level;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kUnsupported);
      EXPECT_THAT(e.what(), testing::HasSubstr("avx512_vnni"));
    }
  }
}

class W13Ops : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> plain_ = fast("plain");
  std::unique_ptr<Backend> one_ = fast(GetParam(), 1);
  std::unique_ptr<Backend> three_ = fast(GetParam(), 3);
};

struct Bound {
  double want = 0;
  double error = 0;
};

// What the definition allows, from the numbers alone: codes off by 0.5 and (of weights in blocks)
// 1.5 units, a unit being the largest magnitude by 32700 or the norm by 46280, whichever is more.
// Sub-block scales and minima may exceed the values that they make, by half at the most.
Bound bound_of(const float* x, const std::vector<float>& w, int64_t k, bool blocks) {
  Bound b;
  for (int64_t g = 0; g < w13_groups(k); ++g) {
    double largest[2] = {0, 0};
    double sum[2] = {0, 0};
    double squares[2] = {0, 0};
    const int64_t begin = w13_first(k, g) * kW13Unit;
    const int64_t end = std::min(k, w13_first(k, g + 1) * kW13Unit);
    for (int64_t i = begin; i < end; ++i) {
      const double pair[2] = {static_cast<double>(x[i]),
                              static_cast<double>(w[static_cast<size_t>(i)])};
      b.want += pair[0] * pair[1];
      for (int side = 0; side < 2; ++side) {
        largest[side] = std::max(largest[side], std::fabs(pair[side]));
        sum[side] += std::fabs(pair[side]);
        squares[side] += pair[side] * pair[side];
      }
    }
    const auto unit = [&](int side, double more) {
      return std::max(more * largest[side] / 32700, std::sqrt(squares[side]) / 46280);
    };
    const double of_x = 0.501 * unit(0, 1);
    const double of_w = (blocks ? 1.501 : 0.501) * unit(1, blocks ? 1.5 : 1);
    b.error += of_x * sum[1] + of_w * sum[0] + static_cast<double>(end - begin) * of_x * of_w +
               1e-6 * largest[0] * sum[1];
  }
  return b;
}

TEST_P(W13Ops, StaysWithinTheBoundOfItsRounding) {
  uint64_t stream = 40;
  for (const DTypeFacts& type : all_dtypes()) {
    const Stored stored = random_matrix(type.type, 40, 768, ++stream);
    Array x = Array::random(7, 768, ++stream);
    x.at(1, 77) = 3000;  // one value far above the others
    Array out(7, 40);
    one_->linear(x.rows(), *one_->make_matrix(stored.source()), nullptr, false, out.rows());
    for (int64_t n = 0; n < 40; ++n) {
      const std::vector<float> w = stored.expanded_row(n);
      for (int64_t t = 0; t < 7; ++t) {
        const Bound bound = bound_of(&x.at(t, 0), w, 768, type.block_elems > 1);
        EXPECT_LE(std::fabs(static_cast<double>(out.at(t, n)) - bound.want), bound.error + 1e-30)
            << type.name;
      }
    }
  }
}

// Activations in proportion to the weights make the largest sums that there can be.
TEST_P(W13Ops, TheLargestSumsFit) {
  uint64_t stream = 60;
  for (const DTypeFacts& type : all_dtypes()) {
    for (const int64_t k : {256, 1280}) {
      const Stored stored = random_matrix(type.type, 16, k, ++stream);
      Array x(16, k);
      for (int64_t t = 0; t < 16; ++t) {
        const std::vector<float> w = stored.expanded_row(t);
        for (int64_t i = 0; i < k; ++i)
          x.at(t, i) = (t % 2 == 0 ? 8 : -8) * w[static_cast<size_t>(i)];
      }
      Array out(16, 16);
      one_->linear(x.rows(), *one_->make_matrix(stored.source()), nullptr, false, out.rows());
      for (int64_t t = 0; t < 16; ++t) {
        const Bound bound = bound_of(&x.at(t, 0), stored.expanded_row(t), k, type.block_elems > 1);
        EXPECT_LE(std::fabs(static_cast<double>(out.at(t, t)) - bound.want), bound.error + 1e-30)
            << type.name << " k " << k;
      }
    }
  }
}

// The same with all magnitudes equal, where every code is as large as the norm lets it be.
TEST_P(W13Ops, SumsOfEqualMagnitudesFit) {
  const int64_t k = 512;
  std::vector<float> w(static_cast<size_t>(k));
  for (size_t i = 0; i < w.size(); ++i) w[i] = i % 3 == 0 ? -0.7f : 0.7f;
  Stored stored{DType::kF32, 1, k, std::vector<std::byte>(w.size() * sizeof(float))};
  std::memcpy(stored.bytes.data(), w.data(), stored.bytes.size());
  Array x(13, k);
  for (int64_t t = 0; t < 13; ++t) {
    for (int64_t i = 0; i < k; ++i)
      x.at(t, i) = (t % 2 == 0 ? 3e9f : -3e9f) * w[static_cast<size_t>(i)];
  }
  Array out(13, 1);
  one_->linear(x.rows(), *one_->make_matrix(stored.source()), nullptr, false, out.rows());
  for (int64_t t = 0; t < 13; ++t) {
    const double want = (t % 2 == 0 ? 3e9 : -3e9) * 0.49 * static_cast<double>(k);
    EXPECT_NEAR(static_cast<double>(out.at(t, 0)) / want, 1, 4e-4);
  }
}

// Numbers at the edges of the format: subnormals, large ones, signed zeros, whole groups of
// nothing.
TEST_P(W13Ops, EdgesOfTheFormatEqualThePlainLoops) {
  constexpr float kMin = std::numeric_limits<float>::min();
  const std::vector<float> edges = {
      0.0f, -0.0f, kMin, -kMin, kMin / 2, 1e-44f, 1e-20f, 1e19f, 1.0f, -1.5f, 1.00390625f};
  const int64_t n = 33;
  const int64_t k = 300;
  Draw draw(9);
  const auto pick = [&](int64_t i) {
    return edges[static_cast<size_t>(draw.below(i < 160 ? 6 : edges.size()))];
  };
  std::vector<float> w;
  for (int64_t i = 0; i < n * k; ++i) w.push_back(pick(i % k));
  Stored stored{DType::kF32, n, k, std::vector<std::byte>(w.size() * sizeof(float))};
  std::memcpy(stored.bytes.data(), w.data(), stored.bytes.size());
  for (const int64_t rows : {3, 40}) {
    Array x(rows, k);
    for (int64_t t = 0; t < rows; ++t) {
      for (int64_t i = 0; i < k; ++i) x.at(t, i) = pick(t % 2 == 0 ? i : k);
    }
    const auto run = [&](Backend& b) {
      Array out(rows, n);
      b.linear(x.rows(), *b.make_matrix(stored.source()), nullptr, false, out.rows());
      return out;
    };
    ASSERT_TRUE(same_bits(run(*one_), run(*plain_)));
  }
}

TEST_P(W13Ops, LinearEqualsThePlainLoopsBitForBit) {
  linear_equals_plain({*plain_, *one_, *three_},
                      {1, 2, 3, 4, 5, 7, 11, 12, 13, 24, 25, 30, 40},
                      {1, 31, 70, 320, 1090},
                      [](Array& x) {
                        // A group of nothing.
                        for (int64_t i = 0; i < std::min<int64_t>(256, x.rows().width); ++i) {
                          x.at(0, i) = 0;
                        }
                      });
}

TEST_P(W13Ops, RowAloneEqualsRowInBatch) {
  row_alone_equals_row_in_batch(*three_, 40, {1, 2, 3, 4, 5, 12, 13, 25});
}

TEST_P(W13Ops, HeadEqualsThePlainLoops) { head_equals_plain({*plain_, *one_, *three_}); }

TEST_P(W13Ops, NonFiniteInputsStayInTheirRow) {
  not_finite_stays_in_its_row(*one_, 9, {{3, NAN}, {5, INFINITY}});
}

INSTANTIATE_TEST_SUITE_P(Cpu, W13Ops, testing::ValuesIn(fast_levels()), [](const auto& param_info) {
  return param_info.param;
});

}  // namespace
}  // namespace keju::kernel_test
