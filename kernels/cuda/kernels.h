// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/backend.h"
#include "kernels/cuda/index.h"
#include "kernels/sampling.h"

// The launches, one function per kernel. Every pointer is device memory unless it says host;
// `stream` is Runtime::stream(). Nothing here waits. Semantics are those of the op of the same name
// in kernels/backend.h; what differs is said. The arithmetic of a row depends on nothing but its
// own inputs and shapes: reductions run over a fixed number of threads in a fixed tree.
namespace keju::cuda {

// Rows of a weight matrix as the file stores them, one after the other.
struct StoredRows {
  const uint8_t* data = nullptr;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_bytes = 0;
};

// -- rows -----------------------------------------------------------------------------------------

// out[t] = scale · table[ids[t]], or with `add` out[t] += table[ids[t]].
void embed(
    void* stream, const StoredRows& table, const int32_t* ids, float scale, bool add, Rows out);
// [rows, cols] stored values as float32, bit for bit as expand_row has them.
void expand(void* stream, const StoredRows& from, float* out);

struct NormArgs {
  bool layer = false;  // LayerNorm, else RMSNorm
  const float* weight = nullptr;
  const float* bias = nullptr;
  float eps = 0;
  bool one_plus_weight = false;
};
void norm(void* stream, Rows x, const NormArgs& spec, Rows out);

void add(void* stream, Rows h, Rows delta, float alpha);
void zero(void* stream, Rows x);
void gather(void* stream, Rows x, const int32_t* rows, int64_t count, Rows out);
void sigmoid_scale(void* stream, Rows x, Rows gate);
void glu(void* stream, Rows gate_up, const GluSpec& spec, Rows out);
void activate(void* stream, Rows x, Activation activation);
// Rounds rows to BF16 or F16: out [count, out_stride], columns from width on are zeros.
void round_rows(void* stream, Rows x, DType to, void* out, int64_t out_stride);

// -- attention ------------------------------------------------------------------------------------

// Pages of one layer. `pages` is the device table of page bases by page id; elements are of `type`
// (F32, BF16 or F16).
struct PageView {
  void* const* pages = nullptr;
  PageLayer at;
  DType type = DType::kF32;
};

struct HeadNormArgs {
  HeadNormSpec::Scope scope = HeadNormSpec::Scope::kNone;
  NormArgs norm;
  bool shared_weight = true;  // one weight of head size for all heads
};

struct QkvArgs {
  Heads q, k, k_shared, v;
  HeadNormArgs q_norm, k_norm;
  bool norm_after_rope = false;
  bool interleaved = false;
  int64_t rope_offset = 0;
  int64_t rope_dim = 0;
  const float* rope_cos = nullptr;
  const float* rope_sin = nullptr;
  const float* q_scale = nullptr;
  const RowPlace* rows = nullptr;  // [count]
  int64_t count = 0;
  const int32_t* page_ids = nullptr;
};
void qkv_post(void* stream, const QkvArgs& args, const PageView& to);

struct AttentionArgs {
  Heads q;
  PageView kv;
  const int32_t* page_ids = nullptr;
  float scale = 1;
  float softcap = 0;
  int64_t window = 0;
  const float* alibi = nullptr;
  const float* sinks = nullptr;
  Rows out;
};
// Any head size up to 512, any element type: one warp per row and head.
void attention_general(void* stream,
                       const AttentionArgs& args,
                       const RowPlace* rows,
                       int64_t count);
// Tensor cores; see attention_tile_fits.
void attention_prefill(void* stream, const AttentionArgs& args, const Tile* tiles, int64_t count);
// One partial per row and split of 512 positions, then merged in ascending order. `items`: every
// row with every split up to its position once (split_items.h). `partials`: count · heads · splits
// · (v_size + 2) floats; splits covers the longest row.
void attention_decode(void* stream,
                      const AttentionArgs& args,
                      const RowPlace* rows,
                      int64_t count,
                      const SplitItem* items,
                      int64_t item_count,
                      int64_t splits,
                      float* partials);
// Whether the two above know these head sizes and this element type.
bool attention_tile_fits(const PageView& kv, int64_t heads);

struct PageCopyArgs {
  const PageCopy* copies = nullptr;
  int64_t count = 0;
};
void copy_pages(void* stream, const PageCopyArgs& copies, const PageView& view);

// -- mixture of experts ---------------------------------------------------------------------------

struct RouteArgs {
  bool sigmoid = false;
  bool softmax_after_topk = false;
  int experts = 0;
  int chosen = 0;
  bool normalise = false;
  float scale = 1;
  const float* correction = nullptr;
  int groups = 1;
  int topk_groups = 1;
  bool group_score_top2 = false;
};
void route(void* stream, Rows logits, const RouteArgs& spec, int32_t* ids, float* weights);
// out[t] += Σ_j weights[t, j] · results[place[t, j]], j ascending.
void combine(void* stream,
             Rows results,
             const int32_t* place,
             const float* weights,
             int64_t chosen,
             Rows out);

// -- products -------------------------------------------------------------------------------------

// out = x · wᵀ (+ bias) on the stored weights, expanded on their way into the tensor cores: weights
// and activations rounded to BF16, sums in float32 over k ascending by 16. The same bits for any
// number of rows: every tile shape runs the same instructions in the same order per output.
struct MatmulArgs {
  Rows x;
  StoredRows w;  // cols a multiple of 32
  const float* bias = nullptr;
  bool accumulate = false;
  Rows out;
};
void matmul(void* stream, const MatmulArgs& args);

// -- head -----------------------------------------------------------------------------------------

struct HeadTile {
  float max = 0;
  float sum = 0;  // Σ e^(logit - max) over the tile
  int32_t best = 0;
};
struct HeadBest {
  int32_t id = -1;
  float logit = 0;
};
struct HeadArgs {
  Rows logits;  // columns [first_column, first_column + width); first_column a multiple of 1,024
  int64_t first_column = 0;
  int64_t tiles = 0;  // of the whole vocabulary
  float scale = 1;
  float softcap = 0;
  int top = 0;
  HeadTile* out = nullptr;   // [rows][tiles]
  HeadBest* best = nullptr;  // [rows][tiles][top], best first, id -1 where there is none
};
// Finishes the logits in place (scale, soft cap) and reduces each tile of 1,024.
void head_tiles(void* stream, const HeadArgs& args);
// ids[i] = the token that tasks[i] draws from its row. `logits`: the whole vocabulary, finished;
// `tiles`: what head_tiles reduced them to, [rows][tiles].
struct SampleTask {
  SampleCut cut;
  int64_t row = 0;
};
void sample(void* stream,
            Rows logits,
            const HeadTile* reduced,
            int64_t tiles,
            const SampleTask* tasks,
            int64_t count,
            int32_t* ids);
// out[place] = logits[row][column] for each pick.
struct Pick {
  int32_t row = 0;
  int32_t column = 0;
  int32_t place = 0;
};
void pick(void* stream, Rows logits, const Pick* picks, int64_t count, float* out);

}  // namespace keju::cuda
