// SPDX-License-Identifier: MIT
// BLOOM: ALiBi, LayerNorm with biases, also over the embedding.
// Source: transformers 5.23 models/bloom; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.norm = NormKind::kLayer;
  d.norm_bias = d.qkv_bias = d.o_bias = d.mlp_bias = true;
  d.embedding_norm = true;
  d.activation = Activation::kGeluTanh;
  d.gated_mlp = false;
  d.alibi = true;
  d.ropes.clear();
  for (LayerSettings& layer : d.layer) layer.rope = -1;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(
      config,
      "bloom",
      {.eps_key = "layer_norm_epsilon", .norm_eps = 1e-5, .tied_head = true, .mlp_factor = 4});
  d.mlp_width = 4 * d.width;
  d.context_length = config.integer("seq_length", d.context_length);
  d.residual_from_norm = config.boolean("apply_residual_connection_post_layernorm", false);
  common(d);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "bloom");
  common(d);
  return d;
}

TensorNames names(const Descriptor&) {
  TensorNames n;
  n.embedding = "transformer.word_embeddings";
  n.embedding_norm = "transformer.word_embeddings_layernorm";
  n.final_norm = "transformer.ln_f";
  n.head = "lm_head";
  n.attention_norm = "transformer.h.{}.input_layernorm";
  n.mlp_norm = "transformer.h.{}.post_attention_layernorm";
  n.qkv = "transformer.h.{}.self_attention.query_key_value";
  n.layout = QkvLayout::kPerHead;
  n.o = "transformer.h.{}.self_attention.dense";
  n.up = "transformer.h.{}.mlp.dense_h_to_4h";
  n.down = "transformer.h.{}.mlp.dense_4h_to_h";
  return n;
}

}  // namespace

const Family kBloom{.name = "bloom",
                    .model_types = {"bloom"},
                    .architectures = {"BloomForCausalLM"},
                    .gguf_names = {"bloom"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = names};

}  // namespace keju
