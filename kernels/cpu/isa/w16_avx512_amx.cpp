// SPDX-License-Identifier: MIT
// Products of 16-bit integers on AMX tiles of bytes; w16_backend.h states the arithmetic.
#include "kernels/cpu/isa/lanes_avx512.h"
// The lanes come first: what follows is written in terms of them.
#include "kernels/cpu/isa/gate.h"
#include "kernels/cpu/isa/w16_parts.h"

namespace keju {
namespace {

// A tile holds 16 rows of 64 bytes: sixteen rows of a step of activations, or the sixteen columns
// of a panel, [k/4][16][4].
constexpr int64_t kTileBytes = 1024;
constexpr int64_t kStepBytes = 2 * kTileBytes;  // high and low parts
constexpr int64_t kWide = 2;                    // panels that a product takes side by side
// The expanded weights of one panel, of all panels side by side, in one group of k.
constexpr int64_t kPanelBytes = kW16GroupSteps * kStepBytes;
constexpr int64_t kGroupBytes = kWide * kPanelBytes;
constexpr int64_t kSumBytes = kWide * kStepBytes;  // what one block's product leaves
constexpr int64_t kWidth = kWide * kPanel;

// 256·h + l with l signed: h takes the carry.
KEJU_INLINE __m512i carried(__m512i codes) {
  return _mm512_add_epi16(codes, _mm512_set1_epi16(128));
}
// mask ? a : b, bit by bit.
KEJU_INLINE __m512i bits_of(__m512i mask, __m512i a, __m512i b) {
  return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
}

// From four k of sixteen columns (or of each quarter of a row) a dword each of high parts and of
// low ones, with k in the order 0, 2, 1, 3.
KEJU_INLINE void store_four(std::byte* to, __m512i k0, __m512i k1, __m512i k2, __m512i k3) {
  const __m512i first = low_halves(k0, k1);
  const __m512i second = low_halves(k2, k3);
  const __m512i even_bytes = _mm512_set1_epi16(0x00FF);
  const __m512i low = bits_of(even_bytes, first, _mm512_slli_epi16(second, 8));
  const __m512i high = bits_of(even_bytes, _mm512_srli_epi16(carried(first), 8), carried(second));
  _mm512_store_si512(to, high);
  _mm512_store_si512(to + kTileBytes, low);
}

// -- weights -----------------------------------------------------------------------------------

template <typename F, int kOctet>
KEJU_INLINE void expand_octet(const std::byte* unit, const Scale& scale, V inverse, std::byte* to) {
  const Octet o = read_octet<F, kOctet>(unit);
  store_four(to + kOctet * 128,
             code_of(weight<F, 0>(o, scale), inverse),
             code_of(weight<F, 1>(o, scale), inverse),
             code_of(weight<F, 2>(o, scale), inverse),
             code_of(weight<F, 3>(o, scale), inverse));
  store_four(to + kOctet * 128 + 64,
             code_of(weight<F, 4>(o, scale), inverse),
             code_of(weight<F, 5>(o, scale), inverse),
             code_of(weight<F, 6>(o, scale), inverse),
             code_of(weight<F, 7>(o, scale), inverse));
}

template <typename F>
void expand_unit(
    const LinearArgs&, const std::byte* panel, int64_t index, V inverse, std::byte* to) {
  const Unit<F> unit = unit_of<F>(panel, index);
  fetch_ahead<F::kUnitBytes>(unit.codes);
  expand_octet<F, 0>(unit.codes, unit.first, inverse, to);
  expand_octet<F, 1>(unit.codes, unit.first, inverse, to);
  expand_octet<F, 2>(unit.codes, unit.second, inverse, to);
  expand_octet<F, 3>(unit.codes, unit.second, inverse, to);
}

template <typename F>
void expand_plain(
    const LinearArgs& a, const std::byte* panel, int64_t index, V inverse, std::byte* to) {
  for (int64_t k = 32 * index; k < 32 * index + 32; k += 4, to += 64) {
    fetch_ahead<4 * F::kBytes>(panel + k * F::kBytes);
    const auto at = [&](int64_t i) {
      return i < a.k ? code_of(F::at(panel + i * F::kBytes), inverse) : _mm512_setzero_si512();
    };
    store_four(to, at(k), at(k + 1), at(k + 2), at(k + 3));
  }
}

using ExpandUnit =
    void (*)(const LinearArgs& a, const std::byte* panel, int64_t index, V inverse, std::byte* to);

ExpandUnit expansion_of(DType dtype) {
  ExpandUnit found = nullptr;
  with_format(
      dtype,
      [&](auto format) { found = expand_plain<decltype(format)>; },
      [&](auto format) { found = expand_unit<decltype(format)>; });
  return found;
}

void measure(const LinearArgs& a, int64_t panel, float* out) {
  const std::byte* const from = a.weights + panel * a.panel_bytes;
  for (int64_t g = 0; g < w16_groups(a.k); ++g, out += kPanel) {
    // A step is two units; the last one's second may lie past k.
    const int64_t end = smaller(2 * w16_first(a.k, g + 1), (a.k + 31) / 32);
    Largest largest;
    unit_values(a.dtype, from, a.k, 2 * w16_first(a.k, g), end, largest);
    const __m512i infinity = _mm512_set1_epi32(0x7F800000);
    _mm512_storeu_si512(out, _mm512_mask_mov_epi32(infinity, largest.finite(), largest.bits));
  }
}

// -- activations -------------------------------------------------------------------------------

// One group of one row: its codes, high parts of step s at out + s·kStepBytes, and its scale.
void quantise_group(const float* x, int64_t begin, int64_t end, std::byte* out, float* scale) {
  const RowScale own = row_scale(x, begin, end);
  *scale = own.scale;
  const V inverse = V::spread(own.inverse);
  const __m128i swap = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  for (int64_t k = begin; k < end; k += 64, out += kStepBytes) {
    for (int64_t part = 0; part < 4; ++part) {
      const V v = coded_values(x, k + 16 * part, end, own);
      const __m512i code = code_of(v, inverse);
      const __m128i low = _mm512_cvtepi32_epi8(code);
      const __m128i high = _mm512_cvtepi32_epi8(_mm512_srli_epi32(carried(code), 8));
      auto* const to = reinterpret_cast<__m128i*>(out + 16 * part);
      _mm_store_si128(to, _mm_shuffle_epi8(high, swap));
      _mm_store_si128(to + kTileBytes / 16, _mm_shuffle_epi8(low, swap));
    }
  }
}

void quantise(const float* x,
              int64_t x_stride,
              int64_t rows,
              int64_t k,
              int64_t block_begin,
              int64_t block_end,
              std::byte* out) {
  const int64_t blocks = w16_blocks(rows);
  auto* const scales = reinterpret_cast<float*>(out + w16_code_bytes(rows, k));
  for (int64_t block = block_begin; block < block_end; ++block) {
    for (int64_t r = 0; r < smaller(kW16Rows, rows - block * kW16Rows); ++r) {
      const float* const row = x + (block * kW16Rows + r) * x_stride;
      for (int64_t g = 0; g < w16_groups(k); ++g) {
        const int64_t first = w16_first(k, g);
        const int64_t steps = w16_first(k, g + 1) - first;
        std::byte* const to = out + (first * blocks + steps * block) * kStepBytes + 64 * r;
        quantise_group(row,
                       first * kW16Step,
                       smaller(k, (first + steps) * kW16Step),
                       to,
                       scales + (g * blocks + block) * kW16Rows + r);
      }
    }
  }
}

// -- tiles -------------------------------------------------------------------------------------

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// Sums in 0 to 3 (two of each panel: of high parts, and of high with low ones), activations in 4
// and 5, weights in 6 and 7.
void configure(int64_t rows) {
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = 64;
    config.rows[i] = i < 6 ? static_cast<uint8_t>(rows) : 16;
  }
  asm volatile("ldtilecfg %0" ::"m"(config));
}

// Panels side by side in one group of k, and their weights, expanded piece by piece: while tiles
// multiply one group, the vector units expand the next.
struct Group {
  int64_t panel = 0;
  int panels = 0;
  int64_t index = 0;
  int64_t first = 0;  // step
  int64_t steps = 0;
  ColumnScales columns[kWide];
  std::byte* weights = nullptr;  // [panel][step]
  int done_panels = 0;           // expanded, and units of the one after them
  int64_t done_units = 0;
  int64_t units() const { return panels * 2 * steps; }
};

Group group_of(const LinearArgs& a, int64_t panel, int panels, int64_t index, std::byte* weights) {
  Group g;
  g.panel = panel;
  g.panels = panels;
  g.index = index;
  g.first = w16_first(a.k, index);
  g.steps = w16_first(a.k, index + 1) - g.first;
  for (int v = 0; v < panels; ++v)
    g.columns[v] = column_scales(a, stored_panel(a, panel + v), index);
  g.weights = weights;
  return g;
}

// The next `count` units, as far as there are any; after the last k they are all zeros.
KEJU_INLINE void expand_some(const LinearArgs& a, ExpandUnit expand, int64_t count, Group& g) {
  for (; count > 0 && g.done_panels < g.panels; --count) {
    const int64_t u = g.done_units;
    std::byte* const to =
        g.weights + g.done_panels * kPanelBytes + u / 2 * kStepBytes + u % 2 * 512;
    const int64_t index = 2 * g.first + u;
    if (32 * index < a.k) {
      const int64_t stored = stored_panel(a, g.panel + g.done_panels);
      const std::byte* const panel = a.weights + stored * a.panel_bytes;
      expand(a, panel, index, g.columns[g.done_panels].inverse, to);
    } else {
      for (int64_t at = 0; at < 512; at += 64) {
        _mm512_store_si512(to + at, _mm512_setzero_si512());
        _mm512_store_si512(to + kTileBytes + at, _mm512_setzero_si512());
      }
    }
    if (++g.done_units < 2 * g.steps) continue;
    g.done_units = 0;
    ++g.done_panels;
  }
}

// Where the results of a group start and where they go, for row 0 of the pass: between groups, and
// on the way through a gate, to memory of our own, side by side.
struct Way {
  const float* from = nullptr;  // null: zeros
  int64_t from_stride = 0;
  float* to = nullptr;
  int64_t to_stride = 0;
  Mask there[kWide];  // columns
  GateRows gate = nullptr;
  float* gated = nullptr;
};

Way way_of(const LinearArgs& a, const Group& g, int64_t row0, float* partial) {
  Way way;
  const int64_t column = g.panel * kPanel;
  const bool last = g.index + 1 == w16_groups(a.k);
  for (int v = 0; v < kWide; ++v) way.there[v] = lanes_between(0, a.n - column - v * kPanel);
  if (g.index > 0) {
    way.from = partial;
    way.from_stride = kWidth;
  }
  way.to = partial;
  way.to_stride = kWidth;
  if (a.glu != nullptr) {
    if (last) way.gate = gate_rows(*a.glu);
    way.gated = a.out + row0 * a.out_stride + g.panel / 2 * kPanel;
    return way;
  }
  float* const out = a.out + row0 * a.out_stride + column - a.first_column;
  if (last) {
    way.to = out;
    way.to_stride = a.out_stride;
  }
  if (g.index == 0 && a.accumulate) {
    way.from = out;
    way.from_stride = a.out_stride;
  } else if (g.index == 0 && a.bias != nullptr) {
    way.from = a.bias + column;
  }
  return way;
}

// What one product left in memory, on its way to the results.
struct Pending {
  const std::byte* sums = nullptr;
  const float* scales = nullptr;  // of the rows
  int64_t row = 0;                // of the pass
  int64_t rows = 0;
};

KEJU_INLINE V sums_at(const std::byte* p) { return {_mm512_cvtepi32_ps(_mm512_load_si512(p))}; }

template <int kPanels>
KEJU_INLINE void finish_rows(
    const Way& way, const V (&scales)[kWide], const Pending& p, int64_t begin, int64_t end) {
  const bool from_zero = way.from == nullptr;
  const float* from = from_zero ? nullptr : way.from + (p.row + begin) * way.from_stride;
  float* to = way.to + (p.row + begin) * way.to_stride;
  const std::byte* sums = p.sums + begin * 64;
  for (int64_t r = begin; r < end; ++r) {
    const V scale = V::spread(p.scales[r]);
#pragma GCC unroll 2
    for (int v = 0; v < kPanels; ++v) {
      const V f = mul_add(V::spread(256.0f),
                          sums_at(sums + v * kStepBytes),
                          sums_at(sums + v * kStepBytes + kTileBytes));
      V start = V::spread(0.0f);
      if (!from_zero) {
        start = {_mm512_maskz_loadu_ps(way.there[v], from + v * kPanel)};
      }
      const V result = mul_add(f * scale, scales[v], start);
      _mm512_mask_storeu_ps(to + v * kPanel, way.there[v], result.v);
    }
    if (!from_zero) from += way.from_stride;
    to += way.to_stride;
    sums += 64;
  }
}

// One block's product with one group, up to two panels: sums of high parts, and of high with low
// ones, of each panel. use(step) is called between: vector units are idle meanwhile.
template <int kPanels, typename Use>
KEJU_INLINE void multiply(
    const std::byte* x, const std::byte* w, int64_t steps, std::byte* sums, const Use& use) {
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kPanels == 2) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t s = 0; s < steps; ++s, x += kStepBytes, w += kStepBytes) {
    _tile_loadd(4, x, 64);
    _tile_loadd(6, w, 64);
    _tile_dpbssd(0, 4, 6);
    _tile_loadd(7, w + kTileBytes, 64);
    _tile_dpbssd(1, 4, 7);
    _tile_loadd(5, x + kTileBytes, 64);
    _tile_dpbssd(1, 5, 6);
    if constexpr (kPanels == 2) {
      _tile_loadd(6, w + kPanelBytes, 64);
      _tile_dpbssd(2, 4, 6);
      _tile_loadd(7, w + kPanelBytes + kTileBytes, 64);
      _tile_dpbssd(3, 4, 7);
      _tile_dpbssd(3, 5, 6);
    }
    use(s);
  }
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + kTileBytes, 64);
  if constexpr (kPanels == 2) {
    _tile_stored(2, sums + kStepBytes, 64);
    _tile_stored(3, sums + kStepBytes + kTileBytes, 64);
  }
  // The compiler does not know that tiles read and write memory.
  asm volatile("" ::: "memory");
}

