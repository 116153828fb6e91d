// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_avx512.h: what both ways to multiply 16-bit
// integers share; w16_backend.h states the arithmetic.
#include "kernels/cpu/isa/codes.h"
#include "kernels/cpu/isa/w16_table.h"

namespace keju {
namespace {

// The low halves of a below those of b.
KEJU_INLINE __m512i low_halves(__m512i a, __m512i b) {
  // Bytes 0 and 1 of each dword of b go to 2 and 3.
  const __m128i up = _mm_setr_epi32(0x01000000, 0x05040000, 0x09080000, 0x0D0C0000);
  return _mm512_mask_shuffle_epi8(a, 0xCCCCCCCCCCCCCCCCu, b, _mm512_broadcast_i32x4(up));
}

// The processor's own prefetchers stop at page borders.
template <int kBytes>
KEJU_INLINE void fetch_ahead(const std::byte* p) {
#pragma GCC unroll 8
  for (int at = 0; at < kBytes; at += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(p + 3072 + at), _MM_HINT_T0);
  }
}

// Scales of sixteen columns of one group. Codes under a scale that is not a number do not matter.
struct ColumnScales {
  V scale;
  V inverse;
};
KEJU_INLINE ColumnScales column_scales(const LinearArgs& a, int64_t panel, int64_t group) {
  const std::byte* const extra =
      a.weights + (panel + 1) * a.panel_bytes - w16_panel_extra(a.k) + group * 64;
  const V largest = load(reinterpret_cast<const float*>(extra));
  const V limit = V::spread(kW16Largest);
  const V zero = V::spread(0.0f);
  const Mask tiny = less(largest, V::spread(kW16Tiny));
  const Mask finite = less(largest, V::spread(__builtin_inff()));
  const V quotient = largest / V::spread(kW16WeightLargest);
  const V scale = select(finite, quotient, V::spread(__builtin_nanf("")));
  return {select(tiny, zero, scale), select(tiny, zero, limit / largest)};
}

// The scale of one group of one row, and what its values are multiplied by.
struct RowScale {
  float scale;
  float inverse;
  bool codes;  // else all codes are zero
};
inline RowScale row_scale(const float* x, int64_t begin, int64_t end) {
  Largest all;
  for (int64_t k = begin; k < end; k += 16) all.take(load_first(x + k, smaller(16, end - k)));
  const bool finite = all.finite() == 0xFFFF;
  const float largest = _mm512_reduce_max_ps(_mm512_castsi512_ps(all.bits));
  const bool codes = finite && !(largest < kW16Tiny);
  const float scale = codes ? largest / kW16Largest : finite ? 0.0f : __builtin_nanf("");
  return {scale, codes ? kW16Largest / largest : 0.0f, codes};
}
// Sixteen values from k on: zeros where nothing is, and where nothing counts.
KEJU_INLINE V coded_values(const float* x, int64_t k, int64_t end, const RowScale& s) {
  if (!s.codes || k >= end) return V::spread(0.0f);
  return load_first(x + k, smaller(16, end - k));
}

}  // namespace
}  // namespace keju
