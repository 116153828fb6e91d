// SPDX-License-Identifier: MIT
// Products with stored weights, which stay as small as the file has them: a block expands 64 rows
// of weights 32 columns at a time into shared memory and multiplies them on tensor cores, the
// weights as the 16-row operand and the tokens as the 8-column one. Every tile shape runs the same
// instruction sequence per output, so the number of rows changes no bit.
#include "kernels/cuda/codec.cuh"

namespace keju::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kOutputs = kWarps * 16;  // rows of weights of a block
constexpr int kDepth = 32;             // columns at a time
constexpr int kStride = kDepth + 8;    // 16 bytes of room: no bank conflicts
constexpr int kFew = 8;                // tokens of a block when there are few …
constexpr int kMany = 64;              // … and when there are many

static_assert(kOutputs * kDepth / kGroup == kThreads, "a thread expands one group");

template <DType type, int tokens>
__global__ void __launch_bounds__(kThreads) matmul_kernel(MatmulArgs args) {
  KEJU_SHARED(Bf16, weights, kOutputs * kStride);
  KEJU_SHARED(Bf16, rows, tokens * kStride);
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int64_t output0 = static_cast<int64_t>(blockIdx.x) * kOutputs;
  const int64_t token0 = static_cast<int64_t>(blockIdx.y) * tokens;
  float sums[tokens / 8][4] = {};
  const int own_row = static_cast<int>(threadIdx.x) / 2;
  const bool has_row = output0 + own_row < args.w.rows;
  const uint8_t* const stored = args.w.data + (has_row ? output0 + own_row : 0) * args.w.row_bytes;

  for (int64_t k0 = 0; k0 < args.w.cols; k0 += kDepth) {
    float values[kGroup] = {};
    if (has_row) decode_group<type>(stored, k0 / kGroup + threadIdx.x % 2, kGroup, values);
    __syncthreads();  // the last columns have been read
    for (int j = 0; j < kGroup; ++j) {
      weights[own_row * kStride + static_cast<int>(threadIdx.x) % 2 * kGroup + j] =
          from_float<Bf16>(values[j]);
    }
    for (int i = static_cast<int>(threadIdx.x); i < tokens * kDepth; i += kThreads) {
      const int64_t t = token0 + i / kDepth;
      const float x = t < args.x.count ? args.x.data[t * args.x.stride + k0 + i % kDepth] : 0.0f;
      rows[i / kDepth * kStride + i % kDepth] = from_float<Bf16>(x);
    }
    __syncthreads();
    uint32_t left[2][4];
    for (int step = 0; step < 2; ++step) {
      load_matrices(left[step],
                    weights + (warp * 16 + lane % 16) * kStride + step * 16 + lane / 16 * 8);
    }
#pragma unroll
    for (int n = 0; n < tokens / 8; ++n) {
      uint32_t right[4];
      load_matrices(right, rows + (n * 8 + lane % 8) * kStride + lane / 8 * 8);
      multiply<Bf16>(sums[n], left[0], right[0], right[1]);
      multiply<Bf16>(sums[n], left[1], right[2], right[3]);
    }
  }
#pragma unroll
  for (int n = 0; n < tokens / 8; ++n) {
    for (int e = 0; e < 4; ++e) {
      const int64_t output = output0 + warp * 16 + lane / 4 + e / 2 * 8;
      const int64_t t = token0 + n * 8 + lane % 4 * 2 + e % 2;
      if (output >= args.w.rows || t >= args.x.count) continue;
      float value = sums[n][e];
      if (args.bias != nullptr) value += args.bias[output];
      float& to = args.out.data[t * args.out.stride + output];
      to = args.accumulate ? to + value : value;
    }
  }
}

}  // namespace

void matmul(void* stream, const MatmulArgs& args) {
  const bool few = args.x.count <= 2 * kFew;
  const int tokens = few ? kFew : kMany;
  const LaunchShape shape{.grid_x = (args.w.rows + kOutputs - 1) / kOutputs,
                          .grid_y = (args.x.count + tokens - 1) / tokens,
                          .block = kThreads,
                          .stream = stream};
  with_type(args.w.dtype, [&]<DType type>() {
    if constexpr (!kPlainType<type>) {
      launch(shape, few ? matmul_kernel<type, kFew> : matmul_kernel<type, kMany>, args);
    }
  });
}

}  // namespace keju::cuda
