// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "fast_checks.h"

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
  linear_equals_plain({*plain_, *one_, *three_},
                      {1, 2, 3, 5, 6, 7, 13, 30},
                      {32, 96, 320, 640, 1088},
                      [](Array& x) {
                        for (int64_t i = 0; i < 32; ++i) x.at(0, i) = 0;  // a block of nothing
                      });
}

TEST_P(FastOps, RowAloneEqualsRowInBatch) {
  row_alone_equals_row_in_batch(*three_, 40, {1, 2, 3, 6, 7, 25});
}

TEST_P(FastOps, HeadEqualsThePlainLoops) { head_equals_plain({*plain_, *one_, *three_}); }

TEST_P(FastOps, NonFiniteInputsStayInTheirRow) {
  not_finite_stays_in_its_row(*one_, 9, {{3, NAN}, {5, INFINITY}});
}

INSTANTIATE_TEST_SUITE_P(Cpu,
                         FastOps,
                         testing::ValuesIn(fast_levels()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace keju::kernel_test
