// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: matrix products and the expansion of single rows.
// Lanes are output columns and k ascends, so each output is the one fused sum that linear()
// defines, whichever of the ways below computes it.
#include "kernels/cpu/isa/columns.h"
#include "kernels/cpu/isa/formats.h"
#include "kernels/cpu/isa/gate.h"
#include "kernels/cpu/isa/table.h"
#include "kernels/cpu/isa/tile.h"

namespace keju {
namespace {

// -- straight from the stored form -------------------------------------------------------------

// P panels of the same rows of k, and where they have got to.
template <int R, int P>
struct Direct {
  V sum[R][P];
  const std::byte* at[P];
  const float* x;
  int64_t x_stride;
};

template <typename F, int i, int R, int P>
KEJU_INLINE void direct_step(Direct<R, P>& d,
                             const Octet (&octet)[P],
                             const Scale (&scale)[P],
                             int64_t k) {
  V w[P];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) w[p] = weight<F, i>(octet[p], scale[p]);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const V x = broadcast(d.x + r * d.x_stride + k + i);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) d.sum[r][p] = mul_add(x, w[p], d.sum[r][p]);
  }
}

template <typename F, int kOctet, int R, int P>
KEJU_INLINE void direct_octet(Direct<R, P>& d, int64_t unit, const Scale (&scale)[P], int64_t k) {
  Octet octet[P];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) octet[p] = read_octet<F, kOctet>(d.at[p] + unit);
  direct_step<F, 0>(d, octet, scale, k);
  direct_step<F, 1>(d, octet, scale, k);
  direct_step<F, 2>(d, octet, scale, k);
  direct_step<F, 3>(d, octet, scale, k);
  direct_step<F, 4>(d, octet, scale, k);
  direct_step<F, 5>(d, octet, scale, k);
  direct_step<F, 6>(d, octet, scale, k);
  direct_step<F, 7>(d, octet, scale, k);
}

// The processor's own prefetchers stop at page borders, and a panel crosses one every few blocks.
constexpr int64_t kFetchAhead = 2048;
template <int64_t kBytes>
KEJU_INLINE void fetch_ahead(const std::byte* p) {
#pragma GCC unroll 16
  for (int64_t at = 0; at < kBytes; at += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(p + kFetchAhead + at), _MM_HINT_T0);
  }
}

template <typename F, int R, int P>
KEJU_INLINE void direct_blocks(Direct<R, P>& d, int64_t k_end) {
  for (int64_t k0 = 0; k0 < k_end; k0 += F::kBlock) {
    for (int u = 0; u < F::kBlock / 32; ++u) {
      const int64_t unit = F::kHeader + u * F::kUnitBytes;
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) fetch_ahead<F::kUnitBytes>(d.at[p] + unit);
      const int64_t k = k0 + 32 * u;
      Scale scale[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) scale[p] = scale_of<F>(d.at[p], u * (32 / F::kSub));
      direct_octet<F, 0>(d, unit, scale, k);
      direct_octet<F, 1>(d, unit, scale, k + 8);
      if constexpr (F::kSub == 16) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) scale[p] = scale_of<F>(d.at[p], 2 * u + 1);
      }
      direct_octet<F, 2>(d, unit, scale, k + 16);
      direct_octet<F, 3>(d, unit, scale, k + 24);
    }
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) d.at[p] += kBlockBytes<F>;
  }
}

template <typename F, int R, int P>
KEJU_INLINE void direct_plain(Direct<R, P>& d, int64_t k_end) {
  for (int64_t k = 0; k < k_end; ++k) {
    V w[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) w[p] = F::at(d.at[p] + k * F::kBytes);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const V x = broadcast(d.x + r * d.x_stride + k);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) d.sum[r][p] = mul_add(x, w[p], d.sum[r][p]);
    }
  }
}

