// SPDX-License-Identifier: MIT
// Qwen 1.5, 2 and 2.5: LLaMA with a bias on q, k and v only.
// Source: transformers 5.23 models/qwen2; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "qwen2", {.kv_heads = 32, .context_length = 32768});
  d.qkv_bias = true;
  const int64_t first = config.integer("max_window_layers", 28);
  apply_optional_window(config, 4096, d, [first](int64_t layer) { return layer >= first; });
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) { return common_descriptor(metadata, "qwen2"); }

}  // namespace

const Family kQwen2{.name = "qwen2",
                    .model_types = {"qwen2", "qwen2_vl_text", "qwen2_5_vl_text"},
                    .architectures = {"Qwen2ForCausalLM"},
                    .gguf_names = {"qwen2"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = llama_names};

}  // namespace keju
