// SPDX-License-Identifier: MIT
#include "kernels/cpu/block_parts.h"

#include <cstring>

#include "base/error.h"

namespace keju {
namespace {

uint16_t u16_at(const uint8_t* p) {
  uint16_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// Byte j of the nibbles holds value j below and value j + 16 above.
void split_nibbles(const uint8_t* q, uint8_t* codes) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = q[j] & 15;
    codes[j + 16] = static_cast<uint8_t>(q[j] >> 4);
  }
}

void add_fifth_bits(const uint8_t* p, uint8_t* codes) {
  uint32_t bits = 0;
  std::memcpy(&bits, p, sizeof bits);
  for (int j = 0; j < 32; ++j) codes[j] |= static_cast<uint8_t>(((bits >> j) & 1u) << 4);
}

// 32 bytes hold 64 values: 32 below, 32 above.
void split_long_nibbles(const uint8_t* q, int bytes, uint8_t* codes) {
  for (int at = 0; at < bytes; at += 32, codes += 64) {
    for (int l = 0; l < 32; ++l) {
      codes[l] = q[at + l] & 15;
      codes[l + 32] = static_cast<uint8_t>(q[at + l] >> 4);
    }
  }
}

// 32 bytes hold 128 values, two bits each: value 32·s + l at bits 2s of byte l.
void split_pairs(const uint8_t* q, int bytes, uint8_t* codes) {
  for (int at = 0; at < bytes; at += 32, codes += 128) {
    for (int s = 0; s < 4; ++s) {
      for (int l = 0; l < 32; ++l) codes[32 * s + l] = (q[at + l] >> (2 * s)) & 3;
    }
  }
}

// Eight six-bit scales and minima in twelve bytes; see base/block_codec.cpp.
void split_scale_min(const uint8_t* p, BlockParts& parts) {
  for (int g = 0; g < 4; ++g) {
    parts.scales[g] = p[g] & 63;
    parts.lows[g] = p[g + 4] & 63;
    parts.scales[g + 4] = static_cast<uint8_t>((p[g + 8] & 15) | (p[g] >> 6) << 4);
    parts.lows[g + 4] = static_cast<uint8_t>((p[g + 8] >> 4) | (p[g + 4] >> 6) << 4);
  }
}

void split_q3_k(const uint8_t* b, BlockParts& parts) {
  split_pairs(b + 32, 64, parts.codes);
  for (int k = 0; k < 256; ++k) {
    parts.codes[k] |= static_cast<uint8_t>(((b[k % 32] >> (k / 32)) & 1) << 2);
  }
  const uint8_t* packed = b + 96;
  for (int g = 0; g < 16; ++g) {
    const int low = (packed[g % 8] >> (g / 8 * 4)) & 15;
    const int high = (packed[8 + g % 4] >> (g / 4 * 2)) & 3;
    parts.scales[g] = static_cast<uint8_t>((low | high << 4) - 32);
  }
}

void split_q6_k(const uint8_t* b, BlockParts& parts) {
  for (int half = 0; half < 2; ++half) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      for (int l = 0; l < 32; ++l) {
        const int low = b[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4);
        const int high = b[128 + half * 32 + l] >> (quarter * 2);
        parts.codes[128 * half + 32 * quarter + l] =
            static_cast<uint8_t>((low & 15) | (high & 3) << 4);
      }
    }
  }
  std::memcpy(parts.scales, b + 192, 16);
}

}  // namespace

void split_block(DType type, const uint8_t* b, BlockParts& parts) {
  parts.m = 0;
  switch (type) {
    case DType::kQ4_0:
    case DType::kIQ4_NL:
      split_nibbles(b + 2, parts.codes);
      parts.d = u16_at(b);
      return;
    case DType::kQ4_1:
      split_nibbles(b + 4, parts.codes);
      parts.d = u16_at(b);
      parts.m = u16_at(b + 2);
      return;
    case DType::kQ5_0:
      split_nibbles(b + 6, parts.codes);
      add_fifth_bits(b + 2, parts.codes);
      parts.d = u16_at(b);
      return;
    case DType::kQ5_1:
      split_nibbles(b + 8, parts.codes);
      add_fifth_bits(b + 4, parts.codes);
      parts.d = u16_at(b);
      parts.m = u16_at(b + 2);
      return;
    case DType::kQ8_0:
      std::memcpy(parts.codes, b + 2, 32);
      parts.d = u16_at(b);
      return;
    case DType::kQ2_K:
      split_pairs(b + 16, 64, parts.codes);
      std::memcpy(parts.scales, b, 16);
      parts.d = u16_at(b + 80);
      parts.m = u16_at(b + 82);
      return;
    case DType::kQ3_K:
      split_q3_k(b, parts);
      parts.d = u16_at(b + 108);
      return;
    case DType::kQ4_K:
      split_long_nibbles(b + 16, 128, parts.codes);
      split_scale_min(b + 4, parts);
      parts.d = u16_at(b);
      parts.m = u16_at(b + 2);
      return;
    case DType::kQ5_K:
      split_long_nibbles(b + 48, 128, parts.codes);
      for (int k = 0; k < 256; ++k) {
        parts.codes[k] |= static_cast<uint8_t>(((b[16 + k % 32] >> (k / 32)) & 1) << 4);
      }
      split_scale_min(b + 4, parts);
      parts.d = u16_at(b);
      parts.m = u16_at(b + 2);
      return;
    case DType::kQ6_K:
      split_q6_k(b, parts);
      parts.d = u16_at(b + 208);
      return;
    default:
      KEJU_CHECK(false, "not a block type");
  }
}

}  // namespace keju
