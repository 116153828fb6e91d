// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"

// What a vector ISA provides: plain functions on raw memory, over parts of the work that the caller
// hands to its threads. No part ever splits a sum, so results do not depend on the partition.
#define KEJU_INLINE inline __attribute__((always_inline))

namespace keju {

// Column panels: 16 output columns side by side, so that a lane is a column. See packed_matrix.h.
inline constexpr int64_t kPanel = 16;
// Rows up to which a matrix is multiplied straight from its stored form; above, tiles of it are
// expanded to floats once and used for all rows. Both give the same bits.
inline constexpr int64_t kDirectRows = 4;
inline constexpr int64_t kChunk = 128;  // k of one row that are expanded at a time
// Most k that a tile adds up before it writes its results back. Long runs pay the results' way to
// memory and back less often; the expanded weights of a run, two panels wide, must stay in L2.
// Where few rows use what was expanded, it stays in L1.
inline constexpr int64_t kTileChunk = 640;
// Equal runs, each a multiple of 32.
constexpr int64_t tile_chunk(int64_t k, int64_t rows) {
  const int64_t most = rows < 96 ? kChunk : kTileChunk;
  const int64_t runs = (k + most - 1) / most;
  return runs <= 1 ? k : ((k + runs - 1) / runs + 31) / 32 * 32;
}

struct LinearArgs {
  const std::byte* weights = nullptr;
  int64_t panel_bytes = 0;
  DType dtype = DType::kF32;
  int64_t n = 0;  // columns of the result: rows of the matrix
  int64_t k = 0;
  const float* x = nullptr;
  int64_t x_stride = 0;
  const float* packed = nullptr;  // x in the form of its own that a fast mode takes
  int64_t rows = 0;
  const float* bias = nullptr;
  bool accumulate = false;
  float* out = nullptr;  // column c of row r is out[r·out_stride + c - first_column]
  int64_t out_stride = 0;
  int64_t first_column = 0;
  // Not null: the matrix holds the gates of a feed-forward layer and then as many ups. A product
  // takes a panel of each in turn, and its results are what the gates leave of the ups: `out` has
  // n/2 columns, whole panels. No bias, and nothing to add to.
  const GluSpec* glu = nullptr;
};

struct NormArgs {
  NormSpec spec;  // weight and bias are read through the pointers below
  const float* weight = nullptr;
  const float* bias = nullptr;
};

struct QkvArgs {
  Heads q, k, k_shared, v;
  const QkvSpec* spec = nullptr;
  Segment segment;
  float* const* pages = nullptr;  // by page id
  int64_t keys = 0;               // offsets of the layer inside a page
  int64_t values = 0;
};

struct AttentionArgs {
  Heads q;
  AttentionSpec spec;
  float* const* pages = nullptr;
  int64_t keys = 0;
  int64_t values = 0;
  int64_t kv_heads = 0;
  int64_t k_size = 0;
  int64_t v_size = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
};

struct CpuKernels {
  int tile_rows = 0;
  int tile_panels = 0;   // that a product's tiles take together
  int gated_panels = 0;  // the same through a gate; even
  int query_rows = 0;    // that attention takes together

  void (*linear_direct)(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) = nullptr;
  // Row blocks as even as can be, none above tile_rows. scratch: tile_scratch_floats floats of the
  // calling thread's own, and through a gate gated_panels·kPanel more for each row.
  void (*linear_tiles)(const LinearArgs& args,
                       int64_t block_begin,
                       int64_t block_end,
                       int64_t panel_begin,
                       int64_t panel_end,
                       float* scratch) = nullptr;
  int64_t tile_scratch_floats = 0;
  // out[i] = (add ? out[i] : 0) + scale·w[i] of one matrix row; scratch: kChunk · kPanel floats.
  void (*expand_one)(const LinearArgs& args,
                     int64_t row,
                     float scale,
                     bool add,
                     float* scratch,
                     float* out) = nullptr;

  void (*norm_row)(const float* x, int64_t n, const NormArgs& args, float* out) = nullptr;
  void (*add)(float* h, const float* delta, float alpha, int64_t n) = nullptr;
  void (*glu)(const float* gate, const float* up, const GluSpec& spec, int64_t n, float* out) =
      nullptr;
  void (*activate)(float* x, Activation activation, int64_t n) = nullptr;
  void (*finish_logits)(float* x, float scale, float softcap, int64_t n) = nullptr;
  void (*max_and_sum)(const float* x, int64_t n, float* max, float* sum) = nullptr;
  void (*masses)(const float* logits, int64_t n, float best, double inverse, uint64_t* out) =
      nullptr;

  // Rows [begin, end) of the segment, at most 16. scratch: qkv_scratch_floats().
  void (*qkv_rows)(const QkvArgs& args, int64_t begin, int64_t end, float* scratch) = nullptr;
  // Query rows [begin, end) of the segment for one kv head: row i/group, head i%group of the group.
  void (*attention_rows)(const AttentionArgs& args,
                         const Segment& segment,
                         int64_t kv_head,
                         int64_t begin,
                         int64_t end,
                         float* scratch) = nullptr;
  int64_t (*attention_scratch_floats)(const AttentionArgs& args, int64_t positions) = nullptr;
};

const CpuKernels& avx2_kernels();
const CpuKernels& avx512_kernels();

}  // namespace keju
