// SPDX-License-Identifier: MIT
// Products of pairs of 16-bit integers on AVX512-VNNI; w13_backend.h states the arithmetic. Sums in
// integers are exact, so their order is free.
#include "kernels/cpu/isa/lanes_avx512.h"
// The lanes come first: what follows is written in terms of them.
#include "kernels/cpu/isa/tile.h"
#include "kernels/cpu/isa/w13_words.h"

namespace keju {
namespace {

static_assert(kW13Rows == kQueryRows);

// sum += Σ over two k of w·x. Written out because GCC 12 copies the accumulator around its
// intrinsic, which costs more than the product.
KEJU_INLINE void dot(__m512i& sum, __m512i w, __m512i x) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
}
KEJU_INLINE __m512i spread_pair(const std::byte* p) {
  int32_t pair = 0;
  __builtin_memcpy(&pair, p, 4);
  return _mm512_set1_epi32(pair);
}

// -- activations -------------------------------------------------------------------------------

// One group of one row.
void quantise_group(const float* x, int64_t begin, int64_t end, std::byte* out, std::byte* scale) {
  Largest all;
  for (int64_t k = begin; k < end; k += 16) all.take(load_first(x + k, smaller(16, end - k)));
  const int32_t top = _mm512_reduce_max_epi32(all.bits);
  float largest = 0;
  __builtin_memcpy(&largest, &top, 4);
  const bool finite = top < 0x7F800000;
  const bool codes = finite && !(largest < kW13Tiny);
  float unit = finite ? 0.0f : __builtin_nanf("");
  if (codes) {
    Squares squares{V::spread(1 / largest)};
    for (int64_t k = begin; k < end; k += 16) squares.take(load_first(x + k, smaller(16, end - k)));
    const float root = __builtin_sqrtf(fold(squares.sum, false));
    const float by_norm = root * (1 / kW13Norm);
    unit = largest * (1 / kW13Largest > by_norm ? 1 / kW13Largest : by_norm);
  }
  __builtin_memcpy(scale, &unit, 4);
  const V inverse = V::spread(codes ? 1 / unit : 0.0f);
  const __m256i swap = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  for (int64_t k = begin; k < (end + 31) / 32 * 32; k += 16, out += 32) {
    // Zeros where nothing is, and where nothing counts.
    const int64_t count = codes && k < end ? smaller(16, end - k) : 0;
    const __m512i code = code_of(load_first(x + (count > 0 ? k : begin), count), inverse);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm256_shuffle_epi8(_mm512_cvtepi32_epi16(code), swap));
  }
}

int64_t group_end(int64_t k, int64_t group) {
  return smaller(k, w13_first(k, group + 1) * kW13Unit);
}

void quantise_row(const float* x, int64_t k, std::byte* out) {
  std::byte* const scales = out + w13_units(k) * kW13RowUnit;
  for (int64_t g = 0; g < w13_groups(k); ++g) {
    const int64_t first = w13_first(k, g);
    quantise_group(x, first * kW13Unit, group_end(k, g), out + first * kW13RowUnit, scales + 4 * g);
  }
}

inline int64_t block_start(int64_t rows, int64_t block) { return rows * block / w13_blocks(rows); }

void quantise(const float* x,
              int64_t x_stride,
              int64_t rows,
              int64_t k,
              int64_t block_begin,
              int64_t block_end,
              std::byte* out) {
  constexpr int64_t kRowBytes = kW13GroupUnits * kW13RowUnit;
  alignas(64) std::byte codes[kW13Rows * kRowBytes];
  const float* pairs[kQueryRows];
  for (int64_t r = 0; r < kW13Rows; ++r)
    pairs[r] = reinterpret_cast<const float*>(codes + r * kRowBytes);
  const int64_t blocks = w13_blocks(rows);
  std::byte* const scales = out + w13_code_bytes(rows, k);
  for (int64_t block = block_begin; block < block_end; ++block) {
    const int64_t row0 = block_start(rows, block);
    const int64_t count = block_start(rows, block + 1) - row0;
    for (int64_t g = 0; g < w13_groups(k); ++g) {
      const int64_t first = w13_first(k, g);
      const int64_t units = w13_first(k, g + 1) - first;
      std::byte* const scale = scales + (g * blocks + block) * kW13Rows * 4;
      for (int64_t r = 0; r < count; ++r) {
        quantise_group(x + (row0 + r) * x_stride,
                       first * kW13Unit,
                       group_end(k, g),
                       codes + r * kRowBytes,
                       scale + 4 * r);
      }
      std::byte* const to = out + (first * blocks + units * block) * kW13BlockUnit;
      interleave_rows(pairs, count, units * kW13Pairs, reinterpret_cast<float*>(to));
    }
  }
}

