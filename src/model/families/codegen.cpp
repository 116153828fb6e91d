// SPDX-License-Identifier: MIT
// CodeGen and MOSS: attention and MLP side by side off one LayerNorm, consecutive rotary pairs over
// the first rotary_dim elements, q, v and k in four blocks of one tensor.
// Source: transformers 5.23 models/codegen; modeling_moss.py of moss-moon-003.
#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "codegen",
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
  if (d.heads % 4 != 0) {
    throw fail(Code::kInput, "{}: n_head: found {}, need a multiple of 4", where, d.heads);
  }
  return d;
}

TensorNames names(const Descriptor&) {
  TensorNames n;
  n.embedding = "transformer.wte";
  n.final_norm = "transformer.ln_f";
  n.head = "lm_head";
  n.attention_norm = "transformer.h.{}.ln_1";
  n.qkv = "transformer.h.{}.attn.qkv_proj";
  n.layout = QkvLayout::kMossBlocks;
  n.o = "transformer.h.{}.attn.out_proj";
  n.up = "transformer.h.{}.mlp.fc_in";
  n.down = "transformer.h.{}.mlp.fc_out";
  n.ignored_suffixes = {".attn.causal_mask", ".attn.masked_bias"};
  return n;
}

}  // namespace

const Family kCodegen{.name = "codegen",
                      .model_types = {"codegen", "moss"},
                      .architectures = {"CodeGenForCausalLM", "MossForCausalLM"},
                      .gguf_names = {},
                      .from_config = from_config,
                      .names = names};

}  // namespace keju
