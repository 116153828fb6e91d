// SPDX-License-Identifier: MIT
// GPT-J, and CodeGen and MOSS after it: attention and MLP side by side off one LayerNorm,
// consecutive rotary pairs over the first rotary_dim elements, biases in the MLP and the head only.
// CodeGen holds q, v and k in four blocks of one tensor. Source: transformers 5.23 models/gptj,
// models/codegen; modeling_moss.py of moss-moon-003.
#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where, const char* family) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   family,
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

Descriptor gptj_config(const Json& json, const std::string& where) {
  return from_config(json, where, "gptj");
}

Descriptor codegen_config(const Json& json, const std::string& where) {
  Descriptor d = from_config(json, where, "codegen");
  if (d.heads % 4 != 0) {
    throw fail(Code::kInput, "{}: n_head: found {}, need a multiple of 4", where, d.heads);
  }
  return d;
}

TensorNames common_names() {
  TensorNames n;
  n.embedding = "transformer.wte";
  n.final_norm = "transformer.ln_f";
  n.head = "lm_head";
  n.attention_norm = "transformer.h.{}.ln_1";
  n.o = "transformer.h.{}.attn.out_proj";
  n.up = "transformer.h.{}.mlp.fc_in";
  n.down = "transformer.h.{}.mlp.fc_out";
  return n;
}

TensorNames gptj_names(const Descriptor&) {
  TensorNames n = common_names();
  n.q = "transformer.h.{}.attn.q_proj";
  n.k = "transformer.h.{}.attn.k_proj";
  n.v = "transformer.h.{}.attn.v_proj";
  n.ignored_suffixes = {".attn.bias", ".attn.masked_bias"};
  return n;
}

TensorNames codegen_names(const Descriptor&) {
  TensorNames n = common_names();
  n.qkv = "transformer.h.{}.attn.qkv_proj";
  n.layout = QkvLayout::kMossBlocks;
  n.ignored_suffixes = {".attn.causal_mask", ".attn.masked_bias"};
  return n;
}

}  // namespace

const Family kGptj{.name = "gptj",
                   .model_types = {"gptj"},
                   .architectures = {"GPTJForCausalLM"},
                   .gguf_names = {},
                   .from_config = gptj_config,
                   .names = gptj_names};

const Family kCodegen{.name = "codegen",
                      .model_types = {"codegen", "moss"},
                      .architectures = {"CodeGenForCausalLM", "MossForCausalLM"},
                      .gguf_names = {},
                      .from_config = codegen_config,
                      .names = codegen_names};

}  // namespace keju
