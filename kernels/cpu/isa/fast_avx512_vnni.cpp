// SPDX-License-Identifier: MIT
// Int16 activations on AVX512-VNNI: an activation's code is 256·high + low, both int8, so that two
// products of unsigned weight codes, four of k per lane and instruction, make Σ code·weight.
// Integer sums are exact, so their order is free; floats follow fast_backend.h.
#include "kernels/cpu/isa/lanes_avx512.h"
// The lanes come first: what follows is written in terms of them.
#include "kernels/cpu/isa/columns.h"
#include "kernels/cpu/isa/fast_table.h"
#include "kernels/cpu/isa/formats.h"

namespace keju {
namespace {

inline int64_t block_count(int64_t rows) { return (rows + kFastRows - 1) / kFastRows; }
inline int64_t block_start(int64_t rows, int64_t block) { return rows * block / block_count(rows); }

// What of a type the activations must know.
struct Kind {
  int bias = 0;
  bool offset = false;
  bool halves = false;
};

Kind kind_of(DType dtype) {
  Kind kind;
  with_block_format(dtype, [&](auto format) {
    using F = decltype(format);
    kind = {F::kBias, F::kOffset, F::kSub == 16};
  });
  return kind;
}

// sum += Σ over four k of w (unsigned)·x (signed). Written out because GCC 12 copies the
// accumulator around its intrinsic, which costs more than the product.
KEJU_INLINE void dot(__m512i& sum, __m512i w, __m512i x) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
}

// -- activations -------------------------------------------------------------------------------

// Four k of every row: of each row four high bytes, then four low ones.
constexpr int64_t kGroupBytes = kFastRows * 8;

// Sixteen codes of one row; returns their sum.
KEJU_INLINE int32_t quantise_half(const float* x, __m512 inverse, std::byte* codes) {
  const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), inverse));
  const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(128)), 8);
  alignas(16) int32_t highs[4];
  alignas(16) int32_t lows[4];
  _mm_store_si128(reinterpret_cast<__m128i*>(highs), _mm512_cvtepi32_epi8(high));
  _mm_store_si128(reinterpret_cast<__m128i*>(lows), _mm512_cvtepi32_epi8(q));  // modulo 256
  for (int g = 0; g < 4; ++g) {
    __builtin_memcpy(codes + g * kGroupBytes, &highs[g], 4);
    __builtin_memcpy(codes + g * kGroupBytes + 4, &lows[g], 4);
  }
  return _mm512_reduce_add_epi32(q);
}

void quantise_32(const float* x, const Kind& kind, int64_t row, std::byte* step) {
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  const __m512i a = _mm512_and_si512(_mm512_loadu_si512(x), magnitude);
  const __m512i b = _mm512_and_si512(_mm512_loadu_si512(x + 16), magnitude);
  const uint32_t top = _mm512_reduce_max_epu32(_mm512_max_epu32(a, b));
  float largest = 0;
  __builtin_memcpy(&largest, &top, 4);
  const bool zero = largest < kFastTiny;
  const bool finite = top < 0x7F800000u;
  const float scale = !finite ? __builtin_nanf("") : zero ? 0.0f : largest / kFastLargest;
  const float inverse = finite && !zero ? kFastLargest / largest : 0.0f;
  std::byte* const codes = step + row * 8;
  int32_t sum[2] = {0, 0};
  if (finite) {
    const __m512 by = _mm512_set1_ps(inverse);
    sum[0] = quantise_half(x, by, codes);
    sum[1] = quantise_half(x + 16, by, codes + 4 * kGroupBytes);
  } else {
    for (int g = 0; g < 8; ++g) __builtin_memset(codes + g * kGroupBytes, 0, 8);
  }
  if (!kind.halves) sum[0] += sum[1];
  std::byte* const scales = step + kFastCodes;
  __builtin_memcpy(scales + 4 * row, &scale, 4);
  for (int h = 0; h < 2; ++h) {
    std::byte* const extra = scales + 4 * ((h + 1) * kFastRows + row);
    const float product = scale * static_cast<float>(sum[h]);
    const int32_t start = -kind.bias * sum[h];
    if (kind.offset) {
      __builtin_memcpy(extra, &product, 4);
    } else {
      __builtin_memcpy(extra, &start, 4);
    }
  }
}

void quantise(const float* x,
              int64_t x_stride,
              int64_t rows,
              int64_t k,
              DType dtype,
              int64_t block_begin,
              int64_t block_end,
              std::byte* out) {
  const Kind kind = kind_of(dtype);
  const int64_t steps = k / 32;
  for (int64_t b = block_begin; b < block_end; ++b) {
    const int64_t row0 = block_start(rows, b);
    const int64_t count = block_start(rows, b + 1) - row0;
    for (int64_t s = 0; s < steps; ++s) {
      std::byte* const step = out + (b * steps + s) * kFastStep;
      for (int64_t r = 0; r < count; ++r) {
        quantise_32(x + (row0 + r) * x_stride + 32 * s, kind, r, step);
      }
    }
  }
}

