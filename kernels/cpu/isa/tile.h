// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: the register tile that every matrix product above a few rows is
// made of, in linear layers and in attention.
#include "kernels/cpu/isa/table.h"

namespace keju {
namespace {

// c[r][v] (+)= Σ_k a[r][k] · b[k][v], k ascending, one fused operation each.
struct TileArgs {
  const float* a = nullptr;
  const float* b = nullptr;  // vector v of row k at b + v·b_vector + k·b_row
  int64_t b_vector = 0;
  int64_t b_row = 0;
  int64_t count = 0;   // of k
  float* c = nullptr;  // vector v of row r at c + r·c_row + 16·v
  int64_t c_row = 0;
  bool from_zero = false;
  int64_t a_row = 0;  // of rows that lie apart
};

constexpr int kAhead = 16;  // steps of k that the left side is fetched ahead
KEJU_INLINE void prefetch(const float* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
}
KEJU_INLINE void prefetch_for_write(float* p) { __builtin_prefetch(p, 1, 3); }

// How the left side lies in memory: [k][kTileRows], or [row][64] as probabilities do.
struct Interleaved {
  static constexpr int kRow = 1;
  static constexpr int kStep = kTileRows;
};
struct PageRows {
  static constexpr int kRow = 64;
  static constexpr int kStep = 1;
};

template <int R, int N>
KEJU_INLINE void start_sums(const TileArgs& t, V (&sum)[R][N]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) {
      sum[r][v] = t.from_zero ? V::spread(0.0f) : load(t.c + r * t.c_row + 16 * v);
    }
  }
  if (!t.from_zero) return;
    // The results' cache lines are not here yet: have them fetched while the sums are made.
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) prefetch_for_write(t.c + r * t.c_row + 16 * v);
  }
}

template <int R, int N>
KEJU_INLINE void store_sums(const TileArgs& t, const V (&sum)[R][N]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) store(t.c + r * t.c_row + 16 * v, sum[r][v]);
  }
}

template <typename Left, int R, int N>
void tile(const TileArgs& t) {
  V sum[R][N];
  start_sums<R, N>(t, sum);
  const float* a = t.a;
  const float* b = t.b;
  const int64_t b_vector = t.b_vector;
  const int64_t b_row = t.b_row;
  for (int64_t k = 0; k < t.count; ++k) {
    V w[N];
    prefetch(a + kAhead * Left::kStep);
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) w[v] = load(b + v * b_vector);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const V x = broadcast(a + r * Left::kRow);
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) sum[r][v] = mul_add(x, w[v], sum[r][v]);
    }
    a += Left::kStep;
    b += b_row;
  }
  store_sums<R, N>(t, sum);
}

// The left side as rows lie in memory, a_row apart: kSteps of k, from pointers to rows 0, 4 and 8,
// since an address reaches but three rows on. Steps follow each other in b by sixteen floats.
template <int kSteps, int R, int N>
KEJU_INLINE void row_steps(const float* a0,
                           const float* a4,
                           const float* a8,
                           int64_t a_row,
                           const float* b,
                           int64_t b_vector,
                           V (&sum)[R][N]) {
#pragma GCC unroll 4
  for (int k = 0; k < kSteps; ++k) {
    V w[N];
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) w[v] = load(b + v * b_vector + 16 * k);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const float* const from = r < 4 ? a0 : r < 8 ? a4 : a8;
      const V x = broadcast(from + r % 4 * a_row + k);
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) sum[r][v] = mul_add(x, w[v], sum[r][v]);
    }
  }
}

template <int R, int N>
void row_tile(const TileArgs& t) {
  static_assert(R <= 12);
  V sum[R][N];
  start_sums<R, N>(t, sum);
  const int64_t a_row = t.a_row;
  const int64_t b_vector = t.b_vector;
  const float* a0 = t.a;
  const float* a4 = R > 4 ? a0 + 4 * a_row : a0;
  const float* a8 = R > 8 ? a0 + 8 * a_row : a0;
  const float* b = t.b;
  constexpr int kSteps = 4;
  int64_t k = t.count;
  for (; k >= kSteps; k -= kSteps) {
    row_steps<kSteps, R, N>(a0, a4, a8, a_row, b, b_vector, sum);
    a0 += kSteps;
    a4 += kSteps;
    a8 += kSteps;
    b += kSteps * 16;
  }
  for (; k > 0; --k) {
    row_steps<1, R, N>(a0++, a4++, a8++, a_row, b, b_vector, sum);
    b += 16;
  }
  store_sums<R, N>(t, sum);
}

using TileFunction = void (*)(const TileArgs& t);

// Whether R rows of N vectors fit the registers that may accumulate.
template <int R, int N>
constexpr bool fits() {
  return R * N <= kTileRows * kTileVectors;
}

