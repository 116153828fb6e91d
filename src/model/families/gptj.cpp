// SPDX-License-Identifier: MIT
// GPT-J: attention and MLP side by side off one LayerNorm, consecutive rotary pairs over the first
// rotary_dim elements, biases in the MLP and the head only.
// Source: transformers 5.23 models/gptj.
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "gptj",
                                   {.eps_key = "layer_norm_epsilon",
                                    .norm_eps = 1e-5,
                                    .activation_key = "activation_function",
                                    .activation = "gelu_new",
                                    .mlp_factor = 4});
  d.norm = NormKind::kLayer;
  d.norm_bias = d.mlp_bias = d.head_bias = true;
  d.parallel = d.parallel_shared_norm = true;
  d.gated_mlp = false;
  d.ropes[0].dim = d.ropes[0].span = config.integer("rotary_dim", 64);
  d.ropes[0].style = RopeStyle::kInterleaved;
  return d;
}

TensorNames names(const Descriptor&) {
  TensorNames n;
  n.embedding = "transformer.wte";
  n.final_norm = "transformer.ln_f";
  n.head = "lm_head";
  n.attention_norm = "transformer.h.{}.ln_1";
  n.q = "transformer.h.{}.attn.q_proj";
  n.k = "transformer.h.{}.attn.k_proj";
  n.v = "transformer.h.{}.attn.v_proj";
  n.o = "transformer.h.{}.attn.out_proj";
  n.up = "transformer.h.{}.mlp.fc_in";
  n.down = "transformer.h.{}.mlp.fc_out";
  n.ignored_suffixes = {".attn.bias", ".attn.masked_bias"};
  return n;
}

}  // namespace

const Family kGptj{.name = "gptj",
                   .model_types = {"gptj"},
                   .architectures = {"GPTJForCausalLM"},
                   .gguf_names = {},
                   .from_config = from_config,
                   .names = names};

}  // namespace keju
