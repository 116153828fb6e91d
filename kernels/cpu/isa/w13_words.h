// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_avx512.h: weights as the integers of w13_backend.h.
#include "kernels/cpu/isa/codes.h"
#include "kernels/cpu/isa/w13_table.h"

namespace keju {
namespace {

// The low halves of a below those of b.
KEJU_INLINE __m512i low_halves(__m512i a, __m512i b) {
  return _mm512_mask_blend_epi16(0xAAAAAAAAu, a, _mm512_slli_epi32(b, 16));
}

// 2^(b-1), with b the bits of a code: what a unit has per value, but for tables of levels.
template <typename F>
constexpr int kHalf = F::kBias > 0 ? F::kBias : 1 << (F::kUnitBytes / 64 - 1);
template <int kHalfOf>
constexpr int kBits = 1 + (kHalfOf > 1 ? kBits<kHalfOf / 2> : 0);
template <>
constexpr int kBits<0> = 0;

// Eight k of sixteen columns as signed codes at the top of 16 bits each, in pairs of k: 0 and 2,
// 1 and 3, 4 and 6, 5 and 7.
struct Words {
  __m512i v[4];
};

template <typename F, int kOctet>
KEJU_INLINE Words words_of(const std::byte* unit) {
  const __m512i tops = _mm512_set1_epi16(static_cast<int16_t>(0xFF00));
  Words w;
  if constexpr (F::kNibbles && kHalf<F> == 8) {
    const __m512i top = _mm512_set1_epi16(static_cast<int16_t>(0xF000));
    const __m512i x = bytes_xor(load_codes(unit + 64 * kOctet), 0x88).v;
    w.v[0] = _mm512_slli_epi16(x, 12);
    w.v[1] = _mm512_and_si512(_mm512_slli_epi16(x, 4), top);
    w.v[2] = _mm512_and_si512(_mm512_slli_epi16(x, 8), top);
    w.v[3] = _mm512_and_si512(x, top);
  } else {
    constexpr int kUp = 8 - kBits<kHalf<F>>;
    Codes even;
    Codes odd;
    F::template octet<kOctet>(unit, &even, &odd);
    even = bytes_xor(even, kHalf<F>);
    odd = bytes_xor(odd, kHalf<F>);
    w.v[0] = _mm512_slli_epi16(even.v, 8 + kUp);
    w.v[1] = _mm512_slli_epi16(_mm512_and_si512(even.v, tops), kUp);
    w.v[2] = _mm512_slli_epi16(odd.v, 8 + kUp);
    w.v[3] = _mm512_slli_epi16(_mm512_and_si512(odd.v, tops), kUp);
  }
  return w;
}

// s·h and m of a sub-block.
template <typename F>
KEJU_INLINE Scale top_scale(const std::byte* block, int sub) {
  const Scale scale = F::scale(block, sub);
  const V top = scale.s * V::spread(static_cast<float>(kHalf<F>));
  if constexpr (F::kOffset) return {top, scale.m + top};
  return {top, V::spread(0.0f)};
}

// S and M, twice in each dword.
struct Multiplier {
  __m512i s;
  __m512i m;
};
template <typename F>
KEJU_INLINE Multiplier multiplier(const std::byte* block, int sub, V inverse) {
  const Scale scale = top_scale<F>(block, sub);
  const __m512i s = code_of(scale.s, inverse);
  Multiplier by{low_halves(s, s), _mm512_setzero_si512()};
  if constexpr (F::kOffset) {
    const __m512i m = code_of(scale.m, inverse);
    by.m = low_halves(m, m);
  }
  return by;
}

template <typename F, int kOctet, typename Use>
KEJU_INLINE void octet_codes(const std::byte* unit, const Multiplier& by, const Use& use) {
  const Words w = words_of<F, kOctet>(unit);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    __m512i code = _mm512_mulhrs_epi16(w.v[i], by.s);
    if constexpr (F::kOffset) code = _mm512_add_epi16(code, by.m);
    use(4 * kOctet + i, code);
  }
}

// The processor's own prefetchers stop at page borders.
template <int kBytes>
KEJU_INLINE void fetch_ahead(const std::byte* p) {
#pragma GCC unroll 32
  for (int at = 0; at < kBytes; at += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(p + 2048 + at), _MM_HINT_T0);
  }
}

