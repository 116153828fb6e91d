// SPDX-License-Identifier: MIT
// Few rows of 16-bit integers straight from the stored weights; w16_backend.h states the
// arithmetic. Sums of integers are the same in any order, so tiles give the same bits.
#include "kernels/cpu/isa/lanes_avx512.h"
// The lanes come first: what follows is written in terms of them.
#include "kernels/cpu/isa/w16_parts.h"
#include "kernels/cpu/isa/w16_table.h"

namespace keju {
namespace {

// A code of 256·h + l, plus 128: its high byte is then h and its low one l + 128. Of two codes x
// and w, what w16_backend.h sums is hx·(256·hw + lw) + lx·hw, so for codes that hold 128 too much
//   Σ (hx·w + lx·hw) - 128·Σ hx
// and all of it stays below 2^31 in a group.
static_assert(kW16GroupSteps * kW16Step * (127 * (kW16Largest + 128) + 128 * 127) < 0x1p31f);

KEJU_INLINE __m512i raised_code(V v, V inverse) {
  return _mm512_castps_si512(mul_add(v, inverse, V::spread(kRoundMagic + 128)).v);
}

struct FewRow {
  int16_t* high;  // [k in whole steps]
  int16_t* low;
  float* scales;    // [groups]
  int32_t* excess;  // [groups]: 128·Σ high
};
FewRow few_row(std::byte* at, int64_t k) {
  auto* const high = reinterpret_cast<int16_t*>(at);
  int16_t* const low = high + w16_steps(k) * kW16Step;
  auto* const scales = reinterpret_cast<float*>(low + w16_steps(k) * kW16Step);
  return {high, low, scales, reinterpret_cast<int32_t*>(scales + w16_groups(k))};
}

void quantise(const float* x, int64_t x_stride, int64_t rows, int64_t k, std::byte* out) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* const from = x + r * x_stride;
    const FewRow to = few_row(out + r * w16_few_bytes(k), k);
    for (int64_t g = 0; g < w16_groups(k); ++g) {
      const int64_t begin = w16_first(k, g) * kW16Step;
      const int64_t last = w16_first(k, g + 1) * kW16Step;
      const int64_t end = smaller(k, last);
      const RowScale own = row_scale(from, begin, end);
      const V inverse = V::spread(own.inverse);
      __m512i sum = _mm512_setzero_si512();
      for (int64_t i = begin; i < last; i += 16) {
        const __m512i code = raised_code(coded_values(from, i, end, own), inverse);
        const __m512i high = _mm512_srai_epi32(_mm512_slli_epi32(code, 16), 24);
        const __m512i low = _mm512_and_si512(code, _mm512_set1_epi32(0xFF));
        const __m512i centred = _mm512_sub_epi32(low, _mm512_set1_epi32(128));
        sum = _mm512_add_epi32(sum, high);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.high + i), _mm512_cvtepi32_epi16(high));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.low + i), _mm512_cvtepi32_epi16(centred));
      }
      to.scales[g] = own.scale;
      to.excess[g] = 128 * _mm512_reduce_add_epi32(sum);
    }
  }
}

// R rows by P panels side by side, in one group.
template <int R, int P>
struct Few {
  __m512i sum[R][P];
  V inverse[P];
  const std::byte* at[P];
  const int16_t* high[R];
  const int16_t* low[R];
};

KEJU_INLINE __m512i two_codes(const int16_t* p) {
  int32_t both;
  __builtin_memcpy(&both, p, sizeof both);
  return _mm512_set1_epi32(both);
}

// Codes k and k + 1 of every column.
template <int R, int P>
KEJU_INLINE void add_two(Few<R, P>& f, const __m512i (&words)[P], int64_t k) {
  __m512i high[P];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) high[p] = _mm512_srai_epi16(words[p], 8);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const __m512i x_high = two_codes(f.high[r] + k);
    const __m512i x_low = two_codes(f.low[r] + k);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      f.sum[r][p] = _mm512_dpwssd_epi32(f.sum[r][p], words[p], x_high);
      f.sum[r][p] = _mm512_dpwssd_epi32(f.sum[r][p], high[p], x_low);
    }
  }
}

template <typename F, int i, int R, int P>
KEJU_INLINE void add_weights(Few<R, P>& f,
                             const Octet (&octet)[P],
                             const Scale (&scale)[P],
                             int64_t k) {
  __m512i words[P];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    words[p] = low_halves(raised_code(weight<F, i>(octet[p], scale[p]), f.inverse[p]),
                          raised_code(weight<F, i + 1>(octet[p], scale[p]), f.inverse[p]));
  }
  add_two(f, words, k + i);
}

template <typename F, int kOctet, int R, int P>
KEJU_INLINE void add_octet(Few<R, P>& f,
                           const std::byte* const (&codes)[P],
                           const Scale (&scale)[P],
                           int64_t k) {
  Octet octet[P];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) octet[p] = read_octet<F, kOctet>(codes[p]);
  add_weights<F, 0>(f, octet, scale, k);
  add_weights<F, 2>(f, octet, scale, k);
  add_weights<F, 4>(f, octet, scale, k);
  add_weights<F, 6>(f, octet, scale, k);
}

