// SPDX-License-Identifier: MIT
// gpt-oss: attention sinks, a window in every other layer, experts with biases and a clamped gate
// whose rows alternate with those of up. Weights that are not MXFP4.
// Source: transformers 5.23 models/gpt_oss; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d, double limit, double alpha) {
  d.attention_sinks = true;
  d.moe.route.softmax_after_topk = true;
  d.glu.clamp_limit = static_cast<float>(limit);
  d.glu.sigmoid_alpha = static_cast<float>(alpha);
}

bool is_local(int64_t layer) { return layer % 2 == 0; }

// What the configuration class assumes where no rope is written.
Json default_rope() {
  return {{"rope_type", "yarn"},
          {"factor", 32.0},
          {"beta_fast", 32.0},
          {"beta_slow", 1.0},
          {"truncate", false},
          {"original_max_position_embeddings", 4096}};
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  const ConfigDefaults defaults{
      .norm_eps = 1e-5, .kv_heads = 8, .head_size = 64, .context_length = 131072, .theta = 150000};
  Descriptor d = common_descriptor(config, "gpt_oss", defaults);
  if (!config.has("rope_parameters") && !config.has("rope_scaling")) {
    d.ropes = {rope_of_parameters(default_rope(), config, d.k_size, defaults)};
  }
  common(d, config.number("swiglu_limit", 7), config.number("swiglu_alpha", 1.702));
  d.activation = Activation::kSilu;  // "hidden_act" is not read
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", true);
  apply_layer_types(config, config.integer("sliding_window", 128), d, is_local);
  d.moe.experts = config.integer_of({"num_local_experts", "num_experts"}, 128);
  d.moe.chosen = config.integer("num_experts_per_tok", 4);
  d.moe.width = d.mlp_width;
  d.moe.router_bias = d.moe.expert_bias = true;
  for (LayerSettings& layer : d.layer) layer.moe = true;
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "gpt_oss");
  read_gguf_experts(metadata, d);
  common(d, 7, 1.702);
  d.ropes[0].scaling.truncate = false;  // files do not say so
  read_gguf_windows(metadata, 2, d);
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.sinks = "model.layers.{}.self_attn.sinks";
  n.router = "model.layers.{}.mlp.router";
  n.experts_gate_up = "model.layers.{}.mlp.experts.gate_up_proj";
  n.experts_down = "model.layers.{}.mlp.experts.down_proj";
  n.experts_weight = "";
  n.experts_bias = "_bias";
  n.experts_transposed = n.experts_interleaved = true;
  return n;
}

void adjust_gguf_names(const Descriptor&, TensorNames& names) {
  names.mlp_norm = "blk.{}.post_attention_norm";
}

}  // namespace

const Family kGptOss{.name = "gpt_oss",
                     .model_types = {"gpt_oss"},
                     .architectures = {"GptOssForCausalLM"},
                     .gguf_names = {"gpt-oss"},
                     .from_config = from_config,
                     .from_gguf = from_gguf,
                     .names = names,
                     .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
