// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/key_values.h"
#include "model/descriptor.h"

namespace keju {

// Typed reading of a config.json. A key that is absent or null counts as missing. Errors:
// Error(kInput) `path: key: found …, need …`.
class Config {
 public:
  Config(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  bool has(std::string_view key) const;
  int64_t integer(std::string_view key) const;
  int64_t integer(std::string_view key, int64_t otherwise) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double otherwise) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::string string(std::string_view key, std::string otherwise) const;
  const Json& value(std::string_view key) const;
  const std::string& where() const { return where_; }
  const Json& json() const { return json_; }

 private:
  const Json* find(std::string_view key) const;
  const Json& json_;
  std::string where_;
};

// "silu", "gelu_pytorch_tanh" … Errors: Error(kUnsupported) by name.
Activation activation_of(const std::string& name, const std::string& where);

// The rotary settings of a configuration in either spelling: rope_theta + rope_scaling
// (transformers 4) or rope_parameters (5). `dim` is the head's rotated size.
// Errors: Error(kUnsupported) names a rope type that is not known.
Rope rope_of(const Config& config, int64_t dim);
// The same from one rope_parameters object (per layer type, Gemma 3).
Rope rope_of_parameters(const Json& parameters, const Config& config, int64_t dim);

// Widths, heads, layers, vocabulary, eps and context under the names that most families share.
// Sets head sizes, the attention scale 1/sqrt(E), and one LayerSettings per layer with rope 0.
Descriptor common_descriptor(const Config& config, std::string family);

// The same from GGUF keys under `general.architecture`.
Descriptor common_descriptor(const KeyValues& metadata, std::string family);
// A key of the architecture: gguf_key(metadata, "block_count") is "llama.block_count".
std::string gguf_key(const KeyValues& metadata, std::string_view key);

// Fills the sliding windows of layers whose entry in config "layer_types" is "sliding_attention".
void apply_layer_types(const Config& config, int64_t window, Descriptor& descriptor);

}  // namespace keju