// Where a pass keeps what it works on.
struct Space {
  std::byte* weights;  // of two groups
  std::byte* sums;     // of two blocks
  float* partial;
};

// One group for all rows of the pass, while the group after it is expanded.
template <int kPanels>
void run_group(const LinearArgs& a,
               ExpandUnit expand,
               int64_t block_begin,
               int64_t block_end,
               const Group& g,
               Group& next,
               const Space& space,
               int64_t* height) {
  const int64_t blocks = w16_blocks(a.rows);
  const auto* const packed = reinterpret_cast<const std::byte*>(a.packed);
  const std::byte* const codes = packed + g.first * blocks * kStepBytes;
  const auto* const scales = reinterpret_cast<const float*>(packed + w16_code_bytes(a.rows, a.k)) +
                             g.index * blocks * kW16Rows;
  const Way way = way_of(a, g, block_begin * kW16Rows, space.partial);
  const V column_scales[kWide] = {g.columns[0].scale, g.columns[kPanels - 1].scale};
  const int64_t rows_each = (kW16Rows + g.steps - 1) / g.steps;
  const int64_t units_each =
      (next.units() + block_end - block_begin - 1) / (block_end - block_begin);
  const auto finish = [&](const Pending& p, int64_t begin, int64_t end) {
    if (begin >= end) return;
    finish_rows<kPanels>(way, column_scales, p, begin, end);
    if (way.gate == nullptr) return;
    const int64_t row = p.row + begin;
    float* const gated = way.gated + row * a.out_stride;
    way.gate(*a.glu, way.to + row * kWidth, kWidth, end - begin, gated, a.out_stride);
  };
  // The sums of a block are read while the block after the next is multiplied: what tiles store
  // can only be loaded when it has reached the cache, and nothing should wait for that.
  Pending pending[2];
  asm volatile("" ::: "memory");
  for (int64_t block = block_begin; block < block_end; ++block) {
    const Pending before = pending[block % 2];
    Pending& now = pending[block % 2];
    now.row = (block - block_begin) * kW16Rows;
    now.rows = smaller(kW16Rows, a.rows - block * kW16Rows);
    std::byte* const sums = space.sums + (block % 2) * kSumBytes;
    now.sums = sums;
    now.scales = scales + block * kW16Rows;
    if (now.rows != *height) configure(now.rows);
    *height = now.rows;
    expand_some(a, expand, units_each, next);
    multiply<kPanels>(
        codes + block * g.steps * kStepBytes, g.weights, g.steps, sums, [&](int64_t s) {
          finish(before, s * rows_each, smaller(before.rows, (s + 1) * rows_each));
        });
  }
  for (const Pending& rest : pending) finish(rest, 0, rest.rows);
}

