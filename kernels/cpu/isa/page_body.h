// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: what stands between the projections and attention, and attention.
#include "kernels/cpu/isa/rows_body.h"
#include "kernels/cpu/isa/tile.h"

namespace keju {
namespace {

constexpr int64_t kPage = kPagePositions;
static_assert(kPage == 64);  // PageRows

inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// -- q, k, v -----------------------------------------------------------------------------------

// Heads of one row, `stride` apart.
struct HeadsOfRow {
  float* data;
  int64_t heads;
  int64_t size;
  int64_t stride;
};

inline void copy_floats(const float* from, int64_t n, float* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

inline void norm_heads(HeadsOfRow row, const HeadNormSpec& spec, float* joined) {
  if (spec.scope == HeadNormSpec::Scope::kNone) return;
  NormArgs args;
  args.spec = spec.norm;
  args.weight = spec.norm.weight != nullptr ? spec.norm.weight->data : nullptr;
  args.bias = spec.norm.bias != nullptr ? spec.norm.bias->data : nullptr;
  const bool shared = spec.norm.weight == nullptr || spec.norm.weight->size == row.size;
  Stats stats{0, 0};
  if (spec.scope == HeadNormSpec::Scope::kRow) {
    for (int64_t h = 0; h < row.heads; ++h) {
      copy_floats(row.data + h * row.stride, row.size, joined + h * row.size);
    }
    stats = norm_stats(joined, row.heads * row.size, spec.norm);
  }
  for (int64_t h = 0; h < row.heads; ++h) {
    float* head = row.data + h * row.stride;
    if (spec.scope == HeadNormSpec::Scope::kHead) stats = norm_stats(head, row.size, spec.norm);
    norm_apply(head, row.size, stats, args, shared ? 0 : h * row.size, head);
  }
}

// Pairs (i, i + half): both sides are contiguous.
inline void rotate_halves(float* head, const float* c, const float* s, int64_t half) {
  for (int64_t i = 0; i < half; i += 16) {
    const int64_t lanes = least(16, half - i);
    const V a = load_first(head + i, lanes);
    const V b = load_first(head + half + i, lanes);
    const V cosine = load_first(c + i, lanes);
    const V sine = load_first(s + i, lanes);
    store_first(head + i, mul_add(a, cosine, V::spread(-0.0f) - b * sine), lanes);
    store_first(head + half + i, mul_add(b, cosine, a * sine), lanes);
  }
}

inline void rotate_pairs(float* head, const float* c, const float* s, int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float a = head[2 * i];
    const float b = head[2 * i + 1];
    head[2 * i] = __builtin_fmaf(a, c[i], -(b * s[i]));
    head[2 * i + 1] = __builtin_fmaf(b, c[i], a * s[i]);
  }
}

inline void rotate_heads(HeadsOfRow row, const QkvSpec& spec, int64_t position) {
  const int64_t half = spec.rope_dim / 2;
  const float* c = spec.rope_cos->data + position * half;
  const float* s = spec.rope_sin->data + position * half;
  for (int64_t h = 0; h < row.heads; ++h) {
    float* head = row.data + h * row.stride + spec.rope_offset;
    if (spec.rope_style == RopeStyle::kInterleaved) {
      rotate_pairs(head, c, s, half);
    } else {
      rotate_halves(head, c, s, half);
    }
  }
}

inline void norm_and_rotate(HeadsOfRow row,
                            const HeadNormSpec& norm,
                            const QkvSpec& spec,
                            int64_t position,
                            float* joined) {
  if (!spec.norm_after_rope) norm_heads(row, norm, joined);
  if (spec.rope_dim > 0) rotate_heads(row, spec, position);
  if (spec.norm_after_rope) norm_heads(row, norm, joined);
}

// scratch: the keys of up to 16 rows, then room to join the heads of a row.
void qkv_rows(const QkvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const QkvSpec& spec = *args.spec;
  const int64_t shared = args.k_shared.data != nullptr ? args.k_shared.size : 0;
  const int64_t k_size = args.k.size + shared;
  const int64_t key_floats = args.k.heads * k_size;
  float* const joined = scratch + 16 * key_floats;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t t = args.segment.row0 + i;
    const int64_t position = args.segment.pos0 + i;
    const HeadsOfRow q{
        args.q.data + t * args.q.row_stride, args.q.heads, args.q.size, args.q.head_stride};
    norm_and_rotate(q, spec.q_norm, spec, position, joined);
    if (spec.q_scale != nullptr) {
      const float scale = spec.q_scale->data[position];
      for (int64_t h = 0; h < q.heads; ++h) {
        for (int64_t e = 0; e < q.size; ++e) q.data[h * q.stride + e] *= scale;
      }
    }
    float* const keys = scratch + (i - begin) * key_floats;
    for (int64_t h = 0; h < args.k.heads; ++h) {
      copy_floats(args.k.data + t * args.k.row_stride + h * args.k.head_stride,
                  args.k.size,
                  keys + h * k_size);
      if (shared > 0) {
        copy_floats(args.k_shared.data + t * args.k_shared.row_stride,
                    shared,
                    keys + h * k_size + args.k.size);
      }
    }
    norm_and_rotate({keys, args.k.heads, k_size, k_size}, spec.k_norm, spec, position, joined);
    float* const page = args.pages[args.segment.pages[position / kPage]];
    for (int64_t h = 0; h < args.v.heads; ++h) {
      copy_floats(args.v.data + t * args.v.row_stride + h * args.v.head_stride,
                  args.v.size,
                  page + args.values + (h * kPage + position % kPage) * args.v.size);
    }
  }
  // Keys lie with positions innermost: row by row would touch a cache line per element.
  for (int64_t e = 0; e < key_floats; ++e) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t position = args.segment.pos0 + i;
      float* const page = args.pages[args.segment.pages[position / kPage]];
      page[args.keys + e * kPage + position % kPage] = scratch[(i - begin) * key_floats + e];
    }
  }
}

