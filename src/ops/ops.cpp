// SPDX-License-Identifier: MIT
#include "ops/ops.h"

#include "base/error.h"

namespace keju::ops {
namespace {

void need(std::string_view op, std::string_view operand, int64_t found, int64_t wanted) {
  if (found != wanted)
    throw fail(Code::kShape, "{}: {}: found {}, need {}", op, operand, found, wanted);
}

void need_rows(std::string_view op, std::string_view operand, const Rows& rows) {
  if (rows.count < 0 || rows.width <= 0 || rows.stride < rows.width ||
      (rows.count > 0 && rows.data == nullptr)) {
    throw fail(Code::kShape,
               "{}: {}: found {} rows of {} with stride {}, need a valid view",
               op,
               operand,
               rows.count,
               rows.width,
               rows.stride);
  }
}

void need_disjoint(std::string_view op, const Rows& a, const Rows& b) {
  const float* a_end = a.data + a.count * a.stride;
  const float* b_end = b.data + b.count * b.stride;
  // Columns of one buffer may be two views: they share a stride and lie side by side.
  const bool side_by_side =
      a.stride == b.stride && (a.data + a.width <= b.data || b.data + b.width <= a.data);
  if (a.data < b_end && b.data < a_end && !side_by_side) {
    throw fail(Code::kShape, "{}: out: overlaps an input, need memory of its own", op);
  }
}

// Segments in ascending order within `rows`; `every`: that leave no row out.
void need_segments(std::string_view op,
                   std::span<const Segment> segments,
                   int64_t rows,
                   int64_t pages,
                   bool every) {
  int64_t at = 0;
  for (const Segment& s : segments) {
    if (every || s.row0 < at) need(op, "segment's first row", s.row0, at);
    if (s.rows <= 0 || s.pos0 < 0)
      throw fail(Code::kShape,
                 "{}: segment: found {} rows at {}, need at least 1 at 0 or later",
                 op,
                 s.rows,
                 s.pos0);
    for (int64_t p = 0; p <= (s.pos0 + s.rows - 1) / kPagePositions; ++p) {
      if (s.pages[p] < 0 || s.pages[p] >= pages) {
        throw fail(Code::kShape,
                   "{}: page {} of a segment: found id {}, need 0 to {}",
                   op,
                   p,
                   s.pages[p],
                   pages - 1);
      }
    }
    at = s.row0 + s.rows;
  }
  if (every || at > rows) need(op, "rows of all segments", at, rows);
}

}  // namespace

int64_t Linear::resident_bytes() const {
  int64_t bytes = 0;
  for (const Part& part : parts) bytes += part.matrix->resident_bytes;
  return bytes;
}

void embed(
    Backend& backend, const Matrix& table, std::span<const int32_t> ids, float scale, Rows out) {
  need_rows("embed", "out", out);
  need("embed", "rows of out", out.count, static_cast<int64_t>(ids.size()));
  need("embed", "width of out", out.width, table.cols);
  for (int32_t id : ids) {
    if (id < 0 || id >= table.rows)
      throw fail(Code::kShape, "embed: token id: found {}, need 0 to {}", id, table.rows - 1);
  }
  backend.embed(table, ids, scale, out);
}

void add_rows(Backend& backend, const Matrix& table, std::span<const int32_t> positions, Rows x) {
  need_rows("add_rows", "x", x);
  need("add_rows", "rows of x", x.count, static_cast<int64_t>(positions.size()));
  need("add_rows", "width of x", x.width, table.cols);
  for (int32_t p : positions) {
    if (p < 0 || p >= table.rows)
      throw fail(Code::kShape, "add_rows: position: found {}, need 0 to {}", p, table.rows - 1);
  }
  backend.add_rows(table, positions, x);
}

void norm(Backend& backend, Rows x, const NormSpec& spec, Rows out) {
  need_rows("norm", "x", x);
  need_rows("norm", "out", out);
  need("norm", "rows of out", out.count, x.count);
  need("norm", "width of out", out.width, x.width);
  if (spec.weight != nullptr) need("norm", "weight", spec.weight->size, x.width);
  if (spec.bias != nullptr) need("norm", "bias", spec.bias->size, x.width);
  if (x.data != out.data) need_disjoint("norm", x, out);
  backend.norm(x, spec, out);
}

void add(Backend& backend, Rows h, Rows delta, float alpha) {
  need_rows("add", "h", h);
  need_rows("add", "delta", delta);
  need("add", "rows of delta", delta.count, h.count);
  need("add", "width of delta", delta.width, h.width);
  backend.add(h, delta, alpha);
}

void zero(Backend& backend, Rows x) {
  need_rows("zero", "x", x);
  backend.zero(x);
}

void linear(Backend& backend, Rows x, const Linear& w, Rows out) {
  need_rows("linear", "x", x);
  need_rows("linear", "out", out);
  need("linear", "width of x", x.width, w.cols);
  need("linear", "width of out", out.width, w.rows);
  need("linear", "rows of out", out.count, x.count);
  need_disjoint("linear", x, out);
  for (const Linear::Part& part : w.parts) {
    Rows columns = out;
    columns.data += part.offset;
    columns.width = part.matrix->rows;
    backend.linear(x, *part.matrix, part.bias.get(), /*accumulate=*/false, columns);
  }
}

void qkv_post(Backend& backend,
              Heads q,
              Heads k,
              Heads k_shared,
              Heads v,
              const QkvSpec& spec,
              std::span<const Segment> segments,
              int64_t layer,
              KvPages& kv) {
  int64_t rows = 0;
  for (const Segment& s : segments) rows += s.rows;
  need_segments("qkv_post", segments, rows, kv.pages, /*every=*/true);
  const int64_t shared = k_shared.data != nullptr ? k_shared.size : 0;
  need("qkv_post", "head size of q", q.size, k.size + shared);
  need("qkv_post", "heads of v", v.heads, k.heads);
  need("qkv_post", "head size of the pages' keys", kv.shape.k_size, q.size);
  need("qkv_post", "head size of the pages' values", kv.shape.v_size, v.size);
  if (spec.rope_dim > 0) {
    int64_t last = 0;
    for (const Segment& s : segments) last = std::max<int64_t>(last, s.pos0 + s.rows);
    if (spec.rope_cos == nullptr || spec.rope_cos->size < last * spec.rope_dim / 2) {
      throw fail(Code::kShape,
                 "qkv_post: rotary table: found {} entries, need {} positions of {}",
                 spec.rope_cos == nullptr ? 0 : spec.rope_cos->size,
                 last,
                 spec.rope_dim / 2);
    }
  }
  backend.qkv_post(q, k, k_shared, v, spec, segments, layer, kv);
}

void attention(Backend& backend,
               Heads q,
               const KvPages& kv,
               const AttentionSpec& spec,
               std::span<const Segment> segments,
               Rows out) {
  need_rows("attention", "out", out);
  need_segments("attention", segments, out.count, kv.pages, /*every=*/false);
  need("attention", "width of out", out.width, q.heads * kv.shape.v_size);
  need("attention", "head size of q", q.size, kv.shape.k_size);
  if (kv.shape.kv_heads <= 0 || q.heads % kv.shape.kv_heads != 0) {
    throw fail(Code::kShape,
               "attention: query heads: found {}, need a multiple of {}",
               q.heads,
               kv.shape.kv_heads);
  }
  backend.attention(q, kv, spec, segments, out);
}

void glu(Backend& backend, Rows gate_up, const GluSpec& spec, Rows out) {
  need_rows("glu", "gate_up", gate_up);
  need_rows("glu", "out", out);
  need("glu", "rows of out", out.count, gate_up.count);
  need("glu", "width of gate_up", gate_up.width, 2 * out.width);
  need_disjoint("glu", gate_up, out);
  backend.glu(gate_up, spec, out);
}

void linear_glu(
    Backend& backend, Rows x, const Linear& w, const GluSpec& spec, Rows wide, Rows out) {
  if (w.parts.size() != 1) {
    linear(backend, x, w, wide);
    return glu(backend, wide, spec, out);
  }
  need_rows("linear_glu", "x", x);
  need_rows("linear_glu", "wide", wide);
  need_rows("linear_glu", "out", out);
  need("linear_glu", "width of x", x.width, w.cols);
  need("linear_glu", "width of wide", wide.width, w.rows);
  need("linear_glu", "width of wide", wide.width, 2 * out.width);
  need("linear_glu", "rows of wide", wide.count, x.count);
  need("linear_glu", "rows of out", out.count, x.count);
  need_disjoint("linear_glu", x, wide);
  need_disjoint("linear_glu", x, out);
  need_disjoint("linear_glu", wide, out);
  const Linear::Part& part = w.parts.front();
  backend.linear_glu(x, *part.matrix, part.bias.get(), spec, wide, out);
}

void gather(Backend& backend, Rows x, std::span<const int32_t> rows, Rows out) {
  need_rows("gather", "x", x);
  need_rows("gather", "out", out);
  need("gather", "rows of out", out.count, static_cast<int64_t>(rows.size()));
  need("gather", "width of out", out.width, x.width);
  for (int32_t row : rows) {
    if (row < 0 || row >= x.count)
      throw fail(Code::kShape, "gather: row: found {}, need 0 to {}", row, x.count - 1);
  }
  need_disjoint("gather", x, out);
  backend.gather(x, rows, out);
}

}  // namespace keju::ops