// One step's fields of one row. kPart: 0 for the high bytes, 1 for the low ones.
template <int kPart>
KEJU_INLINE __m512i four_codes(const std::byte* step, int group, int row) {
  int32_t four = 0;
  __builtin_memcpy(&four, step + group * kGroupBytes + row * 8 + 4 * kPart, 4);
  return _mm512_set1_epi32(four);
}
KEJU_INLINE V row_scale(const std::byte* step, int row) {
  return broadcast(reinterpret_cast<const float*>(step + kFastCodes) + row);
}
KEJU_INLINE V row_extra(const std::byte* step, int half, int row) {
  return broadcast(reinterpret_cast<const float*>(step + kFastCodes) + (half + 1) * kFastRows +
                   row);
}

// What the sum of low products starts from, given that of the high ones, so that it ends up as if
// weight codes were centred.
template <bool kOffset>
KEJU_INLINE __m512i start_low(__m512i high, const std::byte* step, int half, int row) {
  const __m512i moved = _mm512_slli_epi32(high, 8);
  if constexpr (kOffset) return moved;
  return _mm512_add_epi32(moved, _mm512_castps_si512(row_extra(step, half, row).v));
}

// out += scale·sum·s (+ scale·Σcodes·m)
template <bool kOffset>
KEJU_INLINE V
finish_sum(__m512i sum, const Scale& s, const std::byte* step, int half, int row, V out) {
  const V product = V{_mm512_cvtepi32_ps(sum)} * row_scale(step, row);
  out = mul_add(product, s.s, out);
  if constexpr (kOffset) out = mul_add(row_extra(step, half, row), s.m, out);
  return out;
}

// -- straight from the stored form -------------------------------------------------------------

// P panels of the same rows of k, and where they have got to.
template <int R, int P>
struct Direct {
  V out[R][P];
  const std::byte* at[P];
};
template <int R, int P>
struct Sums {
  __m512i high[R][P];
  __m512i low[R][P];
};

template <typename F, int kOctet, int R, int P>
KEJU_INLINE void dot_octet(const Direct<R, P>& d,
                           int64_t unit,
                           const std::byte* step,
                           Sums<R, P>& sum) {
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    Codes even;
    Codes odd;
    F::template octet<kOctet>(d.at[p] + unit, &even, &odd);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      dot(sum.high[r][p], even.v, four_codes<0>(step, 2 * kOctet, r));
      dot(sum.low[r][p], even.v, four_codes<1>(step, 2 * kOctet, r));
      dot(sum.high[r][p], odd.v, four_codes<0>(step, 2 * kOctet + 1, r));
      dot(sum.low[r][p], odd.v, four_codes<1>(step, 2 * kOctet + 1, r));
    }
  }
}

template <typename F, int kFirst, int kLast, int R, int P>
KEJU_INLINE void direct_part(Direct<R, P>& d, int u, int half, const std::byte* step) {
  const int64_t unit = F::kHeader + u * F::kUnitBytes;
  Sums<R, P> sum;
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum.high[r][p] = sum.low[r][p] = _mm512_setzero_si512();
  }
  dot_octet<F, kFirst>(d, unit, step, sum);
  if constexpr (kLast - kFirst == 3) {
    dot_octet<F, kFirst + 1>(d, unit, step, sum);
    dot_octet<F, kFirst + 2>(d, unit, step, sum);
  }
  dot_octet<F, kLast>(d, unit, step, sum);
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    const Scale s = F::scale(d.at[p], u * (32 / F::kSub) + half);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const __m512i whole =
          _mm512_add_epi32(start_low<F::kOffset>(sum.high[r][p], step, half, r), sum.low[r][p]);
      d.out[r][p] = finish_sum<F::kOffset>(whole, s, step, half, r, d.out[r][p]);
    }
  }
}

template <typename F>
KEJU_INLINE void fetch_ahead(const std::byte* unit) {
#pragma GCC unroll 8
  for (int at = 0; at < F::kUnitBytes; at += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(unit + 2048 + at), _MM_HINT_T0);
  }
}

