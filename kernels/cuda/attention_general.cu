// SPDX-License-Identifier: MIT
// Attention for every head size and element type: one warp per row and query head, pages in
// ascending order with a running maximum. Exact mode runs on it alone.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/ptx.cuh"

namespace keju::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kBlocks = 6;     // of a processor at once: 80 registers a thread, enough for no spill
constexpr int kMaxParts = 16;  // value elements per lane: head sizes up to 512

// The score of query `q` with the key of position j.
template <typename T>
__device__ float score_of(const AttentionArgs& args,
                          const float* q,
                          const T* key,
                          int64_t head,
                          int64_t j,
                          int64_t position) {
  float score = 0;
  for (int64_t e = 0; e < args.kv.at.k_size; ++e) score = fmaf(q[e], to_float(key[e]), score);
  score *= args.scale;
  if (args.softcap > 0) score = soft_cap(score, args.softcap);
  if (args.alibi != nullptr)
    score = fmaf(args.alibi[head], static_cast<float>(j - position), score);
  return score;
}

// parts: how many value elements each lane holds at most.
template <typename T, int parts>
__global__ void __launch_bounds__(kThreads, kBlocks)
    attention_kernel(AttentionArgs args, const RowPlace* rows, int64_t count) {
  KEJU_SHARED(float, weights, kWarps* kPage);
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (item >= count * args.q.heads) return;  // a whole warp; nothing below waits for the block
  float* const own = weights + threadIdx.x / 32 * kPage;
  const RowPlace place = rows[item / args.q.heads];
  if (place.position < 0) return;
  const int64_t head = item % args.q.heads;
  const int64_t kv_head = head / (args.q.heads / args.kv.at.kv_heads);
  const int64_t v_size = args.kv.at.v_size;
  const float* const q = args.q.data + place.row * args.q.row_stride + head * args.q.head_stride;
  const int64_t last = place.position;
  const int64_t first = first_visible(last, args.window);

  // A sink is a score without a value, met before all others.
  float max = args.sinks != nullptr ? args.sinks[head] : -infinity();
  float sum = args.sinks != nullptr ? 1.0f : 0.0f;
  float out[parts];
#pragma unroll
  for (int i = 0; i < parts; ++i) out[i] = 0;
  for (int64_t p = first / kPage; p <= last / kPage; ++p) {
    const T* const page = static_cast<const T*>(args.kv.pages[args.page_ids[place.pages + p]]);
    float scores[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t j = p * kPage + half * 32 + lane;
      scores[half] =
          j >= first && j <= last
              ? score_of(args, q, page + key_at(args.kv.at, kv_head, j % kPage), head, j, last)
              : -infinity();
    }
    const float new_max = fmaxf(max, warp_max(fmaxf(scores[0], scores[1])));
    const float keep = max == -infinity() ? 0.0f : expf(max - new_max);
    const float low = expf(scores[0] - new_max);
    const float high = expf(scores[1] - new_max);
    sum = fmaf(sum, keep, warp_sum(low + high));
    max = new_max;
    __syncwarp();  // the last page's readers are done
    own[lane] = low;
    own[lane + 32] = high;
    __syncwarp();
    const int64_t begin = first > p * kPage ? first - p * kPage : 0;
    const int64_t end = last < p * kPage + kPage - 1 ? last - p * kPage + 1 : kPage;
#pragma unroll
    for (int i = 0; i < parts; ++i) {
      const int64_t e = lane + 32 * i;
      if (e >= v_size) continue;
      float value = out[i] * keep;
      for (int64_t slot = begin; slot < end; ++slot) {
        value = fmaf(own[slot], to_float(page[value_at(args.kv.at, kv_head, slot) + e]), value);
      }
      out[i] = value;
    }
  }
  float* const to = args.out.data + place.row * args.out.stride + head * v_size;
#pragma unroll
  for (int i = 0; i < parts; ++i) {
    const int64_t e = lane + 32 * i;
    if (e < v_size) to[e] = out[i] / sum;
  }
}

template <typename T>
void launch_general(void* stream, const AttentionArgs& args, const RowPlace* rows, int64_t count) {
  const LaunchShape shape{
      .grid_x = (count * args.q.heads + kWarps - 1) / kWarps, .block = kThreads, .stream = stream};
  if (args.kv.at.v_size <= 128) {
    launch(shape, attention_kernel<T, 4>, args, rows, count);
  } else {
    launch(shape, attention_kernel<T, kMaxParts>, args, rows, count);
  }
}

}  // namespace

void attention_general(void* stream,
                       const AttentionArgs& args,
                       const RowPlace* rows,
                       int64_t count) {
  if (args.kv.type == DType::kBF16) return launch_general<Bf16>(stream, args, rows, count);
  if (args.kv.type == DType::kF16) return launch_general<F16>(stream, args, rows, count);
  launch_general<float>(stream, args, rows, count);
}

}  // namespace keju::cuda
