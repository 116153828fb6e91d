// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/isa/table.h"

namespace keju {

// Weights in column panels; see panel_layout.h.
class PackedMatrix : public Matrix {
 public:
  int64_t one_panel = 0;  // bytes
  Buffer data;
  int64_t panels() const { return (rows + kPanel - 1) / kPanel; }
};

inline const PackedMatrix& packed(const Matrix& matrix) {
  return static_cast<const PackedMatrix&>(matrix);
}

// The matrix of a product; rows, input and output are left to fill in.
LinearArgs args_of(const Matrix& matrix);
// The same with all but the input: x·Wᵀ of `rows` rows into `out`, or a part of the logits.
LinearArgs linear_args(
    const Matrix& w, int64_t rows, const Vector* bias, bool accumulate, Rows out);
LinearArgs head_args(const Matrix& w, const HeadSpec& spec, const LogitTile& tile);

// Rows of which one pass over some columns uses `bytes_per_row` each: they stay in a core's cache.
int64_t rows_per_pass(int64_t bytes_per_row);

// How many of something make a visit of a thread worth its cost, given the multiplications of each.
inline int64_t grain_for(int64_t cost_each) {
  constexpr int64_t kVisit = 1 << 16;
  return std::max<int64_t>(1, kVisit / std::max<int64_t>(1, cost_each));
}

// The ops on the vector kernels of one ISA: this class divides the work, they do it.
class LanesBackend : public CpuBase {
 public:
  LanesBackend(int threads, BackendFacts facts, const CpuKernels& kernels);

  std::unique_ptr<Matrix> make_matrix(const MatrixSource& source) override;
  void embed(const Matrix& table, std::span<const int32_t> ids, float scale, Rows out) override;
  void add_rows(const Matrix& table, std::span<const int32_t> positions, Rows x) override;
  void norm(Rows x, const NormSpec& spec, Rows out) override;
  void add(Rows h, Rows delta, float alpha) override;
  void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) override;
  void linear_glu(Rows x,
                  const Matrix& gate_up,
                  const Vector* bias,
                  const GluSpec& spec,
                  Rows wide,
                  Rows out) override;
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
  void prepare_head(Rows x, const Matrix& w) override;
  void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) override;
  TileSum tile_sum(const float* logits, int64_t count) override;

  // Products with weights, which every arithmetic makes in its own way: of up to few_rows() rows
  // straight from the stored form, of more in tiles; these also through a gate (LinearArgs::glu) if
  // gates_in_tiles().
  virtual int64_t few_rows() const { return kDirectRows; }
  virtual bool gates_in_tiles() const { return true; }
  virtual void multiply_few(Rows x, LinearArgs args);
  virtual void multiply(Rows x, LinearArgs args);

  void masses(
      const float* logits, int64_t count, float best, double inverse, uint64_t* out) override;
  void add_row(float* row, const float* from, float alpha, int64_t n) override;
  // `extra_bytes` stay free at the end of each panel.
  std::unique_ptr<PackedMatrix> pack_matrix(const MatrixSource& source, int64_t extra_bytes);
  void finish_logits(const HeadSpec& spec, const LogitTile& tile) const;

  // Rows in a form of their own for products, `group` of them at a time, each group `bytes` after
  // the one before: write(rows, first block, end block, to) for pieces of their blocks of
  // `block_rows`, whose cost is that of so many multiplications. Good until `room` is used again.
  template <typename Write>
  std::byte* in_blocks(Rows x,
                       int64_t group,
                       int64_t bytes,
                       int64_t block_rows,
                       int64_t cost,
                       Scratch& room,
                       const Write& write) {
    const int64_t groups = (x.count + group - 1) / group;
    std::byte* const all = room.bytes(groups * bytes);
    for (int64_t g = 0; g < groups; ++g) {
      Rows part = x;
      part.data += g * group * x.stride;
      part.count = std::min(group, x.count - g * group);
      std::byte* const to = all + g * bytes;
      const int64_t blocks = (part.count + block_rows - 1) / block_rows;
      in_parallel(blocks, grain_for(cost), [&](int64_t begin, int64_t end, int) {
        write(part, begin, end, to);
      });
    }
    return all;
  }

  // use(pass, first panel, end panel, worker) for every pass over the rows and piece of the panels.
  // Wide pieces read the rows less often, but every thread wants `per_thread` of them: a piece has
  // up to `most` times `unit` panels, and the last one what is left over besides.
  template <typename Use>
  void in_pieces(int64_t panels,
                 int64_t unit,
                 int64_t passes,
                 int64_t per_thread,
                 int64_t most,
                 const Use& use) {
    const int64_t units = (panels + unit - 1) / unit;
    const int64_t wanted = units * passes / (per_thread * pool().size());
    const int64_t piece = unit * std::clamp<int64_t>(wanted, 1, most);
    const int64_t pieces = std::max<int64_t>(1, (panels + piece / 2) / piece);
    in_parallel(passes * pieces, 1, [&](int64_t i, int64_t, int worker) {
      const int64_t at = i % pieces;
      use(i / pieces, at * piece, at + 1 < pieces ? (at + 1) * piece : panels, worker);
    });
  }
  // use(first panel, end panel) over whole groups of four panels, in a few pieces per thread.
  template <typename Use>
  void in_groups(int64_t panels, int64_t cost_each, const Use& use) {
    const int64_t wanted = std::max(grain_for(cost_each), panels / (4 * pool().size()));
    const int64_t grain = (wanted + 3) / 4 * 4;
    in_parallel(panels, grain, [&](int64_t begin, int64_t end, int) { use(begin, end); });
  }

 private:
  void lookup(const Matrix& table, std::span<const int32_t> ids, float scale, bool add, Rows out);
  int64_t blocks_of(int64_t rows) const {
    return (rows + kernels_.tile_rows - 1) / kernels_.tile_rows;
  }

  // A part of attention: query rows [begin, end) of a segment for one kv head; or rows of qkv_post.
  struct Part {
    int32_t segment;
    int32_t kv_head;
    int64_t begin;
    int64_t end;
  };

  const CpuKernels& kernels_;
  std::vector<Part> parts_;
};

}  // namespace keju
