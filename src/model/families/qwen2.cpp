// SPDX-License-Identifier: MIT
// Qwen 2 and 2.5: LLaMA with a bias on q, k and v only.
// Source: transformers 5.23 models/qwen2; llama.cpp (autumn 2026) for GGUF.

#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "qwen2");
  d.activation = activation_of(config.string("hidden_act", "silu"), where);
  d.ropes = {rope_of(config, d.k_size)};
  d.qkv_bias = true;
  if (config.boolean("use_sliding_window", false)) {
    const int64_t window = config.integer("sliding_window");
    if (config.has("layer_types")) {
      apply_layer_types(config, window, d);
    } else {  // transformers 4: the layers from max_window_layers on
      for (int64_t l = config.integer("max_window_layers", 28); l < d.layers; ++l) d.layer[l].window = window;
    }
  }
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "qwen2");
  d.qkv_bias = true;
  return d;
}

}  // namespace

const Family kQwen2{.name = "qwen2",
                    .model_types = {"qwen2"},
                    .architectures = {},
                    .gguf_names = {"qwen2"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = llama_names};

}  // namespace keju
