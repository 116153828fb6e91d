// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/binder.h"
#include "model/descriptor.h"
#include "model/names.h"

namespace keju {

// Follows a table of names over a checkpoint and fills ModelSources: what the descriptor says that
// a model has must be there, in the shape that follows from it.
class TableBinder {
 public:
  TableBinder(const Descriptor& d, const TensorNames& names, Binder& binder, ModelSources& out)
      : d_(d), names_(names), binder_(binder), out_(out) {}

  void all();

 private:
  using Ranges = std::vector<std::pair<int64_t, int64_t>>;  // (first row, rows)

  NormSource norm(const std::string& name, int64_t size);
  NormSource layer_norm(const std::string& pattern, int64_t l);
  MatrixSource weight(const std::string& name, int64_t rows, int64_t cols);
  LinearSource linear(const std::string& name, int64_t rows, int64_t cols, bool bias);
  void head();
  void layer(int64_t l);

  // bind_attention.cpp
  void qk_norms(int64_t l, LayerSources& s);
  std::vector<float> flat(const std::string& name, int64_t heads);
  void qkv(int64_t l, LayerSources& s);
  void fused_qkv(int64_t l, LayerSources& s);
  void ranges(QkvLayout layout, Ranges& q, Ranges& k, Ranges& v) const;
  void unpermute(LinearSource& qkv) const;
  void mla(int64_t l, LayerSources& s);
  MatrixSource joined_kv_b(int64_t l);

  // bind_mlp.cpp
  void dense(int64_t l, LayerSources& s);
  void gated(int64_t l, LayerSources& s);
  void moe(int64_t l, LayerSources& s);
  void single_experts(int64_t l, LayerSources& s);
  void stacked_experts(int64_t l, LayerSources& s);
  void stacked_gate_up(int64_t l, LayerSources& s);
  std::vector<MatrixSource> experts(const std::string& pattern,
                                    int64_t l,
                                    int64_t rows,
                                    int64_t cols);
  void shared_expert(int64_t l, LayerSources& s);

  const Descriptor& d_;
  const TensorNames& names_;
  Binder& binder_;
  ModelSources& out_;
};

// The pattern with its first {} replaced by a number.
std::string at_layer(std::string pattern, int64_t number);
// One more part of a layer's outputs.
void append(LinearSource& to, LinearSource more);

}  // namespace keju