KEJU_INLINE V finish_sum(__m512i sum, const float* row_scale, V column_scale, V start) {
  return mul_add(V{_mm512_cvtepi32_ps(sum)} * broadcast(row_scale), column_scale, start);
}

// -- straight from the stored form -------------------------------------------------------------

// P panels side by side.
template <int R, int P>
struct Direct {
  float out[R][P][kPanel];
  const std::byte* panel[P];
  int64_t index[P];
};

template <typename F, typename Units, int R, int P>
void direct_group(const LinearArgs& a, int64_t group, Direct<R, P>& d) {
  const std::byte* const x = reinterpret_cast<const std::byte*>(a.packed);
  const int64_t x_stride = w13_row_bytes(a.k);
  ColumnScales columns[P];
  __m512i sum[R][P];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    columns[p] = column_scales(a, d.index[p], group);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[r][p] = _mm512_setzero_si512();
  }
  const int64_t end = w13_first(a.k, group + 1);
  for (int64_t u = w13_first(a.k, group); u < end; ++u) {
    const std::byte* const codes = x + u * kW13RowUnit;
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      Units::template codes<F>(
          d.panel[p],
          a.k,
          u,
          columns[p].inverse,
          [&](int pair, __m512i w) __attribute__((always_inline)) {
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r) {
              dot(sum[r][p], w, spread_pair(codes + r * x_stride + 4 * pair));
            }
          });
    }
  }
  const auto* const scales =
      reinterpret_cast<const float*>(x + w13_units(a.k) * kW13RowUnit) + group;
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      float* const out = d.out[r][p];
      store(out, finish_sum(sum[r][p], scales + r * (x_stride / 4), columns[p].scale, load(out)));
    }
  }
}

// Panels [panel, panel + P); in place of those from `end` on, the last one is computed again.
template <typename F, typename Units, int R, int P>
void direct_panels(const LinearArgs& a, int64_t panel, int64_t end) {
  Direct<R, P> d;
  for (int p = 0; p < P; ++p) {
    d.index[p] = smaller(panel + p, end - 1);
    d.panel[p] = a.weights + d.index[p] * a.panel_bytes;
    const int64_t column = d.index[p] * kPanel;
    for (int r = 0; r < R; ++r) {
      store(d.out[r][p], start_of(a, r, column, smaller(kPanel, a.n - column)));
    }
  }
  for (int64_t g = 0; g < w13_groups(a.k); ++g) direct_group<F, Units, R, P>(a, g, d);
  for (int p = 0; p < P; ++p) {
    const int64_t column = d.index[p] * kPanel;
    for (int r = 0; r < R; ++r) {
      store_first(a.out + r * a.out_stride + column - a.first_column,
                  load(d.out[r][p]),
                  smaller(kPanel, a.n - column));
    }
  }
}

void direct(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  static_assert(kW13DirectRows == 4);
  if (args.rows == 3) {  // too rare for code of its own
    LinearArgs part = args;
    part.rows = 2;
    direct(part, panel_begin, panel_end);
    part.rows = 1;
    part.packed += 2 * w13_row_bytes(args.k) / 4;
    part.out += 2 * args.out_stride;
    return direct(part, panel_begin, panel_end);
  }
  with_units(args.dtype, [&](auto format, auto units) {
    using F = decltype(format);
    using U = decltype(units);
    const auto panels = args.rows == 1   ? direct_panels<F, U, 1, 4>
                        : args.rows == 2 ? direct_panels<F, U, 2, 4>
                                         : direct_panels<F, U, 4, 4>;
    for (int64_t panel = panel_begin; panel < panel_end; panel += 4) {
      panels(args, panel, panel_end);
    }
  });
}

// -- tiles -------------------------------------------------------------------------------------

// One panel's codes in one group of k, [pair][16].
constexpr int64_t kPanelCodes = kW13GroupUnits * kW13Pairs * 64;

template <typename F, typename Units>
void expand(const LinearArgs& a, int64_t panel, int64_t group, V inverse, std::byte* to) {
  const std::byte* const from = a.weights + panel * a.panel_bytes;
  for (int64_t u = w13_first(a.k, group); u < w13_first(a.k, group + 1); ++u, to += 1024) {
    Units::template codes<F>(
        from, a.k, u, inverse, [&](int pair, __m512i w) __attribute__((always_inline)) {
          _mm512_store_si512(to + 64 * pair, w);
        });
  }
}

struct W13Tile {
  const std::byte* x = nullptr;
  const float* row_scales = nullptr;
  const std::byte* w = nullptr;  // of the first panel, and kPanelCodes on of the second
  const V* column_scales = nullptr;
  int64_t pairs = 0;
  float* c = nullptr;
  int64_t c_row = 0;
  bool from_zero = false;
};

