// SPDX-License-Identifier: MIT
// SmolLM 3: LLaMA with no rotary embedding in every fourth layer.
// Source: transformers 5.23 models/smollm3; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

constexpr int64_t kInterval = 4;

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(
      config, "smollm3", {.tied_head = true, .kv_heads = 4, .context_length = 32768, .theta = 2e6});
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  d.mlp_bias = config.boolean("mlp_bias", false);
  // Despite the name, 1 means that a layer has it.
  const int64_t interval = config.integer("no_rope_layer_interval", kInterval);
  std::vector<int64_t> rotated;
  for (int64_t l = 0; l < d.layers; ++l) rotated.push_back((l + 1) % interval != 0 ? 1 : 0);
  if (config.has("no_rope_layers")) rotated = config.integers("no_rope_layers", d.layers);
  for (size_t l = 0; l < d.layer.size(); ++l) d.layer[l].rope = rotated[l] != 0 ? 0 : -1;
  apply_optional_window(config, 0, d, [&rotated](int64_t layer) { return rotated[layer] == 0; });
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "smollm3");
  set_permuted_rope(d);
  for (size_t l = 0; l < d.layer.size(); ++l) {
    if ((l + 1) % kInterval == 0) d.layer[l].rope = -1;
  }
  return d;
}

void adjust_gguf_names(const Descriptor&, TensorNames& names) { names.permuted_qk = true; }

}  // namespace

const Family kSmollm3{.name = "smollm3",
                      .model_types = {"smollm3"},
                      .architectures = {"SmolLM3ForCausalLM"},
                      .gguf_names = {"smollm3"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = llama_names,
                      .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