// -- attention ---------------------------------------------------------------------------------

// Up to kQueryRows query rows of one kv head.
struct Block {
  const AttentionArgs& args;
  const Segment& segment;
  int64_t kv_head;
  int64_t rows;
  int64_t first_page;
  int64_t pages;              // from first_page
  int64_t first[kQueryRows];  // visible positions [first, last] of each row
  int64_t last[kQueryRows];
  int64_t head[kQueryRows];
  float max[kQueryRows];
  float inverse[kQueryRows];
  float* query;   // [k_size][kQueryRows]
  float* scores;  // [pages][kQueryRows][64]; then probabilities
  float* sums;    // [rows][v_size rounded up to 16]

  float* scores_at(int64_t page, int64_t row) const {
    return scores + (page * kQueryRows + row) * kPage;
  }
  const float* page_at(int64_t page) const { return args.pages[segment.pages[first_page + page]]; }
};

inline int64_t rounded_up(int64_t n) { return (n + 15) / 16 * 16; }

// Scores of one row in one page, finished; lanes that the row may not see become -infinity.
inline V finish_scores(const Block& b, int64_t row, int64_t page, V top) {
  const AttentionSpec& spec = b.args.spec;
  float* const scores = b.scores_at(page, row);
  const int64_t begin = (b.first_page + page) * kPage;
  const bool all = begin >= b.first[row] && begin + kPage - 1 <= b.last[row];
  for (int64_t i = 0; i < kPage; i += 16) {
    V s = load(scores + i) * V::spread(spec.scale);
    if (spec.softcap > 0) s = softcap_lanes(s, spec.softcap);
    if (spec.alibi != nullptr) {
      float distance[16];
      for (int64_t l = 0; l < 16; ++l) {
        distance[l] = static_cast<float>(begin + i + l - b.last[row]);
      }
      s = mul_add(V::spread(spec.alibi->data[b.head[row]]), load(distance), s);
    }
    if (!all) {
      const Mask seen = lanes_between(b.first[row] - begin - i, b.last[row] + 1 - begin - i);
      s = select(seen, s, V::spread(-HUGE_VALF));
    }
    store(scores + i, s);
    top = max_lanes(s, top);
  }
  return top;
}

inline void score_pages(Block& b) {
  V top[kQueryRows];
  for (int64_t r = 0; r < b.rows; ++r) top[r] = V::spread(-HUGE_VALF);
  const int64_t head_offset = b.args.keys + b.kv_head * b.args.k_size * kPage;
  for (int64_t page = 0; page < b.pages; ++page) {
    run_tiles<Interleaved>(b.rows,
                           kPage / 16,
                           1,
                           {b.query,
                            b.page_at(page) + head_offset,
                            0,
                            kPage,
                            b.args.k_size,
                            b.scores_at(page, 0),
                            kPage,
                            true});
    for (int64_t r = 0; r < b.rows; ++r) top[r] = finish_scores(b, r, page, top[r]);
  }
  for (int64_t r = 0; r < b.rows; ++r) b.max[r] = fold(top[r], true);
}

// e^(score - max), and one over their sum. Hidden lanes hold e^-infinity = 0.
inline void weigh_pages(Block& b) {
  const Vector* sinks = b.args.spec.sinks;
  for (int64_t r = 0; r < b.rows; ++r) {
    float max = b.max[r];
    if (sinks != nullptr) max = sinks->data[b.head[r]] > max ? sinks->data[b.head[r]] : max;
    const V peak = V::spread(max);
    V total = V::spread(0.0f);
    for (int64_t page = 0; page < b.pages; ++page) {
      float* const scores = b.scores_at(page, r);
      for (int64_t i = 0; i < kPage; i += 16) {
        const V p = exp_lanes(load(scores + i) - peak);
        store(scores + i, p);
        total = total + p;
      }
    }
    float sum = fold(total, false);
    if (sinks != nullptr) {
      float extra[16];
      store(extra, exp_lanes(V::spread(sinks->data[b.head[r]]) - peak));
      sum = sum + extra[0];
    }
    b.inverse[r] = 1.0f / sum;
  }
}

