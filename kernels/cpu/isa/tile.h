// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: the register tile that every matrix product above a few rows is
// made of, in linear layers and in attention.
#include <array>
#include <utility>

#include "kernels/cpu/isa/steps.h"
#include "kernels/cpu/isa/table.h"

namespace keju {
namespace {

// c[r][v] (+)= Σ_k a[r][k] · b[k][v], k ascending, one fused operation each.
struct TileArgs {
  const float* a = nullptr;
  const float* b = nullptr;
  int64_t b_vector = 0;  // FarVectors: vector v of row k at b + v·b_vector + 16·k
  int64_t b_row = 0;     // NearVectors: at b + 16·v + k·b_row
  int64_t count = 0;     // of k
  float* c = nullptr;    // vector v of row r at c + r·c_row + 16·v
  int64_t c_row = 0;
  bool from_zero = false;
  int64_t a_row = 0;  // FarRows: of k floats each
};

KEJU_INLINE void prefetch_for_write(float* p) { __builtin_prefetch(p, 1, 3); }

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

// Where a tile has got to on its left side. Left::at<r, k> is the value of row r, k steps on.
//
// Rows that lie apart by a distance known only at run time: addresses reach three of them.
struct FarRows {
  const float* first;
  const float* fifth;
  int64_t row;
  int64_t three_rows;
  explicit FarRows(const TileArgs& t)
      : first(t.a), fifth(t.a + 4 * t.a_row), row(t.a_row), three_rows(3 * t.a_row) {}
  template <int r, int k>
  KEJU_INLINE V at() const {
    static_assert(r < 8);
    const float* const p = r < 4 ? first : fifth;
    if constexpr (r % 4 == 0) return spread_at<k>(p);
    if constexpr (r % 4 == 1) return spread_at<k, 1>(p, row);
    if constexpr (r % 4 == 2) return spread_at<k, 2>(p, row);
    if constexpr (r % 4 == 3) return spread_at<k, 1>(p, three_rows);
  }
  KEJU_INLINE void go(int steps) {
    first += steps;
    fifth += steps;
  }
};

// [k][kRows], or [row][64] as probabilities do.
template <int kRow, int kStep>
struct NearRows {
  const float* first;
  explicit NearRows(const TileArgs& t) : first(t.a) {}
  template <int r, int k>
  KEJU_INLINE V at() const {
    return spread_at<r * kRow + k * kStep>(first);
  }
  KEJU_INLINE void go(int steps) { first += steps * kStep; }
};
using Interleaved = NearRows<1, kQueryRows>;
using PageRows = NearRows<64, 1>;

// And on its right side: vectors `vector` floats apart.
struct FarVectors {
  const float* first;
  const float* fourth;
  int64_t vector;
  static constexpr int kStep = 16;
  explicit FarVectors(const TileArgs& t)
      : first(t.b), fourth(t.b + 3 * t.b_vector), vector(t.b_vector) {}
  template <int v, int k>
  KEJU_INLINE V at() const {
    static_assert(v < 4);
    if constexpr (v == 0) return load_at<k * kStep>(first);
    if constexpr (v == 1) return load_at<k * kStep, 1>(first, vector);
    if constexpr (v == 2) return load_at<k * kStep, 2>(first, vector);
    if constexpr (v == 3) return load_at<k * kStep>(fourth);
  }
  KEJU_INLINE void go(int steps) {
    first += steps * kStep;
    fourth += steps * kStep;
  }
};

// Rows of vectors side by side, `row` floats apart.
struct NearVectors {
  const float* first;
  int64_t row;
  explicit NearVectors(const TileArgs& t) : first(t.b), row(t.b_row) {}
  template <int v, int k>
  KEJU_INLINE V at() const {
    if constexpr (k == 0) return load_at<16 * v>(first);
    if constexpr (k > 0) return load_at<16 * v, k>(first, row);
  }
  KEJU_INLINE void go(int steps) { first += steps * row; }
};

template <int k, int r, typename Left, int R, int N>
KEJU_INLINE void add_rows(const Left& left, const V (&w)[N], V (&sum)[R][N]) {
  if constexpr (r < R) {
    const V x = left.template at<r, k>();
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) add_product(sum[r][v], x, w[v]);
    add_rows<k, r + 1>(left, w, sum);
  }
}

template <int k, int kSteps, typename Left, typename Right, int R, int N>
KEJU_INLINE void add_steps(const Left& left, const Right& right, V (&sum)[R][N]) {
  if constexpr (k < kSteps) {
    V w[N];
    w[0] = right.template at<0, k>();
    if constexpr (N > 1) w[1] = right.template at<1, k>();
    if constexpr (N > 2) w[2] = right.template at<2, k>();
    if constexpr (N > 3) w[3] = right.template at<3, k>();
    add_rows<k, 0>(left, w, sum);
    add_steps<k + 1, kSteps>(left, right, sum);
  }
}

template <typename Left, typename Right, int kSteps, int R, int N>
void tile(const TileArgs& t) {
  static_assert(R * N <= kTileRows * kTileVectors);
  V sum[R][N];
  start_sums<R, N>(t, sum);
  Left left(t);
  Right right(t);
  order_memory();
  int64_t k = t.count;
  for (; k >= kSteps; k -= kSteps) {
    add_steps<0, kSteps>(left, right, sum);
    left.go(kSteps);
    right.go(kSteps);
  }
  if constexpr (kSteps > 1) {
    for (; k > 0; --k) {
      add_steps<0, 1>(left, right, sum);
      left.go(1);
      right.go(1);
    }
  }
  order_memory();
  store_sums<R, N>(t, sum);
}

using TileFunction = void (*)(const TileArgs& t);

// Entry r: of r + 1 rows.
template <typename Left, typename Right, int kSteps, int N, int... r>
constexpr std::array<TileFunction, sizeof...(r)> tiles_of(std::integer_sequence<int, r...>) {
  return {tile<Left, Right, kSteps, r + 1, N>...};
}

// One tile of up to kTileRows rows that lie apart and up to kTileVectors vectors.
template <int N = 1>
KEJU_INLINE void run_row_tile(int64_t rows, int vectors, const TileArgs& t) {
  if constexpr (N < kTileVectors) {
    if (vectors > N) return run_row_tile<N + 1>(rows, vectors, t);
  }
  static constexpr auto kTiles =
      tiles_of<FarRows, FarVectors, 4, N>(std::make_integer_sequence<int, kTileRows>());
  kTiles[static_cast<size_t>(rows - 1)](t);
}

// Attention's tiles are wide rather than high, as a page is 64 positions wide: N vectors on as many
// rows as the registers hold.
template <int N>
constexpr int page_tile_rows() {
  if (kTileVectors == 1 && N > 1) return 1;  // a vector is two registers
  return kTileRows * kTileVectors / N < 6 ? kTileRows * kTileVectors / N : 6;
}

template <typename Left, int N>
KEJU_INLINE void run_page_tile(int64_t rows, const TileArgs& t) {
  static constexpr auto kTiles =
      tiles_of<Left, NearVectors, 2, N>(std::make_integer_sequence<int, page_tile_rows<N>()>());
  kTiles[static_cast<size_t>(rows - 1)](t);
}

// N vectors at a time for as long as there are so many, then fewer.
template <typename Left, int N>
KEJU_INLINE void run_page_tiles(int64_t rows, int64_t vectors, TileArgs t) {
  if (rows <= page_tile_rows<N>()) {
    for (; vectors >= N; vectors -= N) {
      run_page_tile<Left, N>(rows, t);
      t.b += N * 16;
      t.c += N * 16;
    }
  }
  if constexpr (N > 1) {
    if (vectors > 0) run_page_tiles<Left, N - 1>(rows, vectors, t);
  }
}

// Any number of vectors side by side and up to kQueryRows rows, for either left side of attention;
// a_rows: floats from one row of the left side to the next.
template <typename Left>
void run_tiles(int64_t rows, int64_t vectors, int64_t a_rows, const TileArgs& t) {
  const int64_t parts = (rows + 5) / 6;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t from = rows * part / parts;
    TileArgs own = t;
    own.a += from * a_rows;
    own.c += from * t.c_row;
    run_page_tiles<Left, 4>(rows * (part + 1) / parts - from, vectors, own);
  }
}

// `count` rows of k floats to [k][kQueryRows]; places of missing rows stay as they are.
inline void interleave_rows(const float* const (&rows)[kQueryRows],
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
      _mm_storeu_ps(to + i * kQueryRows, c0);
      _mm_storeu_ps(to + (i + 1) * kQueryRows, c1);
      _mm_storeu_ps(to + (i + 2) * kQueryRows, c2);
      _mm_storeu_ps(to + (i + 3) * kQueryRows, c3);
    }
    for (; i < k; ++i) {
      for (int64_t j = 0; j < 4; ++j) to[i * kQueryRows + j] = from[j][i];
    }
  }
  for (; r < count; ++r) {
    for (int64_t i = 0; i < k; ++i) out[i * kQueryRows + r] = rows[r][i];
  }
}

}  // namespace
}  // namespace keju
