// SPDX-License-Identifier: MIT
// Attention of generated rows. A block takes one split of 512 absolute positions and up to 16
// packed rows: query heads of one key head, of one row or of several rows that share the split's
// pages. Its four warps take two pages each, joined in order. A second kernel merges the splits in
// ascending order.
#include "kernels/cuda/attention_tile.cuh"

namespace keju::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kPacked = 16;  // packed rows of one tensor core tile
static_assert(kPacked == kItemRows);

template <int k_size, int v_size>
constexpr int kWarpElements = kPage*((k_size > v_size ? k_size : v_size) + kRoom);

template <int k_size, int v_size>
constexpr size_t kSharedElements = static_cast<size_t>(kPacked) * (k_size + kRoom) +
                                   static_cast<size_t>(kWarps) * kWarpElements<k_size, v_size>;

// Blocks of a processor that registers are planned for; see attention_prefill.cu.
template <int k_size, int v_size>
constexpr int kBlocks = k_size + v_size <= 256 ? 3 : 2;

// The packed rows of a block: row r is head head0 + r % heads of the item's row r / heads.
struct Packed {
  const SplitItem* item;
  const RowPlace* places;
  int head0;
  int heads;  // of each row

  __device__ __forceinline__ bool has(int r) const { return r < item->rows * heads; }
  __device__ __forceinline__ int row(int r) const { return item->row[r / heads]; }
  __device__ __forceinline__ RowPlace place(int r) const { return places[row(r)]; }
  __device__ __forceinline__ int head(int r) const { return head0 + r % heads; }
};

// The heads of block `y` of an item: 16 at most of one key head.
__device__ __forceinline__ Packed
packed_rows(const SplitItem* item, const RowPlace* places, int y, int group, int& kv_head) {
  const int chunks = (group + kPacked - 1) / kPacked;
  kv_head = y / chunks;
  const int first = y % chunks * kPacked;
  const int left = group - first;
  return {item, places, kv_head * group + first, left < kPacked ? left : kPacked};
}

// Whether any of the item's rows sees any of its split through the window: no, if it has no rows.
__device__ __forceinline__ bool any_sees(const SplitItem& item,
                                         const RowPlace* places,
                                         int64_t window) {
  bool seen = false;
  for (int i = 0; i < item.rows; ++i) {
    seen = seen || splits_of(places[item.row[i]].position, window).first <= item.split;
  }
  return seen;
}

// Each warp's results in shared memory: [16 rows][v_size + 2] floats, in place of its page.
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
__global__ void __launch_bounds__(kThreads, (kBlocks<k_size, v_size>))
    decode_kernel(AttentionArgs args,
                  const RowPlace* places,
                  const SplitItem* items,
                  int64_t splits,
                  float* partials) {
  static_assert(kWarpElements<k_size, v_size> * sizeof(T) >=
                sizeof(float) * kPacked * (v_size + 2));
  KEJU_DYNAMIC_SHARED(T, queries);
  const SplitItem* const item = items + blockIdx.x;
  if (!any_sees(*item, places, args.window)) return;  // the whole block
  const int split = item->split;
  int kv_head;
  const Packed packed = packed_rows(item,
                                    places,
                                    static_cast<int>(blockIdx.y),
                                    static_cast<int>(args.q.heads / args.kv.at.kv_heads),
                                    kv_head);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  T* const page_room = queries + kPacked * (k_size + kRoom) + warp * kWarpElements<k_size, v_size>;

  for (int i = static_cast<int>(threadIdx.x); i < kPacked * k_size; i += kThreads) {
    const int r = i / k_size;
    const int e = i % k_size;
    float value = 0;
    if (packed.has(r)) {
      value = args.q.data[packed.place(r).row * args.q.row_stride +
                          packed.head(r) * args.q.head_stride + e];
    }
    queries[r * (k_size + kRoom) + e] = from_float<T>(value);
  }
  __syncthreads();
  TileRow rows[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int r = lane / 4 + 8 * h;
    if (packed.has(r)) rows[h] = {packed.place(r).position, packed.head(r)};
  }
  // All rows see all pages of the split, or there is but one row.
  const RowPlace place = packed.place(0);
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

  const T* const all = queries + kPacked * (k_size + kRoom);
  for (int i = static_cast<int>(threadIdx.x); i < item->rows * packed.heads * v_size;
       i += kThreads) {
    const int r = i / v_size;
    const int e = i % v_size;
    float max = -infinity();
    float sum = 0;
    float value = 0;
    for (int w = 0; w < kWarps; ++w) {
      const float* const part =
          reinterpret_cast<const float*>(all + w * kWarpElements<k_size, v_size>) +
          r * (v_size + 2);
      if (part[v_size] == -infinity()) continue;
      const float joined = fmaxf(max, part[v_size]);
      const float keep = max == -infinity() ? 0.0f : exp2_fast(max - joined);
      const float take = exp2_fast(part[v_size] - joined);
      value = fmaf(part[e], take, value * keep);
      sum = fmaf(part[v_size + 1], take, sum * keep);
      max = joined;
    }
    float* const to =
        partials + partial_at(packed.row(r), args.q.heads, packed.head(r), splits, split, v_size);
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
  if (place.position < 0) return;
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
                   const SplitItem* items,
                   int64_t item_count,
                   int64_t splits,
                   float* partials) {
  const int64_t group = args.q.heads / args.kv.at.kv_heads;
  with_sizes(args.kv.at.k_size, args.kv.at.v_size, [&]<int k_size, int v_size>() {
    launch({.grid_x = item_count,
            .grid_y = args.kv.at.kv_heads * ((group + kPacked - 1) / kPacked),
            .block = kThreads,
            .shared = kSharedElements<k_size, v_size> * sizeof(T),
            .stream = stream},
           decode_kernel<T, k_size, v_size>,
           args,
           rows,
           items,
           splits,
           partials);
  });
}

}  // namespace

void attention_decode(void* stream,
                      const AttentionArgs& args,
                      const RowPlace* rows,
                      int64_t count,
                      const SplitItem* items,
                      int64_t item_count,
                      int64_t splits,
                      float* partials) {
  if (args.kv.type == DType::kBF16) {
    launch_decode<Bf16>(stream, args, rows, items, item_count, splits, partials);
  } else {
    launch_decode<F16>(stream, args, rows, items, item_count, splits, partials);
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
