// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_avx512.h: what every arithmetic on whole numbers does with its values.
#include "kernels/cpu/isa/columns.h"
#include "kernels/cpu/isa/formats.h"

namespace keju {
namespace {

// Codes in the low halves of dwords: adding this rounds to a whole number.
KEJU_INLINE __m512i code_of(V v, V inverse) {
  return _mm512_castps_si512(mul_add(v, inverse, V::spread(kRoundMagic)).v);
}

// Magnitudes as integers, which order as the numbers do and put what is not finite on top.
struct Largest {
  __m512i bits = _mm512_setzero_si512();
  KEJU_INLINE void take(V v) {
    const __m512i magnitude =
        _mm512_and_si512(_mm512_castps_si512(v.v), _mm512_set1_epi32(0x7FFFFFFF));
    bits = _mm512_max_epi32(bits, magnitude);
  }
  KEJU_INLINE __mmask16 finite() const {
    return _mm512_cmplt_epi32_mask(bits, _mm512_set1_epi32(0x7F800000));
  }
};

// take(value) for eight k of sixteen columns, k by k.
template <typename F, int kOctet, typename Take>
KEJU_INLINE void octet_values(const std::byte* unit, const Scale& scale, Take& take) {
  const Octet o = read_octet<F, kOctet>(unit);
  take.take(weight<F, 0>(o, scale));
  take.take(weight<F, 1>(o, scale));
  take.take(weight<F, 2>(o, scale));
  take.take(weight<F, 3>(o, scale));
  take.take(weight<F, 4>(o, scale));
  take.take(weight<F, 5>(o, scale));
  take.take(weight<F, 6>(o, scale));
  take.take(weight<F, 7>(o, scale));
}

// A unit: 32 k of a panel.
template <typename F>
struct Unit {
  const std::byte* codes;
  Scale first;  // of its first sixteen k
  Scale second;
};
template <typename F>
KEJU_INLINE Unit<F> unit_of(const std::byte* panel, int64_t index) {
  constexpr int kUnits = F::kBlock / 32;
  const std::byte* block = panel + index / kUnits * kBlockBytes<F>;
  const int u = static_cast<int>(index % kUnits);
  Unit<F> unit;
  unit.codes = block + F::kHeader + u * F::kUnitBytes;
  unit.first = unit.second = scale_of<F>(block, u * (32 / F::kSub));
  if constexpr (F::kSub == 16) unit.second = scale_of<F>(block, 2 * u + 1);
  return unit;
}

// take(value) for every value of units [begin, end) of a panel that holds k, sixteen columns at a
// time.
template <typename Take>
void unit_values(
    DType dtype, const std::byte* panel, int64_t k, int64_t begin, int64_t end, Take& take) {
  with_format(
      dtype,
      [&](auto format) {
        using F = decltype(format);
        for (int64_t i = 32 * begin; i < smaller(k, 32 * end); ++i) {
          take.take(F::at(panel + i * F::kBytes));
        }
      },
      [&](auto format) {
        using F = decltype(format);
        for (int64_t i = begin; i < end; ++i) {
          const Unit<F> unit = unit_of<F>(panel, i);
          octet_values<F, 0>(unit.codes, unit.first, take);
          octet_values<F, 1>(unit.codes, unit.first, take);
          octet_values<F, 2>(unit.codes, unit.second, take);
          octet_values<F, 3>(unit.codes, unit.second, take);
        }
      });
}

}  // namespace
}  // namespace keju
