// SPDX-License-Identifier: MIT
// GPT-2: LayerNorm with biases, learned positions, matrices stored [in, out].
// Source: transformers 5.23 models/gpt2; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.norm = NormKind::kLayer;
  d.norm_bias = d.qkv_bias = d.o_bias = d.mlp_bias = true;
  d.gated_mlp = false;
  d.learned_positions = true;
  d.ropes.clear();
  for (LayerSettings& layer : d.layer) layer.rope = -1;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "gpt2",
                                   {.eps_key = "layer_norm_epsilon",
                                    .norm_eps = 1e-5,
                                    .activation_key = "activation_function",
                                    .activation = "gelu_new",
                                    .tied_head = true,
                                    .mlp_factor = 4,
                                    .context_length = 1024});
  common(d);
  refuse_true(config, "add_cross_attention");
  if (!config.boolean("scale_attn_weights", true)) d.attention_scale = 1;
  if (config.boolean("scale_attn_by_inverse_layer_idx", false)) {
    for (size_t l = 0; l < d.layer.size(); ++l) {
      d.layer[l].attention_scale = d.attention_scale / static_cast<double>(l + 1);
    }
  }
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "gpt2");
  common(d);
  d.activation = Activation::kGeluTanh;
  return d;
}

TensorNames names(const Descriptor&) {
  TensorNames n;
  n.embedding = "transformer.wte";
  n.positions = "transformer.wpe";
  n.final_norm = "transformer.ln_f";
  n.head = "lm_head";
  n.attention_norm = "transformer.h.{}.ln_1";
  n.mlp_norm = "transformer.h.{}.ln_2";
  n.qkv = "transformer.h.{}.attn.c_attn";
  n.layout = QkvLayout::kStacked;
  n.o = "transformer.h.{}.attn.c_proj";
  n.up = "transformer.h.{}.mlp.c_fc";
  n.down = "transformer.h.{}.mlp.c_proj";
  n.conv1d = true;
  n.ignored_suffixes = {".attn.bias", ".attn.masked_bias"};
  return n;
}

}  // namespace

const Family kGpt2{.name = "gpt2",
                   .model_types = {"gpt2"},
                   .architectures = {"GPT2LMHeadModel"},
                   .gguf_names = {"gpt2"},
                   .from_config = from_config,
                   .from_gguf = from_gguf,
                   .names = names};

}  // namespace keju
