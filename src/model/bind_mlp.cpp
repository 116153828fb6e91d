// SPDX-License-Identifier: MIT
#include <utility>

#include "base/error.h"
#include "model/table_binder.h"

namespace keju {

void TableBinder::dense(int64_t l, LayerSources& s) {
  if (d_.gated_mlp) {
    gated(l, s);
  } else {
    s.gate_up = linear(at_layer(names_.up, l), d_.mlp_width, d_.width, d_.mlp_bias);
  }
  s.down = linear(at_layer(names_.down, l), d_.width, d_.mlp_width, d_.mlp_bias);
}

void TableBinder::gated(int64_t l, LayerSources& s) {
  const bool in_up = names_.gate_up_in_up && !binder_.has(at_layer(names_.gate, l) + ".weight");
  const std::string& fused = in_up ? names_.up : names_.gate_up;
  if (!fused.empty()) {
    s.gate_up = linear(at_layer(fused, l), 2 * d_.mlp_width, d_.width, d_.mlp_bias);
    return;
  }
  append(s.gate_up, linear(at_layer(names_.gate, l), d_.mlp_width, d_.width, d_.mlp_bias));
  append(s.gate_up, linear(at_layer(names_.up, l), d_.mlp_width, d_.width, d_.mlp_bias));
}

void TableBinder::moe(int64_t l, LayerSources& s) {
  const MoeSettings& m = d_.moe;
  s.router = linear(at_layer(names_.router, l), m.experts, d_.width, m.router_bias);
  if (!names_.router_correction.empty()) {
    s.router_correction = binder_.vector(at_layer(names_.router_correction, l), m.experts);
  }
  const bool stacked = !names_.experts_down.empty() &&
                       (names_.expert_down.empty() ||
                        binder_.has(at_layer(names_.experts_down, l) + names_.experts_weight));
  if (stacked) {
    stacked_experts(l, s);
  } else {
    single_experts(l, s);
  }
  if (m.shared_width > 0) shared_expert(l, s);
}

void TableBinder::single_experts(int64_t l, LayerSources& s) {
  const MoeSettings& m = d_.moe;
  const bool bias = m.expert_bias;
  for (int64_t e = 0; e < m.experts; ++e) {
    const auto name = [&](const std::string& pattern) { return at_layer(at_layer(pattern, l), e); };
    LinearSource gate_up = linear(name(names_.expert_gate), m.width, d_.width, bias);
    append(gate_up, linear(name(names_.expert_up), m.width, d_.width, bias));
    s.expert_gate_up.push_back(std::move(gate_up));
    s.expert_down.push_back(linear(name(names_.expert_down), d_.width, m.width, bias));
  }
}

std::vector<MatrixSource> TableBinder::experts(const std::string& pattern,
                                               int64_t l,
                                               int64_t rows,
                                               int64_t cols) {
  const std::string name = at_layer(pattern, l) + names_.experts_weight;
  return names_.experts_transposed ? binder_.transposed_stack(name, d_.moe.experts, rows, cols)
                                   : binder_.stack(name, d_.moe.experts, rows, cols);
}

// All experts of a layer in one tensor: GGUF, gpt-oss, and checkpoints as transformers 5 holds
// them.
void TableBinder::stacked_experts(int64_t l, LayerSources& s) {
  const MoeSettings& m = d_.moe;
  stacked_gate_up(l, s);
  for (MatrixSource& down : experts(names_.experts_down, l, d_.width, m.width)) {
    s.expert_down.push_back({{std::move(down)}, {}});
  }
  if (!m.expert_bias) return;
  auto biases =
      binder_.vectors(at_layer(names_.experts_down, l) + names_.experts_bias, m.experts, d_.width);
  for (int64_t e = 0; e < m.experts; ++e) s.expert_down[e].bias = std::move(biases[e]);
}

void TableBinder::stacked_gate_up(int64_t l, LayerSources& s) {
  const MoeSettings& m = d_.moe;
  s.expert_gate_up.resize(static_cast<size_t>(m.experts));
  const bool fused = names_.experts_gate.empty() ||
                     (!names_.experts_gate_up.empty() &&
                      binder_.has(at_layer(names_.experts_gate_up, l) + names_.experts_weight));
  const auto add = [&](const std::string& pattern, int64_t rows) {
    std::vector<MatrixSource> all = experts(pattern, l, rows, d_.width);
    std::vector<std::vector<float>> biases(static_cast<size_t>(m.experts));
    if (m.expert_bias) {
      biases = binder_.vectors(at_layer(pattern, l) + names_.experts_bias, m.experts, rows);
    }
    for (int64_t e = 0; e < m.experts; ++e) {
      append(s.expert_gate_up[e], {{std::move(all[e])}, std::move(biases[e])});
    }
  };
  if (!fused) {
    KEJU_CHECK(!names_.experts_interleaved, "rows of two tensors cannot alternate");
    add(names_.experts_gate, m.width);
    add(names_.experts_up, m.width);
    return;
  }
  add(names_.experts_gate_up, 2 * m.width);
  if (!names_.experts_interleaved) return;
  for (LinearSource& expert : s.expert_gate_up) {
    const MatrixSource both = expert.parts[0];
    const std::vector<float> bias = expert.bias;
    expert.parts = {every_row(both, 0, m.width, 2), every_row(both, 1, m.width, 2)};
    for (size_t i = 0; i < bias.size(); ++i) {
      expert.bias[i / 2 + (i % 2) * bias.size() / 2] = bias[i];
    }
  }
}

void TableBinder::shared_expert(int64_t l, LayerSources& s) {
  const int64_t width = d_.moe.shared_width;
  s.shared_gate_up = linear(at_layer(names_.shared_gate, l), width, d_.width, d_.mlp_bias);
  append(s.shared_gate_up, linear(at_layer(names_.shared_up, l), width, d_.width, d_.mlp_bias));
  s.shared_down = linear(at_layer(names_.shared_down, l), d_.width, width, d_.mlp_bias);
  if (d_.moe.shared_gate) {
    s.shared_gate = linear(at_layer(names_.shared_scale, l), 1, d_.width, false);
  }
}

}  // namespace keju
