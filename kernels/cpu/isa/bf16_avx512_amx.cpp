// SPDX-License-Identifier: MIT
// Products of bfloat16 on AMX tiles; bf16_backend.h states the arithmetic, which is that of
// TDPBF16PS (Intel SDM, volume 2).
#include "kernels/cpu/isa/lanes_avx512.h"
// The lanes come first: what follows is written in terms of them.
#include "kernels/cpu/isa/bf16_table.h"
#include "kernels/cpu/isa/columns.h"
#include "kernels/cpu/isa/formats.h"

namespace keju {
namespace {

// A tile holds 16 rows of 64 bytes. A group of weights, 32 k of one panel, is one: [k/2][16][2].
constexpr int64_t kTileSide = 16;
constexpr int64_t kGroupBytes = 1024;
constexpr int64_t kBlockRows = 2 * kTileSide;

// -- weights -----------------------------------------------------------------------------------

// High parts of `even` below those of `odd`, and what they leave out.
struct Parts {
  __m512i high;
  __m512i low;
};
KEJU_INLINE __m512i round_two(V even, V odd) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd.v, even.v));
}
KEJU_INLINE V widened(__m256i halves) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16))};
}
KEJU_INLINE Parts split_two(V even, V odd) {
  const __m512i high = round_two(even, odd);
  const V even_high = widened(_mm512_castsi512_si256(high));
  const V odd_high = widened(_mm512_extracti64x4_epi64(high, 1));
  return {high, round_two(even - even_high, odd - odd_high)};
}

// The low parts of a run of groups lie this far behind its high parts.
constexpr int64_t kLowParts = kBf16Run * kGroupBytes;

// Sixteen columns of k and of k + 1, side by side for each column.
KEJU_INLINE void store_pair(std::byte* to, V even, V odd) {
  static constexpr uint16_t kWeave[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                          21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                          11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i weave = _mm512_loadu_si512(kWeave);
  const Parts parts = split_two(even, odd);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(weave, parts.high));
  _mm512_storeu_si512(to + kLowParts, _mm512_permutexvar_epi16(weave, parts.low));
}

template <typename F, int kOctet>
KEJU_INLINE void expand_octet(const std::byte* unit, const Scale& scale, std::byte* out) {
  const Octet octet = read_octet<F, kOctet>(unit);
  std::byte* const to = out + kOctet * 256;
  store_pair(to, weight<F, 0>(octet, scale), weight<F, 1>(octet, scale));
  store_pair(to + 64, weight<F, 2>(octet, scale), weight<F, 3>(octet, scale));
  store_pair(to + 128, weight<F, 4>(octet, scale), weight<F, 5>(octet, scale));
  store_pair(to + 192, weight<F, 6>(octet, scale), weight<F, 7>(octet, scale));
}

// The processor's own prefetchers stop at page borders.
template <int kBytes>
KEJU_INLINE void fetch_ahead(const std::byte* p) {
#pragma GCC unroll 8
  for (int at = 0; at < kBytes; at += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(p + 3072 + at), _MM_HINT_T0);
  }
}

template <typename F>
void expand_blocks(const std::byte* panel, int64_t group0, int64_t groups, std::byte* out) {
  constexpr int kUnits = F::kBlock / 32;
  for (int64_t g = group0; g < group0 + groups; ++g, out += kGroupBytes) {
    const std::byte* block = panel + g / kUnits * kBlockBytes<F>;
    const int u = static_cast<int>(g % kUnits);
    const std::byte* unit = block + F::kHeader + u * F::kUnitBytes;
    fetch_ahead<F::kUnitBytes>(unit);
    Scale scale = scale_of<F>(block, u * (32 / F::kSub));
    expand_octet<F, 0>(unit, scale, out);
    expand_octet<F, 1>(unit, scale, out);
    if constexpr (F::kSub == 16) scale = scale_of<F>(block, 2 * u + 1);
    expand_octet<F, 2>(unit, scale, out);
    expand_octet<F, 3>(unit, scale, out);
  }
}

template <typename F>
void expand_plain(
    const std::byte* panel, int64_t k, int64_t group0, int64_t groups, std::byte* out) {
  for (int64_t at = 32 * group0; at < 32 * (group0 + groups); at += 2, out += 64) {
    fetch_ahead<2 * F::kBytes>(panel + at * F::kBytes);
    const V zero = V::spread(0.0f);
    const V even = at < k ? F::at(panel + at * F::kBytes) : zero;
    const V odd = at + 1 < k ? F::at(panel + (at + 1) * F::kBytes) : zero;
    store_pair(out, even, odd);
  }
}

