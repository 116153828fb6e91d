// SPDX-License-Identifier: MIT
#include <limits>

#include "fast_checks.h"
#include "kernels/cpu/bf16_backend.h"

namespace keju::kernel_test {
namespace {

std::unique_ptr<Backend> tiled(int threads) {
  CpuOptions options;
  options.isa = "avx512_amx";
  options.threads = threads;
  options.mode = NumericMode::kFast;
  return make_cpu_backend(options);
}

std::unique_ptr<Backend> plain_bf16(int threads = 2) {
  return std::make_unique<PlainBf16Backend>(threads, BackendFacts{});
}

// Small integers have exact products and sums in any order: a truth that needs no rounding.
TEST(PlainBf16, IntegersComeOutExactly) {
  const auto b = plain_bf16();
  Draw draw(1);
  const int64_t n = 9;
  const int64_t k = 70;
  Array x(3, k);
  Stored stored{DType::kF32, n, k, std::vector<std::byte>(static_cast<size_t>(n * k) * 4)};
  std::vector<float> w;
  for (int64_t i = 0; i < n * k; ++i) w.push_back(static_cast<float>(draw.below(33)) - 16);
  std::memcpy(stored.bytes.data(), w.data(), stored.bytes.size());
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t i = 0; i < k; ++i) x.at(t, i) = static_cast<float>(draw.below(33)) - 16;
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

// Away from the sum in double by no more than the products of the low parts.
TEST(PlainBf16, StaysNearTheSumInDouble) {
  const auto b = plain_bf16();
  uint64_t stream = 40;
  for (const DTypeFacts& type : all_dtypes()) {
    const Stored stored = random_matrix(type.type, 20, 512, ++stream);
    Array x = Array::random(3, 512, ++stream);
    Array out(3, 20);
    b->linear(x.rows(), *b->make_matrix(stored.source()), nullptr, false, out.rows());
    for (int64_t n = 0; n < 20; ++n) {
      const std::vector<float> w = stored.expanded_row(n);
      for (int64_t t = 0; t < 3; ++t) {
        double want = 0;
        double size = 0;
        for (int64_t k = 0; k < 512; ++k) {
          const double product =
              static_cast<double>(x.at(t, k)) * static_cast<double>(w[static_cast<size_t>(k)]);
          want += product;
          size += std::fabs(product);
        }
        EXPECT_LE(std::fabs(static_cast<double>(out.at(t, n)) - want), 0x1p-15 * size + 1e-30)
            << type.name;
      }
    }
  }
}

class TiledBf16 : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> levels = cpu_isa_levels();
    if (std::find(levels.begin(), levels.end(), "avx512_amx") == levels.end()) {
      GTEST_SKIP() << "this processor has no AMX tiles for bfloat16";
    }
    one_ = tiled(1);
    three_ = tiled(3);
  }
  std::unique_ptr<Backend> plain_ = plain_bf16();
  std::unique_ptr<Backend> one_;
  std::unique_ptr<Backend> three_;
};

TEST_F(TiledBf16, IsAModeOfItsOwn) {
  EXPECT_THAT(one_->facts().numeric_mode, testing::StartsWith("cpu-fast-bf16x3-"));
}

TEST_F(TiledBf16, LinearEqualsThePlainLoopsBitForBit) {
  linear_equals_plain({*plain_, *one_, *three_},
                      {1, 2, 7, 15, 16, 17, 31, 32, 33, 50},
                      {1, 31, 70, 320, 1090},
                      [](Array&) {});
}

// Numbers at the edges of the format: subnormals, the largest, signed zeros.
TEST_F(TiledBf16, EdgesOfTheFormatEqualThePlainLoops) {
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

TEST_F(TiledBf16, RowAloneEqualsRowInBatch) {
  row_alone_equals_row_in_batch(*three_, 80, {1, 2, 16, 17, 40});
}

TEST_F(TiledBf16, HeadEqualsThePlainLoops) { head_equals_plain({*plain_, *one_, *three_}); }

TEST_F(TiledBf16, NonFiniteInputsStayInTheirRow) {
  not_finite_stays_in_its_row(*one_, 40, {{3, NAN}});
}

}  // namespace
}  // namespace keju::kernel_test
