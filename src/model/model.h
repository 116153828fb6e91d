// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/backend.h"
#include "model/descriptor.h"
#include "model/family.h"
#include "ops/ops.h"
#include "weights/checkpoint.h"

namespace keju {

// One packed forward pass. Rows of different paths stand side by side; segments say which rows are
// one path's at which positions, and where its pages are. Parents may stand in the same step as
// their children: keys and values of a layer are written before its attention reads them.
struct Step {
  std::vector<int32_t> ids;       // [T]
  std::vector<Segment> segments;  // cover rows 0 … T-1 in order
  std::vector<PageCopy> copies;   // part-filled pages that branches take over, parents first
  std::vector<int32_t> needed;    // rows whose next-token distribution is wanted, ascending
  int64_t regime = 0;             // Descriptor::rope_regime of every text in the step
  int64_t padding = 0;            // rows behind the segments' that mean nothing
};

// Layers [first, last) of a decoder: what one of several devices in a row holds.
struct LayerRange {
  int64_t first = 0;
  int64_t last = -1;  // -1: to the end
};

// A decoder, or a stretch of its layers, on a backend: the one forward pass of all families. Not
// thread-safe.
class Model {
 public:
  // Reads the weights of `checkpoint` through `family`'s table onto `backend`, both of which
  // outlive the model. Mapped pages that the backend has copied are dropped from memory.
  static std::unique_ptr<Model> load(std::shared_ptr<const Checkpoint> checkpoint,
                                     Backend& backend,
                                     LayerRange range = {});
  ~Model();

  const Descriptor& descriptor() const { return descriptor_; }
  Backend& backend() { return backend_; }
  int64_t parameters() const { return parameters_; }
  int64_t resident_bytes() const;

  // What the arithmetic cannot do without, whatever the kernels: operations (a multiplication and
  // an addition each) of a prompt of `tokens` tokens with one row through the head, products with
  // weights and attention; and bytes of weights that a step of one row reads.
  double prompt_flops(int64_t tokens) const;
  int64_t row_bytes_read() const;

  std::unique_ptr<KvPages> make_kv_pages(int64_t pages);  // of this model's own layers

  // Runs the step; returns the hidden rows of `step.needed` after the final norm, [R, D], in memory
  // that holds until the next call; a model without the last layer returns all rows, [T, D]. One
  // without the first layer takes in what the layers before it returned, [T, D] on the host.
  // Errors: Error(kShape) for a malformed step, Error(kDevice).
  Rows forward(const Step& step, KvPages& kv, std::span<const float> arriving = {});

  // forward and sample of a step of generated rows, one for each text, all of them needed, with the
  // rule of row i at i; a backend that can does it as one piece of work (Backend::decode). Without
  // the last layer nothing is sampled. Returns what forward does; same bits as the two.
  Rows decode(const Step& step,
              KvPages& kv,
              std::span<const SampleRule> rules,
              std::span<int32_t> drawn,
              std::span<const float> arriving = {});
  // Whether decode() hands whole steps over: the backend does, and no layer waits for a choice of
  // experts on the way.
  bool repeats_steps() const { return repeats_steps_; }

  // Steps of up to so many rows, from the first on, find their memory there.
  void reserve(int64_t rows);

  // Of rows that forward or decode returned, on a model with the last layer.
  std::vector<HeadRow> head(Rows hidden, std::span<const std::vector<int32_t>> wanted, int top = 0);
  void sample(Rows hidden, std::span<const SampleRule> rules, std::span<int32_t> ids);
  void logits(Rows hidden, float* host);  // [R, V]

 private:
  struct Norm {
    NormSpec spec;
    std::unique_ptr<Vector> weight, bias;
    bool present = false;
  };
  struct Mla;
  struct Experts;
  struct Layer {
    Norm attention_norm, attention_post_norm, mlp_norm, mlp_post_norm;
    std::unique_ptr<Vector> q_norm, k_norm, sinks;
    ops::Linear qkv, o, gate_up, down;
    std::unique_ptr<Mla> mla;
    std::unique_ptr<Experts> experts;
  };
  struct RopeVectors {
    std::unique_ptr<Vector> cos, sin;
    int64_t positions = 0;
  };
  struct Buffers;
  struct Work;
  Work layer_work() const;

  Model(std::shared_ptr<const Checkpoint> checkpoint, Backend& backend);
  bool has_first() const { return range_.first == 0; }
  bool has_last() const { return range_.last == descriptor_.layers; }
  int64_t kv_layer(int64_t index) const { return index - range_.first; }
  void take_in(const Step& step, std::span<const float> arriving, Rows h);
  void begin(const Step& step, Rows h);
  Rows run(const Step& step, KvPages& kv, Rows h);
  const Step& made_up(const Step& step);
  void make_up(std::span<const SampleRule> rules, size_t count);
  void ready_tables(const Step& step);
  void upload(ModelSources sources);
  ops::Linear make_linear(const LinearSource& source);
  Norm make_norm(NormSource source);
  Layer make_layer(LayerSources source, int64_t index);

  Rows attention_block(const Layer& layer, int64_t index, const Step& step, Rows x, KvPages& kv);
  bool keeps_some(int64_t index, const Step& step) const;
  std::span<const Segment> kept_segments(const Step& step);
  QkvSpec qkv_spec(const Layer& layer, int64_t index, int64_t regime, int64_t positions);
  void project_qkv(
      const Layer& layer, int64_t index, const Step& step, Rows x, KvPages& kv, Heads& q);
  void project_mla(
      const Layer& layer, int64_t index, const Step& step, Rows x, KvPages& kv, Heads& q);
  void mlp_block(const Layer& layer, Rows x, Rows out);
  void dense_mlp(const ops::Linear& gate_up, const ops::Linear& down, bool gated, Rows x, Rows out);
  void moe_block(const Layer& layer, Rows x, Rows out);
  Rows layer_block(int64_t index, const Step& step, KvPages& kv, Rows h);
  const RopeVectors& rope_vectors(int rope, int64_t regime, int64_t positions);
  HeadSpec head_spec() const;
  // Of a model with the last layer.
  const Matrix& vocabulary() const { return head_ != nullptr ? *head_ : *embedding_; }

  std::shared_ptr<const Checkpoint> checkpoint_;
  Backend& backend_;
  Descriptor descriptor_;
  LayerRange range_;
  std::deque<std::vector<float>> owned_rows_;
  std::unique_ptr<Matrix> embedding_, positions_, head_;
  std::unique_ptr<Vector> head_bias_, alibi_, logn_;
  Norm embedding_norm_, final_norm_;
  std::vector<Layer> layers_;  // of range_
  std::map<std::pair<int, int64_t>, RopeVectors> ropes_;
  std::unique_ptr<Buffers> buffers_;
  int64_t parameters_ = 0;
  bool repeats_steps_ = false;
};

}  // namespace keju
