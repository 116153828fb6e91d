// SPDX-License-Identifier: MIT
#include <limits>

#include "fast_checks.h"
#include "kernels/cpu/w16_backend.h"

namespace keju::kernel_test {
namespace {

std::unique_ptr<Backend> tiled(int threads) {
  CpuOptions options;
  options.isa = "avx512_amx";
  options.threads = threads;
  options.mode = NumericMode::kFast;
  return make_cpu_backend(options);
}

std::unique_ptr<Backend> plain_w16(int threads = 2) {
  return std::make_unique<PlainW16Backend>(threads, BackendFacts{});
}

// Whole numbers up to 127, which every group reaches, have low parts of zero and scales that are
// powers of two: the exact sum must come out.
TEST(PlainW16, IntegersComeOutExactly) {
  const auto b = plain_w16();
  Draw draw(1);
  const int64_t n = 9;
  const int64_t k = 900;
  const auto number = [&](int64_t i) {
    return i % 64 == 5 ? 127.0f : static_cast<float>(draw.below(255)) - 127;
  };
  Array x(3, k);
  Stored stored{DType::kF32, n, k, std::vector<std::byte>(static_cast<size_t>(n * k) * 4)};
  std::vector<float> w;
  for (int64_t i = 0; i < n * k; ++i) w.push_back(number(i % k));
  std::memcpy(stored.bytes.data(), w.data(), stored.bytes.size());
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t i = 0; i < k; ++i) x.at(t, i) = number(i);
  }
  Array out(3, n);
  b->linear(x.rows(), *b->make_matrix(stored.source()), nullptr, false, out.rows());
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t c = 0; c < n; ++c) {
      double want = 0;
      for (int64_t i = 0; i < k; ++i) {
        want += static_cast<double>(x.at(t, i)) *
                static_cast<double>(w[static_cast<size_t>(c * k + i)]);
      }
      EXPECT_EQ(static_cast<double>(out.at(t, c)), want);
    }
  }
}

struct Bound {
  double want = 0;
  double error = 0;  // what rounding to codes and leaving out low·low may cost
};
Bound bound_of(const float* x, const std::vector<float>& w, int64_t k) {
  Bound b;
  for (int64_t g = 0; g < w16_groups(k); ++g) {
    double largest[2] = {0, 0};
    double sum[2] = {0, 0};
    const int64_t begin = w16_first(k, g) * kW16Step;
    const int64_t end = std::min(k, w16_first(k, g + 1) * kW16Step);
    for (int64_t i = begin; i < end; ++i) {
      const double pair[2] = {static_cast<double>(x[i]),
                              static_cast<double>(w[static_cast<size_t>(i)])};
      b.want += pair[0] * pair[1];
      for (int side = 0; side < 2; ++side) {
        largest[side] = std::max(largest[side], std::fabs(pair[side]));
        sum[side] += std::fabs(pair[side]);
      }
    }
    const double unit[2] = {largest[0] / 32512, largest[1] / 32512};
    b.error += 0.5 * unit[0] * sum[1] + 0.5 * unit[1] * sum[0] +
               static_cast<double>(end - begin) * (0.25 + 128 * 128) * unit[0] * unit[1] +
               1e-5 * std::min(largest[0] * sum[1], largest[1] * sum[0]);
  }
  return b;
}

TEST(PlainW16, StaysWithinTheBoundOfItsRounding) {
  const auto b = plain_w16();
  uint64_t stream = 40;
  for (const DTypeFacts& type : all_dtypes()) {
    const Stored stored = random_matrix(type.type, 20, 512, ++stream);
    Array x = Array::random(3, 512, ++stream);
    x.at(1, 77) = 3000;  // one value far above the others
    Array out(3, 20);
    b->linear(x.rows(), *b->make_matrix(stored.source()), nullptr, false, out.rows());
    for (int64_t n = 0; n < 20; ++n) {
      const std::vector<float> w = stored.expanded_row(n);
      for (int64_t t = 0; t < 3; ++t) {
        const Bound bound = bound_of(&x.at(t, 0), w, 512);
        EXPECT_LE(std::fabs(static_cast<double>(out.at(t, n)) - bound.want), bound.error + 1e-30)
            << type.name;
      }
    }
  }
}