// sums[row..row+rows) += p · v for slots [from, to) of a page.
inline void add_values(
    const Block& b, int64_t page, int64_t row, int64_t rows, int64_t from, int64_t to) {
  if (from >= to) return;
  const int64_t v_size = b.args.v_size;
  const int64_t sums_row = rounded_up(v_size);
  run_tiles<PageRows>(rows,
                      sums_row / 16,
                      kPage,
                      {b.scores_at(page, row) + from,
                       b.page_at(page) + b.args.values + (b.kv_head * kPage + from) * v_size,
                       0,
                       v_size,
                       to - from,
                       b.sums + row * sums_row,
                       sums_row,
                       false});
}

// Positions that a row may not see are never multiplied, not even by zero: what lies there may be
// anything. The rows of a block differ only in their first and last pages.
inline void value_pages(const Block& b) {
  for (int64_t page = 0; page < b.pages; ++page) {
    const int64_t begin = (b.first_page + page) * kPage;
    int64_t from[kQueryRows];
    int64_t to[kQueryRows];
    int64_t all_from = 0;
    int64_t all_to = kPage;
    for (int64_t r = 0; r < b.rows; ++r) {
      from[r] = most(0, b.first[r] - begin);
      to[r] = least(kPage, b.last[r] + 1 - begin);
      all_from = most(all_from, from[r]);
      all_to = least(all_to, to[r]);
    }
    if (all_from >= all_to) {
      for (int64_t r = 0; r < b.rows; ++r) add_values(b, page, r, 1, from[r], to[r]);
      continue;
    }
    for (int64_t r = 0; r < b.rows; ++r) add_values(b, page, r, 1, from[r], all_from);
    add_values(b, page, 0, b.rows, all_from, all_to);
    for (int64_t r = 0; r < b.rows; ++r) add_values(b, page, r, 1, all_to, to[r]);
  }
}

int64_t attention_scratch_floats(const AttentionArgs& args, int64_t positions) {
  const int64_t pages = (positions + kPage - 1) / kPage + 1;
  return kQueryRows * (args.k_size + pages * kPage + rounded_up(args.v_size));
}

// begin, end: at most kQueryRows of the segment's query rows for this kv head.
void attention_rows(const AttentionArgs& args,
                    const Segment& segment,
                    int64_t kv_head,
                    int64_t begin,
                    int64_t end,
                    float* scratch) {
  const int64_t group = args.q.heads / args.kv_heads;
  Block b{args, segment, kv_head, end - begin, 0, 0, {}, {}, {}, {}, {}, nullptr, nullptr, nullptr};
  int64_t lowest = INT64_MAX;
  int64_t highest = 0;
  for (int64_t r = 0; r < b.rows; ++r) {
    const int64_t position = segment.pos0 + (begin + r) / group;
    b.head[r] = kv_head * group + (begin + r) % group;
    b.last[r] = position;
    b.first[r] = args.spec.window > 0 ? most(0, position - args.spec.window + 1) : 0;
    lowest = least(lowest, b.first[r]);
    highest = most(highest, position);
  }
  b.first_page = lowest / kPage;
  b.pages = highest / kPage - b.first_page + 1;
  b.query = scratch;
  b.scores = b.query + args.k_size * kQueryRows;
  b.sums = b.scores + b.pages * kQueryRows * kPage;
  const float* queries[kQueryRows] = {};
  for (int64_t r = 0; r < b.rows; ++r) {
    const int64_t row = segment.row0 + (begin + r) / group;
    queries[r] = args.q.data + row * args.q.row_stride + b.head[r] * args.q.head_stride;
  }
  interleave_rows(queries, b.rows, args.k_size, b.query);
  score_pages(b);
  weigh_pages(b);
  const int64_t sums_row = rounded_up(args.v_size);
  for (int64_t i = 0; i < b.rows * sums_row; ++i) b.sums[i] = 0.0f;
  value_pages(b);
  for (int64_t r = 0; r < b.rows; ++r) {
    float* const out =
        args.out + (segment.row0 + (begin + r) / group) * args.out_stride + b.head[r] * args.v_size;
    for (int64_t e = 0; e < args.v_size; ++e) out[e] = b.sums[r * sums_row + e] * b.inverse[r];
  }
}

inline void fill_pages(CpuKernels& table) {
  table.query_rows = kQueryRows;
  table.qkv_rows = qkv_rows;
  table.attention_rows = attention_rows;
  table.attention_scratch_floats = attention_scratch_floats;
}

}  // namespace
}  // namespace keju
