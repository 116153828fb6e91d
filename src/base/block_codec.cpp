// SPDX-License-Identifier: MIT
#include "base/block_codec.h"

#include <bit>
#include <cstring>

#include "base/error.h"

namespace keju {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

uint16_t u16_at(const uint8_t* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

uint32_t u32_at(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

float half_at(const uint8_t* p) { return f16_to_f32(u16_at(p)); }

// In the 32-value formats, byte j of the nibbles holds value j below and value j + 16 above.

void q4_0(const uint8_t* b, float* out) {
  const float d = half_at(b);
  const uint8_t* q = b + 2;
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>((q[j] & 15) - 8);
    out[j + 16] = d * static_cast<float>((q[j] >> 4) - 8);
  }
}

void q4_1(const uint8_t* b, float* out) {
  const float d = half_at(b);
  const float m = half_at(b + 2);
  const uint8_t* q = b + 4;
  for (int j = 0; j < 16; ++j) {
    const float low = d * static_cast<float>(q[j] & 15);
    const float high = d * static_cast<float>(q[j] >> 4);
    out[j] = low + m;
    out[j + 16] = high + m;
  }
}

void q5_0(const uint8_t* b, float* out) {
  const float d = half_at(b);
  const uint32_t fifth = u32_at(b + 2);
  const uint8_t* q = b + 6;
  for (int j = 0; j < 16; ++j) {
    const int low = (q[j] & 15) | static_cast<int>(((fifth >> j) & 1u) << 4);
    const int high = (q[j] >> 4) | static_cast<int>(((fifth >> (j + 16)) & 1u) << 4);
    out[j] = d * static_cast<float>(low - 16);
    out[j + 16] = d * static_cast<float>(high - 16);
  }
}

void q5_1(const uint8_t* b, float* out) {
  const float d = half_at(b);
  const float m = half_at(b + 2);
  const uint32_t fifth = u32_at(b + 4);
  const uint8_t* q = b + 8;
  for (int j = 0; j < 16; ++j) {
    const int low = (q[j] & 15) | static_cast<int>(((fifth >> j) & 1u) << 4);
    const int high = (q[j] >> 4) | static_cast<int>(((fifth >> (j + 16)) & 1u) << 4);
    const float scaled_low = d * static_cast<float>(low);
    const float scaled_high = d * static_cast<float>(high);
    out[j] = scaled_low + m;
    out[j + 16] = scaled_high + m;
  }
}

void q8_0(const uint8_t* b, float* out) {
  const float d = half_at(b);
  for (int j = 0; j < 32; ++j) out[j] = d * static_cast<float>(static_cast<int8_t>(b[2 + j]));
}

void iq4_nl(const uint8_t* b, float* out) {
  static constexpr int8_t kLevels[16] = {
      -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  const float d = half_at(b);
  const uint8_t* q = b + 2;
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(kLevels[q[j] & 15]);
    out[j + 16] = d * static_cast<float>(kLevels[q[j] >> 4]);
  }
}

// The 256-value formats. In the 2- and 3-bit ones, 32 bytes carry 128 values: value 32·s + l of a
// half lies at bits 2s, 2s+1 of byte l, and every 16 values have a scale of their own.

void q2_k(const uint8_t* b, float* out) {
  const uint8_t* scales = b;
  const uint8_t* q = b + 16;
  const float d = half_at(b + 80);
  const float dmin = half_at(b + 82);
  for (int group = 0; group < 16; ++group) {
    const float scale = d * static_cast<float>(scales[group] & 15);
    const float low = dmin * static_cast<float>(scales[group] >> 4);
    const uint8_t* bytes = q + group / 8 * 32 + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int l = 0; l < 16; ++l) {
      const float scaled = scale * static_cast<float>((bytes[l] >> shift) & 3);
      out[group * 16 + l] = scaled - low;
    }
  }
}

void q3_k(const uint8_t* b, float* out) {
  const uint8_t* high = b;
  const uint8_t* q = b + 32;
  const uint8_t* packed = b + 96;
  const float d = half_at(b + 108);
  for (int group = 0; group < 16; ++group) {
    // Six bits: four in the nibbles of the first eight bytes, two in the last four bytes.
    const int low4 = (packed[group % 8] >> (group / 8 * 4)) & 15;
    const int high2 = (packed[8 + group % 4] >> (group / 4 * 2)) & 3;
    const float scale = d * static_cast<float>((low4 | high2 << 4) - 32);
    const uint8_t* bytes = q + group / 8 * 32 + group % 2 * 16;
    const uint8_t* thirds = high + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int l = 0; l < 16; ++l) {
      const int third = (thirds[l] >> (group / 2)) & 1;  // set means: nothing to subtract
      const int value = ((bytes[l] >> shift) & 3) - (third ? 0 : 4);
      out[group * 16 + l] = scale * static_cast<float>(value);
    }
  }
}