void expand(const LinearArgs& a, int64_t panel, int64_t group0, int64_t groups, std::byte* out) {
  const std::byte* from = a.weights + panel * a.panel_bytes;
  switch (a.dtype) {
    case DType::kF32:
      return expand_plain<F32>(from, a.k, group0, groups, out);
    case DType::kF16:
      return expand_plain<F16>(from, a.k, group0, groups, out);
    case DType::kBF16:
      return expand_plain<BF16>(from, a.k, group0, groups, out);
    default:
      with_block_format(a.dtype, [&](auto format) {
        expand_blocks<decltype(format)>(from, group0, groups, out);
      });
  }
}

// -- activations -------------------------------------------------------------------------------

void split_rows(const float* x, int64_t x_stride, int64_t rows, int64_t k, std::byte* out) {
  const int64_t stride = bf16_stride(k);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * x_stride;
    std::byte* const to = out + r * stride;
    for (int64_t at = 0; at < k; at += 32) {
      const V low = load_first(from + at, smaller(16, k - at));
      const V high = load_first(from + at + 16, k - at > 16 ? smaller(16, k - at - 16) : 0);
      const Parts parts = split_two(low, high);
      _mm512_storeu_si512(to + 2 * at, parts.high);
      _mm512_storeu_si512(to + 64 * bf16_groups(k) + 2 * at, parts.low);
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

// Results in 0 to 3, activations in 4 and 5, weights in 6 and 7. The second sixteen rows may be
// fewer, or none at all.
void configure(int64_t rows) {
  TileConfig config;
  const auto upper = static_cast<uint8_t>(smaller(rows, kTileSide));
  const auto lower = static_cast<uint8_t>(rows > kTileSide ? rows - kTileSide : 1);
  const uint8_t heights[8] = {upper, upper, lower, lower, upper, lower, 16, 16};
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = 64;
    config.rows[i] = heights[i];
  }
  asm volatile("ldtilecfg %0" ::"m"(config));
}

struct Product {
  const std::byte* x;  // first row, first group
  int64_t x_stride;
  int64_t x_low;       // bytes from high parts to low parts
  const std::byte* w;  // group g of panel v at w + 2·v·kLowParts + g·kGroupBytes
  int64_t groups;
  float* c;
  int64_t c_stride;  // bytes
  bool from_zero;
  float* next;  // results of the product after this one, or null: fetched meanwhile
};

// Two rows of results that will be written soon. Left to the stores, memory would be waited for.
KEJU_INLINE void fetch_results(float* next, int64_t c_stride, int64_t pair) {
  char* const at = reinterpret_cast<char*>(next) + 2 * pair * c_stride;
  for (int64_t i = 0; i < 2; ++i) {
    __builtin_prefetch(at + i * c_stride, 1, 3);
    __builtin_prefetch(at + i * c_stride + 64, 1, 3);
  }
}

// One product of parts for all results of the tiles in registers.
template <int kHigh, int kWide>
KEJU_INLINE void add_products() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kWide == 2) _tile_dpbf16ps(1, 4, 7);
  if constexpr (kHigh == 2) _tile_dpbf16ps(2, 5, 6);
  if constexpr (kHigh == 2 && kWide == 2) _tile_dpbf16ps(3, 5, 7);
}
template <int kHigh>
KEJU_INLINE void load_activations(const std::byte* x, int64_t stride) {
  _tile_loadd(4, x, stride);
  if constexpr (kHigh == 2) _tile_loadd(5, x + kTileSide * stride, stride);
}
template <int kWide>
KEJU_INLINE void load_weights(const std::byte* w) {
  _tile_loadd(6, w, 64);
  if constexpr (kWide == 2) _tile_loadd(7, w + 2 * kLowParts, 64);
}

// kSplit: weights have low parts.
template <int kHigh, int kWide, bool kSplit>
void multiply(const Product& p) {
  float* const lower = p.c + kTileSide * p.c_stride / static_cast<int64_t>(sizeof(float));
  // The compiler does not know that tiles read memory.
  asm volatile("" ::: "memory");
  if (p.from_zero) {
    _tile_zero(0);
    if constexpr (kWide == 2) _tile_zero(1);
    if constexpr (kHigh == 2) _tile_zero(2);
    if constexpr (kHigh == 2 && kWide == 2) _tile_zero(3);
  } else {
    _tile_loadd(0, p.c, p.c_stride);
    if constexpr (kWide == 2) _tile_loadd(1, p.c + kPanel, p.c_stride);
    if constexpr (kHigh == 2) _tile_loadd(2, lower, p.c_stride);
    if constexpr (kHigh == 2 && kWide == 2) _tile_loadd(3, lower + kPanel, p.c_stride);
  }
  const std::byte* x = p.x;
  const std::byte* w = p.w;
  for (int64_t g = 0; g < p.groups; ++g, x += 64, w += kGroupBytes) {
    if (p.next != nullptr && g < kTileSide) fetch_results(p.next, p.c_stride, g);
    load_activations<kHigh>(x + p.x_low, p.x_stride);
    load_weights<kWide>(w);
    add_products<kHigh, kWide>();
    load_activations<kHigh>(x, p.x_stride);
    add_products<kHigh, kWide>();
    if constexpr (kSplit) {
      load_weights<kWide>(w + kLowParts);
      add_products<kHigh, kWide>();
    }
  }
  _tile_stored(0, p.c, p.c_stride);
  if constexpr (kWide == 2) _tile_stored(1, p.c + kPanel, p.c_stride);
  if constexpr (kHigh == 2) _tile_stored(2, lower, p.c_stride);
  if constexpr (kHigh == 2 && kWide == 2) _tile_stored(3, lower + kPanel, p.c_stride);
  asm volatile("" ::: "memory");
}

