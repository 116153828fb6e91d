// SPDX-License-Identifier: MIT
// Qwen 3: no biases, RMS-norm of every query and key head before the rotary embedding.
// Source: transformers 5.23 models/qwen3; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.qk_norm = HeadNormSpec::Scope::kHead;
  d.qk_norm_eps = d.norm_eps;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(
      config, "qwen3", {.kv_heads = 32, .head_size = 128, .context_length = 32768});
  common(d);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  const int64_t first = config.integer("max_window_layers", 28);
  apply_optional_window(config, 4096, d, [first](int64_t layer) { return layer >= first; });
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "qwen3");
  common(d);
  return d;
}

}  // namespace

const Family kQwen3{.name = "qwen3",
                    .model_types = {"qwen3"},
                    .architectures = {"Qwen3ForCausalLM"},
                    .gguf_names = {"qwen3"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = llama_names};

}  // namespace keju