class TiledW16 : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> levels = cpu_isa_levels();
    if (std::find(levels.begin(), levels.end(), "avx512_amx") == levels.end()) {
      GTEST_SKIP() << "this processor has no AMX tiles";
    }
    one_ = tiled(1);
    three_ = tiled(3);
  }
  std::unique_ptr<Backend> plain_ = plain_w16();
  std::unique_ptr<Backend> one_;
  std::unique_ptr<Backend> three_;
};

TEST_F(TiledW16, IsAModeOfItsOwn) {
  EXPECT_THAT(one_->facts().numeric_mode, testing::StartsWith("cpu-fast-w16a16-"));
}

TEST_F(TiledW16, LinearEqualsThePlainLoopsBitForBit) {
  linear_equals_plain({*plain_, *one_, *three_},
                      {1, 2, 3, 4, 5, 15, 16, 17, 32, 33, 50},
                      {1, 31, 70, 320, 1090},
                      [](Array&) {});
}

// Numbers at the edges of the format: subnormals, the largest, signed zeros.
TEST_F(TiledW16, EdgesOfTheFormatEqualThePlainLoops) {
  constexpr float kMin = std::numeric_limits<float>::min();
  const std::vector<float> edges = {0.0f,
                                    -0.0f,
                                    kMin,
                                    -kMin,
                                    kMin / 2,
                                    -kMin / 4,
                                    1e-44f,
                                    1e-20f,
                                    1e19f,
                                    1.0f,
                                    -1.5f,
                                    1.00390625f};
  const int64_t n = 33;
  const int64_t k = 64;
  Draw draw(9);
  const auto pick = [&] { return edges[static_cast<size_t>(draw.below(edges.size()))]; };
  std::vector<float> w;
  for (int64_t i = 0; i < n * k; ++i) w.push_back(pick());
  Stored stored{DType::kF32, n, k, std::vector<std::byte>(w.size() * sizeof(float))};
  std::memcpy(stored.bytes.data(), w.data(), stored.bytes.size());
  Array x(40, k);
  for (int64_t t = 0; t < 40; ++t) {
    for (int64_t i = 0; i < k; ++i) x.at(t, i) = pick();
  }
  const auto run = [&](Backend& b) {
    Array out(40, n);
    b.linear(x.rows(), *b.make_matrix(stored.source()), nullptr, false, out.rows());
    return out;
  };
  ASSERT_TRUE(same_bits(run(*one_), run(*plain_)));
}

TEST_F(TiledW16, RowAloneEqualsRowInBatch) {
  row_alone_equals_row_in_batch(*three_, 80, {1, 2, 3, 4, 5, 16, 17, 40});
}

TEST_F(TiledW16, HeadEqualsThePlainLoops) { head_equals_plain({*plain_, *one_, *three_}); }

// Sums at the ends of their range: all values of a group at its largest magnitude.
TEST_F(TiledW16, LargestSumsEqualThePlainLoops) {
  for (const int64_t k : {384, 1920}) {
    Stored stored{DType::kF32, 2, k, std::vector<std::byte>(static_cast<size_t>(2 * k) * 4)};
    std::vector<float> w(static_cast<size_t>(2 * k), 1.5f);
    std::fill(w.begin() + k, w.end(), -1.5f);
    std::memcpy(stored.bytes.data(), w.data(), stored.bytes.size());
    for (const int64_t rows : {1, 2, 4, 20}) {
      Array x(rows, k);
      for (int64_t t = 0; t < rows; ++t) {
        for (int64_t i = 0; i < k; ++i) x.at(t, i) = t % 2 == 0 ? 3.0f : -3.0f;
      }
      const auto run = [&](Backend& b) {
        Array out(rows, 2);
        b.linear(x.rows(), *b.make_matrix(stored.source()), nullptr, false, out.rows());
        return out;
      };
      ASSERT_TRUE(same_bits(run(*one_), run(*plain_))) << k << " by " << rows;
    }
  }
}

TEST_F(TiledW16, GatesEqualThePlainLoops) {
  gates_equal_plain(*plain_, {one_.get(), three_.get()});
}

TEST_F(TiledW16, NonFiniteInputsStayInTheirRow) {
  not_finite_stays_in_its_row(*one_, 40, {{3, NAN}});
  not_finite_stays_in_its_row(*one_, 4, {{3, NAN}});
}

}  // namespace
}  // namespace keju::kernel_test
