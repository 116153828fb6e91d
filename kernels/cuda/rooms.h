// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/index.h"
#include "kernels/cuda/kernels.h"

// How much scratch each op of the CUDA backend takes, in one place: the backend asks for it, and
// the plan made before loading counts it.
namespace keju::cuda {

inline constexpr int64_t kHeadRows = 1024;     // rows whose logits stand on the card at a time …
inline constexpr int64_t kHeadColumns = 8192;  // … and columns, a multiple of the tile's
inline constexpr int64_t kLogitBytes = int64_t{64} << 20;
// Stored weights are expanded to float32 so many bytes at a time.
inline constexpr int64_t kExpandBytes = int64_t{64} << 20;

// Logits to pick for each row of the head, amply: a step's average row asks for far fewer.
inline constexpr int64_t kPicks = 64;

// Bytes of each room: what the largest step asks of it.
struct RoomSizes {
  int64_t ids = 0, rounded = 0, expanded = 0, partials = 0, head = 0, head_out = 0, picks = 0,
          samples = 0, experts = 0, route = 0, tables = 0, frame = 0;
  int64_t total() const {
    return ids + rounded + expanded + partials + head + head_out + picks + samples + experts +
           route + tables + frame;
  }
};

// Of a draw: its task, and the id that comes of it.
inline constexpr int64_t kSampleBytes = static_cast<int64_t>(sizeof(SampleTask) + sizeof(int32_t));

// Elements from one row of rounded activations to the next: each starts at a multiple of 16 bytes.
inline int64_t rounded_stride(int64_t cols) { return (cols + 7) / 8 * 8; }

// Rows of a matrix that are expanded together.
inline int64_t expand_rows(int64_t rows, int64_t cols) {
  return std::clamp<int64_t>(
      kExpandBytes / 4 / std::max<int64_t>(cols, 1), 1, std::max<int64_t>(rows, 1));
}

inline int64_t head_tiles_of(int64_t vocab) {
  return (vocab + kHeadTileColumns - 1) / kHeadTileColumns;
}
// Bytes of a row's reduced tiles.
inline int64_t head_row_bytes(int64_t vocab, int top) {
  return head_tiles_of(vocab) * static_cast<int64_t>(sizeof(HeadTile) + top * sizeof(HeadBest));
}
// Rows whose whole logits stand on the card at a time.
inline int64_t logit_rows(int64_t vocab) {
  return std::max<int64_t>(1, kLogitBytes / (4 * std::max<int64_t>(vocab, 1)));
}

// What a decode step's frame takes: lists, rows, items, draws, page ids, each from a multiple of 16
// bytes on.
inline int64_t frame_bytes(int64_t rows, int64_t splits, int64_t items) {
  const int64_t each = 3 * static_cast<int64_t>(sizeof(int32_t)) +
                       static_cast<int64_t>(sizeof(RowPlace)) +
                       splits * kSplitPages * static_cast<int64_t>(sizeof(int32_t));
  return rows * (each + kSampleBytes) + items * static_cast<int64_t>(sizeof(SplitItem)) + 8 * 16;
}

// Floats of a (row, chosen expert): its input, its gate and up, its product, its result.
inline int64_t expert_floats(int64_t width, int64_t inner, int64_t out) {
  return width + 3 * inner + out;
}

}  // namespace keju::cuda
