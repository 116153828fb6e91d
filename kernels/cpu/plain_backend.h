// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/lanes_math.h"

namespace keju {

// Every op as a plain loop over plain rows: the definition of right that all other kernels are
// compared with. Shares nothing with them but the elementary functions of lanes_math.h.
class PlainBackend : public CpuBase {
 public:
  using CpuBase::CpuBase;

  std::unique_ptr<Matrix> make_matrix(const MatrixSource& source) override;
  void embed(const Matrix& table, std::span<const int32_t> ids, float scale, Rows out) override;
  void add_rows(const Matrix& table, std::span<const int32_t> positions, Rows x) override;
  void norm(Rows x, const NormSpec& spec, Rows out) override;
  void add(Rows h, Rows delta, float alpha) override;
  void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) override;
  void qkv_post(Heads q,
                Heads k,
                Heads k_shared,
                Heads v,
                const QkvSpec& spec,
                std::span<const Segment> segments,
                int64_t layer,
                KvPages& kv) override;
  void attention(Heads q,
                 const KvPages& kv,
                 const AttentionSpec& spec,
                 std::span<const Segment> segments,
                 Rows out) override;
  void glu(Rows gate_up, const GluSpec& spec, Rows out) override;
  void activate(Rows x, Activation activation) override;

 protected:
  void prepare_head(Rows, const Matrix&) override {}
  void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) override;
  // The loops of linear() and of head_tile() in any arithmetic: row_of(n, worker) is row n of W,
  // dot(t, row, start) its product with row t of x, added to `start`.
  template <typename RowOf, typename Dot>
  void linear_by(const Matrix& w,
                 int64_t count,
                 const Vector* bias,
                 bool accumulate,
                 Rows out,
                 const RowOf& row_of,
                 const Dot& dot) {
    in_parallel(w.rows, 16, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t n = begin; n < end; ++n) {
        const auto row = row_of(n, worker);
        for (int64_t t = 0; t < count; ++t) {
          float& to = out.data[t * out.stride + n];
          float start = bias != nullptr ? bias->data[n] : 0.0f;
          if (accumulate) start = bias != nullptr ? to + start : to;
          to = dot(t, row, start);
        }
      }
    });
  }
  template <typename RowOf, typename Dot>
  static void logits_by(const HeadSpec& spec,
                        const LogitTile& tile,
                        const RowOf& row_of,
                        const Dot& dot) {
    for (int64_t n = tile.begin; n < tile.end; ++n) {
      const auto row = row_of(n, tile.worker);
      const float start = spec.bias != nullptr ? spec.bias->data[n] : 0.0f;
      for (int64_t r = 0; r < tile.rows; ++r) {
        float logit = dot(tile.row0 + r, row, start) * spec.scale;
        if (spec.softcap > 0) logit = softcap_lanes(logit, spec.softcap);
        tile.out[r * tile.stride + n - tile.begin] = logit;
      }
    }
  }

  TileSum tile_sum(const float* logits, int64_t count) override;
  void add_row(float* row, const float* from, float alpha, int64_t n) override;

 private:
  // Good until the next call with this worker.
  const float* expanded(const Matrix& w, int64_t n, int worker);
};

// Rows as they lie in the file, in memory of our own.
class PlainMatrix : public Matrix {
 public:
  explicit PlainMatrix(const MatrixSource& source);
  // Expands row `row` to `cols` floats.
  void expand(int64_t row, float* out) const;
  const std::byte* stored_row(int64_t row) const { return data_.data() + row * row_bytes_; }

 private:
  int64_t row_bytes_ = 0;
  Buffer data_;
};

// Statistics of one row of n values, and their use on a part of it. Alias: out may be x.
struct NormStats {
  float mean = 0;
  float inverse = 0;  // 1 / sqrt(variance + eps)
};
NormStats plain_norm_stats(const float* x, int64_t n, const NormSpec& spec);
void plain_norm_apply(const float* x,
                      int64_t n,
                      NormStats stats,
                      const NormSpec& spec,
                      int64_t weight_offset,
                      float* out);

}  // namespace keju
