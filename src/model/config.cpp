// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/exact_math.h"

namespace keju {

const Json* Config::find(std::string_view key) const {
  if (!json_.is_object()) return nullptr;
  const auto at = json_.find(std::string(key));
  return at == json_.end() || at->is_null() ? nullptr : &*at;
}

bool Config::has(std::string_view key) const { return find(key) != nullptr; }

bool Config::written(std::string_view key) const {
  return json_.is_object() && json_.contains(std::string(key));
}

const Json& Config::value(std::string_view key) const {
  const Json* found = find(key);
  if (found == nullptr) throw fail(Code::kInput, "{}: {}: not there, need it", where_, key);
  return *found;
}

int64_t Config::integer(std::string_view key) const {
  const Json& v = value(key);
  if (!v.is_number_integer()) {
    throw fail(Code::kInput, "{}: {}: found {}, need an integer", where_, key, v.dump());
  }
  return v.get<int64_t>();
}

int64_t Config::integer(std::string_view key, int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

int64_t Config::integer_of(std::initializer_list<std::string_view> keys) const {
  for (const std::string_view key : keys) {
    if (has(key)) return integer(key);
  }
  return integer(*keys.begin());
}

int64_t Config::integer_of(std::initializer_list<std::string_view> keys, int64_t otherwise) const {
  for (const std::string_view key : keys) {
    if (has(key)) return integer(key);
  }
  return otherwise;
}

int64_t Config::size_of(std::initializer_list<std::string_view> keys, int64_t otherwise) const {
  return otherwise > 0 ? integer_of(keys, otherwise) : integer_of(keys);
}

double Config::number(std::string_view key) const {
  const Json& v = value(key);
  if (!v.is_number()) {
    throw fail(Code::kInput, "{}: {}: found {}, need a number", where_, key, v.dump());
  }
  return v.get<double>();
}

double Config::number(std::string_view key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}

bool Config::boolean(std::string_view key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const Json& v = value(key);
  if (!v.is_boolean()) {
    throw fail(Code::kInput, "{}: {}: found {}, need true or false", where_, key, v.dump());
  }
  return v.get<bool>();
}

std::string Config::string(std::string_view key, std::string otherwise) const {
  if (!has(key)) return otherwise;
  const Json& v = value(key);
  if (!v.is_string()) {
    throw fail(Code::kInput, "{}: {}: found {}, need a string", where_, key, v.dump());
  }
  return v.get<std::string>();
}

std::vector<int64_t> Config::integers(std::string_view key, int64_t count) const {
  const Json& list = value(key);
  if (!list.is_array() || static_cast<int64_t>(list.size()) != count) {
    throw fail(Code::kInput, "{}: {}: found {} entries, need {}", where_, key, list.size(), count);
  }
  std::vector<int64_t> values;
  for (const Json& entry : list) {
    if (!entry.is_number_integer() && !entry.is_boolean()) {
      throw fail(Code::kInput, "{}: {}: found {}, need integers", where_, key, entry.dump());
    }
    values.push_back(entry.is_boolean() ? int64_t{entry.get<bool>()} : entry.get<int64_t>());
  }
  return values;
}

Activation activation_of(const std::string& name, const std::string& where) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new" || name == "gelu_fast" ||
      name == "gelu_python_tanh" || name == "gelu_accurate") {
    return Activation::kGeluTanh;
  }
  if (name == "gelu" || name == "gelu_python") return Activation::kGeluErf;
  if (name == "relu") return Activation::kRelu;
  if (name == "relu2") return Activation::kRelu2;
  if (name == "quick_gelu") return Activation::kGeluQuick;
  throw fail(Code::kUnsupported,
             "{}: activation: found \"{}\", need silu, gelu, gelu_new, gelu_pytorch_tanh, relu, "
             "relu2 or quick_gelu",
             where,
             name);
}

Descriptor common_descriptor(const Config& config,
                             std::string family,
                             const ConfigDefaults& defaults) {
  Descriptor d;
  d.family = std::move(family);
  d.layers = config.size_of({"num_hidden_layers", "n_layer", "num_layers"}, defaults.layers);
  d.width = config.size_of({"hidden_size", "n_embd", "n_embed"}, defaults.width);
  d.heads = config.size_of({"num_attention_heads", "n_head"}, defaults.heads);
  // A null means "as the query heads"; an absent key means the class's own default.
  const bool assume_kv = !config.written("num_key_value_heads") && defaults.kv_heads > 0;
  d.kv_heads = config.integer("num_key_value_heads", assume_kv ? defaults.kv_heads : d.heads);
  const int64_t even = d.heads > 0 ? d.width / d.heads : 0;
  const bool assume_size = !config.written("head_dim") && defaults.head_size > 0;
  d.k_size = config.integer("head_dim", assume_size ? defaults.head_size : even);
  d.v_size = d.k_size;
  d.mlp_width =
      config.size_of({"intermediate_size", "n_inner", "ffn_hidden_size"},
                     defaults.mlp_factor > 0 ? defaults.mlp_factor * d.width : defaults.mlp_width);
  d.vocab = config.size_of({"vocab_size"}, defaults.vocab);
  d.context_length =
      config.integer_of({"max_position_embeddings", "n_positions"}, defaults.context_length);
  d.norm_eps = config.number(defaults.eps_key, defaults.norm_eps);
  d.activation = activation_of(
      config.string(defaults.activation_key, std::string(defaults.activation)), config.where());
  d.attention_scale = 1.0 / std::sqrt(static_cast<double>(d.k_size));
  d.tied_head = config.boolean("tie_word_embeddings", defaults.tied_head);
  d.layer.assign(static_cast<size_t>(std::clamp<int64_t>(d.layers, 0, kMostLayers)), {});
  d.ropes = {rope_of(config, defaults.rotary_size > 0 ? defaults.rotary_size : d.k_size, defaults)};
  return d;
}

