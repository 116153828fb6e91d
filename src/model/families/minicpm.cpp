// SPDX-License-Identifier: MIT
// MiniCPM 1 and 2: LLaMA with scaled embedding, residuals and logits.
// Source: configuration_minicpm.py and modeling_minicpm.py of MiniCPM-2B; llama.cpp (autumn 2026)
// for GGUF.
#include <cmath>

#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "minicpm", {.tied_head = true});
  if (config.integer("num_experts", 0) > 0) {
    throw fail(Code::kUnsupported, "{}: num_experts: found a mixture, need a dense model", where);
  }
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  d.embedding_scale = config.number("scale_emb", 1);
  d.residual_scale = config.number("scale_depth", 1) / std::sqrt(static_cast<double>(d.layers));
  d.logit_scale = config.number("dim_model_base", 1) / static_cast<double>(d.width);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  const GgufKeys keys(metadata);
  Descriptor d = common_descriptor(metadata, "minicpm");
  set_permuted_rope(d);
  // Early files do not hold the scales; they are all of MiniCPM-2B.
  d.embedding_scale = keys.number("embedding_scale", 12);
  d.residual_scale = keys.number("residual_scale", 1.4 / std::sqrt(static_cast<double>(d.layers)));
  d.logit_scale = 1 / keys.number("logit_scale", static_cast<double>(d.width) / 256);
  return d;
}

void adjust_gguf_names(const Descriptor&, TensorNames& names) { names.permuted_qk = true; }

}  // namespace

const Family kMinicpm{.name = "minicpm",
                      .model_types = {"minicpm"},
                      .architectures = {"MiniCPMForCausalLM"},
                      .gguf_names = {"minicpm"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = llama_names,
                      .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
