// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/ptx.cuh"

// What prefill and decode attention share: one warp takes 16 packed query rows through one page of
// 64 keys, on tensor cores, with a running maximum per row in powers of two (Dao,
// arXiv:2307.08691). A row's arithmetic does not depend on the rows beside it: a page that a row
// does not see leaves its sums as they are, to the bit.
namespace keju::cuda {

// Rows of shared tiles are 16 bytes longer than their data: eight rows then lie in eight different
// groups of banks.
inline constexpr int kRoom = 8;

// Where a thread's part of a 16-row tile stands: rows i/4 and i/4 + 8.
struct TileRow {
  int position = -1;  // -1: no row
  int head = 0;
};

template <int v_size>
struct RowState {
  float max[2];  // of the scores times log2(e)
  float sum[2];  // this thread's part
  float out[v_size / 8][4];
};

template <int v_size>
__device__ __forceinline__ void start(RowState<v_size>& state) {
  for (int h = 0; h < 2; ++h) {
    state.max[h] = -infinity();
    state.sum[h] = 0;
  }
#pragma unroll
  for (int n = 0; n < v_size / 8; ++n) {
    for (int e = 0; e < 4; ++e) state.out[n][e] = 0;
  }
}

// Copies 64 rows of `size` elements, the slots past `last` as zeros: what nobody has written is
// not read. By `threads` threads, of which the caller is number `self`.
template <typename T, int size>
__device__ __forceinline__ void fetch_page(T* to, const T* from, int last, int self, int threads) {
  constexpr int kPieces = size / 8;
  for (int i = self; i < kPage * kPieces; i += threads) {
    const int slot = i / kPieces;
    const int piece = i % kPieces;
    copy16_async(to + slot * (size + kRoom) + piece * 8,
                 from + slot * size + piece * 8,
                 slot <= last ? 16 : 0);
  }
}

// scores (16 x 64) = q · keysᵀ. `q` is the warp's first row.
template <typename T, int k_size>
__device__ __forceinline__ void multiply_keys(float (&scores)[8][4], const T* q, const T* keys) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int n = 0; n < 8; ++n) {
    for (int e = 0; e < 4; ++e) scores[n][e] = 0;
  }
#pragma unroll
  for (int k = 0; k < k_size / 16; ++k) {
    uint32_t a[4];
    load_matrices(a, q + (lane % 16) * (k_size + kRoom) + k * 16 + lane / 16 * 8);
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      uint32_t b[4];
      const int key = n * 16 + lane / 16 * 8 + lane % 8;
      load_matrices(b, keys + key * (k_size + kRoom) + k * 16 + lane / 8 % 2 * 8);
      multiply<T>(scores[2 * n], a, b[0], b[1]);
      multiply<T>(scores[2 * n + 1], a, b[2], b[3]);
    }
  }
}

// One score, finished and in powers of two; -infinity where the row does not see position j.
__device__ __forceinline__ float finished(const AttentionArgs& args,
                                          float score,
                                          const TileRow& row,
                                          int j) {
  if (j > row.position || j < first_visible(row.position, args.window)) return -infinity();
  score *= args.scale;
  if (args.softcap > 0) score = soft_cap(score, args.softcap);
  if (args.alibi != nullptr)
    score = fmaf(args.alibi[row.head], static_cast<float>(j - row.position), score);
  return score * kLog2E;
}

// Scores become weights in place; the state moves to the new maximum.
template <int v_size>
__device__ __forceinline__ void weigh(RowState<v_size>& state,
                                      float (&scores)[8][4],
                                      const AttentionArgs& args,
                                      const TileRow (&rows)[2],
                                      int position0) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float max = state.max[h];
#pragma unroll
    for (int n = 0; n < 8; ++n) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float& score = scores[n][2 * h + e];
        score = finished(args, score, rows[h], position0 + n * 8 + lane % 4 * 2 + e);
        max = fmaxf(max, score);
      }
    }
    max = fmaxf(max, __shfl_xor_sync(kFullWarp, max, 1));
    max = fmaxf(max, __shfl_xor_sync(kFullWarp, max, 2));
    // A row that has seen nothing yet has no maximum: its weights are zero.
    const float base = max == -infinity() ? 0.0f : max;
    const float keep = state.max[h] == -infinity() ? 0.0f : exp2_fast(state.max[h] - base);
    float sum = 0;
#pragma unroll
    for (int n = 0; n < 8; ++n) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float& score = scores[n][2 * h + e];
        score = exp2_fast(score - base);
        sum += score;
      }
    }
    state.max[h] = max;
    state.sum[h] = fmaf(state.sum[h], keep, sum);
#pragma unroll
    for (int n = 0; n < v_size / 8; ++n) {
      state.out[n][2 * h] *= keep;
      state.out[n][2 * h + 1] *= keep;
    }
  }
}

// out += weights (16 x 64) · values.
template <typename T, int v_size>
__device__ __forceinline__ void multiply_values(RowState<v_size>& state,
                                                const float (&weights)[8][4],
                                                const T* values) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const uint32_t a[4] = {pack2<T>(weights[2 * k][0], weights[2 * k][1]),
                           pack2<T>(weights[2 * k][2], weights[2 * k][3]),
                           pack2<T>(weights[2 * k + 1][0], weights[2 * k + 1][1]),
                           pack2<T>(weights[2 * k + 1][2], weights[2 * k + 1][3])};
    const int key = k * 16 + lane / 8 % 2 * 8 + lane % 8;
#pragma unroll
    for (int n = 0; n < v_size / 16; ++n) {
      uint32_t b[4];
      load_matrices_transposed(b, values + key * (v_size + kRoom) + n * 16 + lane / 16 * 8);
      multiply<T>(state.out[2 * n], a, b[0], b[1]);
      multiply<T>(state.out[2 * n + 1], a, b[2], b[3]);
    }
  }
}

// The four threads of a row add their parts of the sum.
template <int v_size>
__device__ __forceinline__ void join_sums(RowState<v_size>& state) {
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    state.sum[h] += __shfl_xor_sync(kFullWarp, state.sum[h], 1);
    state.sum[h] += __shfl_xor_sync(kFullWarp, state.sum[h], 2);
  }
}

// The (k_size, v_size) pairs that are built: body.template operator()<k, v>().
template <typename Body>
bool with_sizes(int k_size, int v_size, const Body& body) {
  if (k_size == 64 && v_size == 64) return body.template operator()<64, 64>(), true;
  if (k_size == 80 && v_size == 80) return body.template operator()<80, 80>(), true;
  if (k_size == 96 && v_size == 96) return body.template operator()<96, 96>(), true;
  if (k_size == 128 && v_size == 128) return body.template operator()<128, 128>(), true;
  if (k_size == 192 && v_size == 128) return body.template operator()<192, 128>(), true;
  if (k_size == 192 && v_size == 192) return body.template operator()<192, 192>(), true;
  if (k_size == 256 && v_size == 256) return body.template operator()<256, 256>(), true;
  return false;
}

}  // namespace keju::cuda
