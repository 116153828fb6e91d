// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "kernels/backend.h"
#include "model/descriptor.h"
#include "weights/checkpoint.h"

namespace keju {

// A linear layer before it is on a device: matrices stacked along the outputs, and a bias over all.
struct LinearSource {
  std::vector<MatrixSource> parts;
  std::vector<float> bias;
  bool empty() const { return parts.empty(); }
};

struct NormSource {
  std::vector<float> weight, bias;
  bool present = false;
};

struct LayerSources {
  NormSource attention_norm, attention_post_norm, mlp_norm, mlp_post_norm;
  std::vector<float> q_norm, k_norm;
  LinearSource qkv;  // rows: q, then k, then v
  LinearSource o;
  LinearSource gate_up;  // rows: gate, then up; only up where the MLP is not gated
  LinearSource down;
  LinearSource router;
  std::vector<float> router_correction;
  std::vector<LinearSource> expert_gate_up, expert_down;
  LinearSource shared_gate_up, shared_down, shared_gate;
  LinearSource q_a, q_b, kv_a, kv_b;  // MLA
  std::vector<float> q_a_norm, kv_a_norm;
  std::vector<float> sinks;
};

struct ModelSources {
  MatrixSource embedding;
  MatrixSource positions;  // learned positions; no rows where there are none
  NormSource embedding_norm, final_norm;
  LinearSource head;  // empty where it is tied to the embedding
  std::vector<LayerSources> layers;
  // Rows that had to be rebuilt (transposed, normalised) live here as long as the model does.
  std::deque<std::vector<float>> owned;
};

// Hands out a checkpoint's tensors by name, checks shapes, and knows at the end what nobody took.
// Loading is strict both ways. Errors: Error(kShape) names tensor, found and needed shape;
// Error(kInput) names a missing tensor, or those left over.
class Binder {
 public:
  Binder(const Checkpoint& checkpoint, std::string where, ModelSources& sources);

  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }
  // Whether two tensors hold the same bytes in the same type and shape.
  bool same(const std::string& a, const std::string& b) const;
  bool gguf() const { return checkpoint_.format() == Checkpoint::Format::kGguf; }
  const std::string& where() const { return where_; }

  // [rows, cols] as it lies in the file. GGUF and safetensors both store outputs outermost.
  MatrixSource matrix(const std::string& name, int64_t rows, int64_t cols);
  // Stored [cols, rows] (Conv1D): rebuilt transposed, in float32.
  MatrixSource transposed(const std::string& name, int64_t rows, int64_t cols);
  // One of `count` matrices in a tensor [count, rows, cols].
  std::vector<MatrixSource> stack(const std::string& name,
                                  int64_t count,
                                  int64_t rows,
                                  int64_t cols);
  std::vector<MatrixSource> transposed_stack(const std::string& name,
                                             int64_t count,
                                             int64_t rows,
                                             int64_t cols);
  std::vector<float> vector(const std::string& name, int64_t size);
  // [count, size], row by row.
  std::vector<std::vector<float>> vectors(const std::string& name, int64_t count, int64_t size);
  // Rows scaled to unit length (x / max(|x|, 1e-12), as torch's normalize), in float32.
  MatrixSource normalised(const MatrixSource& source);

  // The same values in float32 (parts of one matrix must agree in type).
  MatrixSource widened(const MatrixSource& source);

  // A tensor that the table knows and has no use for (rotary inv_freq, training leftovers).
  void ignore(const std::string& name) { taken_.insert(name); }
  void ignore_suffix(std::string_view suffix);
  void ignore_prefix(std::string_view prefix);

  void finish() const;

 private:
  const StoredTensor& take(const std::string& name, const Shape& shape);
  MatrixSource own(std::vector<float> values, int64_t rows, int64_t cols);

  const Checkpoint& checkpoint_;
  std::string where_;
  ModelSources& sources_;
  std::unordered_set<std::string> taken_;
};

// Rows [begin, begin + count) of `source`.
MatrixSource slice_rows(const MatrixSource& source, int64_t begin, int64_t count);
// Every `step`th of `count` rows from `begin` on; `source` must be one piece.
MatrixSource every_row(const MatrixSource& source, int64_t begin, int64_t count, int64_t step);
// The rows of all, in order. They must agree in type and width.
MatrixSource join_rows(const std::vector<MatrixSource>& sources);

}  // namespace keju
