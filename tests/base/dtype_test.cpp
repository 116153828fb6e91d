// SPDX-License-Identifier: MIT
#include "base/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace keju {
namespace {

TEST(Dtype, FactsStandInOrderOfTheEnum) {
  EXPECT_EQ(all_dtypes().size(), 14u);
  for (const DTypeFacts& f : all_dtypes()) {
    EXPECT_EQ(facts(f.type).name, f.name);
    EXPECT_EQ(name(f.type), f.name);
  }
  EXPECT_EQ(name(DType::kIQ4_NL), "IQ4_NL");
  EXPECT_EQ(facts(DType::kQ6_K).block_bytes, 210);
}

TEST(Dtype, RowBytes) {
  EXPECT_EQ(row_bytes(DType::kF32, 7), 28);
  EXPECT_EQ(row_bytes(DType::kBF16, 7), 14);
  EXPECT_EQ(row_bytes(DType::kQ4_0, 64), 36);
  EXPECT_EQ(row_bytes(DType::kQ4_K, 512), 288);
  EXPECT_EQ(row_bytes(DType::kQ4_K, 0), 0);
  for (const int64_t elems : {int64_t{255}, int64_t{-256}, int64_t{1}}) {
    try {
      row_bytes(DType::kQ4_K, elems);
      FAIL() << elems;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kShape);
    }
  }
}

TEST(Dtype, EveryHalfSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_EQ(f32_to_f16(value), bits | 0x200u);  // quiet, payload kept
    } else {
      ASSERT_EQ(f32_to_f16(value), bits);
    }
  }
}

TEST(Dtype, HalfValues) {
  EXPECT_EQ(f16_to_f32(0x3C00), 1.0f);
  EXPECT_EQ(f16_to_f32(0xC000), -2.0f);
  EXPECT_EQ(f16_to_f32(0x7BFF), 65504.0f);
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24f);
  EXPECT_EQ(f16_to_f32(0x03FF), 0x1.ff8p-15f);
  EXPECT_EQ(f16_to_f32(0x7C00), std::numeric_limits<float>::infinity());
}

TEST(Dtype, HalfRoundsToNearestEven) {
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f), 0x3C00);             // tie, even below
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f + 0x1p-20f), 0x3C01);  // above the tie
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-10f + 0x1p-11f), 0x3C02);  // tie, even above
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xFC00);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);  // tie with zero
  EXPECT_EQ(f32_to_f16(0x1.000002p-25f), 0x0001);
  EXPECT_EQ(f32_to_f16(0x1.8p-24f), 0x0002);  // tie between 1 and 2
  EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
  EXPECT_EQ(f32_to_f16(0x1.ffffp-15f), 0x0400);  // carries into the normal range
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::nanf("")))));
}

TEST(Dtype, Bfloat) {
  EXPECT_EQ(bf16_to_f32(0x3F80), 1.0f);
  EXPECT_EQ(f32_to_bf16(1.0f), 0x3F80);
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-8f), 0x3F80);  // tie, even below
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-7f + 0x1p-8f), 0x3F82);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80);
  // A NaN whose payload lies in the dropped half only must stay a NaN.
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x7F800001u)), 0x7FC0);
}

}  // namespace
}  // namespace keju
