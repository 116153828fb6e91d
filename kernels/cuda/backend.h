// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/rooms.h"
#include "kernels/cuda/runtime.h"
#include "kernels/cuda/step_frame.h"
#include "kernels/cuda/step_graphs.h"

namespace keju::cuda {

// Every op of kernels/backend.h on a Runtime. Activations are float32; what a product takes in is
// rounded to the weights' 16-bit type just before it.
class CudaBackend : public Backend {
 public:
  CudaBackend(std::unique_ptr<Runtime> runtime, bool exact, bool graphs = true);
  ~CudaBackend() override;

  // Free memory as it is now.
  DeviceFacts device_now() { return runtime_->facts(); }
  // Whether matrices made from now on hold block types as BF16 (native mode alone).
  void set_expanded(bool yes) { expand_blocks_ = yes && !exact_; }
  // Takes the rooms and the rings' pinned memory before they are needed.
  void reserve(const RoomSizes& sizes);

  BackendFacts facts() const override;
  std::unique_ptr<Matrix> make_matrix(const MatrixSource& source) override;
  std::unique_ptr<Vector> make_vector(std::span<const float> values) override;
  std::unique_ptr<KvPages> make_kv_pages(const KvShape& shape, int64_t pages) override;
  void grow_kv_pages(KvPages& kv, int64_t pages) override;
  void copy_pages(KvPages& kv, int64_t layer, std::span<const PageCopy> copies) override;
  float* allocate(int64_t elements) override;
  void release(float* memory) override;
  void download(const float* device, int64_t elements, float* host) override;
  void upload(const float* host, int64_t elements, float* device) override;

  int64_t decode_rows(int64_t rows) const override { return graphs_on_ ? made_up(rows) : rows; }
  void decode(const GeneratedStep& step, const StepOps& ops) override;

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
  void route(Rows logits,
             const RouteSpec& spec,
             std::span<int32_t> ids,
             std::span<float> weights) override;
  void experts(Rows x,
               std::span<const int32_t> ids,
               std::span<const float> weights,
               const ExpertWeights& experts,
               const GluSpec& glu,
               Rows out) override;
  void sigmoid_scale(Rows x, Rows gate) override;
  void zero(Rows x) override;
  void gather(Rows x, std::span<const int32_t> rows, Rows out) override;
  std::vector<HeadRow> head(Rows x,
                            const Matrix& w,
                            const HeadSpec& spec,
                            std::span<const std::vector<int32_t>> wanted) override;
  void sample(Rows x,
              const Matrix& w,
              const HeadSpec& spec,
              std::span<const SampleRule> rules,
              std::span<int32_t> ids) override;
  void logits(Rows x, const Matrix& w, const HeadSpec& spec, float* host) override;

 private:
  Rows whole_logits(Rows x, const Matrix& w, const HeadSpec& spec);
  std::unique_ptr<CudaMatrix> make_expanded(const MatrixSource& source);
  void multiply(Rows x, const StoredRows& w, const float* bias, bool accumulate, Rows out);
  void multiply_plain(Rows x, const StoredRows& w, const float* bias, bool accumulate, Rows out);
  // The tables of these segments where `group` query heads share a key head.
  const StepTables& tables(std::span<const Segment> segments, int group);
  // A host list of an op on the card: sent, or where the running decode step's frame has it.
  const int32_t* list(std::span<const int32_t> values);
  void queue_step_sample(Rows x,
                         const Matrix& w,
                         const HeadSpec& spec,
                         std::span<const SampleRule> rules);
  template <typename T>
  T* send(Room& room, std::span<const T> values) {
    T* const to = room.of<T>(static_cast<int64_t>(values.size()));
    small_ring_.send(to, values.data(), static_cast<int64_t>(values.size_bytes()));
    small_ring_.flush();
    return to;
  }
  void* stream() { return runtime_->stream(); }
  void done(const char* kernel) { runtime_->check(kernel); }

  std::unique_ptr<Runtime> runtime_;
  bool exact_;
  bool graphs_on_;
  DeviceFacts device_;
  DType native_ = DType::kF32;  // the 16-bit type of the weights seen so far
  bool expand_blocks_ = false;
  PinnedRing weights_ring_;
  PinnedRing small_ring_;
  std::vector<int32_t> tables_key_;  // what they were made from
  Memory tables_memory_;
  StepTables tables_;
  bool in_step_ = false;  // ops are those of a decode step
  StepFrame frame_;
  StepGraphs graphs_;
  std::vector<SampleTask> tasks_;
  Room ids_, rounded_, expanded_, staged_, partials_, head_, head_out_, picks_, samples_, experts_,
      route_;
};

}  // namespace keju::cuda
