// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

#include "kernels/backend.h"
#include "kernels/cuda/lang.cuh"

// Elementary functions and reductions that several kernels share.
namespace keju::cuda {

inline constexpr unsigned kFullWarp = 0xFFFFFFFFu;
inline constexpr float kLog2E = 1.44269504088896340736f;

__device__ __forceinline__ float infinity() { return __uint_as_float(0x7F800000u); }

// Every thread gets the result; the tree is the same in each.
__device__ __forceinline__ float warp_sum(float value) {
  for (int with = 16; with >= 1; with /= 2) value += __shfl_xor_sync(kFullWarp, value, with);
  return value;
}
__device__ __forceinline__ float warp_max(float value) {
  for (int with = 16; with >= 1; with /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kFullWarp, value, with));
  }
  return value;
}

// Sum over a block of `warps` warps, to every thread. Two calls in a row need no barrier between.
template <int warps>
__device__ __forceinline__ float block_sum(float value) {
  KEJU_SHARED(float, part, warps);
  value = warp_sum(value);
  __syncthreads();  // the last call's readers are done
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  for (int w = 0; w < warps; ++w) sum += part[w];
  return sum;
}

// The better of two (value, id) pairs: the larger value, the lower id among equals.
struct Scored {
  float value;
  int id;
};
__device__ __forceinline__ Scored better(Scored a, Scored b) {
  const bool second = b.value > a.value || (b.value == a.value && b.id < a.id);
  return second ? b : a;
}
__device__ __forceinline__ Scored warp_best(Scored own) {
  for (int with = 16; with >= 1; with /= 2) {
    const Scored other = {__shfl_xor_sync(kFullWarp, own.value, with),
                          __shfl_xor_sync(kFullWarp, own.id, with)};
    own = better(own, other);
  }
  return own;
}

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ __forceinline__ float swish(float x, float alpha) {
  return x / (1.0f + expf(-alpha * x));
}
__device__ __forceinline__ float soft_cap(float x, float cap) { return cap * tanhf(x / cap); }

__device__ __forceinline__ float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::kSilu:
      return swish(x, 1.0f);
    case Activation::kGeluQuick:
      return swish(x, 1.702f);
    case Activation::kGeluTanh:
      return 0.5f * x * (1.0f + tanhf(0.797884561f * (x + 0.044715f * x * x * x)));
    case Activation::kGeluErf:
      return 0.5f * x * (1.0f + erff(x * 0.707106781f));
    case Activation::kRelu:
      return fmaxf(x, 0.0f);
    case Activation::kRelu2: {
      const float positive = fmaxf(x, 0.0f);
      return positive * positive;
    }
  }
  return x;
}

}  // namespace keju::cuda
