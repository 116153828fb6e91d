// SPDX-License-Identifier: MIT
// Multimodal models whose text passes through a language model that is a family of its own.
// Source: transformers 5.23 models/{gemma3,llava,mistral3,qwen2_vl,qwen2_5_vl}.
#include "model/multimodal.h"

#include <string_view>

namespace keju {
namespace {

struct Multimodal {
  std::string_view model_type;
  std::string_view text_type;  // where the text's configuration does not say
  std::vector<std::string> left_aside;
};

const std::vector<Multimodal>& table() {
  static const std::vector<std::string> tower = {"vision_tower.", "multi_modal_projector."};
  static const std::vector<Multimodal> all = {
      {"gemma3", "gemma3_text", tower},
      {"llava", "llama", tower},
      {"mistral3", "mistral", tower},
      {"qwen2_vl", "qwen2_vl_text", {"visual."}},
      {"qwen2_5_vl", "qwen2_5_vl_text", {"visual."}},
  };
  return all;
}

bool holds_true(const Json& config, const char* key) {
  return config.contains(key) && config[key].is_boolean() && config[key].get<bool>();
}

}  // namespace

TextPart text_part(const Json& config) {
  if (!config.is_object() || !config.contains("model_type") || !config["model_type"].is_string())
    return {config, "", {}};
  const auto type = config["model_type"].get<std::string>();
  for (const Multimodal& known : table()) {
    if (known.model_type != type) continue;
    const bool inside = config.contains("text_config") && config["text_config"].is_object();
    TextPart part{
        inside ? config["text_config"] : config, inside ? ": text_config" : "", known.left_aside};
    if (!inside || !part.config.contains("model_type")) part.config["model_type"] = known.text_type;
    // The head belongs to the whole, and so may the word that ties it.
    if (holds_true(config, "tie_word_embeddings")) part.config["tie_word_embeddings"] = true;
    return part;
  }
  return {config, "", {}};
}

}  // namespace keju
