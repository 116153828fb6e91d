// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <cmath>

#include "base/error.h"

namespace keju {
namespace {

RopeScalingKind scaling_kind(const std::string& type, const std::string& where) {
  if (type == "default" || type == "none") return RopeScalingKind::kNone;
  if (type == "linear") return RopeScalingKind::kLinear;
  if (type == "dynamic") return RopeScalingKind::kDynamicNtk;
  if (type == "yarn") return RopeScalingKind::kYarn;
  if (type == "longrope" || type == "su") return RopeScalingKind::kLongRope;
  if (type == "llama3") return RopeScalingKind::kLlama3;
  throw fail(Code::kUnsupported, "{}: rope type: found \"{}\", need default, linear, dynamic, yarn, longrope or llama3",
             where, type);
}

std::vector<double> factors(const Config& config, std::string_view key, int64_t count) {
  const Json& list = config.value(key);
  if (!list.is_array() || static_cast<int64_t>(list.size()) != count) {
    throw fail(Code::kInput, "{}: {}: found {} entries, need {}", config.where(), key, list.size(), count);
  }
  std::vector<double> values;
  for (const Json& entry : list) {
    if (!entry.is_number()) throw fail(Code::kInput, "{}: {}: found {}, need numbers", config.where(), key, entry.type_name());
    values.push_back(entry.get<double>());
  }
  return values;
}

// Context that the model was trained on: rope settings may state it, the configuration does else.
double original_context(const Config& scaling, const Config& config) {
  if (scaling.has("original_max_position_embeddings")) return scaling.number("original_max_position_embeddings");
  if (config.has("original_max_position_embeddings")) return config.number("original_max_position_embeddings");
  return config.number("max_position_embeddings", 2048);
}

void read_scaling(const Config& s, const Config& config, Rope& rope) {
  RopeScaling& out = rope.scaling;
  out.kind = scaling_kind(s.string("rope_type", s.string("type", "default")), config.where());
  if (out.kind == RopeScalingKind::kNone) return;
  out.original_context = original_context(s, config);
  out.factor = s.number("factor", 1.0);
  out.attention_factor = s.number("attention_factor", 0.0);
  if (out.kind == RopeScalingKind::kLlama3) {
    out.factor = s.number("factor");
    out.low_freq_factor = s.number("low_freq_factor");
    out.high_freq_factor = s.number("high_freq_factor");
  } else if (out.kind == RopeScalingKind::kYarn) {
    out.beta_fast = s.number("beta_fast", 32.0);
    out.beta_slow = s.number("beta_slow", 1.0);
    out.truncate = s.boolean("truncate", true);
    out.mscale = s.number("mscale", 0.0);
    out.mscale_all_dim = s.number("mscale_all_dim", 0.0);
    // The stated original context decides the factor where there is one (transformers 5.23).
    if (!s.has("factor") && s.has("original_max_position_embeddings")) {
      out.factor = config.number("max_position_embeddings") / out.original_context;
    }
  } else if (out.kind == RopeScalingKind::kDynamicNtk) {
    out.original_context = s.number("original_max_position_embeddings", config.number("max_position_embeddings", 2048.0));
  } else if (out.kind == RopeScalingKind::kLongRope) {
    out.short_factors = factors(s, "short_factor", rope.dim / 2);
    out.long_factors = factors(s, "long_factor", rope.dim / 2);
    if (!s.has("factor")) out.factor = config.number("max_position_embeddings", out.original_context) / out.original_context;
  }
}

}  // namespace

const Json* Config::find(std::string_view key) const {
  if (!json_.is_object()) return nullptr;
  const auto at = json_.find(std::string(key));
  return at == json_.end() || at->is_null() ? nullptr : &*at;
}

bool Config::has(std::string_view key) const { return find(key) != nullptr; }

const Json& Config::value(std::string_view key) const {
  const Json* found = find(key);
  if (found == nullptr) throw fail(Code::kInput, "{}: {}: not there, need it", where_, key);
  return *found;
}

int64_t Config::integer(std::string_view key) const {
  const Json& v = value(key);
  if (!v.is_number_integer()) throw fail(Code::kInput, "{}: {}: found {}, need an integer", where_, key, v.dump());
  return v.get<int64_t>();
}
int64_t Config::integer(std::string_view key, int64_t otherwise) const { return has(key) ? integer(key) : otherwise; }

double Config::number(std::string_view key) const {
  const Json& v = value(key);
  if (!v.is_number()) throw fail(Code::kInput, "{}: {}: found {}, need a number", where_, key, v.dump());
  return v.get<double>();
}
double Config::number(std::string_view key, double otherwise) const { return has(key) ? number(key) : otherwise; }

bool Config::boolean(std::string_view key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const Json& v = value(key);
  if (!v.is_boolean()) throw fail(Code::kInput, "{}: {}: found {}, need true or false", where_, key, v.dump());
  return v.get<bool>();
}

std::string Config::string(std::string_view key, std::string otherwise) const {
  if (!has(key)) return otherwise;
  const Json& v = value(key);
  if (!v.is_string()) throw fail(Code::kInput, "{}: {}: found {}, need a string", where_, key, v.dump());
  return v.get<std::string>();
}

Activation activation_of(const std::string& name, const std::string& where) {
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new" || name == "gelu_fast") return Activation::kGeluTanh;
  if (name == "gelu") return Activation::kGeluErf;
  if (name == "relu") return Activation::kRelu;
  if (name == "relu2") return Activation::kRelu2;
  if (name == "quick_gelu") return Activation::kGeluQuick;
  throw fail(Code::kUnsupported, "{}: activation: found \"{}\", need silu, gelu, gelu_new, gelu_pytorch_tanh, relu, relu2 or quick_gelu",
             where, name);
}

Rope rope_of_parameters(const Json& parameters, const Config& config, int64_t dim) {
  Rope rope;
  rope.dim = dim;
  const Config s(parameters, config.where());
  rope.theta = s.number("rope_theta", config.number("rope_theta", 10000.0));
  read_scaling(s, config, rope);
  return rope;
}

Rope rope_of(const Config& config, int64_t dim) {
  for (std::string_view key : {"rope_parameters", "rope_scaling"}) {
    if (config.has(key)) return rope_of_parameters(config.value(key), config, dim);
  }
  Rope rope;
  rope.dim = dim;
  rope.theta = config.number("rope_theta", 10000.0);
  return rope;
}

Descriptor common_descriptor(const Config& config, std::string family) {
  Descriptor d;
  d.family = std::move(family);
  d.layers = config.integer("num_hidden_layers");
  d.width = config.integer("hidden_size");
  d.heads = config.integer("num_attention_heads");
  d.kv_heads = config.integer("num_key_value_heads", d.heads);
  d.k_size = config.integer("head_dim", d.heads > 0 ? d.width / d.heads : 0);
  d.v_size = d.k_size;
  d.mlp_width = config.integer("intermediate_size");
  d.vocab = config.integer("vocab_size");
  d.context_length = config.integer("max_position_embeddings", 2048);
  d.norm_eps = config.number("rms_norm_eps", config.number("layer_norm_eps", 1e-6));
  d.attention_scale = 1.0 / std::sqrt(static_cast<double>(d.k_size));
  d.tied_head = config.boolean("tie_word_embeddings", false);
  d.layer.assign(std::max<int64_t>(d.layers, 0), LayerSettings{});
  return d;
}

std::string gguf_key(const KeyValues& metadata, std::string_view key) {
  return metadata.string("general.architecture") + "." + std::string(key);
}

Descriptor common_descriptor(const KeyValues& m, std::string family) {
  const auto key = [&](std::string_view name) { return gguf_key(m, name); };
  Descriptor d;
  d.family = std::move(family);
  d.layers = m.integer(key("block_count"));
  d.width = m.integer(key("embedding_length"));
  d.heads = m.integer(key("attention.head_count"));
  d.kv_heads = m.maybe_integer(key("attention.head_count_kv")).value_or(d.heads);
  d.k_size = m.maybe_integer(key("attention.key_length")).value_or(d.heads > 0 ? d.width / d.heads : 0);
  d.v_size = m.maybe_integer(key("attention.value_length")).value_or(d.k_size);
  d.mlp_width = m.integer(key("feed_forward_length"));
  d.context_length = m.maybe_integer(key("context_length")).value_or(2048);
  if (m.has(key("vocab_size"))) {
    d.vocab = m.integer(key("vocab_size"));
  } else if (m.has("tokenizer.ggml.tokens")) {
    d.vocab = static_cast<int64_t>(m.strings("tokenizer.ggml.tokens").size());
  }
  if (m.has(key("attention.layer_norm_rms_epsilon"))) {
    d.norm_eps = m.number(key("attention.layer_norm_rms_epsilon"));
  } else {
    d.norm_eps = m.maybe_number(key("attention.layer_norm_epsilon")).value_or(1e-5);
  }
  d.attention_scale = 1.0 / std::sqrt(static_cast<double>(d.k_size));
  d.layer.assign(std::max<int64_t>(d.layers, 0), LayerSettings{});

  Rope rope;
  rope.dim = m.maybe_integer(key("rope.dimension_count")).value_or(d.k_size);
  rope.theta = m.maybe_number(key("rope.freq_base")).value_or(10000.0);
  const std::string type = m.maybe_string(key("rope.scaling.type")).value_or("none");
  if (type != "none") {
    rope.scaling.kind = scaling_kind(type, m.where());
    rope.scaling.factor = m.maybe_number(key("rope.scaling.factor")).value_or(1.0);
    rope.scaling.original_context = m.maybe_number(key("rope.scaling.original_context_length"))
                                        .value_or(static_cast<double>(d.context_length));
    rope.scaling.attention_factor = m.maybe_number(key("rope.scaling.attn_factor")).value_or(0.0);
  } else if (m.has(key("rope.scale_linear"))) {
    rope.scaling.factor = m.number(key("rope.scale_linear"));
    if (rope.scaling.factor != 1.0) rope.scaling.kind = RopeScalingKind::kLinear;
  }
  d.ropes = {rope};
  return d;
}

void apply_layer_types(const Config& config, int64_t window, Descriptor& descriptor) {
  const Json& types = config.value("layer_types");
  if (!types.is_array() || static_cast<int64_t>(types.size()) != descriptor.layers) {
    throw fail(Code::kInput, "{}: layer_types: found {} entries, need {}", config.where(), types.size(), descriptor.layers);
  }
  for (int64_t l = 0; l < descriptor.layers; ++l) {
    const std::string type = types[l].is_string() ? types[l].get<std::string>() : types[l].dump();
    if (type == "sliding_attention") {
      descriptor.layer[l].window = window;
    } else if (type != "full_attention") {
      throw fail(Code::kUnsupported, "{}: layer_types: found \"{}\", need full_attention or sliding_attention",
                 config.where(), type);
    }
  }
}

}  // namespace keju
