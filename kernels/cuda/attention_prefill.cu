// SPDX-License-Identifier: MIT
// Attention of prompt rows: one block takes a tile of up to 64 packed rows (rows of one path times
// the query heads of one key head) through all pages that any of them sees.
#include "kernels/cuda/attention_tile.cuh"

namespace keju::cuda {
namespace {

constexpr int kWarps = kTileRows / 16;
constexpr int kThreads = kWarps * 32;

// Pages in flight: two where they fit beside the queries on every card.
template <int k_size, int v_size>
constexpr int kStages = k_size + v_size <= 384 ? 2 : 1;

template <int k_size, int v_size>
constexpr size_t kSharedElements = static_cast<size_t>(kTileRows) * (k_size + kRoom) +
                                   static_cast<size_t>(kStages<k_size, v_size>) * kPage*(k_size +
                                                                                         v_size +
                                                                                         2 * kRoom);

// Blocks of a processor that registers are planned for: 168 or 255 of them for each thread. Left to
// itself the compiler aims at four blocks of the smallest heads and spills.
template <int k_size, int v_size>
constexpr int kBlocks = k_size + v_size <= 192 ? 3 : 2;

template <typename T, int k_size>
__device__ __forceinline__ void store_queries(
    T* to, const AttentionArgs& args, const Tile& tile, int kv_head, int group) {
  const int packed = tile.rows * group;
  for (int i = static_cast<int>(threadIdx.x); i < kTileRows * k_size; i += kThreads) {
    const int r = i / k_size;
    const int e = i % k_size;
    float value = 0;
    if (r < packed) {
      const int64_t row = tile.row0 + r / group;
      value = args.q.data[row * args.q.row_stride +
                          (kv_head * group + r % group) * args.q.head_stride + e];
    }
    to[r * (k_size + kRoom) + e] = from_float<T>(value);
  }
}

template <typename T, int k_size, int v_size>
__global__ void __launch_bounds__(kThreads, (kBlocks<k_size, v_size>))
    prefill_kernel(AttentionArgs args, const Tile* tiles) {
  constexpr int stages = kStages<k_size, v_size>;
  constexpr int key_tile = kPage * (k_size + kRoom);
  constexpr int stage_size = key_tile + kPage * (v_size + kRoom);
  KEJU_DYNAMIC_SHARED(T, queries);
  T* const pages = queries + kTileRows * (k_size + kRoom);
  const Tile tile = tiles[blockIdx.x];
  const int kv_head = static_cast<int>(blockIdx.y);
  const int group = static_cast<int>(args.q.heads / args.kv.at.kv_heads);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int last = tile.pos0 + tile.rows - 1;
  const int last_page = last / kPage;
  const int first_page = static_cast<int>(first_visible(tile.pos0, args.window)) / kPage;

  TileRow rows[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int r = warp * 16 + lane / 4 + 8 * h;
    if (r < tile.rows * group) rows[h] = {tile.pos0 + r / group, kv_head * group + r % group};
  }
  const auto fetch = [&](int p) {
    const T* const page = static_cast<const T*>(args.kv.pages[args.page_ids[tile.pages + p]]);
    T* const to = pages + (p - first_page) % stages * stage_size;
    fetch_page<T, k_size>(to,
                          page + key_at(args.kv.at, kv_head, 0),
                          last - p * kPage,
                          static_cast<int>(threadIdx.x),
                          kThreads);
    fetch_page<T, v_size>(to + key_tile,
                          page + value_at(args.kv.at, kv_head, 0),
                          last - p * kPage,
                          static_cast<int>(threadIdx.x),
                          kThreads);
    commit_copies();
  };
  fetch(first_page);
  store_queries<T, k_size>(queries, args, tile, kv_head, group);

  RowState<v_size> state;
  start(state);
  for (int p = first_page; p <= last_page; ++p) {
    if (stages == 2 && p < last_page) {
      fetch(p + 1);
      wait_copies<1>();
    } else {
      wait_copies<0>();
    }
    __syncthreads();
    const T* const keys = pages + (p - first_page) % stages * stage_size;
    float scores[8][4];
    multiply_keys<T, k_size>(scores, queries + warp * 16 * (k_size + kRoom), keys);
    weigh(state, scores, args, rows, p * kPage);
    multiply_values<T, v_size>(state, scores, keys + key_tile);
    __syncthreads();  // before the page is overwritten
    if (stages == 1 && p < last_page) fetch(p + 1);
  }
  join_sums(state);
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    if (rows[h].position < 0) continue;
    float sum = state.sum[h];
    float keep = 1;
    if (args.sinks != nullptr) {
      const float sink = args.sinks[rows[h].head] * kLog2E;
      const float max = fmaxf(state.max[h], sink);
      keep = exp2_fast(state.max[h] - max);
      sum = fmaf(sum, keep, exp2_fast(sink - max));
    }
    const int64_t row = tile.row0 + rows[h].position - tile.pos0;
    float* const out = args.out.data + row * args.out.stride + rows[h].head * v_size;
#pragma unroll
    for (int n = 0; n < v_size / 8; ++n) {
      for (int e = 0; e < 2; ++e)
        out[n * 8 + lane % 4 * 2 + e] = state.out[n][2 * h + e] * keep / sum;
    }
  }
}

template <typename T>
void launch_prefill(void* stream, const AttentionArgs& args, const Tile* tiles, int64_t count) {
  with_sizes(args.kv.at.k_size, args.kv.at.v_size, [&]<int k_size, int v_size>() {
    launch({.grid_x = count,
            .grid_y = args.kv.at.kv_heads,
            .block = kThreads,
            .shared = kSharedElements<k_size, v_size> * sizeof(T),
            .stream = stream},
           prefill_kernel<T, k_size, v_size>,
           args,
           tiles);
  });
}

}  // namespace

bool attention_tile_fits(const PageView& kv, int64_t heads) {
  if (kv.type != DType::kBF16 && kv.type != DType::kF16) return false;
  if (heads / kv.at.kv_heads > kTileRows) return false;
  // A capture, because without one nvcc refuses the lambda's conversion to a function pointer.
  return with_sizes(kv.at.k_size, kv.at.v_size, [&]<int, int>() { (void)heads; });
}

void attention_prefill(void* stream, const AttentionArgs& args, const Tile* tiles, int64_t count) {
  if (args.kv.type == DType::kBF16) return launch_prefill<Bf16>(stream, args, tiles, count);
  launch_prefill<F16>(stream, args, tiles, count);
}

}  // namespace keju::cuda
