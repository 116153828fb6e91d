// SPDX-License-Identifier: MIT
#pragma once

// GCC 12 takes the deliberately undefined operands of its own intrinsics for mistakes.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/lanes_math.h"

#define KEJU_LANES_AVX512  // steps.h asks

// Sixteen floats and sixteen dwords of AVX-512. Everything lives in an unnamed namespace: code
// compiled for one instruction set must never be the copy that the linker keeps for another.
namespace keju {
namespace {

// The register tile of a product: 24 of 32 registers accumulate. Of the shapes that fit, this one
// loads least for what it multiplies, but for 6 by 4, which suits attention.
constexpr int kTileRows = 8;
constexpr int kTileVectors = 3;
constexpr int kQueryRows = 12;    // rows of attention, or of a block of codes, that lie together
constexpr int kDirectPanels = 4;  // panels that a matrix-vector product reads side by side

struct V {
  __m512 v;
  static V spread(float x) { return {_mm512_set1_ps(x)}; }
};
using Mask = __mmask16;

inline V operator+(V a, V b) { return {_mm512_add_ps(a.v, b.v)}; }
inline V operator-(V a, V b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline V operator*(V a, V b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline V operator/(V a, V b) { return {_mm512_div_ps(a.v, b.v)}; }
inline V mul_add(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline V max_lanes(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Mask less(V a, V b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline V select(Mask mask, V yes, V no) { return {_mm512_mask_blend_ps(mask, no.v, yes.v)}; }
inline V power_of_two(V magic) {
  const __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(magic.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_set1_epi32(0x3F800000)))};
}

inline V load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, V x) { _mm512_storeu_ps(p, x.v); }
inline V broadcast(const float* p) { return {_mm512_set1_ps(*p)}; }

// Lanes [0, n), 0 <= n <= 16.
inline Mask first_lanes(int64_t n) { return static_cast<Mask>((1u << n) - 1u); }
// Lanes [from, to) of 16, both clamped.
inline Mask lanes_between(int64_t from, int64_t to) {
  const int64_t low = from < 0 ? 0 : from > 16 ? 16 : from;
  const int64_t high = to < low ? low : to > 16 ? 16 : to;
  return static_cast<Mask>(first_lanes(high) & ~first_lanes(low));
}
inline V load_first(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
inline void store_first(float* p, V x, int64_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), x.v); }

// Halves onto each other: 8, 4, 2, 1.
inline float fold(V x, bool maximum) {
  const __m256 low = _mm512_castps512_ps256(x.v);
  const __m256 high = _mm512_extractf32x8_ps(x.v, 1);
  const __m256 eight = maximum ? _mm256_max_ps(low, high) : _mm256_add_ps(low, high);
  const __m128 a = _mm256_castps256_ps128(eight);
  const __m128 b = _mm256_extractf128_ps(eight, 1);
  const __m128 four = maximum ? _mm_max_ps(a, b) : _mm_add_ps(a, b);
  const __m128 c = _mm_movehl_ps(four, four);
  const __m128 two = maximum ? _mm_max_ps(four, c) : _mm_add_ps(four, c);
  const __m128 d = _mm_shuffle_ps(two, two, 1);
  return _mm_cvtss_f32(maximum ? _mm_max_ss(two, d) : _mm_add_ss(two, d));
}

// Sixteen dwords, one per column of a panel; a dword is four codes of consecutive k.
struct Codes {
  __m512i v;
};

inline Codes load_codes(const std::byte* p) { return {_mm512_loadu_si512(p)}; }
inline Codes bits_and(Codes a, uint32_t mask) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi32(static_cast<int>(mask)))};
}
inline Codes bits_or(Codes a, Codes b) { return {_mm512_or_si512(a.v, b.v)}; }
template <int kShift>  // to the right, or to the left when negative
inline Codes shifted(Codes a) {
  if constexpr (kShift > 0) return {_mm512_srli_epi32(a.v, kShift)};
  if constexpr (kShift < 0) return {_mm512_slli_epi32(a.v, -kShift)};
  return a;
}
inline Codes bytes_minus(Codes a, int offset) {
  return {_mm512_sub_epi8(a.v, _mm512_set1_epi8(static_cast<char>(offset)))};
}
inline Codes bytes_xor(Codes a, int mask) {
  return {_mm512_xor_si512(a.v, _mm512_set1_epi8(static_cast<char>(mask)))};
}
// Each byte, below 16, becomes table[byte].
inline Codes looked_up(const uint8_t (&table)[16], Codes a) {
  const __m128i one = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(one), a.v)};
}

// Lane table[low nibble of each dword].
constexpr bool kHasTable = true;
inline V looked_up_values(V table, Codes nibbles) {
  return {_mm512_permutexvar_ps(nibbles.v, table.v)};
}

// Byte i of each dword as an unsigned number.
template <int i>
inline V unsigned_byte(Codes c) {
  if constexpr (i == 0) {
    return {_mm512_cvtepi32_ps(_mm512_and_si512(c.v, _mm512_set1_epi32(0xFF)))};
  } else if constexpr (i == 3) {
    return {_mm512_cvtepi32_ps(_mm512_srli_epi32(c.v, 24))};
  } else {
    const __m512i pick = _mm512_broadcast_i32x4(
        _mm_set_epi8(-1, -1, -1, 12 + i, -1, -1, -1, 8 + i, -1, -1, -1, 4 + i, -1, -1, -1, i));
    return {_mm512_cvtepi32_ps(_mm512_shuffle_epi8(c.v, pick))};
  }
}
// Byte i of each dword as a signed number times 2^24: its sign bit is where a dword has its own.
template <int i>
inline V signed_byte_2_24(Codes c) {
  if constexpr (i == 0) {
    return {_mm512_cvtepi32_ps(_mm512_slli_epi32(c.v, 24))};
  } else if constexpr (i == 3) {
    const __m512i top = _mm512_set1_epi32(static_cast<int>(0xFF000000u));
    return {_mm512_cvtepi32_ps(_mm512_and_si512(c.v, top))};
  } else {
    const __m512i pick = _mm512_broadcast_i32x4(
        _mm_set_epi8(12 + i, -1, -1, -1, 8 + i, -1, -1, -1, 4 + i, -1, -1, -1, i, -1, -1, -1));
    return {_mm512_cvtepi32_ps(_mm512_shuffle_epi8(c.v, pick))};
  }
}

inline V load_f16(const std::byte* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline V load_bf16(const std::byte* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
inline V load_u8(const std::byte* p) {
  return {_mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
inline V load_i8(const std::byte* p) {
  return {_mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
// Low and high nibbles of sixteen bytes.
inline void load_nibbles(const std::byte* p, V* low, V* high) {
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  *low = {_mm512_cvtepi32_ps(_mm512_and_si512(wide, _mm512_set1_epi32(15)))};
  *high = {_mm512_cvtepi32_ps(_mm512_srli_epi32(wide, 4))};
}

}  // namespace
}  // namespace keju
