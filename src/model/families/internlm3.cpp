// SPDX-License-Identifier: MIT
// InternLM 3: LLaMA with one switch for the biases of attention and one for those of the MLP.
// Source: transformers 5.23 models/internlm3; modeling_internlm3.py of internlm3-8b. GGUF files of
// it call themselves llama.
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(
      config,
      "internlm3",
      {.norm_eps = 1e-5, .kv_heads = 2, .head_size = 128, .context_length = 32768});
  // Released files say qkv_bias and bias; the second also stands for the output projection.
  d.qkv_bias = config.boolean("qkv_bias", config.boolean("attention_bias", false));
  d.o_bias = d.mlp_bias = config.boolean("bias", config.boolean("mlp_bias", false));
  return d;
}

}  // namespace

const Family kInternlm3{.name = "internlm3",
                        .model_types = {"internlm3"},
                        .architectures = {"InternLM3ForCausalLM"},
                        .gguf_names = {},
                        .from_config = from_config,
                        .names = llama_names};

}  // namespace keju