// Panels [panel, panel + P), of which those from `end` on do not exist: the last one is computed
// again in their place, and written again with the same values.
template <int R, int P, typename Sum>
KEJU_INLINE void direct_panels(const LinearArgs& a,
                               int64_t panel,
                               int64_t end,
                               const Sum& sum_all) {
  Direct<R, P> d;
  d.x = a.x;
  d.x_stride = a.x_stride;
  for (int p = 0; p < P; ++p) {
    const int64_t own = smaller(panel + p, end - 1);
    d.at[p] = a.weights + own * a.panel_bytes;
    for (int r = 0; r < R; ++r) {
      d.sum[r][p] = start_of(a, r, own * kPanel, smaller(kPanel, a.n - own * kPanel));
    }
  }
  sum_all(d);
  for (int p = 0; p < P; ++p) {
    const int64_t column = smaller(panel + p, end - 1) * kPanel;
    for (int r = 0; r < R; ++r) {
      store_first(a.out + r * a.out_stride + column - a.first_column,
                  d.sum[r][p],
                  smaller(kPanel, a.n - column));
    }
  }
}

template <typename F, int R>
void direct_block_panels(const LinearArgs& a, int64_t panel, int64_t end) {
  direct_panels<R, kDirectPanels>(
      a, panel, end, [&](Direct<R, kDirectPanels>& d) { direct_blocks<F>(d, a.k); });
}
template <typename F, int R>
void direct_plain_panels(const LinearArgs& a, int64_t panel, int64_t end) {
  direct_panels<R, kDirectPanels>(
      a, panel, end, [&](Direct<R, kDirectPanels>& d) { direct_plain<F>(d, a.k); });
}

using PanelsFunction = void (*)(const LinearArgs& a, int64_t panel, int64_t end);

template <int R>
PanelsFunction direct_function(DType dtype) {
  PanelsFunction function = nullptr;
  with_format(
      dtype,
      [&](auto format) { function = direct_plain_panels<decltype(format), R>; },
      [&](auto format) { function = direct_block_panels<decltype(format), R>; });
  return function;
}

void linear_direct(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) {
  static_assert(kDirectRows == 4);
  if (args.rows == 3) {  // too rare for code of its own
    LinearArgs part = args;
    part.rows = 2;
    linear_direct(part, panel_begin, panel_end);
    part.rows = 1;
    part.x += 2 * args.x_stride;
    part.out += 2 * args.out_stride;
    return linear_direct(part, panel_begin, panel_end);
  }
  const PanelsFunction function = args.rows == 1   ? direct_function<1>(args.dtype)
                                  : args.rows == 2 ? direct_function<2>(args.dtype)
                                                   : direct_function<4>(args.dtype);
  for (int64_t panel = panel_begin; panel < panel_end; panel += kDirectPanels) {
    function(args, panel, panel_end);
  }
}

// -- expansion ---------------------------------------------------------------------------------

template <typename F, int kOctet>
KEJU_INLINE void expand_octet(const std::byte* unit, const Scale& scale, float* out) {
  const Octet octet = read_octet<F, kOctet>(unit);
  store(out + 0 * kPanel, weight<F, 0>(octet, scale));
  store(out + 1 * kPanel, weight<F, 1>(octet, scale));
  store(out + 2 * kPanel, weight<F, 2>(octet, scale));
  store(out + 3 * kPanel, weight<F, 3>(octet, scale));
  store(out + 4 * kPanel, weight<F, 4>(octet, scale));
  store(out + 5 * kPanel, weight<F, 5>(octet, scale));
  store(out + 6 * kPanel, weight<F, 6>(octet, scale));
  store(out + 7 * kPanel, weight<F, 7>(octet, scale));
}

