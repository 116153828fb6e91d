// SPDX-License-Identifier: MIT
// Attention of generated rows. A block takes one row, up to 16 query heads of one key head and one
// split of 512 absolute positions; its four warps take two pages each, joined in order. A second
// kernel merges the splits in ascending order.
#include "kernels/cuda/attention_tile.cuh"

namespace keju::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kHeads = 16;  // of one tensor core tile

template <int k_size, int v_size>
constexpr int kWarpElements = kPage*((k_size > v_size ? k_size : v_size) + kRoom);

template <int k_size, int v_size>
constexpr size_t kSharedElements = static_cast<size_t>(kHeads) * (k_size + kRoom) +
                                   static_cast<size_t>(kWarps) * kWarpElements<k_size, v_size>;

// Each warp's results in shared memory: [16 heads][v_size + 2] floats, in place of its page.
template <int v_size>
__device__ __forceinline__ void store_state(float* to, const RowState<v_size>& state) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float* const row = to + (lane / 4 + 8 * h) * (v_size + 2);
#pragma unroll
    for (int n = 0; n < v_size / 8; ++n) {
      for (int e = 0; e < 2; ++e) row[n * 8 + lane % 4 * 2 + e] = state.out[n][2 * h + e];
    }
    if (lane % 4 == 0) {
      row[v_size] = state.max[h];
      row[v_size + 1] = state.sum[h];
    }
  }
}

template <typename T, int k_size, int v_size>
__global__ void __launch_bounds__(kThreads)
    decode_kernel(AttentionArgs args, const RowPlace* places, int64_t splits, float* partials) {
  static_assert(kWarpElements<k_size, v_size> * sizeof(T) >= sizeof(float) * kHeads * (v_size + 2));
  KEJU_DYNAMIC_SHARED(T, queries);
  const RowPlace place = places[blockIdx.x];
  const int split = static_cast<int>(blockIdx.z);
  const SplitRange range = splits_of(place.position, args.window);
  if (split < range.first || split > range.last) return;  // the whole block
  const int group = static_cast<int>(args.q.heads / args.kv.at.kv_heads);
  const int chunks = (group + kHeads - 1) / kHeads;
  const int kv_head = static_cast<int>(blockIdx.y) / chunks;
  const int head0 = kv_head * group + static_cast<int>(blockIdx.y) % chunks * kHeads;
  const int left = (kv_head + 1) * group - head0;
  const int heads = left < kHeads ? left : kHeads;
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  T* const page_room = queries + kHeads * (k_size + kRoom) + warp * kWarpElements<k_size, v_size>;

  for (int i = static_cast<int>(threadIdx.x); i < kHeads * k_size; i += kThreads) {
    const int h = i / k_size;
    const int e = i % k_size;
    const float value =
        h < heads
            ? args.q.data[place.row * args.q.row_stride + (head0 + h) * args.q.head_stride + e]
            : 0.0f;
    queries[h * (k_size + kRoom) + e] = from_float<T>(value);
  }
  __syncthreads();
  TileRow rows[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    if (lane / 4 + 8 * h < heads) rows[h] = {place.position, head0 + lane / 4 + 8 * h};
  }
  RowState<v_size> state;
  start(state);
  for (int p = split * kSplitPages + warp;
       p < (split + 1) * kSplitPages && p * kPage <= place.position;
       p += kWarps) {
    const T* const page = static_cast<const T*>(args.kv.pages[args.page_ids[place.pages + p]]);
    const int last = place.position - p * kPage;
    fetch_page<T, k_size>(page_room, page + key_at(args.kv.at, kv_head, 0), last, lane, 32);
    commit_copies();
    wait_copies<0>();
    __syncwarp();
    float scores[8][4];
    multiply_keys<T, k_size>(scores, queries, page_room);
    __syncwarp();
    fetch_page<T, v_size>(page_room, page + value_at(args.kv.at, kv_head, 0), last, lane, 32);
    commit_copies();
    weigh(state, scores, args, rows, p * kPage);
    wait_copies<0>();
    __syncwarp();
    multiply_values<T, v_size>(state, scores, page_room);
    __syncwarp();
  }
  join_sums(state);
  store_state<v_size>(reinterpret_cast<float*>(page_room), state);
  __syncthreads();

  const T* const all = queries + kHeads * (k_size + kRoom);
  for (int i = static_cast<int>(threadIdx.x); i < heads * v_size; i += kThreads) {
    const int h = i / v_size;
    const int e = i % v_size;
    float max = -infinity();
    float sum = 0;
    float value = 0;
    for (int w = 0; w < kWarps; ++w) {
      const float* const part =
          reinterpret_cast<const float*>(all + w * kWarpElements<k_size, v_size>) +
          h * (v_size + 2);
      if (part[v_size] == -infinity()) continue;
      const float joined = fmaxf(max, part[v_size]);
      const float keep = max == -infinity() ? 0.0f : exp2_fast(max - joined);
      const float take = exp2_fast(part[v_size] - joined);
      value = fmaf(part[e], take, value * keep);
      sum = fmaf(part[v_size + 1], take, sum * keep);
      max = joined;
    }
    float* const to =
        partials + partial_at(blockIdx.x, args.q.heads, head0 + h, splits, split, v_size);
    to[e] = value;
    if (e == 0) {
      to[v_size] = max;
      to[v_size + 1] = sum;
    }
  }
}

