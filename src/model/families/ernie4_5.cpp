// SPDX-License-Identifier: MIT
// ERNIE 4.5 (dense): LLaMA with consecutive rotary pairs and optional biases everywhere.
// Source: transformers 5.23 models/ernie4_5; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "ernie4_5",
                                   {.norm_eps = 1e-5,
                                    .tied_head = true,
                                    .kv_heads = 2,
                                    .head_size = 128,
                                    .context_length = 131072,
                                    .theta = 500000});
  d.ropes[0].style = RopeStyle::kInterleaved;
  d.qkv_bias = d.o_bias = d.mlp_bias = config.boolean("use_bias", false);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "ernie4_5");
  d.ropes[0].style = RopeStyle::kInterleaved;
  return d;
}

}  // namespace

const Family kErnie45{.name = "ernie4_5",
                      .model_types = {"ernie4_5"},
                      .architectures = {"Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"},
                      .gguf_names = {"ernie4_5"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = llama_names};

}  // namespace keju