template <typename F>
void expand_blocks(const std::byte* panel, int64_t k0, int64_t count, float* out) {
  constexpr int kUnits = F::kBlock / 32;
  for (int64_t k = k0; k < k0 + count; k += 32, out += 32 * kPanel) {
    const std::byte* block = panel + k / F::kBlock * kBlockBytes<F>;
    const int u = static_cast<int>(k / 32 % kUnits);
    const std::byte* unit = block + F::kHeader + u * F::kUnitBytes;
    Scale scale = scale_of<F>(block, u * (32 / F::kSub));
    expand_octet<F, 0>(unit, scale, out);
    expand_octet<F, 1>(unit, scale, out + 8 * kPanel);
    if constexpr (F::kSub == 16) scale = scale_of<F>(block, 2 * u + 1);
    expand_octet<F, 2>(unit, scale, out + 16 * kPanel);
    expand_octet<F, 3>(unit, scale, out + 24 * kPanel);
  }
}

template <typename F>
void expand_plain(const std::byte* panel, int64_t k0, int64_t count, float* out) {
  const std::byte* at = panel + k0 * F::kBytes;
  for (int64_t k = 0; k < count; ++k) store(out + k * kPanel, F::at(at + k * F::kBytes));
}

// Rows [k0, k0 + count) of one panel as [count][16] floats. k0 and count: multiples of 32 for
// block types.
void expand(DType dtype, const std::byte* panel, int64_t k0, int64_t count, float* out) {
  with_format(
      dtype,
      [&](auto format) { expand_plain<decltype(format)>(panel, k0, count, out); },
      [&](auto format) { expand_blocks<decltype(format)>(panel, k0, count, out); });
}

void expand_one(
    const LinearArgs& args, int64_t row, float scale, bool add, float* scratch, float* out) {
  const std::byte* panel = args.weights + row / kPanel * args.panel_bytes;
  const int64_t lane = row % kPanel;
  for (int64_t k0 = 0; k0 < args.k; k0 += kChunk) {
    const int64_t count = smaller(kChunk, args.k - k0);
    expand(args.dtype, panel, k0, count, scratch);
    for (int64_t k = 0; k < count; ++k) {
      const float value = scale * scratch[k * kPanel + lane];
      out[k0 + k] = add ? out[k0 + k] + value : value;
    }
  }
}

// -- tiles -------------------------------------------------------------------------------------

// Row block b of `rows` rows: as even as can be, none above kTileRows.
inline int64_t block_count(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }
inline int64_t block_start(int64_t rows, int64_t block) { return rows * block / block_count(rows); }

// Panels that go through a gate together: whole tiles, and whole pairs of a gate and its up.
constexpr int kGatedPanels = kTileVectors % 2 == 0 ? kTileVectors : 2 * kTileVectors;

// Columns of `panels` panels from `panel`.
struct Group {
  int64_t panel;
  int panels;
  const float* weights;  // vector v of row k at weights + v·vector_stride + k·kPanel
  int64_t vector_stride;
};

// Rows [k0, k0 + count) of a group, expanded into `scratch` unless they are already what a tile
// wants.
Group group_of(
    const LinearArgs& a, int64_t panel, int panels, int64_t k0, int64_t count, float* scratch) {
  const auto stored = [&](int64_t p) { return a.weights + stored_panel(a, p) * a.panel_bytes; };
  if (a.dtype == DType::kF32) {
    const auto at = [&](int64_t p) { return reinterpret_cast<const float*>(stored(p)); };
    // The stored panels of a gate and its up lie apart, and those of the next pair elsewhere.
    if (a.glu == nullptr || panels <= 2) {
      return {panel, panels, at(panel) + k0 * kPanel, panels > 1 ? at(panel + 1) - at(panel) : 0};
    }
  }
  const Group g{panel, panels, scratch, count * kPanel};
  for (int v = 0; v < panels; ++v) {
    expand(a.dtype, stored(panel + v), k0, count, scratch + v * g.vector_stride);
  }
  return g;
}