template <typename Left, int N>
TileFunction tile_of_rows(int64_t rows) {
  switch (rows) {
    case 1:
      return tile<Left, 1, N>;
    case 2:
      return tile<Left, 2, N>;
    case 3:
      return tile<Left, 3, N>;
    case 4:
      return tile<Left, 4, N>;
    case 5:
      return tile<Left, 5, N>;
    case 6:
      return tile<Left, 6, N>;
    default:
      break;
  }
  if constexpr (kTileRows > 6) {
    switch (rows) {
      case 7:
        return tile<Left, 7, N>;
      case 8:
        return tile<Left, 8, N>;
      case 9:
        return tile<Left, 9, N>;
      case 10:
        return tile<Left, 10, N>;
      case 11:
        return tile<Left, 11, N>;
      default:
        return tile<Left, 12, N>;
    }
  }
  return tile<Left, 6, N>;
}

template <int N>
TileFunction row_tile_of(int64_t rows) {
  static constexpr TileFunction kLow[] = {row_tile<1, N>,
                                          row_tile<2, N>,
                                          row_tile<3, N>,
                                          row_tile<4, N>,
                                          row_tile<5, N>,
                                          row_tile<6, N>};
  if constexpr (kTileRows > 6) {
    static constexpr TileFunction kHigh[] = {row_tile<7, N>,
                                             row_tile<8, N>,
                                             row_tile<9, N>,
                                             row_tile<10, N>,
                                             row_tile<11, N>,
                                             row_tile<12, N>};
    if (rows > 6) return kHigh[rows - 7];
  }
  return kLow[rows - 1];
}

// One tile of up to kTileVectors vectors on rows that lie apart.
inline void run_row_tile(int64_t rows, int vectors, const TileArgs& t) {
  if constexpr (kTileVectors > 1) {
    if (vectors == kTileVectors) return row_tile_of<kTileVectors>(rows)(t);
  }
  row_tile_of<1>(rows)(t);
}

// Any number of vectors, for either left side of attention.
template <typename Left>
void run_tiles(int64_t rows, int64_t vectors, TileArgs t) {
  int64_t left = vectors;
  const auto go = [&](TileFunction f, int n) {
    for (; left >= n; left -= n) {
      f(t);
      t.b += n * t.b_vector;
      t.c += 16 * n;
    }
  };
  // Few rows take four vectors at a time: the multipliers need that many independent sums.
  switch (rows) {
    case 1:
      go(tile<Left, 1, 4>, 4);
      break;
    case 2:
      if constexpr (fits<2, 4>()) go(tile<Left, 2, 4>, 4);
      break;
    case 3:
      if constexpr (fits<3, 4>()) go(tile<Left, 3, 4>, 4);
      break;
    case 4:
      if constexpr (fits<4, 4>()) go(tile<Left, 4, 4>, 4);
      break;
    case 5:
      if constexpr (fits<5, 4>()) go(tile<Left, 5, 4>, 4);
      break;
    case 6:
      if constexpr (fits<6, 4>()) go(tile<Left, 6, 4>, 4);
      break;
    default:
      break;
  }
  if constexpr (kTileVectors > 1) go(tile_of_rows<Left, kTileVectors>(rows), kTileVectors);
  go(tile_of_rows<Left, 1>(rows), 1);
}

// `count` rows of k floats to [k][kTileRows]; places of missing rows stay as they are.
inline void interleave_rows(const float* const (&rows)[kTileRows],
                            int64_t count,
                            int64_t k,
                            float* out) {
  int64_t r = 0;
  for (; r + 4 <= count; r += 4) {
    const float* const* from = rows + r;
    float* to = out + r;
    int64_t i = 0;
    for (; i + 4 <= k; i += 4) {
      __m128 c0 = _mm_loadu_ps(from[0] + i);
      __m128 c1 = _mm_loadu_ps(from[1] + i);
      __m128 c2 = _mm_loadu_ps(from[2] + i);
      __m128 c3 = _mm_loadu_ps(from[3] + i);
      _MM_TRANSPOSE4_PS(c0, c1, c2, c3);
      _mm_storeu_ps(to + i * kTileRows, c0);
      _mm_storeu_ps(to + (i + 1) * kTileRows, c1);
      _mm_storeu_ps(to + (i + 2) * kTileRows, c2);
      _mm_storeu_ps(to + (i + 3) * kTileRows, c3);
    }
    for (; i < k; ++i) {
      for (int64_t j = 0; j < 4; ++j) to[i * kTileRows + j] = from[j][i];
    }
  }
  for (; r < count; ++r) {
    for (int64_t i = 0; i < k; ++i) out[i * kTileRows + r] = rows[r][i];
  }
}

}  // namespace
}  // namespace keju
