// SPDX-License-Identifier: MIT
// GLM-4-0414: GLM with sandwich norms.
// Source: transformers 5.23 models/glm4; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.placement = NormPlacement::kSandwich;
  d.ropes[0].style = RopeStyle::kInterleaved;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "glm4",
                                   {.norm_eps = 1.5625e-7,
                                    .kv_heads = 2,
                                    .head_size = 128,
                                    .context_length = 131072,
                                    .partial_rotary = 0.5});
  common(d);
  d.qkv_bias = config.boolean("attention_bias", true);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "glm4");
  common(d);
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.attention_post_norm = "model.layers.{}.post_self_attn_layernorm";
  n.mlp_post_norm = "model.layers.{}.post_mlp_layernorm";
  n.gate = n.up = "";
  n.gate_up = "model.layers.{}.mlp.gate_up_proj";
  return n;
}

}  // namespace

const Family kGlm4{.name = "glm4",
                   .model_types = {"glm4"},
                   .architectures = {"Glm4ForCausalLM"},
                   .gguf_names = {"glm4"},
                   .from_config = from_config,
                   .from_gguf = from_gguf,
                   .names = names};

}  // namespace keju
