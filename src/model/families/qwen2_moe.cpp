// SPDX-License-Identifier: MIT
// Qwen 1.5/2 MoE: routed experts beside one gated shared expert.
// Source: transformers 5.23 models/qwen2_moe; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "qwen2_moe", {.kv_heads = 16, .context_length = 32768});
  d.qkv_bias = config.boolean("qkv_bias", true);
  const int64_t end = config.integer("max_window_layers", 28);
  apply_optional_window(
      config, 4096, d, [end](int64_t layer) { return (layer + 1) % 2 != 0 && layer < end; });
  d.moe.experts = config.integer_of({"num_experts", "num_local_experts"}, 60);
  d.moe.chosen = config.integer("num_experts_per_tok", 4);
  d.moe.width = config.integer("moe_intermediate_size", 1408);
  d.moe.shared_width = config.integer("shared_expert_intermediate_size", 5632);
  d.moe.shared_gate = true;
  d.moe.route.normalise = config.boolean("norm_topk_prob", false);
  apply_sparse_layers(config, d);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "qwen2_moe");
  read_gguf_experts(metadata, d);
  const GgufKeys keys(metadata);
  d.moe.shared_width = keys.integer("expert_shared_feed_forward_length", d.mlp_width);
  d.moe.shared_gate = true;
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.router = "model.layers.{}.mlp.gate";
  n.expert_gate = "model.layers.{}.mlp.experts.{}.gate_proj";
  n.expert_up = "model.layers.{}.mlp.experts.{}.up_proj";
  n.expert_down = "model.layers.{}.mlp.experts.{}.down_proj";
  n.experts_gate_up = "model.layers.{}.mlp.experts.gate_up_proj";
  n.experts_down = "model.layers.{}.mlp.experts.down_proj";
  n.experts_weight = "";
  n.shared_gate = "model.layers.{}.mlp.shared_expert.gate_proj";
  n.shared_up = "model.layers.{}.mlp.shared_expert.up_proj";
  n.shared_down = "model.layers.{}.mlp.shared_expert.down_proj";
  n.shared_scale = "model.layers.{}.mlp.shared_expert_gate";
  return n;
}

}  // namespace

const Family kQwen2Moe{.name = "qwen2_moe",
                       .model_types = {"qwen2_moe"},
                       .architectures = {"Qwen2MoeForCausalLM"},
                       .gguf_names = {"qwen2moe"},
                       .from_config = from_config,
                       .from_gguf = from_gguf,
                       .names = names};

}  // namespace keju
