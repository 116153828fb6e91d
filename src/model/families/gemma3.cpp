// SPDX-License-Identifier: MIT
// Gemma 3 (text): sandwich norms with 1 + weight, QK-norm, five local layers to one global.
// Source: transformers 5.23 models/gemma3; llama.cpp (autumn 2026) for GGUF.

#include <cmath>

#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

constexpr int64_t kPattern = 6;  // every sixth layer is global
constexpr double kLocalTheta = 10000;

void common(Descriptor& d, double query_scalar) {
  d.norm_one_plus = true;
  d.placement = NormPlacement::kSandwich;
  d.qk_norm = HeadNormSpec::Scope::kHead;
  d.qk_norm_eps = d.norm_eps;
  d.qk_norm_one_plus = true;
  d.attention_scale = 1.0 / std::sqrt(query_scalar);
  // transformers multiplies by sqrt(D) cast to the weights' type; in float32 that is the float itself.
  d.embedding_scale = std::sqrt(static_cast<double>(d.width));
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "gemma3");
  d.activation = activation_of(config.string("hidden_activation", config.string("hidden_act", "gelu_pytorch_tanh")), where);
  d.tied_head = config.boolean("tie_word_embeddings", true);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  common(d, config.number("query_pre_attn_scalar", 256));
  d.attention_softcap = config.number("attn_logit_softcapping", 0.0);
  d.logit_softcap = config.number("final_logit_softcapping", 0.0);

  Rope global, local;
  const bool nested = config.has("rope_parameters") && config.value("rope_parameters").contains("full_attention");
  if (nested) {
    const Json& both = config.value("rope_parameters");
    global = rope_of_parameters(member(both, "full_attention", where), config, d.k_size);
    local = rope_of_parameters(member(both, "sliding_attention", where), config, d.k_size);
  } else {
    global = rope_of(config, d.k_size);
    if (!config.has("rope_theta") && !config.has("rope_parameters")) global.theta = 1e6;
    local.dim = d.k_size;
    local.theta = config.number("rope_local_base_freq", kLocalTheta);
  }
  d.ropes = {global, local};
  const int64_t window = config.integer("sliding_window", 4096);
  if (config.has("layer_types")) {
    apply_layer_types(config, window, d);
  } else {
    const int64_t pattern = config.integer("sliding_window_pattern", kPattern);
    for (int64_t l = 0; l < d.layers; ++l) d.layer[l].window = (l + 1) % pattern != 0 ? window : 0;
  }
  for (LayerSettings& l : d.layer) l.rope = l.window > 0 ? 1 : 0;
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "gemma3");
  d.tied_head = true;
  d.activation = Activation::kGeluTanh;
  // GGUF holds neither the query scalar, the pattern nor the local theta: constants of the family.
  // The query scalar is the head size for every size but 27B (hidden size / heads).
  const bool is_27b = d.layers == 62;
  common(d, is_27b ? static_cast<double>(d.width) / static_cast<double>(d.heads) : static_cast<double>(d.k_size));
  d.norm_one_plus = d.qk_norm_one_plus = false;  // the converter has added the one
  Rope local;
  local.dim = d.k_size;
  local.theta = kLocalTheta;
  d.ropes.push_back(local);
  const int64_t window = metadata.integer(gguf_key(metadata, "attention.sliding_window"));
  for (int64_t l = 0; l < d.layers; ++l) {
    const bool is_local = (l + 1) % kPattern != 0;
    d.layer[l].window = is_local ? window : 0;
    d.layer[l].rope = is_local ? 1 : 0;
  }
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.attention_post_norm = "model.layers.{}.post_attention_layernorm";
  n.mlp_norm = "model.layers.{}.pre_feedforward_layernorm";
  n.mlp_post_norm = "model.layers.{}.post_feedforward_layernorm";
  return n;
}

}  // namespace

const Family kGemma3{.name = "gemma3",
                     .model_types = {"gemma3_text"},
                     .architectures = {},
                     .gguf_names = {"gemma3"},
                     .from_config = from_config,
                     .from_gguf = from_gguf,
                     .names = names};

}  // namespace keju