// One warp per row and head.
__global__ void merge_kernel(AttentionArgs args,
                             const RowPlace* places,
                             int64_t count,
                             int64_t splits,
                             const float* partials) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (item >= count * args.q.heads) return;
  const int64_t index = item / args.q.heads;
  const int64_t head = item % args.q.heads;
  const RowPlace place = places[index];
  const int v_size = args.kv.at.v_size;
  const SplitRange range = splits_of(place.position, args.window);
  for (int e = static_cast<int>(threadIdx.x % 32); e < v_size; e += 32) {
    float max = args.sinks != nullptr ? args.sinks[head] * kLog2E : -infinity();
    float sum = args.sinks != nullptr ? 1.0f : 0.0f;
    float value = 0;
    for (int s = range.first; s <= range.last; ++s) {
      const float* const part = partials + partial_at(index, args.q.heads, head, splits, s, v_size);
      const float joined = fmaxf(max, part[v_size]);
      const float keep = max == -infinity() ? 0.0f : exp2_fast(max - joined);
      const float take = exp2_fast(part[v_size] - joined);
      value = fmaf(part[e], take, value * keep);
      sum = fmaf(part[v_size + 1], take, sum * keep);
      max = joined;
    }
    args.out.data[place.row * args.out.stride + head * v_size + e] = value / sum;
  }
}

template <typename T>
void launch_decode(void* stream,
                   const AttentionArgs& args,
                   const RowPlace* rows,
                   int64_t count,
                   int64_t splits,
                   float* partials) {
  const int64_t group = args.q.heads / args.kv.at.kv_heads;
  with_sizes(args.kv.at.k_size, args.kv.at.v_size, [&]<int k_size, int v_size>() {
    launch({.grid_x = count,
            .grid_y = args.kv.at.kv_heads * ((group + kHeads - 1) / kHeads),
            .grid_z = splits,
            .block = kThreads,
            .shared = kSharedElements<k_size, v_size> * sizeof(T),
            .stream = stream},
           decode_kernel<T, k_size, v_size>,
           args,
           rows,
           splits,
           partials);
  });
}

}  // namespace

void attention_decode(void* stream,
                      const AttentionArgs& args,
                      const RowPlace* rows,
                      int64_t count,
                      int64_t splits,
                      float* partials) {
  if (args.kv.type == DType::kBF16) {
    launch_decode<Bf16>(stream, args, rows, count, splits, partials);
  } else {
    launch_decode<F16>(stream, args, rows, count, splits, partials);
  }
  launch(
      {.grid_x = (count * args.q.heads + kWarps - 1) / kWarps, .block = kThreads, .stream = stream},
      merge_kernel,
      args,
      rows,
      count,
      splits,
      partials);
}

}  // namespace keju::cuda