void apply_layer_types(const Config& config,
                       int64_t window,
                       Descriptor& descriptor,
                       const std::function<bool(int64_t layer)>& sliding) {
  if (!config.has("layer_types")) {
    for (int64_t l = 0; l < static_cast<int64_t>(descriptor.layer.size()); ++l) {
      descriptor.layer[l].window = sliding(l) ? window : 0;
    }
    return;
  }
  const Json& types = config.value("layer_types");
  if (!types.is_array() || static_cast<int64_t>(types.size()) != descriptor.layers) {
    throw fail(Code::kInput,
               "{}: layer_types: found {} entries, need {}",
               config.where(),
               types.size(),
               descriptor.layers);
  }
  for (size_t l = 0; l < descriptor.layer.size(); ++l) {
    const std::string type = types[l].is_string() ? types[l].get<std::string>() : types[l].dump();
    if (type == "sliding_attention") {
      descriptor.layer[l].window = window;
    } else if (type != "full_attention") {
      throw fail(Code::kUnsupported,
                 "{}: layer_types: found \"{}\", need full_attention or sliding_attention",
                 config.where(),
                 type);
    }
  }
}

void apply_window_everywhere(const Config& config, int64_t otherwise, Descriptor& descriptor) {
  const int64_t window =
      config.written("sliding_window") ? config.integer("sliding_window", 0) : otherwise;
  for (LayerSettings& layer : descriptor.layer) layer.window = window;
}

void apply_optional_window(const Config& config,
                           int64_t otherwise,
                           Descriptor& descriptor,
                           const std::function<bool(int64_t layer)>& sliding) {
  if (!config.boolean("use_sliding_window", false)) return;
  const int64_t window =
      config.written("sliding_window") ? config.integer("sliding_window", 0) : otherwise;
  apply_layer_types(config, window, descriptor, sliding);
}

void apply_sparse_layers(const Config& config, Descriptor& descriptor) {
  const int64_t step = std::max<int64_t>(config.integer("decoder_sparse_step", 1), 1);
  for (size_t l = 0; l < descriptor.layer.size(); ++l) {
    descriptor.layer[l].moe = (static_cast<int64_t>(l) + 1) % step == 0;
  }
  if (!config.has("mlp_only_layers")) return;
  const Json& dense = config.value("mlp_only_layers");
  for (const Json& layer : dense) {
    if (!layer.is_number_integer()) {
      throw fail(Code::kInput,
                 "{}: mlp_only_layers: found {}, need integers",
                 config.where(),
                 layer.dump());
    }
    const auto at = layer.get<int64_t>();
    if (at >= 0 && at < static_cast<int64_t>(descriptor.layer.size())) {
      descriptor.layer[at].moe = false;
    }
  }
}

void read_latent_attention(const Config& config, MlaSettings defaults, Descriptor& d) {
  d.mla = defaults;
  // A null rank means that queries are projected directly; an absent one is the class's default.
  d.mla.q_rank = config.integer("q_lora_rank", config.written("q_lora_rank") ? 0 : defaults.q_rank);
  d.mla.kv_rank = config.integer("kv_lora_rank", defaults.kv_rank);
  d.mla.nope = config.integer("qk_nope_head_dim", defaults.nope);
  d.mla.rope = config.integer("qk_rope_head_dim", defaults.rope);
  d.mla.value = config.integer("v_head_dim", defaults.value);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  set_latent_heads(d);
}

void set_latent_heads(Descriptor& d) {
  const MlaSettings& m = d.mla;
  d.kv_heads = d.heads;
  d.k_size = m.nope + m.rope;
  d.v_size = m.value;
  d.ropes[0].offset = m.nope;
  d.attention_scale =
      yarn_attention_scale(d.ropes[0].scaling) / std::sqrt(static_cast<double>(d.k_size));
}

void refuse_true(const Config& config, std::string_view key) {
  if (config.boolean(key, false)) {
    throw fail(Code::kUnsupported, "{}: {}: found true, need false", config.where(), key);
  }
}

}  // namespace keju
