// SPDX-License-Identifier: MIT
// Cohere Command R: attention and MLP side by side off one LayerNorm without bias, consecutive
// rotary pairs, scaled logits, optionally LayerNorm of every head.
// Source: transformers 5.23 models/cohere; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.norm = NormKind::kLayer;
  d.parallel = d.parallel_shared_norm = true;
  d.ropes[0].style = RopeStyle::kInterleaved;
  d.qk_norm_kind = NormKind::kLayer;
  d.qk_norm_eps = d.norm_eps;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "cohere",
                                   {.eps_key = "layer_norm_eps",
                                    .norm_eps = 1e-5,
                                    .tied_head = true,
                                    .context_length = 8192,
                                    .theta = 500000});
  common(d);
  d.logit_scale = config.number("logit_scale", 0.0625);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  if (config.boolean("use_qk_norm", false)) d.qk_norm = HeadNormSpec::Scope::kHead;
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "cohere");
  common(d);
  d.logit_scale = GgufKeys(metadata).number("logit_scale", 1.0);
  constexpr int64_t kLayersOfPlus = 64;  // Command R+ alone has norms of heads
  if (d.layers >= kLayersOfPlus) d.qk_norm = HeadNormSpec::Scope::kHead;
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.mlp_norm = "";
  return n;
}

}  // namespace

const Family kCohere{.name = "cohere",
                     .model_types = {"cohere"},
                     .architectures = {"CohereForCausalLM"},
                     .gguf_names = {"command-r"},
                     .from_config = from_config,
                     .from_gguf = from_gguf,
                     .names = names};

}  // namespace keju
