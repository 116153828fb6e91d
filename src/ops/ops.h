// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"

// Checked calls over Backend: shapes and aliasing are verified here, once, for every backend; a
// disagreement is Error(kShape) that names op, operand, found and needed size. Semantics are those
// of the virtual of the same name in kernels/backend.h.
namespace keju::ops {

void embed(
    Backend& backend, const Matrix& table, std::span<const int32_t> ids, float scale, Rows out);
void add_rows(Backend& backend, const Matrix& table, std::span<const int32_t> positions, Rows x);
void norm(Backend& backend, Rows x, const NormSpec& spec, Rows out);
void add(Backend& backend, Rows h, Rows delta, float alpha);
void zero(Backend& backend, Rows x);

// A linear layer whose outputs lie in parts of different storage types, side by side.
struct Linear {
  struct Part {
    std::unique_ptr<Matrix> matrix;
    std::unique_ptr<Vector> bias;  // null: none
    int64_t offset = 0;            // first output
  };
  std::vector<Part> parts;
  int64_t rows = 0, cols = 0;  // outputs, inputs
  bool empty() const { return parts.empty(); }
  int64_t resident_bytes() const;
};
void linear(Backend& backend, Rows x, const Linear& w, Rows out);

void qkv_post(Backend& backend,
              Heads q,
              Heads k,
              Heads k_shared,
              Heads v,
              const QkvSpec& spec,
              std::span<const Segment> segments,
              int64_t layer,
              KvPages& kv);
void attention(Backend& backend,
               Heads q,
               const KvPages& kv,
               const AttentionSpec& spec,
               std::span<const Segment> segments,
               Rows out);
void glu(Backend& backend, Rows gate_up, const GluSpec& spec, Rows out);
// The two in one where w is one part; wide: [T, 2F], room for what stands between them.
void linear_glu(
    Backend& backend, Rows x, const Linear& w, const GluSpec& spec, Rows wide, Rows out);
void gather(Backend& backend, Rows x, std::span<const int32_t> rows, Rows out);

}  // namespace keju::ops
