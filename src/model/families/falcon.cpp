// SPDX-License-Identifier: MIT
// Falcon: attention and MLP side by side off one or two LayerNorms, or one after the other; one key
// head, one per head or grouped ones in one tensor.
// Source: transformers 5.23 models/falcon; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.norm = NormKind::kLayer;
  d.norm_bias = true;
  d.gated_mlp = false;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "falcon",
                                   {.eps_key = "layer_norm_epsilon",
                                    .norm_eps = 1e-5,
                                    .activation_key = "activation",
                                    .activation = "gelu",
                                    .tied_head = true,
                                    .mlp_factor = 4});
  // Its bias is rounded to bfloat16 per position, which no slope reproduces.
  refuse_true(config, "alibi");
  common(d);
  d.mlp_width = config.integer("ffn_hidden_size", 4 * d.width);
  d.k_size = d.v_size = d.heads > 0 ? d.width / d.heads : 0;
  d.qkv_bias = d.o_bias = d.mlp_bias = config.boolean("bias", false);
  const bool grouped = config.boolean("new_decoder_architecture", false);
  const bool one_key = !grouped && config.boolean("multi_query", true);
  d.kv_heads = one_key ? 1 : config.integer_of({"num_kv_heads", "n_head_kv"}, d.heads);
  if (!grouped && !one_key) d.kv_heads = d.heads;
  d.parallel = grouped || config.boolean("parallel_attn", true);
  const int64_t norms = config.integer("num_ln_in_parallel_attn", grouped ? 2 : 1);
  d.parallel_shared_norm = d.parallel && !(grouped && norms == 2);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "falcon");
  common(d);
  d.activation = Activation::kGeluErf;
  d.parallel = true;
  d.parallel_shared_norm = d.kv_heads == 1;  // the grouped models have two norms
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n;
  n.embedding = "transformer.word_embeddings";
  n.final_norm = "transformer.ln_f";
  n.head = "lm_head";
  n.attention_norm = "transformer.h.{}.input_layernorm";
  if (!d.parallel) n.mlp_norm = "transformer.h.{}.post_attention_layernorm";
  if (d.parallel && !d.parallel_shared_norm) {
    n.attention_norm = "transformer.h.{}.ln_attn";
    n.mlp_norm = "transformer.h.{}.ln_mlp";
  }
  n.qkv = "transformer.h.{}.self_attention.query_key_value";
  // With one key head per query head, or one in all, "grouped" is also "per head" or "stacked".
  n.layout = QkvLayout::kGrouped;
  n.o = "transformer.h.{}.self_attention.dense";
  n.up = "transformer.h.{}.mlp.dense_h_to_4h";
  n.down = "transformer.h.{}.mlp.dense_4h_to_h";
  n.ignored_suffixes = {".rotary_emb.inv_freq"};
  return n;
}

void adjust_gguf_names(const Descriptor& d, TensorNames& names) {
  if (d.parallel_shared_norm) return;
  names.attention_norm = "blk.{}.attn_norm_2";
  names.mlp_norm = "blk.{}.attn_norm";
}

}  // namespace

const Family kFalcon{.name = "falcon",
                     .model_types = {"falcon", "RefinedWeb", "RefinedWebModel"},
                     .architectures = {"FalconForCausalLM"},
                     .gguf_names = {"falcon"},
                     .from_config = from_config,
                     .from_gguf = from_gguf,
                     .names = names,
                     .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
