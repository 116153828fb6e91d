// SPDX-License-Identifier: MIT
// StarCoder 2: LayerNorm and biases, an MLP without gate, sliding window.
// Source: transformers 5.23 models/starcoder2; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.norm = NormKind::kLayer;
  d.norm_bias = true;
  d.gated_mlp = false;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "starcoder2",
                                   {.eps_key = "norm_epsilon",
                                    .norm_eps = 1e-5,
                                    .activation = "gelu_pytorch_tanh",
                                    .tied_head = true,
                                    .kv_heads = 2,
                                    .context_length = 4096});
  common(d);
  d.qkv_bias = d.o_bias = d.mlp_bias = config.boolean("use_bias", true);
  apply_window_everywhere(config, 0, d);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "starcoder2");
  common(d);
  d.activation = Activation::kGeluTanh;
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.gate = "";
  n.up = "model.layers.{}.mlp.c_fc";
  n.down = "model.layers.{}.mlp.c_proj";
  return n;
}

}  // namespace

const Family kStarcoder2{.name = "starcoder2",
                         .model_types = {"starcoder2"},
                         .architectures = {"Starcoder2ForCausalLM"},
                         .gguf_names = {"starcoder2"},
                         .from_config = from_config,
                         .from_gguf = from_gguf,
                         .names = names};

}  // namespace keju
