// SPDX-License-Identifier: MIT
// GPT-NeoX and Pythia: attention and MLP side by side off two LayerNorms, partial half-split rotary
// embedding, q, k and v per head in one tensor.
// Source: transformers 5.23 models/gpt_neox; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.norm = NormKind::kLayer;
  d.norm_bias = d.mlp_bias = true;
  d.gated_mlp = false;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "gpt_neox",
                                   {.eps_key = "layer_norm_eps",
                                    .norm_eps = 1e-5,
                                    .activation = "gelu",
                                    .theta = config.number("rotary_emb_base", 10000),
                                    .partial_rotary = config.number("rotary_pct", 0.25)});
  common(d);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", true);
  d.parallel = config.boolean("use_parallel_residual", true);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "gpt_neox");
  common(d);
  d.activation = Activation::kGeluErf;
  d.parallel = GgufKeys(metadata).boolean("use_parallel_residual", true);
  return d;
}

TensorNames names(const Descriptor&) {
  TensorNames n;
  n.embedding = "gpt_neox.embed_in";
  n.final_norm = "gpt_neox.final_layer_norm";
  n.head = "embed_out";
  n.attention_norm = "gpt_neox.layers.{}.input_layernorm";
  n.mlp_norm = "gpt_neox.layers.{}.post_attention_layernorm";
  n.qkv = "gpt_neox.layers.{}.attention.query_key_value";
  n.layout = QkvLayout::kPerHead;
  n.o = "gpt_neox.layers.{}.attention.dense";
  n.up = "gpt_neox.layers.{}.mlp.dense_h_to_4h";
  n.down = "gpt_neox.layers.{}.mlp.dense_4h_to_h";
  n.ignored_suffixes = {".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"};
  return n;
}

}  // namespace

const Family kGptNeox{.name = "gpt_neox",
                      .model_types = {"gpt_neox"},
                      .architectures = {"GPTNeoXForCausalLM"},
                      .gguf_names = {"gptneox"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = names};

}  // namespace keju
