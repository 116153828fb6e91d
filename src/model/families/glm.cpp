// SPDX-License-Identifier: MIT
// GLM-4-9B in transformers' own form: half of every head rotated in consecutive pairs, fused gate
// and up. GGUF files of it call themselves chatglm. Source: transformers 5.23 models/glm.
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "glm",
                                   {.norm_eps = 1.5625e-7,
                                    .kv_heads = 2,
                                    .head_size = 128,
                                    .context_length = 131072,
                                    .partial_rotary = 0.5});
  d.ropes[0].style = RopeStyle::kInterleaved;
  d.qkv_bias = config.boolean("attention_bias", true);
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.gate = n.up = "";
  n.gate_up = "model.layers.{}.mlp.gate_up_proj";
  return n;
}

}  // namespace

const Family kGlm{.name = "glm",
                  .model_types = {"glm"},
                  .architectures = {"GlmForCausalLM"},
                  .gguf_names = {},
                  .from_config = from_config,
                  .names = names};

}  // namespace keju
