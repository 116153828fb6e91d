// SPDX-License-Identifier: MIT
// What a forward pass asks of a machine.

#include <algorithm>

#include "model/model_parts.h"

namespace keju {
namespace {

// Pairs of a row and a position that it sees in a text of `tokens`.
double visible_pairs(int64_t tokens, int64_t window) {
  const auto all = static_cast<double>(tokens);
  if (window <= 0 || window >= tokens) return all * (all + 1) / 2;
  const auto seen = static_cast<double>(window);
  return seen * (seen + 1) / 2 + (all - seen) * seen;
}

}  // namespace

struct Model::Work {
  double products = 0;  // multiplications with weights, a row
  double once = 0;      // of the row that goes through the head alone: the last layer's, but for
                        // what keys and values are made of
  double bytes = 0;     // of weights, once

  void add(const ops::Linear& linear, bool every) {
    (every ? products : once) += static_cast<double>(linear.rows * linear.cols);
    bytes += static_cast<double>(linear.resident_bytes());
  }
  void add(const Matrix& matrix, bool every, double share) {
    (every ? products : once) += share * static_cast<double>(matrix.rows * matrix.cols);
    bytes += share * static_cast<double>(matrix.resident_bytes);
  }
};

Model::Work Model::layer_work() const {
  Work work;
  for (size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    const bool every = !has_last() || l + 1 < layers_.size();
    work.add(layer.qkv, true);
    if (!every) {
      const double queries = static_cast<double>(descriptor_.heads * descriptor_.k_size *
                                                 (layer.mla == nullptr ? layer.qkv.cols : 0));
      work.products -= queries;
      work.once += queries;
    }
    for (const ops::Linear* linear : {&layer.o, &layer.gate_up, &layer.down})
      work.add(*linear, every);
    if (layer.mla != nullptr) {
      for (const ops::Linear* linear : {&layer.mla->q_a, &layer.mla->q_b}) work.add(*linear, every);
      for (const ops::Linear* linear : {&layer.mla->kv_a, &layer.mla->kv_b})
        work.add(*linear, true);
    }
    if (layer.experts == nullptr) continue;
    const Experts& e = *layer.experts;
    for (const ops::Linear* linear : {&e.router, &e.shared_gate_up, &e.shared_down, &e.shared_gate})
      work.add(*linear, every);
    const double chosen = static_cast<double>(descriptor_.moe.chosen) /
                          static_cast<double>(std::max<int64_t>(1, descriptor_.moe.experts));
    for (const auto& matrix : e.matrices) work.add(*matrix, every, chosen);
  }
  return work;
}

double Model::prompt_flops(int64_t tokens) const {
  const Descriptor& d = descriptor_;
  double attention = 0;
  for (size_t l = 0; l < d.layer.size(); ++l) {
    const int64_t window = d.layer[l].window;
    double pairs = visible_pairs(tokens, window);
    if (l + 1 == d.layer.size()) pairs -= visible_pairs(tokens - 1, window);
    attention += pairs * static_cast<double>(d.heads * (d.k_size + d.v_size));
  }
  const Matrix& head = vocabulary();
  const Work work = layer_work();
  return 2 * (work.products * static_cast<double>(tokens) + work.once + attention +
              static_cast<double>(head.rows * head.cols));
}

int64_t Model::row_bytes_read() const {
  const Matrix& head = vocabulary();
  return static_cast<int64_t>(layer_work().bytes) + head.resident_bytes;
}

}  // namespace keju
