// SPDX-License-Identifier: MIT
// Mixtral: Mistral with a mixture of experts in every layer.
// Source: transformers 5.23 models/mixtral. GGUF files of it call themselves llama.
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(
      config, "mixtral", {.norm_eps = 1e-5, .kv_heads = 8, .context_length = 131072, .theta = 1e6});
  apply_window_everywhere(config, 0, d);
  d.moe.experts = config.integer_of({"num_local_experts", "num_experts"}, 8);
  d.moe.chosen = config.integer("num_experts_per_tok", 2);
  d.moe.width = d.mlp_width;
  d.moe.route.normalise = true;
  for (LayerSettings& layer : d.layer) layer.moe = true;
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.router = "model.layers.{}.block_sparse_moe.gate";
  n.expert_gate = "model.layers.{}.block_sparse_moe.experts.{}.w1";
  n.expert_up = "model.layers.{}.block_sparse_moe.experts.{}.w3";
  n.expert_down = "model.layers.{}.block_sparse_moe.experts.{}.w2";
  return n;
}

}  // namespace

const Family kMixtral{.name = "mixtral",
                      .model_types = {"mixtral"},
                      .architectures = {"MixtralForCausalLM"},
                      .gguf_names = {},
                      .from_config = from_config,
                      .names = names};

}  // namespace keju
