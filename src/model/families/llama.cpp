// SPDX-License-Identifier: MIT
// LLaMA 1/2/3 and everything with its tensors: Yi, DeepSeek-LLM, Vicuna, MiLM-style derivatives, Mistral.
// Source: transformers 5.23 models/llama, models/mistral; llama.cpp (autumn 2026) for GGUF.

#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "llama");
  d.activation = activation_of(config.string("hidden_act", "silu"), where);
  d.ropes = {rope_of(config, d.k_size)};
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  d.mlp_bias = config.boolean("mlp_bias", false);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "llama");
  // The converter has permuted the rows of q and k from half-split to consecutive pairs.
  d.ropes[0].style = RopeStyle::kInterleaved;
  return d;
}

}  // namespace

TensorNames llama_names(const Descriptor&) {
  TensorNames n;
  n.embedding = "model.embed_tokens";
  n.final_norm = "model.norm";
  n.head = "lm_head";
  n.attention_norm = "model.layers.{}.input_layernorm";
  n.mlp_norm = "model.layers.{}.post_attention_layernorm";
  n.q = "model.layers.{}.self_attn.q_proj";
  n.k = "model.layers.{}.self_attn.k_proj";
  n.v = "model.layers.{}.self_attn.v_proj";
  n.o = "model.layers.{}.self_attn.o_proj";
  n.q_norm = "model.layers.{}.self_attn.q_norm";
  n.k_norm = "model.layers.{}.self_attn.k_norm";
  n.gate = "model.layers.{}.mlp.gate_proj";
  n.up = "model.layers.{}.mlp.up_proj";
  n.down = "model.layers.{}.mlp.down_proj";
  n.ignored_suffixes = {".rotary_emb.inv_freq"};
  return n;
}

const Family kLlama{.name = "llama",
                    .model_types = {"llama"},
                    .architectures = {},
                    .gguf_names = {"llama"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = llama_names};

}  // namespace keju
