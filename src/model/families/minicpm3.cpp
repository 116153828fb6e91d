// SPDX-License-Identifier: MIT
// MiniCPM 3: multi-head latent attention with half-split rotary pairs, scaled embedding, residuals
// and logits.
// Source: transformers 5.23 models/minicpm3; llama.cpp (autumn 2026) for GGUF.
#include <cmath>

#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  MlaSettings latent{.q_rank = 768, .kv_rank = 256, .nope = 64, .rope = 32};
  Descriptor d = common_descriptor(config,
                                   "minicpm3",
                                   {.norm_eps = 1e-5,
                                    .tied_head = true,
                                    .context_length = 32768,
                                    .rotary_size = config.integer("qk_rope_head_dim", 32)});
  latent.value = d.width / d.heads;
  read_latent_attention(config, latent, d);
  d.mlp_bias = config.boolean("mlp_bias", false);
  d.embedding_scale = config.number("scale_emb", 12);
  // Null switches the scaling of residuals and of logits off.
  const double root = std::sqrt(static_cast<double>(d.layers));
  const auto width = static_cast<double>(d.width);
  const double depth = config.number("scale_depth", config.written("scale_depth") ? root : 1.4);
  d.residual_scale = depth / root;
  d.logit_scale =
      config.number("dim_model_base", config.written("dim_model_base") ? width : 256) / width;
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  const GgufKeys keys(metadata);
  Descriptor d = common_descriptor(metadata, "minicpm3");
  d.mla.q_rank = keys.integer("attention.q_lora_rank", 0);
  d.mla.kv_rank = keys.integer("attention.kv_lora_rank");
  d.mla.rope = d.ropes[0].dim;
  d.mla.nope = d.k_size - d.mla.rope;
  d.mla.value = d.width / d.heads;
  set_latent_heads(d);
  // Files hold none of the scales: they are all of MiniCPM3-4B.
  d.embedding_scale = 12;
  d.residual_scale = 1.4 / std::sqrt(static_cast<double>(d.layers));
  d.logit_scale = 256 / static_cast<double>(d.width);
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.q_a = "model.layers.{}.self_attn.q_a_proj";
  n.q_a_norm = "model.layers.{}.self_attn.q_a_layernorm";
  n.q_b = "model.layers.{}.self_attn.q_b_proj";
  n.kv_a = "model.layers.{}.self_attn.kv_a_proj_with_mqa";
  n.kv_a_norm = "model.layers.{}.self_attn.kv_a_layernorm";
  n.kv_b = "model.layers.{}.self_attn.kv_b_proj";
  return n;
}

}  // namespace

const Family kMinicpm3{.name = "minicpm3",
                       .model_types = {"minicpm3"},
                       .architectures = {"MiniCPM3ForCausalLM"},
                       .gguf_names = {"minicpm3"},
                       .from_config = from_config,
                       .from_gguf = from_gguf,
                       .names = names};

}  // namespace keju
