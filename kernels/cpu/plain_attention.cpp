// SPDX-License-Identifier: MIT
// What stands between the projections and attention, and attention itself.
#include <algorithm>

#include "base/error.h"
#include "kernels/cpu/lanes_math.h"
#include "kernels/cpu/plain_backend.h"

namespace keju {
namespace {

// One row of heads, each `size` long and `stride` apart.
struct HeadRowView {
  float* data;
  int64_t heads;
  int64_t size;
  int64_t stride;
};

void norm_heads(HeadRowView row, const HeadNormSpec& spec, float* joined) {
  if (spec.scope == HeadNormSpec::Scope::kNone) return;
  const int64_t weights = spec.norm.weight != nullptr ? spec.norm.weight->size : row.size;
  const bool shared = weights == row.size;
  NormStats stats;
  if (spec.scope == HeadNormSpec::Scope::kRow) {
    for (int64_t h = 0; h < row.heads; ++h) {
      std::copy_n(row.data + h * row.stride, row.size, joined + h * row.size);
    }
    stats = plain_norm_stats(joined, row.heads * row.size, spec.norm);
  }
  for (int64_t h = 0; h < row.heads; ++h) {
    float* head = row.data + h * row.stride;
    if (spec.scope == HeadNormSpec::Scope::kHead) {
      stats = plain_norm_stats(head, row.size, spec.norm);
    }
    plain_norm_apply(head, row.size, stats, spec.norm, shared ? 0 : h * row.size, head);
  }
}

void rotate_heads(HeadRowView row, const QkvSpec& spec, int64_t position) {
  const int64_t half = spec.rope_dim / 2;
  const bool interleaved = spec.rope_style == RopeStyle::kInterleaved;
  for (int64_t h = 0; h < row.heads; ++h) {
    float* head = row.data + h * row.stride + spec.rope_offset;
    for (int64_t i = 0; i < half; ++i) {
      const float c = spec.rope_cos->data[position * half + i];
      const float s = spec.rope_sin->data[position * half + i];
      float& a = head[interleaved ? 2 * i : i];
      float& b = head[interleaved ? 2 * i + 1 : i + half];
      const float turned_a = mul_add(a, c, -(b * s));
      const float turned_b = mul_add(b, c, a * s);
      a = turned_a;
      b = turned_b;
    }
  }
}

void norm_and_rotate(HeadRowView row,
                     const HeadNormSpec& norm,
                     const QkvSpec& spec,
                     int64_t position,
                     float* joined) {
  if (!spec.norm_after_rope) norm_heads(row, norm, joined);
  if (spec.rope_dim > 0) rotate_heads(row, spec, position);
  if (spec.norm_after_rope) norm_heads(row, norm, joined);
}

}  // namespace

void PlainBackend::qkv_post(Heads q,
                            Heads k,
                            Heads k_shared,
                            Heads v,
                            const QkvSpec& spec,
                            std::span<const Segment> segments,
                            int64_t layer,
                            KvPages& kv) {
  CpuKvPages& pages = static_cast<CpuKvPages&>(kv);
  const KvLayer& at = pages.layer(layer);
  const int64_t shared = k_shared.data != nullptr ? k_shared.size : 0;
  const int64_t k_size = k.size + shared;
  KEJU_CHECK(k_size == at.k_size && v.size == at.v_size && k.heads == at.kv_heads,
             "keys and values: shape differs from the pages'");
  float* const joined =
      worker_scratch(0).floats(std::max(q.heads * q.size, k.heads * k_size) + k.heads * k_size);
  float* const keys = joined + std::max(q.heads * q.size, k.heads * k_size);
  for (const Segment& segment : segments) {
    for (int32_t i = 0; i < segment.rows; ++i) {
      const int64_t t = segment.row0 + i;
      const int64_t position = segment.pos0 + i;
      const int32_t page = segment.pages[position / kPagePositions];
      const int64_t slot = position % kPagePositions;

      const HeadRowView queries{q.data + t * q.row_stride, q.heads, q.size, q.head_stride};
      norm_and_rotate(queries, spec.q_norm, spec, position, joined);
      if (spec.q_scale != nullptr) {
        for (int64_t h = 0; h < q.heads; ++h) {
          float* head = queries.data + h * q.head_stride;
          for (int64_t e = 0; e < q.size; ++e) head[e] = head[e] * spec.q_scale->data[position];
        }
      }

      for (int64_t h = 0; h < k.heads; ++h) {
        const float* own = k.data + t * k.row_stride + h * k.head_stride;
        std::copy_n(own, k.size, keys + h * k_size);
        if (shared > 0) {
          std::copy_n(k_shared.data + t * k_shared.row_stride, shared, keys + h * k_size + k.size);
        }
      }
      norm_and_rotate({keys, k.heads, k_size, k_size}, spec.k_norm, spec, position, joined);
      for (int64_t h = 0; h < k.heads; ++h) {
        float* to = pages.keys(page, at, h);
        for (int64_t e = 0; e < k_size; ++e) to[e * kPagePositions + slot] = keys[h * k_size + e];
        std::copy_n(v.data + t * v.row_stride + h * v.head_stride,
                    v.size,
                    pages.values(page, at, h) + slot * v.size);
      }
    }
  }
}

namespace {

// One query head at one position.
struct Query {
  const float* q;
  int64_t head;
  int64_t kv_head;
  int64_t position;
  const int32_t* pages;
};

void attend(const Query& query,
            const CpuKvPages& pages,
            const KvLayer& at,
            const AttentionSpec& spec,
            float* scores,
            float* out) {
  const int64_t last = query.position;
  const int64_t first = spec.window > 0 ? std::max<int64_t>(0, last - spec.window + 1) : 0;
  for (int64_t j = first; j <= last; ++j) {
    const float* keys = pages.keys(query.pages[j / kPagePositions], at, query.kv_head);
    float score = 0;
    for (int64_t e = 0; e < at.k_size; ++e) {
      score = mul_add(query.q[e], keys[e * kPagePositions + j % kPagePositions], score);
    }
    score = score * spec.scale;
    if (spec.softcap > 0) score = softcap_lanes(score, spec.softcap);
    if (spec.alibi != nullptr) {
      score = mul_add(spec.alibi->data[query.head], static_cast<float>(j - last), score);
    }
    scores[j] = score;
  }
  float max = scores[first];
  for (int64_t j = first; j <= last; ++j) max = max_lanes(scores[j], max);
  if (spec.sinks != nullptr) max = max_lanes(spec.sinks->data[query.head], max);
  float lanes[16] = {};
  for (int64_t j = first; j <= last; ++j) {
    scores[j] = exp_lanes(scores[j] - max);
    lanes[j % 16] = lanes[j % 16] + scores[j];
  }
  float sum = fold_lanes(lanes);
  if (spec.sinks != nullptr) sum = sum + exp_lanes(spec.sinks->data[query.head] - max);
  const float inverse = 1.0f / sum;
  for (int64_t e = 0; e < at.v_size; ++e) {
    float value = 0;
    for (int64_t j = first; j <= last; ++j) {
      const float* values = pages.values(query.pages[j / kPagePositions], at, query.kv_head);
      value = mul_add(scores[j], values[j % kPagePositions * at.v_size + e], value);
    }
    out[e] = value * inverse;
  }
}

}  // namespace

void PlainBackend::attention(Heads q,
                             const KvPages& kv,
                             const AttentionSpec& spec,
                             std::span<const Segment> segments,
                             Rows out) {
  const CpuKvPages& pages = static_cast<const CpuKvPages&>(kv);
  const KvLayer& at = pages.layer(spec.layer);
  const int64_t group = q.heads / at.kv_heads;
  for (const Segment& segment : segments) {
    in_parallel(segment.rows * q.heads, 4, [&](int64_t begin, int64_t end, int worker) {
      float* const scores = worker_scratch(worker).floats(segment.pos0 + segment.rows);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = segment.row0 + i / q.heads;
        const int64_t head = i % q.heads;
        const Query query{q.data + row * q.row_stride + head * q.head_stride,
                          head,
                          head / group,
                          segment.pos0 + i / q.heads,
                          segment.pages};
        attend(query, pages, at, spec, scores, out.data + row * out.stride + head * at.v_size);
      }
    });
  }
}

}  // namespace keju
