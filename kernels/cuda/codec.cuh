// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/ptx.cuh"

// Stored values to float32 on the card, 16 at a time: 16 consecutive values share their scale in
// every format. Bit for bit what base/block_codec.h defines: one rounding per operation, nothing
// fused.
namespace keju::cuda {

inline constexpr int kGroup = 16;

__device__ __forceinline__ float half_at(const uint8_t* p) {
  return to_float(F16{static_cast<uint16_t>(p[0] | p[1] << 8)});
}
__device__ __forceinline__ uint32_t word_at(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 |
         static_cast<uint32_t>(p[2]) << 16 | static_cast<uint32_t>(p[3]) << 24;
}
__device__ __forceinline__ float scaled(float scale, int value) {
  return __fmul_rn(scale, static_cast<float>(value));
}

// The eight six-bit scales and minima of Q4_K and Q5_K in their twelve bytes.
__device__ __forceinline__ void scale_and_min(const uint8_t* packed, int i, int& scale, int& min) {
  if (i < 4) {
    scale = packed[i] & 63;
    min = packed[i + 4] & 63;
  } else {
    scale = (packed[i + 4] & 15) | (packed[i - 4] >> 6) << 4;
    min = (packed[i + 4] >> 4) | (packed[i] >> 6) << 4;
  }
}

__device__ __forceinline__ int iq4_level(int code) {
  constexpr uint64_t low = 0xF6EADDCFBFAD9881u;   // -127 -104 -83 -65 -49 -35 -22 -10
  constexpr uint64_t high = 0x7159453526190D01u;  // 1 13 25 38 53 69 89 113
  const uint64_t word = code < 8 ? low : high;
  return static_cast<int8_t>(word >> (code % 8 * 8) & 0xFF);
}

template <DType type>
struct Codec;

// decode(row, group, out): values [16·group, 16·group + 16) of a row.
template <>
struct Codec<DType::kF32> {
  static __device__ __forceinline__ float value(const uint8_t* row, int64_t i) {
    return reinterpret_cast<const float*>(row)[i];
  }
};
template <>
struct Codec<DType::kF16> {
  static __device__ __forceinline__ float value(const uint8_t* row, int64_t i) {
    return to_float(reinterpret_cast<const F16*>(row)[i]);
  }
};
template <>
struct Codec<DType::kBF16> {
  static __device__ __forceinline__ float value(const uint8_t* row, int64_t i) {
    return to_float(reinterpret_cast<const Bf16*>(row)[i]);
  }
};

// The 32-value formats: byte j of the nibbles holds value j below and value j + 16 above, so group
// 0 of a block is the low nibbles and group 1 the high ones.
template <int block_bytes, int nibbles_at>
__device__ __forceinline__ int nibble(const uint8_t* block, int64_t group, int j) {
  return block[nibbles_at + j] >> (group % 2 * 4) & 15;
}

template <>
struct Codec<DType::kQ4_0> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 2 * 18;
    const float d = half_at(b);
    for (int j = 0; j < kGroup; ++j) out[j] = scaled(d, nibble<18, 2>(b, group, j) - 8);
  }
};
template <>
struct Codec<DType::kQ4_1> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 2 * 20;
    const float d = half_at(b);
    const float m = half_at(b + 2);
    for (int j = 0; j < kGroup; ++j) out[j] = __fadd_rn(scaled(d, nibble<20, 4>(b, group, j)), m);
  }
};
template <>
struct Codec<DType::kQ5_0> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 2 * 22;
    const float d = half_at(b);
    const uint32_t fifth = word_at(b + 2) >> (group % 2 * 16);
    for (int j = 0; j < kGroup; ++j) {
      out[j] =
          scaled(d, (nibble<22, 6>(b, group, j) | static_cast<int>(fifth >> j & 1u) << 4) - 16);
    }
  }
};
template <>
struct Codec<DType::kQ5_1> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 2 * 24;
    const float d = half_at(b);
    const float m = half_at(b + 2);
    const uint32_t fifth = word_at(b + 4) >> (group % 2 * 16);
    for (int j = 0; j < kGroup; ++j) {
      out[j] = __fadd_rn(
          scaled(d, nibble<24, 8>(b, group, j) | static_cast<int>(fifth >> j & 1u) << 4), m);
    }
  }
};
template <>
struct Codec<DType::kQ8_0> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 2 * 34;
    const float d = half_at(b);
    for (int j = 0; j < kGroup; ++j)
      out[j] = scaled(d, static_cast<int8_t>(b[2 + group % 2 * 16 + j]));
  }
};
template <>
struct Codec<DType::kIQ4_NL> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 2 * 18;
    const float d = half_at(b);
    for (int j = 0; j < kGroup; ++j) out[j] = scaled(d, iq4_level(nibble<18, 2>(b, group, j)));
  }
};