// Panels [panel, panel + P); in place of those from `end` on, the last one is computed again.
template <typename F, int R, int P>
void direct_panels(const LinearArgs& a, int64_t panel, int64_t end) {
  Direct<R, P> d;
  for (int p = 0; p < P; ++p) {
    const int64_t own = smaller(panel + p, end - 1);
    d.at[p] = a.weights + own * a.panel_bytes;
    const int64_t column = own * kPanel;
    for (int r = 0; r < R; ++r) {
      // By way of memory: GCC 12 breaks down on the direct assignment.
      float start[kPanel];
      store(start, start_of(a, r, column, smaller(kPanel, a.n - column)));
      d.out[r][p] = load(start);
    }
  }
  const std::byte* step = reinterpret_cast<const std::byte*>(a.packed);
  for (int64_t k0 = 0; k0 < a.k; k0 += F::kBlock) {
    for (int u = 0; u < F::kBlock / 32; ++u, step += kFastStep) {
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) fetch_ahead<F>(d.at[p] + F::kHeader + u * F::kUnitBytes);
      if constexpr (F::kSub == 32) {
        direct_part<F, 0, 3>(d, u, 0, step);
      } else {
        direct_part<F, 0, 1>(d, u, 0, step);
        direct_part<F, 2, 3>(d, u, 1, step);
      }
    }
    for (int p = 0; p < P; ++p) d.at[p] += kBlockBytes<F>;
  }
  for (int p = 0; p < P; ++p) {
    const int64_t column = smaller(panel + p, end - 1) * kPanel;
    for (int r = 0; r < R; ++r) {
      store_first(a.out + r * a.out_stride + column - a.first_column,
                  d.out[r][p],
                  smaller(kPanel, a.n - column));
    }
  }
}

template <typename F, int R>
void direct_rows(const LinearArgs& args, int64_t begin, int64_t end) {
  for (int64_t panel = begin; panel < end; panel += 4) direct_panels<F, R, 4>(args, panel, end);
}

void direct(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  static_assert(kFastDirectRows == 2);
  with_block_format(args.dtype, [&](auto format) {
    using F = decltype(format);
    if (args.rows == 1) {
      direct_rows<F, 1>(args, panel_begin, panel_end);
    } else {
      direct_rows<F, 2>(args, panel_begin, panel_end);
    }
  });
}

// -- tiles -------------------------------------------------------------------------------------

// One panel's chunk, unpacked: codes [k/4][16][4], scales and offsets [k/sub][16].
struct Unpacked {
  const std::byte* codes;
  const float* s;
  const float* m;
};
constexpr int64_t kCodeBytes = kFastChunk * kPanel;
constexpr int64_t kScaleFloats = kFastChunk / 16 * kPanel;
constexpr int64_t kPanelBytes = kCodeBytes + 2 * kScaleFloats * static_cast<int64_t>(sizeof(float));

template <typename F>
void unpack_panel(
    const std::byte* panel, int64_t k0, int64_t count, std::byte* codes, float* s, float* m) {
  constexpr int kUnits = F::kBlock / 32;
  constexpr int kSubs = 32 / F::kSub;
  for (int64_t k = k0; k < k0 + count; k += 32) {
    const std::byte* block = panel + k / F::kBlock * kBlockBytes<F>;
    const int u = static_cast<int>(k / 32 % kUnits);
    const std::byte* unit = block + F::kHeader + u * F::kUnitBytes;
    Codes c[8];
    F::template octet<0>(unit, &c[0], &c[1]);
    F::template octet<1>(unit, &c[2], &c[3]);
    F::template octet<2>(unit, &c[4], &c[5]);
    F::template octet<3>(unit, &c[6], &c[7]);
    for (int g = 0; g < 8; ++g, codes += 64) _mm512_storeu_si512(codes, c[g].v);
    for (int h = 0; h < kSubs; ++h, s += kPanel, m += kPanel) {
      const Scale scale = F::scale(block, u * kSubs + h);
      store(s, scale.s);
      if constexpr (F::kOffset) store(m, scale.m);
    }
  }
}

struct FastTile {
  const std::byte* step = nullptr;
  int64_t steps = 0;
  Unpacked panel[2] = {};
  float* c = nullptr;
  int64_t c_row = 0;
  bool from_zero = false;
};

// The products of kGroups groups of four k with the high (0) or low (1) bytes of the activations.
template <int kPart, int kGroups, int R, int N>
KEJU_INLINE void add_products(
    const FastTile& t, int64_t codes, const std::byte* step, int half, __m512i (&sum)[R][N]) {
#pragma GCC unroll 8
  for (int g = 0; g < kGroups; ++g) {
    __m512i w[N];
#pragma GCC unroll 2
    for (int v = 0; v < N; ++v) w[v] = _mm512_loadu_si512(t.panel[v].codes + codes + 64 * g);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512i x = four_codes<kPart>(step, half * kGroups + g, r);
#pragma GCC unroll 2
      for (int v = 0; v < N; ++v) dot(sum[r][v], w[v], x);
    }
  }
}

