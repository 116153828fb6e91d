// SPDX-License-Identifier: MIT
// The vocabulary head: logits of 1,024 columns of one row, finished and reduced by one block.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"

namespace keju::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kEach = kHeadTileColumns / kThreads;

// The best of the block, to every thread.
__device__ Scored block_best(Scored own) {
  KEJU_SHARED(Scored, part, kWarps);
  own = warp_best(own);
  __syncthreads();  // the last call's readers are done
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = own;
  __syncthreads();
  Scored best = part[0];
  for (int w = 1; w < kWarps; ++w) best = better(best, part[w]);
  return best;
}

__global__ void __launch_bounds__(kThreads) head_kernel(HeadArgs args) {
  const int64_t row = blockIdx.x;
  const int64_t begin = static_cast<int64_t>(blockIdx.y) * kHeadTileColumns;
  const int64_t tile = args.first_column / kHeadTileColumns + blockIdx.y;
  float* const logits = args.logits.data + row * args.logits.stride;
  const int first_id = static_cast<int>(args.first_column + begin);
  float values[kEach];
  Scored own{-infinity(), 0x7FFFFFFF};
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int column = i * kThreads + static_cast<int>(threadIdx.x);
    values[i] = -infinity();
    if (begin + column >= args.logits.width) continue;
    float logit = logits[begin + column] * args.scale;
    if (args.softcap > 0) logit = soft_cap(logit, args.softcap);
    logits[begin + column] = logit;
    values[i] = logit;
    own = better(own, {logit, first_id + column});
  }
  Scored best = block_best(own);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) sum += expf(values[i] - best.value);
  sum = block_sum<kWarps>(sum);
  if (threadIdx.x == 0) args.out[row * args.tiles + tile] = {best.value, sum, best.id};
  // The best of those that rank behind the last best, again and again.
  for (int n = 0; n < args.top; ++n) {
    if (n > 0) {
      Scored next{-infinity(), 0x7FFFFFFF};
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const int id = first_id + i * kThreads + static_cast<int>(threadIdx.x);
        const bool behind = values[i] < best.value || (values[i] == best.value && id > best.id);
        if (behind && values[i] > -infinity()) next = better(next, {values[i], id});
      }
      best = block_best(next);
    }
    if (threadIdx.x == 0) {
      const bool found = best.id != 0x7FFFFFFF;
      args.best[(row * args.tiles + tile) * args.top + n] = {found ? best.id : -1, best.value};
    }
  }
}

}  // namespace

void head_tiles(void* stream, const HeadArgs& args) {
  launch({.grid_x = args.logits.count,
          .grid_y = (args.logits.width + kHeadTileColumns - 1) / kHeadTileColumns,
          .block = kThreads,
          .stream = stream},
         head_kernel,
         args);
}

}  // namespace keju::cuda
