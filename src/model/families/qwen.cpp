// SPDX-License-Identifier: MIT
// Qwen 1: q, k and v with a bias in one tensor, log-n attention and dynamic NTK past seq_length, an
// intermediate size that counts gate and up together.
// Source: configuration_qwen.py and modeling_qwen.py of Qwen-7B; llama.cpp (autumn 2026) for GGUF.
#include <cmath>

#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "qwen",
                                   {.eps_key = "layer_norm_epsilon",
                                    .norm_eps = 1e-6,
                                    .context_length = 8192,
                                    .theta = config.number("rotary_emb_base", 10000)});
  d.mlp_width /= 2;
  d.kv_heads = d.heads;
  d.k_size = d.v_size = config.integer("kv_channels", d.k_size);
  const bool scaled = config.boolean("scale_attn_weights", true);
  d.attention_scale = scaled ? 1.0 / std::sqrt(static_cast<double>(d.k_size)) : 1.0;
  d.qkv_bias = true;
  d.o_bias = d.mlp_bias = !config.boolean("no_bias", true);
  Rope& rope = d.ropes[0];
  set_partial_rotary(rope, d.k_size, config.number("rotary_pct", 1.0));
  const auto trained = static_cast<double>(config.integer("seq_length", 8192));
  if (config.boolean("use_dynamic_ntk", true)) {
    rope.scaling.kind = RopeScalingKind::kQwenDynamicNtk;
    rope.scaling.original_context = trained;
  }
  d.logn_attention = config.boolean("use_logn_attn", true);
  d.logn_context = trained;
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "qwen");
  d.mlp_width /= 2;
  return d;
}

TensorNames names(const Descriptor&) {
  TensorNames n;
  n.embedding = "transformer.wte";
  n.final_norm = "transformer.ln_f";
  n.head = "lm_head";
  n.attention_norm = "transformer.h.{}.ln_1";
  n.mlp_norm = "transformer.h.{}.ln_2";
  n.qkv = "transformer.h.{}.attn.c_attn";
  n.layout = QkvLayout::kStacked;
  n.o = "transformer.h.{}.attn.c_proj";
  n.gate = "transformer.h.{}.mlp.w2";
  n.up = "transformer.h.{}.mlp.w1";
  n.down = "transformer.h.{}.mlp.c_proj";
  n.ignored_suffixes = {"rotary_emb.inv_freq", ".attn.masked_bias", ".attn.bias"};
  return n;
}

}  // namespace

const Family kQwen{.name = "qwen",
                   .model_types = {"qwen"},
                   .architectures = {"QWenLMHeadModel"},
                   .gguf_names = {"qwen"},
                   .from_config = from_config,
                   .from_gguf = from_gguf,
                   .names = names};

}  // namespace keju
