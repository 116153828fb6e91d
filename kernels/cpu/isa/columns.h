// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: how a product's results start and where they go.
#include "kernels/cpu/isa/table.h"

namespace keju {
namespace {

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Where a product's panel lies in its matrix; see LinearArgs::glu.
inline int64_t stored_panel(const LinearArgs& a, int64_t panel) {
  return a.glu == nullptr ? panel : panel / 2 + panel % 2 * (a.n / 2 / kPanel);
}

// Where the sums of `columns` columns from `column` of a row start.
inline V start_of(const LinearArgs& a, int64_t row, int64_t column, int64_t columns) {
  V start = V::spread(0.0f);
  if (a.bias != nullptr) start = load_first(a.bias + column, columns);
  if (!a.accumulate) return start;
  const V held = load_first(a.out + row * a.out_stride + column - a.first_column, columns);
  return a.bias != nullptr ? held + start : held;
}

// Panels of results that one tile computes, or continues.
struct Columns {
  int64_t row0;
  int64_t rows;
  int64_t panel;
  int panels;
  bool first;  // nothing has been added up yet
};

inline void start_rows(const LinearArgs& a, const Columns& c) {
  for (int64_t r = c.row0; r < c.row0 + c.rows; ++r) {
    for (int v = 0; v < c.panels; ++v) {
      const int64_t column = (c.panel + v) * kPanel;
      const int64_t columns = smaller(kPanel, a.n - column);
      store_first(a.out + r * a.out_stride + column - a.first_column,
                  start_of(a, r, column, columns),
                  columns);
    }
  }
}

// tile(results, row stride, from zero): whole vectors of results. Where the matrix ends inside a
// panel, they are a copy, of which only what is there goes back.
template <typename Tile>
KEJU_INLINE void on_columns(const LinearArgs& a, const Columns& c, const Tile& tile) {
  const bool from_zero = c.first && !a.accumulate && a.bias == nullptr;
  if (c.first && !from_zero) start_rows(a, c);
  float* const out = a.out + c.row0 * a.out_stride + c.panel * kPanel - a.first_column;
  if ((c.panel + c.panels) * kPanel <= a.n) {
    tile(out, a.out_stride, from_zero);
    return;
  }
  float copy[kTileRows * kTileVectors * kPanel];
  const int64_t stride = c.panels * kPanel;
  const int64_t there = a.n - c.panel * kPanel;
  if (!from_zero) {
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t v = 0; v < stride; v += kPanel) {
        store(copy + r * stride + v,
              load_first(out + r * a.out_stride + v, smaller(kPanel, there - v)));
      }
    }
  }
  tile(copy, stride, from_zero);
  for (int64_t r = 0; r < c.rows; ++r) {
    for (int64_t v = 0; v < stride; v += kPanel) {
      store_first(
          out + r * a.out_stride + v, load(copy + r * stride + v), smaller(kPanel, there - v));
    }
  }
}

}  // namespace
}  // namespace keju
