// SPDX-License-Identifier: MIT
// InternLM 1: LLaMA with a bias on q, k, v and o.
// Source: configuration_internlm.py and modeling_internlm.py of internlm-7b.
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "internlm");
  d.qkv_bias = d.o_bias = config.boolean("bias", true);
  return d;
}

}  // namespace

const Family kInternlm{.name = "internlm",
                       .model_types = {"internlm"},
                       .architectures = {"InternLMForCausalLM"},
                       .gguf_names = {},
                       .from_config = from_config,
                       .names = llama_names};

}  // namespace keju
