// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/rooms.h"

namespace keju::cuda {

// Bytes that a model takes on a card.
struct CardNeed {
  int64_t stored = 0;       // weights as the file has them
  int64_t expanded = 0;     // weights with block types as BF16
  int64_t vectors = 0;      // norms, biases, tables of positions
  int64_t activations = 0;  // of the largest step
  RoomSizes rooms;          // of the ops
  int64_t page = 0;         // one KV page of all layers
  int64_t expanding = 0;    // scratch while block types are expanded
  bool any_blocks = false;
};

// A backend on which nothing is computed: whoever loads a model on it and runs its largest steps
// learns what they would take on a card. Memory that it hands out must not be touched.
class CardCount : public Backend {
 public:
  CardCount(bool exact, bool graphs) : exact_(exact), graphs_(graphs) {}
  CardNeed need() const;

  BackendFacts facts() const override;
  std::unique_ptr<Matrix> make_matrix(const MatrixSource& source) override;
  std::unique_ptr<Vector> make_vector(std::span<const float> values) override;
  std::unique_ptr<KvPages> make_kv_pages(const KvShape& shape, int64_t pages) override;
  void grow_kv_pages(KvPages&, int64_t) override {}
  void copy_pages(KvPages&, int64_t, std::span<const PageCopy>) override {}  // fewer than picks
  float* allocate(int64_t elements) override;
  void release(float* memory) override;
  void download(const float*, int64_t, float*) override {}
  void upload(const float*, int64_t, float*) override {}
  int64_t decode_rows(int64_t rows) const override { return graphs_ ? made_up(rows) : rows; }
  void embed(const Matrix&, std::span<const int32_t> ids, float, Rows) override {
    most(rooms_.ids, static_cast<int64_t>(ids.size()) * 4);
  }
  void add_rows(const Matrix&, std::span<const int32_t>, Rows) override {}
  void norm(Rows, const NormSpec&, Rows) override {}
  void add(Rows, Rows, float) override {}
  void linear(Rows x, const Matrix& w, const Vector*, bool, Rows) override { product(x.count, w); }
  void qkv_post(Heads,
                Heads,
                Heads,
                Heads,
                const QkvSpec&,
                std::span<const Segment> segments,
                int64_t,
                KvPages&) override {
    tables(segments);
  }
  void attention(Heads q,
                 const KvPages& kv,
                 const AttentionSpec& spec,
                 std::span<const Segment> segments,
                 Rows out) override;
  void glu(Rows, const GluSpec&, Rows) override {}
  void activate(Rows, Activation) override {}
  void route(Rows logits, const RouteSpec& spec, std::span<int32_t>, std::span<float>) override;
  void experts(Rows x,
               std::span<const int32_t> ids,
               std::span<const float>,
               const ExpertWeights& experts,
               const GluSpec&,
               Rows out) override;
  void sigmoid_scale(Rows, Rows) override {}
  void zero(Rows) override {}
  void gather(Rows, std::span<const int32_t>, Rows) override {}
  std::vector<HeadRow> head(Rows x,
                            const Matrix& w,
                            const HeadSpec& spec,
                            std::span<const std::vector<int32_t>>) override;
  void sample(Rows x,
              const Matrix& w,
              const HeadSpec&,
              std::span<const SampleRule> rules,
              std::span<int32_t>) override;
  void logits(Rows x, const Matrix& w, const HeadSpec&, float*) override;

 private:
  // Rooms only grow, each to the largest that any op asks of it.
  static void most(int64_t& room, int64_t bytes) { room = std::max(room, bytes); }
  void product(int64_t rows, const Matrix& w);
  void tables(std::span<const Segment> segments);

  bool exact_;
  bool graphs_;
  bool any_16_bit_ = false;  // keys and values are of the weights' 16-bit type, else float32
  CardNeed weights_;
  int64_t activations_now_ = 0, activations_most_ = 0;
  std::vector<std::pair<float*, int64_t>> given_;
  int64_t next_address_ = 256;
  RoomSizes rooms_;
};

}  // namespace keju::cuda
