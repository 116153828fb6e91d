// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

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
  // Whether the key is written at all: null often means "off" where absence means a default.
  bool written(std::string_view key) const;
  int64_t integer(std::string_view key) const;
  int64_t integer(std::string_view key, int64_t otherwise) const;
  // Of the first key that is there; the first one's name stands in the error.
  int64_t integer_of(std::initializer_list<std::string_view> keys) const;
  int64_t integer_of(std::initializer_list<std::string_view> keys, int64_t otherwise) const;
  // The same, where 0 for `otherwise` means that one must be there.
  int64_t size_of(std::initializer_list<std::string_view> keys, int64_t otherwise) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double otherwise) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::string string(std::string_view key, std::string otherwise) const;
  const Json& value(std::string_view key) const;
  // A list of integers or booleans, `count` of them.
  std::vector<int64_t> integers(std::string_view key, int64_t count) const;
  const std::string& where() const { return where_; }
  const Json& json() const { return json_; }

 private:
  const Json* find(std::string_view key) const;
  const Json& json_;
  std::string where_;
};

// "silu", "gelu_pytorch_tanh" … Errors: Error(kUnsupported) by name.
Activation activation_of(const std::string& name, const std::string& where);

// What a family's configuration class of transformers 5.23 assumes for keys that are not written.
struct ConfigDefaults {
  std::string_view eps_key = "rms_norm_eps";
  double norm_eps = 1e-6;
  std::string_view activation_key = "hidden_act";
  std::string_view activation = "silu";
  bool tied_head = false;
  // 0: it must be written.
  int64_t layers = 0, width = 0, heads = 0, mlp_width = 0, vocab = 0;
  int64_t kv_heads = 0;    // 0: as many as query heads
  int64_t head_size = 0;   // 0: width / heads
  int64_t mlp_factor = 0;  // mlp width is this many widths where it is not written; 0: it must be
  int64_t context_length = 2048;
  double theta = 10000;
  int64_t rotary_size = 0;           // what rope_of counts as a head; 0: the head
  double partial_rotary = 0;         // 0: the whole head is rotated whatever the file says
  double original_context = 0;       // of scaled rope; 0: max_position_embeddings
  bool any_scaling_is_long = false;  // "su" and "yarn" mean longrope (Phi-3)
};

// Widths, heads, layers, vocabulary, eps, context, activation, rope and tying. Sets head sizes, the
// attention scale 1/sqrt(E), and one LayerSettings per layer with rope 0.
Descriptor common_descriptor(const Config& config,
                             std::string family,
                             const ConfigDefaults& defaults = {});

// The rotary settings of a configuration in either spelling: rope_theta + rope_scaling
// (transformers 4) or rope_parameters (5), for heads of `head_size`.
// Errors: Error(kUnsupported) names a rope type that is not known.
Rope rope_of(const Config& config, int64_t head_size, const ConfigDefaults& defaults = {});
// The same from one rope_parameters object (one layer type's, Gemma 3).
Rope rope_of_parameters(const Json& parameters,
                        const Config& config,
                        int64_t head_size,
                        const ConfigDefaults& defaults = {});

// Rotates the first int(head_size · factor) elements of a head, as transformers rounds it.
void set_partial_rotary(Rope& rope, int64_t head_size, double factor);

// Multi-head latent attention's sizes, and the heads, rope and scale that follow from them
// (DeepSeek, MiniCPM 3). The rotary part stands last in every head.
void read_latent_attention(const Config& config, MlaSettings defaults, Descriptor& d);
void set_latent_heads(Descriptor& d);

// What multiplies the attention scale of DeepSeek-like models under YaRN: mscale_all_dim's share
// of the attention factor, squared; 1 where it is not stated.
double yarn_attention_scale(const RopeScaling& scaling);

// Sliding windows of layers by config "layer_types"; where it is not written, `sliding(layer)`
// says which layers have the window. Error(kUnsupported) names another layer type.
void apply_layer_types(const Config& config,
                       int64_t window,
                       Descriptor& descriptor,
                       const std::function<bool(int64_t layer)>& sliding);

// The same window in every layer, from config "sliding_window"; null: none; absent: `otherwise`.
void apply_window_everywhere(const Config& config, int64_t otherwise, Descriptor& descriptor);

// Qwen's windows: only where "use_sliding_window" says so, by "layer_types" or `sliding`.
void apply_optional_window(const Config& config,
                           int64_t otherwise,
                           Descriptor& descriptor,
                           const std::function<bool(int64_t layer)>& sliding);

// Which layers are mixtures of experts, from "mlp_only_layers" and "decoder_sparse_step" (Qwen).
void apply_sparse_layers(const Config& config, Descriptor& descriptor);

// Error(kUnsupported) if the key holds true.
void refuse_true(const Config& config, std::string_view key);

}  // namespace keju
