// SPDX-License-Identifier: MIT
// Gemma 3 (text): sandwich norms with 1 + weight, QK-norm, five local layers to one global.
// Source: transformers 5.23 models/gemma3; llama.cpp (autumn 2026) for GGUF.
#include <cmath>

#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

constexpr int64_t kPattern = 6;  // every sixth layer is global
constexpr double kLocalTheta = 10000;
constexpr double kGlobalTheta = 1e6;

void common(Descriptor& d, double query_scalar) {
  d.placement = NormPlacement::kSandwich;
  d.qk_norm = HeadNormSpec::Scope::kHead;
  d.qk_norm_eps = d.norm_eps;
  d.attention_scale = 1.0 / std::sqrt(query_scalar);
  // transformers multiplies by sqrt(D) cast to the weights' type; in float32 that is the float
  // itself.
  d.embedding_scale = std::sqrt(static_cast<double>(d.width));
}

// One layer type's settings, or the default kind of rope at its own theta.
Rope rope_of_type(const Config& config, const char* type, int64_t head_size, double theta) {
  Json parameters = Json::object();
  if (config.has("rope_parameters")) {
    const Json& both = config.value("rope_parameters");
    if (both.is_object() && both.contains(type) && both[type].is_object()) {
      parameters = both[type];
    }
  }
  // In transformers 4's spelling scaling is one object, of the global layers alone.
  if (std::string_view(type) == "full_attention" && config.has("rope_scaling")) {
    parameters.update(config.value("rope_scaling"));
  }
  if (!parameters.contains("rope_theta")) parameters["rope_theta"] = theta;
  return rope_of_parameters(parameters, config, head_size);
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "gemma3",
                                   {.activation_key = "hidden_activation",
                                    .activation = "gelu_pytorch_tanh",
                                    .tied_head = true,
                                    .layers = 26,
                                    .width = 2304,
                                    .heads = 8,
                                    .mlp_width = 9216,
                                    .vocab = 262208,
                                    .kv_heads = 4,
                                    .head_size = 256,
                                    .context_length = 131072});
  refuse_true(config, "use_bidirectional_attention");
  common(d, config.number("query_pre_attn_scalar", 256));
  d.norm_one_plus = d.qk_norm_one_plus = true;
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  d.attention_softcap = config.number("attn_logit_softcapping", 0.0);
  d.logit_softcap = config.number("final_logit_softcapping", 0.0);
  d.ropes = {
      rope_of_type(config, "full_attention", d.k_size, config.number("rope_theta", kGlobalTheta)),
      rope_of_type(config,
                   "sliding_attention",
                   d.k_size,
                   config.number("rope_local_base_freq", kLocalTheta))};
  const int64_t window = config.integer("sliding_window", 4096);
  const int64_t pattern = config.integer("sliding_window_pattern", kPattern);
  apply_layer_types(config, window, d, [pattern](int64_t l) { return (l + 1) % pattern != 0; });
  for (LayerSettings& l : d.layer) l.rope = l.window > 0 ? 1 : 0;
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "gemma3");
  d.activation = Activation::kGeluTanh;
  // GGUF holds no query scalar, and older files neither pattern nor local theta: constants of the
  // family. The query scalar is the head size but for 27B (hidden size / heads). The converter has
  // added the one to the norms' weights.
  constexpr int64_t kLayersOf27B = 62;
  const double share = static_cast<double>(d.width) / static_cast<double>(d.heads);
  common(d, d.layers == kLayersOf27B ? share : static_cast<double>(d.k_size));
  const GgufKeys keys(metadata);
  d.logit_softcap = keys.number("final_logit_softcapping", 0.0);
  d.ropes[0].theta = keys.number("rope.freq_base", kGlobalTheta);
  Rope local;
  local.dim = d.k_size;
  local.theta = keys.number("rope.freq_base_swa", kLocalTheta);
  d.ropes.push_back(local);
  read_gguf_windows(metadata, kPattern, d);
  for (LayerSettings& l : d.layer) l.rope = l.window > 0 ? 1 : 0;
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.attention_post_norm = "model.layers.{}.post_attention_layernorm";
  n.mlp_norm = "model.layers.{}.pre_feedforward_layernorm";
  n.mlp_post_norm = "model.layers.{}.post_feedforward_layernorm";
  return n;
}

}  // namespace

const Family kGemma3{.name = "gemma3",
                     .model_types = {"gemma3_text"},
                     .architectures = {"Gemma3ForCausalLM"},
                     .gguf_names = {"gemma3"},
                     .from_config = from_config,
                     .from_gguf = from_gguf,
                     .names = names};

}  // namespace keju
