// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "kernel_test.h"

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

bool has_codes(DType type) { return facts(type).block_elems > 1; }

TEST(FastMode, IsAModeOfItsOwn) {
  for (const std::string& level : fast_levels()) {
    EXPECT_THAT(fast(level)->facts().numeric_mode, testing::StartsWith("cpu-fast-int16-"));
    EXPECT_NE(fast(level)->facts().numeric_mode, backend(level)->facts().numeric_mode);
  }
}

TEST(FastMode, IsRefusedWhereTheProcessorHasNoUseForIt) {
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

class FastOps : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> plain_ = fast("plain");
  std::unique_ptr<Backend> one_ = fast(GetParam(), 1);
  std::unique_ptr<Backend> three_ = fast(GetParam(), 3);
};

// One block, by hand: codes and scales that come out even.
TEST_P(FastOps, TinyByHand) {
  Stored stored{DType::kQ8_0, 1, 32, std::vector<std::byte>(34)};
  const uint16_t half = f32_to_f16(0.5f);
  std::memcpy(stored.bytes.data(), &half, 2);
  stored.bytes[2] = std::byte{4};
  stored.bytes[3] = std::byte{0xFA};
  const auto w = one_->make_matrix(stored.source());
  Array x(1, 32);
  for (int64_t k = 0; k < 32; ++k) x.at(0, k) = 0;
  x.at(0, 0) = 65024;  // scale 2: codes 32512, 12600, and -0.4 rounds to 0
  x.at(0, 1) = 25200;
  x.at(0, 2) = -0.8f;
  Array out(1, 1);
  one_->linear(x.rows(), *w, nullptr, false, out.rows());
  EXPECT_EQ(out.at(0, 0), 2 * (32512 * 4 - 12600 * 6) * 0.5f);
}

// Away from exact mode by no more than rounding activations to 1/65024 of their block's largest.
TEST_P(FastOps, StaysNearExactMode) {
  const auto exact = backend("plain");
  uint64_t stream = 40;
  for (const DTypeFacts& type : all_dtypes()) {
    const Stored stored = random_matrix(type.type, 40, 512, ++stream);
    Array x = Array::random(7, 512, ++stream);
    Array want(7, 40);
    exact->linear(x.rows(), *exact->make_matrix(stored.source()), nullptr, false, want.rows());
    Array got(7, 40);
    one_->linear(x.rows(), *one_->make_matrix(stored.source()), nullptr, false, got.rows());
    for (int64_t n = 0; n < 40; ++n) {
      double size = 0;
      for (const float v : stored.expanded_row(n)) size += std::fabs(static_cast<double>(v));
      const double bound = has_codes(type.type) ? size * 0.502 / 32512 + 1e-6 * size : 1e-4 * size;
      for (int64_t t = 0; t < 7; ++t) {
        const double gap = std::fabs(static_cast<double>(got.at(t, n)) - want.at(t, n));
        EXPECT_TRUE(gap <= bound + 1e-5) << type.name << ": " << gap << " of " << bound;
      }
    }
  }
}

TEST_P(FastOps, LinearEqualsThePlainLoopsBitForBit) {
  uint64_t stream = 0;
  for (const DTypeFacts& type : all_dtypes()) {
    size_t next = 0;
    std::vector<int64_t> depths = {32, 96, 320, 640, 1088};
    if (type.block_elems == 256) depths = {256, 512, 768, 1280};
    for (const int64_t rows : {1, 2, 3, 5, 6, 7, 13, 30}) {
      for (const int64_t n : {1, 16, 40, 67, 130}) {
        const int64_t k = depths[next++ % depths.size()];
        const Stored stored = random_matrix(type.type, n, k, ++stream);
        Array x = Array::random(rows, k, ++stream, 3);
        for (int64_t i = 0; i < 32; ++i) x.at(0, i) = 0;  // a block of nothing
        Draw draw(++stream);
        const std::vector<float> bias = draw.floats(n);
        const bool with_bias = draw.below(2) == 1;
        const bool accumulate = draw.below(2) == 1;
        const Array start = Array::random(rows, n, ++stream);
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
              << type.name << " rows " << rows << " n " << n << " k " << k;
        }
      }
    }
  }
}

TEST_P(FastOps, RowAloneEqualsRowInBatch) {
  for (const DType type : {DType::kQ4_1, DType::kQ6_K, DType::kBF16}) {
    const Stored stored = random_matrix(type, 50, 512, 5);
    Array x = Array::random(40, 512, 6);
    const auto w = three_->make_matrix(stored.source());
    Array all(40, 50);
    three_->linear(x.rows(), *w, nullptr, false, all.rows());
    for (const int64_t count : {1, 2, 3, 6, 7, 25}) {
      for (const int64_t first : {0, 11}) {
        Array some(40, 50);
        three_->linear(x.rows(first, count), *w, nullptr, false, some.rows(first, count));
        for (int64_t t = first; t < first + count; ++t) {
          ASSERT_TRUE(same_bits(some.row(t), all.row(t))) << count << " rows from " << first;
        }
      }
    }
  }
}

TEST_P(FastOps, HeadEqualsThePlainLoops) {
  for (const DType type : {DType::kQ8_0, DType::kQ6_K, DType::kF16}) {
    for (const int64_t rows : {1, 5, 99}) {
      const Stored stored = random_matrix(type, 1100, 256, 70);
      Array x = Array::random(rows, 256, 71);
      std::vector<std::vector<int32_t>> wanted(static_cast<size_t>(rows), {0, 1099, 512});
      const auto run = [&](Backend& b) {
        const auto w = b.make_matrix(stored.source());
        return b.head(x.rows(), *w, {.softcap = 30, .top = 3}, wanted);
      };
      const std::vector<HeadRow> want = run(*plain_);
      const std::vector<HeadRow> got = run(*three_);
      for (size_t r = 0; r < want.size(); ++r) {
        ASSERT_EQ(got[r].log_sum_exp, want[r].log_sum_exp);
        ASSERT_EQ(got[r].wanted, want[r].wanted);
        ASSERT_EQ(got[r].top, want[r].top);
      }
    }
  }
}

// What is not a number in one block of one row spoils that row, and no other.
TEST_P(FastOps, NonFiniteInputsStayInTheirRow) {
  const Stored stored = random_matrix(DType::kQ5_0, 20, 96, 80);
  const auto w = one_->make_matrix(stored.source());
  Array x = Array::random(9, 96, 81);
  Array clean(9, 20);
  one_->linear(x.rows(), *w, nullptr, false, clean.rows());
  x.at(3, 40) = NAN;
  x.at(5, 7) = INFINITY;
  Array out(9, 20);
  one_->linear(x.rows(), *w, nullptr, false, out.rows());
  for (int64_t t = 0; t < 9; ++t) {
    if (t == 3 || t == 5) {
      for (int64_t n = 0; n < 20; ++n) EXPECT_TRUE(std::isnan(out.at(t, n)));
    } else {
      EXPECT_TRUE(same_bits(out.row(t), clean.row(t)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu,
                         FastOps,
                         testing::ValuesIn(fast_levels()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace keju::kernel_test