int64_t scratch_bytes(int64_t blocks) {
  return 2 * kGroupBytes + 2 * kSumBytes +
         blocks * kW16Rows * kWidth * static_cast<int64_t>(sizeof(float));
}

void tiles(const LinearArgs& args,
           int64_t block_begin,
           int64_t block_end,
           int64_t panel_begin,
           int64_t panel_end,
           std::byte* scratch) {
  const ExpandUnit expand = expansion_of(args.dtype);
  const Space space{scratch,
                    scratch + 2 * kGroupBytes,
                    reinterpret_cast<float*>(scratch + 2 * kGroupBytes + 2 * kSumBytes)};
  if (args.accumulate && args.bias != nullptr) {
    const int64_t row0 = block_begin * kW16Rows;
    const int64_t rows = smaller(args.rows, block_end * kW16Rows) - row0;
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      start_rows(args, {row0, rows, panel, 1, true});
    }
  }
  const int64_t groups = w16_groups(args.k);
  const int64_t count = (panel_end - panel_begin + kWide - 1) / kWide * groups;
  const auto group_at = [&](int64_t i) {
    if (i == count) return Group{};
    const int64_t panel = panel_begin + i / groups * kWide;
    const int panels = static_cast<int>(smaller(kWide, panel_end - panel));
    return group_of(args, panel, panels, i % groups, space.weights + i % 2 * kGroupBytes);
  };
  int64_t height = 0;
  Group now = group_at(0);
  expand_some(args, expand, now.units(), now);
  for (int64_t i = 0; i < count; ++i) {
    Group next = group_at(i + 1);
    const auto run = now.panels == 2 ? run_group<2> : run_group<1>;
    run(args, expand, block_begin, block_end, now, next, space, &height);
    now = next;
  }
  _tile_release();
}

}  // namespace

const W16Kernels& avx512_amx_w16_kernels() {
  static const W16Kernels table{measure, quantise, tiles, scratch_bytes};
  return table;
}

}  // namespace keju