template <typename F, int R, int N>
void fast_tile(const FastTile& t) {
  constexpr int kSubs = 32 / F::kSub;
  V out[R][N];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < N; ++v) {
      out[r][v] = t.from_zero ? V::spread(0.0f) : load(t.c + r * t.c_row + 16 * v);
    }
  }
  const std::byte* step = t.step;
  int64_t codes = 0;
  int64_t scales = 0;
  for (int64_t i = 0; i < t.steps; ++i, step += kFastStep) {
#pragma GCC unroll 2
    for (int h = 0; h < kSubs; ++h, scales += kPanel) {
      __m512i sum[R][N];
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < N; ++v) sum[r][v] = _mm512_setzero_si512();
      }
      // High products first: one set of sums then serves both, and stays in registers.
      add_products<0, 8 / kSubs>(t, codes, step, h, sum);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < N; ++v) sum[r][v] = start_low<F::kOffset>(sum[r][v], step, h, r);
      }
      add_products<1, 8 / kSubs>(t, codes, step, h, sum);
      codes += 8 / kSubs * 64;
#pragma GCC unroll 2
      for (int v = 0; v < N; ++v) {
        Scale s;
        s.s = load(t.panel[v].s + scales);
        s.m = F::kOffset ? load(t.panel[v].m + scales) : s.s;
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
          out[r][v] = finish_sum<F::kOffset>(sum[r][v], s, step, h, r, out[r][v]);
        }
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < N; ++v) store(t.c + r * t.c_row + 16 * v, out[r][v]);
  }
}

// Tiles differ only in how a type's scales work, so types share them.
struct CentredBy32 {
  static constexpr int kSub = 32;
  static constexpr bool kOffset = false;
};
struct OffsetBy32 {
  static constexpr int kSub = 32;
  static constexpr bool kOffset = true;
};
struct CentredBy16 {
  static constexpr int kSub = 16;
  static constexpr bool kOffset = false;
};
struct OffsetBy16 {
  static constexpr int kSub = 16;
  static constexpr bool kOffset = true;
};

template <typename S, int N>
void tile_of_rows(int64_t rows, const FastTile& t) {
  switch (rows) {
    case 1:
      return fast_tile<S, 1, N>(t);
    case 2:
      return fast_tile<S, 2, N>(t);
    case 3:
      return fast_tile<S, 3, N>(t);
    case 4:
      return fast_tile<S, 4, N>(t);
    case 5:
      return fast_tile<S, 5, N>(t);
    default:
      return fast_tile<S, 6, N>(t);
  }
}

void run_tile(const Kind& kind, int64_t rows, int panels, const FastTile& t) {
  const auto go = [&](auto s) {
    using S = decltype(s);
    panels == 2 ? tile_of_rows<S, 2>(rows, t) : tile_of_rows<S, 1>(rows, t);
  };
  if (kind.halves) return kind.offset ? go(OffsetBy16{}) : go(CentredBy16{});
  return kind.offset ? go(OffsetBy32{}) : go(CentredBy32{});
}

void tiles(const LinearArgs& args,
           int64_t block_begin,
           int64_t block_end,
           int64_t panel_begin,
           int64_t panel_end,
           std::byte* scratch) {
  const Kind kind = kind_of(args.dtype);
  const std::byte* const rows_of_codes = reinterpret_cast<const std::byte*>(args.packed);
  for (int64_t k0 = 0; k0 < args.k; k0 += kFastChunk) {
    const int64_t count = smaller(kFastChunk, args.k - k0);
    for (int64_t panel = panel_begin; panel < panel_end; panel += 2) {
      const int panels = static_cast<int>(smaller(2, panel_end - panel));
      FastTile t;
      t.steps = count / 32;
      for (int v = 0; v < panels; ++v) {
        std::byte* const codes = scratch + v * kPanelBytes;
        float* const s = reinterpret_cast<float*>(codes + kCodeBytes);
        float* const m = s + kScaleFloats;
        const std::byte* from = args.weights + (panel + v) * args.panel_bytes;
        with_block_format(args.dtype, [&](auto format) {
          unpack_panel<decltype(format)>(from, k0, count, codes, s, m);
        });
        t.panel[v] = {codes, s, m};
      }
      for (int64_t b = block_begin; b < block_end; ++b) {
        const int64_t row0 = block_start(args.rows, b);
        const int64_t rows = block_start(args.rows, b + 1) - row0;
        t.step = rows_of_codes + (b * (args.k / 32) + k0 / 32) * kFastStep;
        on_columns(args,
                   {row0, rows, panel, panels, k0 == 0},
                   [&](float* c, int64_t c_row, bool from_zero) {
                     t.c = c;
                     t.c_row = c_row;
                     t.from_zero = from_zero;
                     run_tile(kind, rows, panels, t);
                   });
      }
    }
  }
}

}  // namespace

const FastKernels& avx512_vnni_fast_kernels() {
  static const FastKernels table{quantise, direct, tiles, 2 * kPanelBytes};
  return table;
}

}  // namespace keju
