// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "kernels/cpu/lanes_backend.h"

namespace keju {
namespace {

constexpr int64_t kQkvRows = 16;  // rows of one visit: a cache line of positions in the key pages

}  // namespace

void LanesBackend::qkv_post(Heads q,
                            Heads k,
                            Heads k_shared,
                            Heads v,
                            const QkvSpec& spec,
                            std::span<const Segment> segments,
                            int64_t layer,
                            KvPages& kv) {
  CpuKvPages& pages = static_cast<CpuKvPages&>(kv);
  const KvLayer& at = pages.layer(layer);
  const int64_t k_size = k.size + (k_shared.data != nullptr ? k_shared.size : 0);
  KEJU_CHECK(k_size == at.k_size && v.size == at.v_size && k.heads == at.kv_heads,
             "keys and values: shape differs from the pages'");
  QkvArgs args;
  args.q = q;
  args.k = k;
  args.k_shared = k_shared;
  args.v = v;
  args.spec = &spec;
  args.pages = pages.bases();
  args.keys = at.keys;
  args.values = at.values;
  parts_.clear();
  for (size_t s = 0; s < segments.size(); ++s) {
    for (int64_t begin = 0; begin < segments[s].rows; begin += kQkvRows) {
      const int64_t end = std::min<int64_t>(segments[s].rows, begin + kQkvRows);
      parts_.push_back({static_cast<int32_t>(s), 0, begin, end});
    }
  }
  const int64_t floats = kQkvRows * k.heads * k_size + std::max(q.heads * q.size, k.heads * k_size);
  in_parallel(static_cast<int64_t>(parts_.size()), 1, [&](int64_t i, int64_t, int worker) {
    const Part& part = parts_[static_cast<size_t>(i)];
    QkvArgs own = args;
    own.segment = segments[static_cast<size_t>(part.segment)];
    kernels_.qkv_rows(own, part.begin, part.end, worker_scratch(worker).floats(floats));
  });
}

void LanesBackend::attention(Heads q,
                             const KvPages& kv,
                             const AttentionSpec& spec,
                             std::span<const Segment> segments,
                             Rows out) {
  const CpuKvPages& pages = static_cast<const CpuKvPages&>(kv);
  const KvLayer& at = pages.layer(spec.layer);
  AttentionArgs args;
  args.q = q;
  args.spec = spec;
  args.pages = pages.bases();
  args.keys = at.keys;
  args.values = at.values;
  args.kv_heads = at.kv_heads;
  args.k_size = at.k_size;
  args.v_size = at.v_size;
  args.out = out.data;
  args.out_stride = out.stride;
  const int64_t group = q.heads / at.kv_heads;
  int64_t query_rows = 0;
  int64_t longest = 0;  // positions that a part may hold scores for
  for (const Segment& segment : segments) {
    query_rows += segment.rows * q.heads;
    const int64_t seen = segment.pos0 + segment.rows;
    longest = std::max(longest, spec.window > 0 ? std::min(seen, spec.window + 64) : seen);
  }
  // As high as may be, but low enough that every thread has something to do.
  const int64_t threads = pool().size();
  const int64_t fair = (query_rows + threads - 1) / threads;
  const int64_t height = std::clamp<int64_t>(fair, 1, kernels_.query_rows);
  // All heads of a row next to each other: a core then has the rows that it made.
  parts_.clear();
  for (size_t s = 0; s < segments.size(); ++s) {
    const int64_t rows = segments[s].rows * group;
    for (int64_t begin = 0; begin < rows; begin += height) {
      for (int64_t head = 0; head < at.kv_heads; ++head) {
        parts_.push_back({static_cast<int32_t>(s),
                          static_cast<int32_t>(head),
                          begin,
                          std::min(rows, begin + height)});
      }
    }
  }
  const int64_t floats = kernels_.attention_scratch_floats(args, longest);
  in_parallel(static_cast<int64_t>(parts_.size()), 1, [&](int64_t i, int64_t, int worker) {
    const Part& part = parts_[static_cast<size_t>(i)];
    kernels_.attention_rows(args,
                            segments[static_cast<size_t>(part.segment)],
                            part.kv_head,
                            part.begin,
                            part.end,
                            worker_scratch(worker).floats(floats));
  });
}

}  // namespace keju