template <int R, int N>
void w13_tile(const W13Tile& t) {
  __m512i sum[R][N];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < N; ++v) {
      sum[r][v] = _mm512_setzero_si512();
      prefetch_for_write(t.c + r * t.c_row + 16 * v);
    }
  }
  const std::byte* x = t.x;
  const std::byte* w = t.w;
  for (int64_t i = 0; i < t.pairs; ++i, x += 4 * kW13Rows, w += 64) {
    __m512i of[N];
    _mm_prefetch(reinterpret_cast<const char*>(x + 1024), _MM_HINT_T0);
#pragma GCC unroll 2
    for (int v = 0; v < N; ++v) of[v] = _mm512_load_si512(w + v * kPanelCodes);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const __m512i pair = spread_pair(x + 4 * r);
#pragma GCC unroll 2
      for (int v = 0; v < N; ++v) dot(sum[r][v], of[v], pair);
    }
  }
#pragma GCC unroll 2
  for (int v = 0; v < N; ++v) {
    const V scale = t.column_scales[v];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      float* const c = t.c + r * t.c_row + 16 * v;
      const V start = t.from_zero ? V::spread(0.0f) : load(c);
      store(c, finish_sum(sum[r][v], t.row_scales + r, scale, start));
    }
  }
}

using W13TileFunction = void (*)(const W13Tile& t);

template <int N>
W13TileFunction w13_tile_of(int64_t rows) {
  static constexpr W13TileFunction kTiles[kW13Rows] = {w13_tile<1, N>,
                                                       w13_tile<2, N>,
                                                       w13_tile<3, N>,
                                                       w13_tile<4, N>,
                                                       w13_tile<5, N>,
                                                       w13_tile<6, N>,
                                                       w13_tile<7, N>,
                                                       w13_tile<8, N>,
                                                       w13_tile<9, N>,
                                                       w13_tile<10, N>,
                                                       w13_tile<11, N>,
                                                       w13_tile<12, N>};
  return kTiles[rows - 1];
}

// One group of one or two panels, expanded into `weights`, for all rows.
void group_tiles(const LinearArgs& a,
                 int64_t block_begin,
                 int64_t block_end,
                 const Columns& columns,
                 int64_t group,
                 std::byte* weights) {
  V scales[2];
  with_units(a.dtype, [&](auto format, auto units) {
    for (int v = 0; v < columns.panels; ++v) {
      const ColumnScales s = column_scales(a, columns.panel + v, group);
      scales[v] = s.scale;
      expand<decltype(format), decltype(units)>(
          a, columns.panel + v, group, s.inverse, weights + v * kPanelCodes);
    }
  });
  const int64_t blocks = w13_blocks(a.rows);
  const int64_t first = w13_first(a.k, group);
  const int64_t units = w13_first(a.k, group + 1) - first;
  const auto* const codes = reinterpret_cast<const std::byte*>(a.packed);
  const auto* const row_scales =
      reinterpret_cast<const float*>(codes + w13_code_bytes(a.rows, a.k)) +
      group * blocks * kW13Rows;
  W13Tile t;
  t.w = weights;
  t.column_scales = scales;
  t.pairs = units * kW13Pairs;
  for (int64_t block = block_begin; block < block_end; ++block) {
    Columns part = columns;
    part.row0 = block_start(a.rows, block);
    part.rows = block_start(a.rows, block + 1) - part.row0;
    t.x = codes + (first * blocks + units * block) * kW13BlockUnit;
    t.row_scales = row_scales + block * kW13Rows;
    on_columns(a, part, [&](float* c, int64_t c_row, bool from_zero) {
      t.c = c;
      t.c_row = c_row;
      t.from_zero = from_zero;
      (part.panels == 2 ? w13_tile_of<2>(part.rows) : w13_tile_of<1>(part.rows))(t);
    });
  }
}

void tiles(const LinearArgs& args,
           int64_t block_begin,
           int64_t block_end,
           int64_t panel_begin,
           int64_t panel_end,
           std::byte* scratch) {
  for (int64_t g = 0; g < w13_groups(args.k); ++g) {
    for (int64_t panel = panel_begin; panel < panel_end; panel += 2) {
      const int panels = static_cast<int>(smaller(2, panel_end - panel));
      group_tiles(args, block_begin, block_end, {0, 0, panel, panels, g == 0}, g, scratch);
    }
  }
}

}  // namespace

const W13Kernels& avx512_vnni_w13_kernels() {
  static const W13Kernels table{measure, quantise_row, quantise, direct, tiles, 2 * kPanelCodes};
  return table;
}

}  // namespace keju