// use(pair, codes) for the sixteen pairs of unit `index` of a panel, sixteen columns each.
struct BlockUnits {
  template <typename F, typename Use>
  static KEJU_INLINE void codes(
      const std::byte* panel, int64_t, int64_t index, V inverse, const Use& use) {
    constexpr int kUnits = F::kBlock / 32;
    const std::byte* const block = panel + index / kUnits * kBlockBytes<F>;
    const int u = static_cast<int>(index % kUnits);
    const std::byte* const unit = block + F::kHeader + u * F::kUnitBytes;
    constexpr int kShare = kBlockBytes<F> / kUnits;
    fetch_ahead<kShare>(block + u * kShare);
    Multiplier by = multiplier<F>(block, u * (32 / F::kSub), inverse);
    octet_codes<F, 0>(unit, by, use);
    octet_codes<F, 1>(unit, by, use);
    if constexpr (F::kSub == 16) by = multiplier<F>(block, 2 * u + 1, inverse);
    octet_codes<F, 2>(unit, by, use);
    octet_codes<F, 3>(unit, by, use);
  }
};
struct PlainUnits {
  template <typename F, typename Use>
  static KEJU_INLINE void codes(
      const std::byte* panel, int64_t k, int64_t index, V inverse, const Use& use) {
    fetch_ahead<32 * F::kBytes>(panel + 32 * index * F::kBytes);
    const auto at = [&](int64_t i) {
      return i < k ? code_of(F::at(panel + i * F::kBytes), inverse) : _mm512_setzero_si512();
    };
#pragma GCC unroll 16
    for (int pair = 0; pair < 16; ++pair) {
      const int64_t first = 32 * index + pair / 2 * 4 + pair % 2;
      use(pair, low_halves(at(first), at(first + 2)));
    }
  }
};

// use(F{}, how its units are read)
template <typename Use>
KEJU_INLINE void with_units(DType dtype, const Use& use) {
  with_format(
      dtype,
      [&](auto format) { use(format, PlainUnits{}); },
      [&](auto format) { use(format, BlockUnits{}); });
}

// -- scales ------------------------------------------------------------------------------------

struct Squares {
  V inverse;
  V sum = V::spread(0.0f);
  KEJU_INLINE void take(V v) {
    const V part = v * inverse;
    sum = mul_add(part, part, sum);
  }
};

template <typename Take>
void group_values(const LinearArgs& a, const std::byte* panel, int64_t group, Take& take) {
  unit_values(a.dtype, panel, a.k, w13_first(a.k, group), w13_first(a.k, group + 1), take);
}

// The scales of the sub-blocks of a group.
void group_scales(const LinearArgs& a, const std::byte* panel, int64_t group, Largest& largest) {
  with_block_format(a.dtype, [&](auto format) {
    using F = decltype(format);
    constexpr int kUnits = F::kBlock / 32;
    constexpr int kSubs = 32 / F::kSub;
    for (int64_t i = w13_first(a.k, group); i < w13_first(a.k, group + 1); ++i) {
      for (int s = 0; s < kSubs; ++s) {
        const int sub = static_cast<int>(i % kUnits) * kSubs + s;
        const Scale scale = top_scale<F>(panel + i / kUnits * kBlockBytes<F>, sub);
        largest.take(scale.s);
        largest.take(scale.m);
      }
    }
  });
}

void measure(const LinearArgs& a, int64_t panel, float* scales) {
  const std::byte* const from = a.weights + panel * a.panel_bytes;
  for (int64_t g = 0; g < w13_groups(a.k); ++g, scales += kPanel) {
    Largest all;
    group_values(a, from, g, all);
    group_scales(a, from, g, all);
    const V largest{_mm512_castsi512_ps(all.bits)};
    Squares squares{V::spread(1.0f) / largest};
    group_values(a, from, g, squares);
    const V root{_mm512_sqrt_ps(squares.sum.v)};
    V scale = largest * max_lanes(V::spread(1 / kW13Largest), root * V::spread(1 / kW13Norm));
    scale = select(less(largest, V::spread(kW13Tiny)), V::spread(0.0f), scale);
    const Mask finite = less(largest, V::spread(__builtin_inff()));
    store(scales, select(finite, scale, V::spread(__builtin_nanf(""))));
  }
}

// Of sixteen columns of one group: the scale, and its inverse, 0 where no codes are wanted.
struct ColumnScales {
  V scale;
  V inverse;
};
KEJU_INLINE ColumnScales column_scales(const LinearArgs& a, int64_t panel, int64_t group) {
  const std::byte* const extra =
      a.weights + (panel + 1) * a.panel_bytes - w13_panel_extra(a.k) + group * 64;
  const V scale = load(reinterpret_cast<const float*>(extra));
  const V zero = V::spread(0.0f);
  return {scale, select(less(zero, scale), V::spread(1.0f) / scale, zero)};
}

}  // namespace
}  // namespace keju