template <bool kSplit>
void run(int64_t rows, int panels, const Product& p) {
  if (rows > kTileSide) return panels == 2 ? multiply<2, 2, kSplit>(p) : multiply<2, 1, kSplit>(p);
  return panels == 2 ? multiply<1, 2, kSplit>(p) : multiply<1, 1, kSplit>(p);
}
void run(DType dtype, int64_t rows, int panels, const Product& p) {
  // A bfloat16 weight is all high part.
  dtype == DType::kBF16 ? run<false>(rows, panels, p) : run<true>(rows, panels, p);
}

// Whole vectors of results. Where the matrix ends inside a panel they are a copy, of which only
// what is there goes back.
void run_on_columns(const LinearArgs& a, const Columns& c, Product& p) {
  p.from_zero = c.first && !a.accumulate && a.bias == nullptr;
  if (c.first && !p.from_zero) start_rows(a, c);
  float* const out = a.out + c.row0 * a.out_stride + c.panel * kPanel - a.first_column;
  const int64_t there = smaller(c.panels * kPanel, a.n - c.panel * kPanel);
  if (there == c.panels * kPanel) {
    p.c = out;
    return run(a.dtype, c.rows, c.panels, p);
  }
  p.next = nullptr;
  constexpr int64_t kWidth = 2 * kPanel;
  alignas(64) float copy[kBlockRows * kWidth];
  p.c = copy;
  p.c_stride = kWidth * static_cast<int64_t>(sizeof(float));
  const auto columns = [&](int64_t v) { return v < there ? smaller(kPanel, there - v) : 0; };
  for (int64_t r = 0; r < c.rows; ++r) {
    for (int64_t v = 0; v < kWidth; v += kPanel) {
      store(copy + r * kWidth + v, load_first(out + r * a.out_stride + v, columns(v)));
    }
  }
  run(a.dtype, c.rows, c.panels, p);
  for (int64_t r = 0; r < c.rows; ++r) {
    for (int64_t v = 0; v < kWidth; v += kPanel) {
      store_first(out + r * a.out_stride + v, load(copy + r * kWidth + v), columns(v));
    }
  }
}

void tiles(const LinearArgs& args,
           int64_t row_begin,
           int64_t row_end,
           int64_t panel_begin,
           int64_t panel_end,
           std::byte* scratch) {
  const auto* const rows = reinterpret_cast<const std::byte*>(args.packed);
  const int64_t stride = bf16_stride(args.k);
  const int64_t groups = bf16_groups(args.k);
  const int64_t runs = (groups + kBf16Run - 1) / kBf16Run;
  int64_t configured = 0;
  for (int64_t panel = panel_begin; panel < panel_end; panel += 2) {
    const int panels = static_cast<int>(smaller(2, panel_end - panel));
    float* const results = args.out + panel * kPanel - args.first_column;
    if (row_end - row_begin >= kBlockRows) {
      for (int64_t pair = 0; pair < kTileSide; ++pair) {
        fetch_results(results + row_begin * args.out_stride,
                      args.out_stride * static_cast<int64_t>(sizeof(float)),
                      pair);
      }
    }
    for (int64_t i = 0; i < runs; ++i) {
      const int64_t group0 = groups * i / runs;
      const int64_t count = groups * (i + 1) / runs - group0;
      for (int v = 0; v < panels; ++v) {
        expand(args, panel + v, group0, count, scratch + 2 * v * kLowParts);
      }
      for (int64_t row = row_begin; row < row_end; row += kBlockRows) {
        const int64_t height = smaller(kBlockRows, row_end - row);
        if (height != configured) configure(height);
        configured = height;
        const bool fetch = i == 0 && row + 2 * kBlockRows <= row_end;
        Product p;
        p.x = rows + row * stride + 64 * group0;
        p.x_stride = stride;
        p.x_low = 64 * groups;
        p.w = scratch;
        p.groups = count;
        p.c_stride = args.out_stride * static_cast<int64_t>(sizeof(float));
        p.next = fetch ? results + (row + kBlockRows) * args.out_stride : nullptr;
        run_on_columns(args, {row, height, panel, panels, i == 0}, p);
      }
    }
  }
  _tile_release();
}

}  // namespace

const Bf16Kernels& avx512_amx_bf16_kernels() {
  static const Bf16Kernels table{split_rows, tiles, 4 * kLowParts};
  return table;
}

}  // namespace keju