template <typename F, int R, int P>
void add_blocks(Few<R, P>& f, int64_t begin, int64_t end) {
  for (int64_t k = begin; k < end; k += 32) {
    const std::byte* codes[P];
    Scale first[P];
    Scale second[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const Unit<F> unit = unit_of<F>(f.at[p], k / 32);
      fetch_ahead<F::kUnitBytes>(unit.codes);
      codes[p] = unit.codes;
      first[p] = unit.first;
      second[p] = unit.second;
    }
    add_octet<F, 0>(f, codes, first, k);
    add_octet<F, 1>(f, codes, first, k + 8);
    add_octet<F, 2>(f, codes, second, k + 16);
    add_octet<F, 3>(f, codes, second, k + 24);
  }
}

template <typename F, int R, int P>
void add_plain(Few<R, P>& f, int64_t begin, int64_t end) {
  for (int64_t k = begin; k < end; k += 2) {
    __m512i words[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const std::byte* const at = f.at[p] + k * F::kBytes;
      const V next = k + 1 < end ? F::at(at + F::kBytes) : V::spread(0.0f);
      words[p] = low_halves(raised_code(F::at(at), f.inverse[p]), raised_code(next, f.inverse[p]));
    }
    add_two(f, words, k);
  }
}

// Panels [panel, panel + P), of which those from `end` on do not exist: the last one is computed
// again in their place, and written again with the same values.
template <int R, int P, typename AddGroup>
KEJU_INLINE void few_panels(const LinearArgs& a,
                            int64_t panel,
                            int64_t end,
                            const AddGroup& add_group) {
  auto* const codes = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(a.packed));
  Few<R, P> f;
  FewRow rows[R];
  int64_t own[P];
  V out[R][P];
  for (int r = 0; r < R; ++r) {
    rows[r] = few_row(codes + r * w16_few_bytes(a.k), a.k);
    f.high[r] = rows[r].high;
    f.low[r] = rows[r].low;
  }
  for (int p = 0; p < P; ++p) {
    own[p] = smaller(panel + p, end - 1);
    f.at[p] = a.weights + own[p] * a.panel_bytes;
    for (int r = 0; r < R; ++r) {
      out[r][p] = start_of(a, r, own[p] * kPanel, smaller(kPanel, a.n - own[p] * kPanel));
    }
  }
  for (int64_t g = 0; g < w16_groups(a.k); ++g) {
    V scale[P];
    for (int p = 0; p < P; ++p) {
      const ColumnScales columns = column_scales(a, own[p], g);
      f.inverse[p] = columns.inverse;
      scale[p] = columns.scale;
      for (int r = 0; r < R; ++r) f.sum[r][p] = _mm512_setzero_si512();
    }
    const int64_t last = w16_first(a.k, g + 1) * kW16Step;
    add_group(f, w16_first(a.k, g) * kW16Step, smaller(a.k, last));
    for (int r = 0; r < R; ++r) {
      const __m512i excess = _mm512_set1_epi32(rows[r].excess[g]);
      const V x_scale = V::spread(rows[r].scales[g]);
      for (int p = 0; p < P; ++p) {
        const V whole = {_mm512_cvtepi32_ps(_mm512_sub_epi32(f.sum[r][p], excess))};
        out[r][p] = mul_add(whole * x_scale, scale[p], out[r][p]);
      }
    }
  }
  for (int p = 0; p < P; ++p) {
    const int64_t column = own[p] * kPanel;
    for (int r = 0; r < R; ++r) {
      float* const to = a.out + r * a.out_stride + column - a.first_column;
      store_first(to, out[r][p], smaller(kPanel, a.n - column));
    }
  }
}

template <typename F, int R, int P>
void block_panels(const LinearArgs& a, int64_t panel, int64_t end) {
  few_panels<R, P>(
      a, panel, end, [](Few<R, P>& f, int64_t k0, int64_t k1) { add_blocks<F, R, P>(f, k0, k1); });
}
template <typename F, int R, int P>
void plain_panels(const LinearArgs& a, int64_t panel, int64_t end) {
  few_panels<R, P>(
      a, panel, end, [](Few<R, P>& f, int64_t k0, int64_t k1) { add_plain<F, R, P>(f, k0, k1); });
}

template <int R, int P>
void all_panels(const LinearArgs& a, int64_t begin, int64_t end) {
  void (*panels)(const LinearArgs&, int64_t, int64_t) = nullptr;
  with_format(
      a.dtype,
      [&](auto format) { panels = plain_panels<decltype(format), R, P>; },
      [&](auto format) { panels = block_panels<decltype(format), R, P>; });
  for (int64_t panel = begin; panel < end; panel += P) panels(a, panel, end);
}

void multiply(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  static_assert(kW16FewRows == 4);
  if (args.rows == 1) return all_panels<1, 4>(args, panel_begin, panel_end);
  if (args.rows == 2) return all_panels<2, 4>(args, panel_begin, panel_end);
  if (args.rows == 4) return all_panels<4, 2>(args, panel_begin, panel_end);
  LinearArgs part = args;  // three rows are too rare for code of their own
  part.rows = 2;
  multiply(part, panel_begin, panel_end);
  part.rows = 1;
  part.packed += 2 * w16_few_bytes(args.k) / static_cast<int64_t>(sizeof(float));
  part.out += 2 * args.out_stride;
  multiply(part, panel_begin, panel_end);
}

}  // namespace

const W16FewKernels& avx512_vnni_w16_few_kernels() {
  static const W16FewKernels table{quantise, multiply};
  return table;
}

}  // namespace keju
