// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define KEJU_INDEX __host__ __device__ inline
#else
#define KEJU_INDEX inline
#endif

// Index mathematics of the CUDA backend, the same functions on the host and on the card. Sizes are
// in elements unless a name says otherwise.
namespace keju::cuda {

inline constexpr int kPage = 64;                    // positions of a page
inline constexpr int kSplitPages = 8;               // pages that one decode work item reads
inline constexpr int kSplit = kSplitPages * kPage;  // positions of a split, absolute
inline constexpr int kTileRows = 64;                // query rows of a prefill tile, heads packed
inline constexpr int kHeadTileColumns = 1024;       // logits that are reduced together

// Where one layer's keys and values lie in a page:
// keys [kv_heads][64][k_size] at `keys`, values [kv_heads][64][v_size] at `values`.
struct PageLayer {
  int64_t keys = 0;
  int64_t values = 0;
  int32_t kv_heads = 0;
  int32_t k_size = 0;
  int32_t v_size = 0;
};
KEJU_INDEX int64_t layer_elements(const PageLayer& at) {
  return static_cast<int64_t>(at.kv_heads) * kPage * (at.k_size + at.v_size);
}
KEJU_INDEX int64_t key_at(const PageLayer& at, int64_t head, int64_t slot) {
  return at.keys + (head * kPage + slot) * at.k_size;
}
KEJU_INDEX int64_t value_at(const PageLayer& at, int64_t head, int64_t slot) {
  return at.values + (head * kPage + slot) * at.v_size;
}

// First position that the row at `position` sees; window 0 sees all.
KEJU_INDEX int64_t first_visible(int64_t position, int64_t window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}

// One row of a step: which row of the activations, at which position, and where its path's page
// ids start in the step's table of pages. A position below 0: there is no such row, and kernels
// that look at places leave it out.
struct RowPlace {
  int32_t row = 0;
  int32_t position = 0;
  int32_t pages = 0;
};

// A tile of a prefill: `rows` rows of one path at consecutive positions.
struct Tile {
  int32_t row0 = 0;
  int32_t rows = 0;
  int32_t pos0 = 0;
  int32_t pages = 0;
};

// A tile packs the query heads that share a key head: packed row r is head r % group of row
// r / group.
KEJU_INDEX int tile_rows(int group) { return group >= kTileRows ? 1 : kTileRows / group; }

// Splits [first, last] that hold what the row sees.
struct SplitRange {
  int32_t first = 0;
  int32_t last = 0;
};
KEJU_INDEX SplitRange splits_of(int64_t position, int64_t window) {
  return {static_cast<int32_t>(first_visible(position, window) / kSplit),
          static_cast<int32_t>(position / kSplit)};
}
// A work item of decode attention: rows that read the same pages in one split. Their query heads
// are packed as a tile's are, so that a prefix which many rows share is read once for several. One
// without rows is no work.
inline constexpr int kItemRows = 16;
struct SplitItem {
  int32_t split = 0;
  int32_t rows = 0;
  int32_t row[kItemRows] = {};  // indices among the step's generated rows
};
// Rows that fit into an item.
KEJU_INDEX int item_rows(int group) { return group >= kItemRows ? 1 : kItemRows / group; }

// What the sizes of a decode step are made up to, so that steps which differ a little are of one
// shape: 1, 2, 4, 8, then powers of two and their means, 16, 24, 32, 48 ...
KEJU_INDEX int64_t made_up(int64_t count) {
  int64_t power = 1;
  while (power < count) power *= 2;
  const int64_t mean = power / 4 * 3;
  return power > 16 && mean >= count ? mean : power;
}

// Partial results of decode attention: [row][head][split][v_size + 2], the two being the running
// maximum (in powers of two) and the sum.
KEJU_INDEX int64_t partial_at(
    int64_t row, int64_t heads, int64_t head, int64_t splits, int64_t split, int64_t v_size) {
  return ((row * heads + head) * splits + split) * (v_size + 2);
}

}  // namespace keju::cuda
