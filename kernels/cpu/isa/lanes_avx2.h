// SPDX-License-Identifier: MIT
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/lanes_math.h"

// Sixteen floats and sixteen dwords as pairs of AVX2 registers; see lanes_avx512.h.
namespace keju {
namespace {

constexpr int kTileRows = 6;  // 12 of 16 registers accumulate
constexpr int kTileVectors = 1;
constexpr int kQueryRows = 6;
constexpr int kDirectPanels = 1;

struct V {
  __m256 lo, hi;
  static V spread(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
};
struct Mask {
  __m256 lo, hi;
};

inline V operator+(V a, V b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
inline V operator-(V a, V b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
inline V operator*(V a, V b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
inline V operator/(V a, V b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
inline V mul_add(V a, V b, V c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline V max_lanes(V a, V b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
inline Mask less(V a, V b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
inline V select(Mask mask, V yes, V no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, mask.lo), _mm256_blendv_ps(no.hi, yes.hi, mask.hi)};
}
inline __m256 power_of_two(__m256 magic) {
  const __m256i moved = _mm256_slli_epi32(_mm256_castps_si256(magic), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(moved, _mm256_set1_epi32(0x3F800000)));
}
inline V power_of_two(V magic) { return {power_of_two(magic.lo), power_of_two(magic.hi)}; }

inline V load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, V x) {
  _mm256_storeu_ps(p, x.lo);
  _mm256_storeu_ps(p + 8, x.hi);
}
inline V broadcast(const float* p) {
  const __m256 x = _mm256_broadcast_ss(p);
  return {x, x};
}

// All bits of lane i of eight where from <= i < to.
inline __m256i eight_between(int64_t from, int64_t to) {
  const __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  const int low = static_cast<int>(from < 0 ? 0 : from > 8 ? 8 : from);
  const int high = static_cast<int>(to < 0 ? 0 : to > 8 ? 8 : to);
  return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(low), lane),
                             _mm256_cmpgt_epi32(_mm256_set1_epi32(high), lane));
}
inline Mask lanes_between(int64_t from, int64_t to) {
  return {_mm256_castsi256_ps(eight_between(from, to)),
          _mm256_castsi256_ps(eight_between(from - 8, to - 8))};
}
inline V load_first(const float* p, int64_t n) {
  V x{_mm256_maskload_ps(p, eight_between(0, n)), _mm256_setzero_ps()};
  if (n > 8) x.hi = _mm256_maskload_ps(p + 8, eight_between(0, n - 8));
  return x;
}
inline void store_first(float* p, V x, int64_t n) {
  _mm256_maskstore_ps(p, eight_between(0, n), x.lo);
  if (n > 8) _mm256_maskstore_ps(p + 8, eight_between(0, n - 8), x.hi);
}

// Halves onto each other: 8, 4, 2, 1.
inline float fold(V x, bool maximum) {
  const __m256 eight = maximum ? _mm256_max_ps(x.lo, x.hi) : _mm256_add_ps(x.lo, x.hi);
  const __m128 a = _mm256_castps256_ps128(eight);
  const __m128 b = _mm256_extractf128_ps(eight, 1);
  const __m128 four = maximum ? _mm_max_ps(a, b) : _mm_add_ps(a, b);
  const __m128 c = _mm_movehl_ps(four, four);
  const __m128 two = maximum ? _mm_max_ps(four, c) : _mm_add_ps(four, c);
  const __m128 d = _mm_shuffle_ps(two, two, 1);
  return _mm_cvtss_f32(maximum ? _mm_max_ss(two, d) : _mm_add_ss(two, d));
}

struct Codes {
  __m256i lo, hi;
};

inline __m256i load_32(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Codes load_codes(const std::byte* p) { return {load_32(p), load_32(p + 32)}; }
inline Codes bits_and(Codes a, uint32_t mask) {
  const __m256i m = _mm256_set1_epi32(static_cast<int>(mask));
  return {_mm256_and_si256(a.lo, m), _mm256_and_si256(a.hi, m)};
}
inline Codes bits_or(Codes a, Codes b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
template <int kShift>
inline Codes shifted(Codes a) {
  if constexpr (kShift > 0) {
    return {_mm256_srli_epi32(a.lo, kShift), _mm256_srli_epi32(a.hi, kShift)};
  }
  if constexpr (kShift < 0) {
    return {_mm256_slli_epi32(a.lo, -kShift), _mm256_slli_epi32(a.hi, -kShift)};
  }
  return a;
}
inline Codes bytes_minus(Codes a, int offset) {
  const __m256i o = _mm256_set1_epi8(static_cast<char>(offset));
  return {_mm256_sub_epi8(a.lo, o), _mm256_sub_epi8(a.hi, o)};
}
inline Codes bytes_xor(Codes a, int mask) {
  const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
  return {_mm256_xor_si256(a.lo, m), _mm256_xor_si256(a.hi, m)};
}
inline Codes looked_up(const uint8_t (&table)[16], Codes a) {
  const __m256i t =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm256_shuffle_epi8(t, a.lo), _mm256_shuffle_epi8(t, a.hi)};
}

constexpr bool kHasTable = false;  // a register holds only eight values
inline V looked_up_values(V table, Codes) { return table; }

template <int i>
inline __m256 unsigned_byte(__m256i c) {
  const __m256i low = _mm256_set1_epi32(0xFF);
  if constexpr (i == 3) return _mm256_cvtepi32_ps(_mm256_srli_epi32(c, 24));
  if constexpr (i == 0) return _mm256_cvtepi32_ps(_mm256_and_si256(c, low));
  return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(c, 8 * i), low));
}
template <int i>
inline V unsigned_byte(Codes c) {
  return {unsigned_byte<i>(c.lo), unsigned_byte<i>(c.hi)};
}
template <int i>
inline __m256 signed_byte_2_24(__m256i c) {
  const __m256i top = _mm256_set1_epi32(static_cast<int>(0xFF000000u));
  if constexpr (i == 0) return _mm256_cvtepi32_ps(_mm256_slli_epi32(c, 24));
  if constexpr (i == 3) return _mm256_cvtepi32_ps(_mm256_and_si256(c, top));
  return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_slli_epi32(c, 24 - 8 * i), top));
}
template <int i>
inline V signed_byte_2_24(Codes c) {
  return {signed_byte_2_24<i>(c.lo), signed_byte_2_24<i>(c.hi)};
}

inline __m128i load_16(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline V load_f16(const std::byte* p) {
  return {_mm256_cvtph_ps(load_16(p)), _mm256_cvtph_ps(load_16(p + 16))};
}
inline V load_bf16(const std::byte* p) {
  const __m256i a = _mm256_slli_epi32(_mm256_cvtepu16_epi32(load_16(p)), 16);
  const __m256i b = _mm256_slli_epi32(_mm256_cvtepu16_epi32(load_16(p + 16)), 16);
  return {_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)};
}
inline V load_u8(const std::byte* p) {
  const __m128i x = load_16(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(x)),
          _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(x, 8)))};
}
inline V load_i8(const std::byte* p) {
  const __m128i x = load_16(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)))};
}
inline void load_nibbles(const std::byte* p, V* low, V* high) {
  const __m128i x = load_16(p);
  const __m256i a = _mm256_cvtepu8_epi32(x);
  const __m256i b = _mm256_cvtepu8_epi32(_mm_srli_si128(x, 8));
  const __m256i m = _mm256_set1_epi32(15);
  *low = {_mm256_cvtepi32_ps(_mm256_and_si256(a, m)), _mm256_cvtepi32_ps(_mm256_and_si256(b, m))};
  *high = {_mm256_cvtepi32_ps(_mm256_srli_epi32(a, 4)),
           _mm256_cvtepi32_ps(_mm256_srli_epi32(b, 4))};
}

}  // namespace
}  // namespace keju
