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
  double bytes = 0;     // of weights, once

  void add(const ops::Linear& linear, double share = 1) {
    products += share * static_cast<double>(linear.rows * linear.cols);
    bytes += share * static_cast<double>(linear.resident_bytes());
  }
  void add(const Matrix& matrix, double share = 1) {
    products += share * static_cast<double>(matrix.rows * matrix.cols);
    bytes += share * static_cast<double>(matrix.resident_bytes);
  }
};

Model::Work Model::layer_work() const {
  Work work;
  for (const Layer& layer : layers_) {
    for (const ops::Linear* linear : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down})
      work.add(*linear);
    if (layer.mla != nullptr) {
      for (const ops::Linear* linear :
           {&layer.mla->q_a, &layer.mla->q_b, &layer.mla->kv_a, &layer.mla->kv_b})
        work.add(*linear);
    }
    if (layer.experts == nullptr) continue;
    const Experts& e = *layer.experts;
    for (const ops::Linear* linear : {&e.router, &e.shared_gate_up, &e.shared_down, &e.shared_gate})
      work.add(*linear);
    const double chosen = static_cast<double>(descriptor_.moe.chosen) /
                          static_cast<double>(std::max<int64_t>(1, descriptor_.moe.experts));
    for (const auto& matrix : e.matrices) work.add(*matrix, chosen);
  }
  return work;
}

double Model::prompt_flops(int64_t tokens) const {
  const Descriptor& d = descriptor_;
  double attention = 0;
  for (const LayerSettings& layer : d.layer) {
    attention +=
        visible_pairs(tokens, layer.window) * static_cast<double>(d.heads * (d.k_size + d.v_size));
  }
  const Matrix& head = vocabulary();
  return 2 * (layer_work().products * static_cast<double>(tokens) + attention +
              static_cast<double>(head.rows * head.cols));
}

int64_t Model::row_bytes_read() const {
  const Matrix& head = vocabulary();
  return static_cast<int64_t>(layer_work().bytes) + head.resident_bytes;
}

}  // namespace keju
