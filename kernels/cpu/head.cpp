// SPDX-License-Identifier: MIT
// The vocabulary head: logits by tiles of 1,024 columns, each reduced as soon as it is made.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/exact_math.h"
#include "kernels/cpu/cpu_base.h"

namespace keju {
namespace {

using Scored = std::pair<int32_t, float>;

bool better(const Scored& a, const Scored& b) {
  return a.second != b.second ? a.second > b.second : a.first < b.first;
}

struct TileOut {
  TileSum sum;
  int32_t best_id = 0;
};

// What one call of head() shares between its tiles.
struct HeadJob {
  int64_t tiles = 0;
  int64_t rows = 0;
  int top = 0;
  std::vector<TileOut> out;                                      // [tiles][rows]
  std::vector<Scored> best;                                      // [tiles][rows][top], best first
  std::vector<std::vector<std::pair<int32_t, int32_t>>> wanted;  // per row: (id, place), by id
  std::vector<HeadRow> result;

  TileOut& at(int64_t tile, int64_t row) { return out[static_cast<size_t>(tile * rows + row)]; }
  Scored* best_at(int64_t tile, int64_t row) {
    return best.data() + (tile * rows + row) * static_cast<int64_t>(top);
  }
};

// Keeps the `top` best of the tile in order by insertion; few values get past the first compare.
void keep_best(const float* x, int64_t begin, int64_t count, int top, Scored* best) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  int held = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (held == top && !(x[i] > best[top - 1].second)) continue;
    const Scored now{static_cast<int32_t>(begin + i), x[i]};
    int at = held < top ? held++ : top - 1;
    for (; at > 0 && better(now, best[at - 1]); --at) best[at] = best[at - 1];
    best[at] = now;
  }
  for (; held < top; ++held) best[held] = {-1, kNone};
}

void reduce_row(HeadJob& job,
                int64_t tile,
                int64_t row,
                const float* x,
                int64_t begin,
                int64_t count,
                TileSum sum) {
  TileOut& out = job.at(tile, row);
  out.sum = sum;
  int64_t best = 0;
  while (best < count - 1 && x[best] != sum.max) ++best;
  out.best_id = static_cast<int32_t>(begin + best);
  if (job.top > 0) keep_best(x, begin, count, job.top, job.best_at(tile, row));
  const auto& wanted = job.wanted[static_cast<size_t>(row)];
  auto it =
      std::lower_bound(wanted.begin(), wanted.end(), std::pair{static_cast<int32_t>(begin), 0});
  for (; it != wanted.end() && it->first < begin + count; ++it) {
    job.result[static_cast<size_t>(row)].wanted[static_cast<size_t>(it->second)] =
        x[it->first - begin];
  }
}

// Tiles in ascending order, in double: the running maximum only moves up.
void finish_row(HeadJob& job, int64_t row) {
  HeadRow& result = job.result[static_cast<size_t>(row)];
  double max = -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (int64_t tile = 0; tile < job.tiles; ++tile) {
    const TileOut& out = job.at(tile, row);
    const double own = static_cast<double>(out.sum.max);
    if (tile == 0 || own > max) {
      sum = tile == 0 ? 0 : sum * exact_exp(max - own);
      max = own;
      result.best_id = out.best_id;
      result.best_logit = out.sum.max;
    }
    sum = sum + static_cast<double>(out.sum.sum) * exact_exp(own - max);
  }
  result.log_sum_exp = max + exact_log(sum);
  if (job.top == 0) return;
  std::vector<Scored> all;
  for (int64_t tile = 0; tile < job.tiles; ++tile) {
    const Scored* best = job.best_at(tile, row);
    for (int i = 0; i < job.top && best[i].first >= 0; ++i) all.push_back(best[i]);
  }
  const size_t kept = std::min(all.size(), static_cast<size_t>(job.top));
  std::partial_sort(all.begin(), all.begin() + static_cast<int64_t>(kept), all.end(), better);
  all.resize(kept);
  result.top = std::move(all);
}

HeadJob start_job(int64_t rows,
                  int64_t vocab,
                  int top,
                  std::span<const std::vector<int32_t>> wanted) {
  HeadJob job;
  job.tiles = (vocab + kHeadTile - 1) / kHeadTile;
  job.rows = rows;
  job.top = static_cast<int>(std::min<int64_t>(top, kHeadTile));
  job.out.resize(static_cast<size_t>(job.tiles * rows));
  job.best.resize(static_cast<size_t>(job.tiles * rows * job.top));
  job.wanted.resize(static_cast<size_t>(rows));
  job.result.resize(static_cast<size_t>(rows));
  for (size_t r = 0; r < wanted.size(); ++r) {
    job.result[r].wanted.resize(wanted[r].size());
    for (size_t i = 0; i < wanted[r].size(); ++i) {
      KEJU_CHECK(wanted[r][i] >= 0 && wanted[r][i] < vocab, "wanted id out of range");
      job.wanted[r].emplace_back(wanted[r][i], static_cast<int32_t>(i));
    }
    std::sort(job.wanted[r].begin(), job.wanted[r].end());
  }
  return job;
}

}  // namespace

std::vector<HeadRow> CpuBase::head(Rows x,
                                   const Matrix& w,
                                   const HeadSpec& spec,
                                   std::span<const std::vector<int32_t>> wanted) {
  KEJU_CHECK(wanted.empty() || static_cast<int64_t>(wanted.size()) == x.count,
             "wanted ids: one list per row");
  if (x.count == 0) return {};
  HeadJob job = start_job(x.count, w.rows, spec.top, wanted);
  const int64_t row_blocks = (x.count + kHeadRows - 1) / kHeadRows;
  const int64_t held = std::min(x.count, kHeadRows) * kHeadTile;
  float* const logits = head_scratch_.floats(held * pool_.size());
  prepare_head(x, w);
  in_parallel(job.tiles, 1, [&](int64_t tile, int64_t, int worker) {
    const int64_t begin = tile * kHeadTile;
    const int64_t end = std::min(w.rows, begin + kHeadTile);
    float* const own = logits + held * worker;
    for (int64_t block = 0; block < row_blocks; ++block) {
      const int64_t row0 = block * kHeadRows;
      const int64_t rows = std::min(kHeadRows, x.count - row0);
      head_tile(x, w, spec, {row0, rows, begin, end, own, kHeadTile, worker});
      for (int64_t r = 0; r < rows; ++r) {
        const float* row = own + r * kHeadTile;
        reduce_row(job, tile, row0 + r, row, begin, end - begin, tile_sum(row, end - begin));
      }
    }
  });
  in_parallel(x.count, 16, [&](int64_t first, int64_t last, int) {
    for (int64_t r = first; r < last; ++r) finish_row(job, r);
  });
  return std::move(job.result);
}

void CpuBase::logits(Rows x, const Matrix& w, const HeadSpec& spec, float* host) {
  if (x.count == 0) return;
  prepare_head(x, w);
  const int64_t tiles = (w.rows + kHeadTile - 1) / kHeadTile;
  in_parallel(tiles, 1, [&](int64_t tile, int64_t, int worker) {
    const int64_t begin = tile * kHeadTile;
    const int64_t end = std::min(w.rows, begin + kHeadTile);
    for (int64_t row0 = 0; row0 < x.count; row0 += kHeadRows) {
      const int64_t rows = std::min(kHeadRows, x.count - row0);
      float* const out = host + row0 * w.rows + begin;
      head_tile(x, w, spec, {row0, rows, begin, end, out, w.rows, worker});
    }
  });
}

}  // namespace keju
