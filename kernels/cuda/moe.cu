// SPDX-License-Identifier: MIT
// Routing of a mixture of experts: one warp per row.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"

namespace keju::cuda {
namespace {

// e^(x - max) / Σ in place over n values in shared memory.
__device__ void softmax(float* x, int n, int lane) {
  float max = -infinity();
  for (int i = lane; i < n; i += 32) max = fmaxf(max, x[i]);
  max = warp_max(max);
  float sum = 0;
  for (int i = lane; i < n; i += 32) {
    x[i] = expf(x[i] - max);
    sum += x[i];
  }
  sum = warp_sum(sum);
  for (int i = lane; i < n; i += 32) x[i] /= sum;
  __syncwarp();
}

// The best value among x[begin, end), the lowest index among equals; none has id -1.
__device__ Scored best_of(const float* x, int begin, int end, int lane) {
  Scored own{-infinity(), 0x7FFFFFFF};
  for (int i = begin + lane; i < end; i += 32) {
    if (x[i] > -infinity()) own = better(own, {x[i], i});
  }
  own = warp_best(own);
  if (own.id == 0x7FFFFFFF) own.id = -1;
  return own;
}

// Closes the experts of all groups but the best ones. `scores`: room for a score
// and a mark, at first 0, per group.
__device__ void close_groups(const RouteArgs& spec, float* choice, float* scores, int lane) {
  const int size = spec.experts / spec.groups;
  for (int g = 0; g < spec.groups; ++g) {
    const Scored first = best_of(choice, g * size, (g + 1) * size, lane);
    float score = first.value;
    if (spec.group_score_top2 && size > 1) {
      float second = -infinity();
      for (int i = g * size + lane; i < (g + 1) * size; i += 32) {
        if (i != first.id) second = fmaxf(second, choice[i]);
      }
      score += warp_max(second);
    }
    if (lane == 0) scores[g] = score;
  }
  __syncwarp();
  for (int n = 0; n < spec.topk_groups; ++n) {
    const Scored group = best_of(scores, 0, spec.groups, lane);
    __syncwarp();
    if (lane == 0 && group.id >= 0) scores[group.id] = -infinity();
    if (lane == 0 && group.id >= 0) scores[spec.groups + group.id] = 1;  // open
    __syncwarp();
  }
  for (int i = lane; i < spec.experts; i += 32) {
    if (scores[spec.groups + i / size] != 1) choice[i] = -infinity();
  }
  __syncwarp();
}

__global__ void __launch_bounds__(32)
    route_kernel(Rows logits, RouteArgs spec, int32_t* ids, float* weights) {
  KEJU_DYNAMIC_SHARED(float,
                      score);  // [experts] scores, [experts] what chooses, [2·groups], [chosen]
  float* const choice = score + spec.experts;
  float* const groups = choice + spec.experts;
  float* const chosen = groups + 2 * spec.groups;
  const int lane = static_cast<int>(threadIdx.x);
  const float* const row = logits.data + blockIdx.x * logits.stride;
  for (int i = lane; i < spec.experts; i += 32) score[i] = spec.sigmoid ? sigmoid(row[i]) : row[i];
  for (int i = lane; i < 2 * spec.groups; i += 32) groups[i] = 0;
  __syncwarp();
  if (!spec.sigmoid && !spec.softmax_after_topk) softmax(score, spec.experts, lane);
  for (int i = lane; i < spec.experts; i += 32) {
    choice[i] = spec.correction != nullptr ? score[i] + spec.correction[i] : score[i];
  }
  __syncwarp();
  if (spec.groups > 1 && spec.topk_groups < spec.groups) close_groups(spec, choice, groups, lane);
  for (int j = 0; j < spec.chosen; ++j) {
    const Scored best = best_of(choice, 0, spec.experts, lane);
    const int id = best.id < 0 ? 0 : best.id;  // only NaN logits get here; it must be an expert
    __syncwarp();
    if (lane == 0) {
      ids[blockIdx.x * spec.chosen + j] = id;
      chosen[j] = score[id];
      choice[id] = -infinity();
    }
    __syncwarp();
  }
  if (spec.softmax_after_topk && !spec.sigmoid) softmax(chosen, spec.chosen, lane);
  if (lane != 0) return;
  float sum = 0;
  for (int j = 0; j < spec.chosen; ++j) sum += chosen[j];
  for (int j = 0; j < spec.chosen; ++j) {
    const float weight = spec.normalise ? chosen[j] / (sum + 1e-20f) : chosen[j];
    weights[blockIdx.x * spec.chosen + j] = weight * spec.scale;
  }
}

}  // namespace

void route(void* stream, Rows logits, const RouteArgs& spec, int32_t* ids, float* weights) {
  const int floats = 2 * spec.experts + 2 * spec.groups + spec.chosen;
  launch({.grid_x = logits.count,
          .block = 32,
          .shared = static_cast<size_t>(floats) * sizeof(float),
          .stream = stream},
         route_kernel,
         logits,
         spec,
         ids,
         weights);
}

}  // namespace keju::cuda
