// SPDX-License-Identifier: MIT
// Mistral: LLaMA with a sliding window in every layer.
// Source: transformers 5.23 models/mistral. GGUF files of it call themselves llama.
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "mistral", {.kv_heads = 8, .context_length = 131072});
  apply_window_everywhere(config, 4096, d);
  return d;
}

}  // namespace

const Family kMistral{.name = "mistral",
                      .model_types = {"mistral"},
                      .architectures = {"MistralForCausalLM"},
                      .gguf_names = {},
                      .from_config = from_config,
                      .names = llama_names};

}  // namespace keju