void group_tiles(const LinearArgs& a,
                 int64_t block_begin,
                 int64_t block_end,
                 const Group& g,
                 int64_t k0,
                 int64_t count) {
  for (int64_t b = block_begin; b < block_end; ++b) {
    const int64_t row0 = block_start(a.rows, b);
    const int64_t rows = block_start(a.rows, b + 1) - row0;
    const float* const x = a.x + row0 * a.x_stride + k0;
    const Columns columns{row0, rows, g.panel, g.panels, k0 == 0};
    on_columns(a, columns, [&](float* c, int64_t c_row, bool from_zero) {
      run_row_tile(rows,
                   g.panels,
                   {x, g.weights, g.vector_stride, 0, count, c, c_row, from_zero, a.x_stride});
    });
  }
}

// Through a gate: `sums` holds gates and ups, side by side, for all rows of the pass if k takes
// more than one run.
void gated_tiles(const LinearArgs& a,
                 int64_t block_begin,
                 int64_t block_end,
                 const Group& all,
                 int64_t chunk,
                 float* scratch) {
  const GateRows gate = gate_rows(*a.glu);
  const int64_t width = all.panels * kPanel;
  float* const sums = scratch + kGatedPanels * kTileChunk * kPanel;
  const int64_t first = block_start(a.rows, block_begin);
  for (int64_t k0 = 0; k0 < a.k; k0 += chunk) {
    const int64_t count = smaller(chunk, a.k - k0);
    const Group g = group_of(a, all.panel, all.panels, k0, count, scratch);
    for (int64_t b = block_begin; b < block_end; ++b) {
      const int64_t row0 = block_start(a.rows, b);
      const int64_t rows = block_start(a.rows, b + 1) - row0;
      float* const c = chunk < a.k ? sums + (row0 - first) * width : sums;
      const float* const x = a.x + row0 * a.x_stride + k0;
      for (int v = 0; v < g.panels; v += kTileVectors) {
        const float* const w = g.weights + v * g.vector_stride;
        run_row_tile(rows,
                     static_cast<int>(smaller(kTileVectors, g.panels - v)),
                     {x, w, g.vector_stride, 0, count, c + v * kPanel, width, k0 == 0, a.x_stride});
      }
      if (k0 + count < a.k) continue;
      float* const out = a.out + row0 * a.out_stride + all.panel / 2 * kPanel;
      for (int v = 0; v < g.panels; v += 2)
        gate(*a.glu, c + v * kPanel, width, rows, out + v / 2 * kPanel, a.out_stride);
    }
  }
}

void linear_tiles(const LinearArgs& args,
                  int64_t block_begin,
                  int64_t block_end,
                  int64_t panel_begin,
                  int64_t panel_end,
                  float* scratch) {
  const int64_t chunk = tile_chunk(args.k, args.rows);
  if (args.glu != nullptr) {
    for (int64_t panel = panel_begin; panel < panel_end; panel += kGatedPanels) {
      const int panels = static_cast<int>(smaller(kGatedPanels, panel_end - panel));
      gated_tiles(args, block_begin, block_end, {panel, panels, nullptr, 0}, chunk, scratch);
    }
    return;
  }
  for (int64_t k0 = 0; k0 < args.k; k0 += chunk) {
    const int64_t count = smaller(chunk, args.k - k0);
    for (int64_t panel = panel_begin, next; panel < panel_end; panel = next) {
      // One panel left over is slower than two twos.
      const int64_t left = panel_end - panel;
      next = panel + (left == kTileVectors + 1 ? (left + 1) / 2 : smaller(kTileVectors, left));
      const int panels = static_cast<int>(next - panel);
      const Group g = group_of(args, panel, panels, k0, count, scratch);
      group_tiles(args, block_begin, block_end, g, k0, count);
    }
  }
}

inline void fill_linear(CpuKernels& table) {
  table.tile_rows = kTileRows;
  table.tile_panels = kTileVectors;
  table.gated_panels = kGatedPanels;
  table.linear_direct = linear_direct;
  table.linear_tiles = linear_tiles;
  table.tile_scratch_floats = kGatedPanels * kTileChunk * kPanel;
  table.expand_one = expand_one;
}

}  // namespace
}  // namespace keju
