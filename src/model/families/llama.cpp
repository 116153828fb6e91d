// SPDX-License-Identifier: MIT
// LLaMA 1/2/3 and everything with its tensors: Yi, DeepSeek-LLM, Vicuna, MiLM-style derivatives.
// Source: transformers 5.23 models/llama; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "llama");
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  d.mlp_bias = config.boolean("mlp_bias", false);
  return d;
}

// Mistral, Mixtral and InternLM 3 are converted to this architecture too.
Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "llama");
  set_permuted_rope(d);
  read_gguf_experts(metadata, d);
  if (d.moe.experts > 0) {
    d.moe.route.normalise = true;
  }
  return d;
}

void adjust_gguf_names(const Descriptor&, TensorNames& names) { names.permuted_qk = true; }

}  // namespace

const Family kLlama{.name = "llama",
                    .model_types = {"llama", "Yi"},
                    .architectures = {"LlamaForCausalLM", "LLaMAForCausalLM", "YiForCausalLM"},
                    .gguf_names = {"llama"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = llama_names,
                    .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
