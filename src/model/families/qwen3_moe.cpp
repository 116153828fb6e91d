// SPDX-License-Identifier: MIT
// Qwen 3 MoE: Qwen 3 with routed experts and none shared.
// Source: transformers 5.23 models/qwen3_moe; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.qk_norm = HeadNormSpec::Scope::kHead;
  d.qk_norm_eps = d.norm_eps;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "qwen3_moe", {.kv_heads = 4, .context_length = 32768});
  common(d);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  if (config.boolean("use_sliding_window", false)) apply_window_everywhere(config, 4096, d);
  d.moe.experts = config.integer_of({"num_experts", "num_local_experts"}, 128);
  d.moe.chosen = config.integer("num_experts_per_tok", 8);
  d.moe.width = config.integer("moe_intermediate_size", 768);
  d.moe.route.normalise = config.boolean("norm_topk_prob", false);
  apply_sparse_layers(config, d);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "qwen3_moe");
  common(d);
  read_gguf_experts(metadata, d);
  d.moe.route.normalise = true;  // a constant of the architecture there
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
  return n;
}

}  // namespace

const Family kQwen3Moe{.name = "qwen3_moe",
                       .model_types = {"qwen3_moe"},
                       .architectures = {"Qwen3MoeForCausalLM"},
                       .gguf_names = {"qwen3moe"},
                       .from_config = from_config,
                       .from_gguf = from_gguf,
                       .names = names};

}  // namespace keju