struct ScaleMin {
  int scale;
  int min;
};

// Twelve bytes hold eight six-bit scales and eight six-bit minima: the first four of each in the
// low six bits of bytes 0-3 and 4-7, whose top bits complete the nibbles of bytes 8-11.
ScaleMin scale_min(const uint8_t* packed, int group) {
  if (group < 4) return {packed[group] & 63, packed[group + 4] & 63};
  return {(packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4,
          (packed[group + 4] >> 4) | (packed[group] >> 6) << 4};
}

void q4_k(const uint8_t* b, float* out) {
  const float d = half_at(b);
  const float dmin = half_at(b + 2);
  const uint8_t* q = b + 16;
  for (int group = 0; group < 8; ++group) {
    const ScaleMin sm = scale_min(b + 4, group);
    const float scale = d * static_cast<float>(sm.scale);
    const float low = dmin * static_cast<float>(sm.min);
    const uint8_t* bytes = q + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int l = 0; l < 32; ++l) {
      const float scaled = scale * static_cast<float>((bytes[l] >> shift) & 15);
      out[group * 32 + l] = scaled - low;
    }
  }
}

void q5_k(const uint8_t* b, float* out) {
  const float d = half_at(b);
  const float dmin = half_at(b + 2);
  const uint8_t* fifth = b + 16;
  const uint8_t* q = b + 48;
  for (int group = 0; group < 8; ++group) {
    const ScaleMin sm = scale_min(b + 4, group);
    const float scale = d * static_cast<float>(sm.scale);
    const float low = dmin * static_cast<float>(sm.min);
    const uint8_t* bytes = q + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int l = 0; l < 32; ++l) {
      const int value = ((bytes[l] >> shift) & 15) | ((fifth[l] >> group) & 1) << 4;
      const float scaled = scale * static_cast<float>(value);
      out[group * 32 + l] = scaled - low;
    }
  }
}

void q6_k(const uint8_t* b, float* out) {
  const float d = half_at(b + 208);
  for (int group = 0; group < 16; ++group) {
    const int half = group / 8;
    const int quarter = group % 8 / 2;  // of the half: 32 values
    const int begin = group % 2 * 16;
    const uint8_t* low = b + half * 64 + quarter % 2 * 32 + begin;
    const uint8_t* high = b + 128 + half * 32 + begin;
    const float scale = d * static_cast<float>(static_cast<int8_t>(b[192 + group]));
    for (int l = 0; l < 16; ++l) {
      const int low4 = (low[l] >> (quarter / 2 * 4)) & 15;
      const int high2 = (high[l] >> (quarter * 2)) & 3;
      out[group * 16 + l] = scale * static_cast<float>((low4 | high2 << 4) - 32);
    }
  }
}

template <typename Block>
void each_block(DType type, const uint8_t* p, int64_t elems, float* out, Block block) {
  const DTypeFacts& f = facts(type);
  for (int64_t at = 0; at < elems; at += f.block_elems, p += f.block_bytes) block(p, out + at);
}

}  // namespace

void expand_row(DType type, const std::byte* source, int64_t elems, float* out) {
  const int64_t bytes = row_bytes(type, elems);
  if (elems == 0) return;
  const uint8_t* p = reinterpret_cast<const uint8_t*>(source);
  switch (type) {
    case DType::kF32:
      std::memcpy(out, p, static_cast<size_t>(bytes));
      return;
    case DType::kF16:
      for (int64_t i = 0; i < elems; ++i) out[i] = half_at(p + 2 * i);
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < elems; ++i) out[i] = bf16_to_f32(u16_at(p + 2 * i));
      return;
    case DType::kQ4_0:
      return each_block(type, p, elems, out, q4_0);
    case DType::kQ4_1:
      return each_block(type, p, elems, out, q4_1);
    case DType::kQ5_0:
      return each_block(type, p, elems, out, q5_0);
    case DType::kQ5_1:
      return each_block(type, p, elems, out, q5_1);
    case DType::kQ8_0:
      return each_block(type, p, elems, out, q8_0);
    case DType::kQ2_K:
      return each_block(type, p, elems, out, q2_k);
    case DType::kQ3_K:
      return each_block(type, p, elems, out, q3_k);
    case DType::kQ4_K:
      return each_block(type, p, elems, out, q4_k);
    case DType::kQ5_K:
      return each_block(type, p, elems, out, q5_k);
    case DType::kQ6_K:
      return each_block(type, p, elems, out, q6_k);
    case DType::kIQ4_NL:
      return each_block(type, p, elems, out, iq4_nl);
  }
}

}  // namespace keju
