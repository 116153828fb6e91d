// SPDX-License-Identifier: MIT
// Gemma 1: RMS-norms of 1 + weight, scaled embedding, tanh GELU, heads wider than their share.
// Source: transformers 5.23 models/gemma; llama.cpp (autumn 2026) for GGUF.
#include <cmath>

#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.activation = Activation::kGeluTanh;
  d.embedding_scale = std::sqrt(static_cast<double>(d.width));
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "gemma",
                                   {.activation = "gelu_pytorch_tanh",
                                    .tied_head = true,
                                    .kv_heads = 16,
                                    .head_size = 256,
                                    .context_length = 8192});
  refuse_true(config, "use_bidirectional_attention");
  const Activation stated = d.activation;
  common(d);
  // Official files say "gelu" and mean its tanh form.
  if (stated != Activation::kGeluErf) d.activation = stated;
  d.norm_one_plus = true;
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  return d;
}

// The converter has added the one to the norms' weights.
Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "gemma");
  common(d);
  return d;
}

}  // namespace

const Family kGemma{.name = "gemma",
                    .model_types = {"gemma"},
                    .architectures = {"GemmaForCausalLM"},
                    .gguf_names = {"gemma"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = llama_names};

}  // namespace keju