// The 256-value formats; g is the group within the block.
template <>
struct Codec<DType::kQ2_K> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 16 * 84;
    const int g = static_cast<int>(group % 16);
    const float scale = scaled(half_at(b + 80), b[g] & 15);
    const float low = scaled(half_at(b + 82), b[g] >> 4);
    const uint8_t* const q = b + 16 + g / 8 * 32 + g % 2 * 16;
    for (int j = 0; j < kGroup; ++j)
      out[j] = __fsub_rn(scaled(scale, q[j] >> (g % 8 / 2 * 2) & 3), low);
  }
};
template <>
struct Codec<DType::kQ3_K> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 16 * 110;
    const int g = static_cast<int>(group % 16);
    const uint8_t* const packed = b + 96;
    const int low4 = packed[g % 8] >> (g / 8 * 4) & 15;
    const int high2 = packed[8 + g % 4] >> (g / 4 * 2) & 3;
    const float scale = scaled(half_at(b + 108), (low4 | high2 << 4) - 32);
    const uint8_t* const q = b + 32 + g / 8 * 32 + g % 2 * 16;
    const uint8_t* const thirds = b + g % 2 * 16;
    for (int j = 0; j < kGroup; ++j) {
      const int third = thirds[j] >> (g / 2) & 1;  // set means: nothing to subtract
      out[j] = scaled(scale, (q[j] >> (g % 8 / 2 * 2) & 3) - (third != 0 ? 0 : 4));
    }
  }
};
template <>
struct Codec<DType::kQ4_K> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 16 * 144;
    const int g = static_cast<int>(group % 16);
    int scale, min;
    scale_and_min(b + 4, g / 2, scale, min);
    const float d = scaled(half_at(b), scale);
    const float low = scaled(half_at(b + 2), min);
    const uint8_t* const q = b + 16 + g / 4 * 32 + g % 2 * 16;
    for (int j = 0; j < kGroup; ++j)
      out[j] = __fsub_rn(scaled(d, q[j] >> (g / 2 % 2 * 4) & 15), low);
  }
};
template <>
struct Codec<DType::kQ5_K> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 16 * 176;
    const int g = static_cast<int>(group % 16);
    int scale, min;
    scale_and_min(b + 4, g / 2, scale, min);
    const float d = scaled(half_at(b), scale);
    const float low = scaled(half_at(b + 2), min);
    const uint8_t* const q = b + 48 + g / 4 * 32 + g % 2 * 16;
    const uint8_t* const fifth = b + 16 + g % 2 * 16;
    for (int j = 0; j < kGroup; ++j) {
      const int value = (q[j] >> (g / 2 % 2 * 4) & 15) | (fifth[j] >> (g / 2) & 1) << 4;
      out[j] = __fsub_rn(scaled(d, value), low);
    }
  }
};
template <>
struct Codec<DType::kQ6_K> {
  static __device__ __forceinline__ void decode(const uint8_t* row,
                                                int64_t group,
                                                float (&out)[kGroup]) {
    const uint8_t* const b = row + group / 16 * 210;
    const int g = static_cast<int>(group % 16);
    const int quarter = g % 8 / 2;
    const uint8_t* const low = b + g / 8 * 64 + quarter % 2 * 32 + g % 2 * 16;
    const uint8_t* const high = b + 128 + g / 8 * 32 + g % 2 * 16;
    const float scale = scaled(half_at(b + 208), static_cast<int8_t>(b[192 + g]));
    for (int j = 0; j < kGroup; ++j) {
      const int low4 = low[j] >> (quarter / 2 * 4) & 15;
      const int high2 = high[j] >> (quarter * 2) & 3;
      out[j] = scaled(scale, (low4 | high2 << 4) - 32);
    }
  }
};

template <DType type>
inline constexpr bool kPlainType =
    type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;

// Values [16·group, 16·group + count) of a row; count is 16 but at the end of a plain row.
template <DType type>
__device__ __forceinline__ void decode_group(const uint8_t* row,
                                             int64_t group,
                                             int count,
                                             float (&out)[kGroup]) {
  if constexpr (kPlainType<type>) {
    for (int j = 0; j < kGroup; ++j)
      out[j] = j < count ? Codec<type>::value(row, group * kGroup + j) : 0.0f;
  } else {
    Codec<type>::decode(row, group, out);
  }
}

// body.template operator()<type>() for a type known at run time.
template <typename Body>
void with_type(DType type, const Body& body) {
  switch (type) {
    case DType::kF32:
      return body.template operator()<DType::kF32>();
    case DType::kF16:
      return body.template operator()<DType::kF16>();
    case DType::kBF16:
      return body.template operator()<DType::kBF16>();
    case DType::kQ4_0:
      return body.template operator()<DType::kQ4_0>();
    case DType::kQ4_1:
      return body.template operator()<DType::kQ4_1>();
    case DType::kQ5_0:
      return body.template operator()<DType::kQ5_0>();
    case DType::kQ5_1:
      return body.template operator()<DType::kQ5_1>();
    case DType::kQ8_0:
      return body.template operator()<DType::kQ8_0>();
    case DType::kQ2_K:
      return body.template operator()<DType::kQ2_K>();
    case DType::kQ3_K:
      return body.template operator()<DType::kQ3_K>();
    case DType::kQ4_K:
      return body.template operator()<DType::kQ4_K>();
    case DType::kQ5_K:
      return body.template operator()<DType::kQ5_K>();
    case DType::kQ6_K:
      return body.template operator()<DType::kQ6_K>();
    case DType::kIQ4_NL:
      return body.template operator()<DType::kIQ4_NL>();
  }
}

}  // namespace keju::cuda
