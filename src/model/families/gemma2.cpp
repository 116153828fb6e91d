// SPDX-License-Identifier: MIT
// Gemma 2: Gemma with sandwich norms, soft-capped attention and logits, a window in every other
// layer.
// Source: transformers 5.23 models/gemma2; llama.cpp (autumn 2026) for GGUF.
#include <cmath>

#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.placement = NormPlacement::kSandwich;
  d.embedding_scale = std::sqrt(static_cast<double>(d.width));
}

// Null switches a cap off; absence means the released models' value.
double cap(const Config& config, std::string_view key, double otherwise) {
  return config.number(key, config.written(key) ? 0.0 : otherwise);
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "gemma2",
                                   {.activation_key = "hidden_activation",
                                    .activation = "gelu_pytorch_tanh",
                                    .tied_head = true,
                                    .kv_heads = 4,
                                    .head_size = 256,
                                    .context_length = 8192});
  refuse_true(config, "use_bidirectional_attention");
  common(d);
  d.norm_one_plus = true;
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  d.attention_scale = 1.0 / std::sqrt(config.number("query_pre_attn_scalar", 256));
  d.attention_softcap = cap(config, "attn_logit_softcapping", 50);
  d.logit_softcap = cap(config, "final_logit_softcapping", 30);
  const int64_t window = config.integer("sliding_window", 4096);
  apply_layer_types(config, window, d, [](int64_t layer) { return layer % 2 == 0; });
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  const GgufKeys keys(metadata);
  Descriptor d = common_descriptor(metadata, "gemma2");
  common(d);
  d.activation = Activation::kGeluTanh;
  d.attention_softcap = keys.number("attn_logit_softcapping", 50);
  d.logit_softcap = keys.number("final_logit_softcapping", 30);
  // Files do not hold the query scalar: it is the head size but for 27B (hidden size / heads).
  constexpr int64_t kLayersOf27B = 46;
  if (d.layers == kLayersOf27B) {
    d.attention_scale = std::sqrt(static_cast<double>(d.heads) / static_cast<double>(d.width));
  }
  read_gguf_windows(metadata, 2, d);
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

const Family kGemma2{.name = "gemma2",
                     .model_types = {"gemma2"},
                     .architectures = {"Gemma2ForCausalLM"},
                     .gguf_names = {"gemma2"},
                     .from_config = from_config,
                     .from_gguf = from_gguf,
                     .names = names};

}  // namespace keju
