// SPDX-License-Identifier: MIT
// One row, one block of a fixed number of threads, so that a row's sums never depend on the step.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"

namespace keju::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) norm_kernel(Rows x, NormArgs spec, Rows out) {
  const float* const from = x.data + blockIdx.x * x.stride;
  float* const to = out.data + blockIdx.x * out.stride;
  const int64_t width = x.width;
  float mean = 0;
  if (spec.layer) {
    float sum = 0;
    for (int64_t d = threadIdx.x; d < width; d += kThreads) sum += from[d];
    mean = block_sum<kThreads / 32>(sum) / static_cast<float>(width);
  }
  float squares = 0;
  for (int64_t d = threadIdx.x; d < width; d += kThreads) {
    const float centred = from[d] - mean;
    squares = fmaf(centred, centred, squares);
  }
  const float variance = block_sum<kThreads / 32>(squares) / static_cast<float>(width);
  const float inverse = 1.0f / sqrtf(variance + spec.eps);
  for (int64_t d = threadIdx.x; d < width; d += kThreads) {
    float weight = 1.0f;
    if (spec.weight != nullptr)
      weight = spec.one_plus_weight ? 1.0f + spec.weight[d] : spec.weight[d];
    const float value = (from[d] - mean) * inverse * weight;
    to[d] = spec.bias != nullptr ? value + spec.bias[d] : value;
  }
}

}  // namespace

void norm(void* stream, Rows x, const NormArgs& spec, Rows out) {
  launch({.grid_x = x.count, .block = kThreads, .stream = stream}, norm_kernel, x, spec, out);
}

}  // namespace keju::cuda
