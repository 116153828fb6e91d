// SPDX-License-Identifier: MIT
// OLMo 2: norms only after attention and MLP, RMS-norm over all query and over all key heads.
// Source: transformers 5.23 models/olmo2; llama.cpp (autumn 2026) for GGUF.
#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.placement = NormPlacement::kPost;
  d.qk_norm = HeadNormSpec::Scope::kRow;
  d.qk_norm_eps = d.norm_eps;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "olmo2", {.norm_eps = 1e-5});
  common(d);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "olmo2");
  common(d);
  if (GgufKeys(metadata).has("attention.sliding_window")) {
    throw fail(Code::kUnsupported,
               "{}: architecture: found OLMo 3 under the name of olmo2, need OLMo 2",
               metadata.where());
  }
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.attention_norm = n.mlp_norm = "";
  n.attention_post_norm = "model.layers.{}.post_attention_layernorm";
  n.mlp_post_norm = "model.layers.{}.post_feedforward_layernorm";
  return n;
}

}  // namespace

const Family kOlmo2{.name = "olmo2",
                    .model_types = {"olmo2"},
                    .architectures = {"Olmo2ForCausalLM"},
                    .gguf_names = {"olmo2"},
                    .from_config = from_config,
                    .from_gguf = from_gguf,
                    .names = names};

}  // namespace keju
