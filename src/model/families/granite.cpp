// SPDX-License-Identifier: MIT
// Granite 3: LLaMA with multipliers on embedding, attention, residuals and logits.
// Source: transformers 5.23 models/granite; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "granite");
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  d.mlp_bias = config.boolean("mlp_bias", false);
  d.attention_scale = config.number("attention_multiplier", 1);
  d.embedding_scale = config.number("embedding_multiplier", 1);
  d.residual_scale = config.number("residual_multiplier", 1);
  d.logit_scale = 1 / config.number("logits_scaling", 1);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  const GgufKeys keys(metadata);
  Descriptor d = common_descriptor(metadata, "granite");
  set_permuted_rope(d);
  d.attention_scale = keys.number("attention.scale", d.attention_scale);
  d.embedding_scale = keys.number("embedding_scale", 1);
  d.residual_scale = keys.number("residual_scale", 1);
  d.logit_scale = 1 / keys.number("logit_scale", 1);
  return d;
}

void adjust_gguf_names(const Descriptor&, TensorNames& names) { names.permuted_qk = true; }

}  // namespace

const Family kGranite{.name = "granite",
                      .model_types = {"granite"},
                      .architectures = {"GraniteForCausalLM"},
                      .gguf_names = {"granite"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = llama_names,
                      .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
