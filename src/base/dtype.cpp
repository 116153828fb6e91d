// SPDX-License-Identifier: MIT
#include "base/dtype.h"

#include <array>
#include <bit>

#include "base/error.h"

namespace keju {
namespace {

constexpr std::array<DTypeFacts, 14> kFacts = {{
    {DType::kF32, "F32", 1, 4},
    {DType::kF16, "F16", 1, 2},
    {DType::kBF16, "BF16", 1, 2},
    {DType::kQ4_0, "Q4_0", 32, 18},
    {DType::kQ4_1, "Q4_1", 32, 20},
    {DType::kQ5_0, "Q5_0", 32, 22},
    {DType::kQ5_1, "Q5_1", 32, 24},
    {DType::kQ8_0, "Q8_0", 32, 34},
    {DType::kQ2_K, "Q2_K", 256, 84},
    {DType::kQ3_K, "Q3_K", 256, 110},
    {DType::kQ4_K, "Q4_K", 256, 144},
    {DType::kQ5_K, "Q5_K", 256, 176},
    {DType::kQ6_K, "Q6_K", 256, 210},
    {DType::kIQ4_NL, "IQ4_NL", 32, 18},
}};

}  // namespace

const DTypeFacts& facts(DType type) {
  const size_t index = static_cast<size_t>(type);
  KEJU_CHECK(index < kFacts.size(), "dtype out of range");
  return kFacts[index];
}

std::string_view name(DType type) { return facts(type).name; }

std::span<const DTypeFacts> all_dtypes() { return kFacts; }

int64_t row_bytes(DType type, int64_t elems) {
  const DTypeFacts& f = facts(type);
  if (elems < 0 || elems % f.block_elems != 0) {
    throw fail(Code::kShape,
               "{}: row length: found {} values, need a multiple of {}",
               f.name,
               elems,
               f.block_elems);
  }
  return elems / f.block_elems * f.block_bytes;
}

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1Fu;
  uint32_t fraction = bits & 0x3FFu;
  if (exponent == 0x1F) {
    // A signalling NaN comes out quiet, as the processors' conversions give it.
    if (fraction != 0) fraction |= 0x200u;
    return std::bit_cast<float>(sign | 0x7F800000u | (fraction << 13));
  }
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (fraction << 13));
  }
  if (fraction == 0) return std::bit_cast<float>(sign);
  // Subnormal: every half is a normal float, so move the leading one to the hidden bit.
  const uint32_t shift = static_cast<uint32_t>(std::countl_zero(fraction)) - 21u;
  fraction = (fraction << shift) & 0x3FFu;
  return std::bit_cast<float>(sign | ((113u - shift) << 23) | (fraction << 13));
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) {
    return static_cast<uint16_t>(sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu));
  }
  // 65520 is the midpoint between the largest half and what would follow it.
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);
  if (magnitude >= 0x38800000u) {
    const uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
    return static_cast<uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
  }
  // 2^-25 and below round to zero (the tie goes to even).
  if (magnitude <= 0x33000000u) return static_cast<uint16_t>(sign);
  const uint32_t fraction = (magnitude & 0x7FFFFFu) | 0x800000u;
  const uint32_t shift = 126u - (magnitude >> 23);  // 14 … 24
  const uint32_t kept = fraction >> shift;
  const uint32_t rest = fraction & ((1u << shift) - 1u);
  const uint32_t half = 1u << (shift - 1u);
  const bool up = rest > half || (rest == half && (kept & 1u) != 0);
  return static_cast<uint16_t>(sign | (kept + (up ? 1u : 0u)));
}

float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  // Rounding could carry a NaN's payload away and leave an infinity.
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace keju
