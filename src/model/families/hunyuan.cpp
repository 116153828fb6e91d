// SPDX-License-Identifier: MIT
// Hunyuan V1 (dense): LLaMA with RMS-norm of every query and key head after the rotary embedding.
// Source: transformers 5.23 models/hunyuan_v1_dense; llama.cpp (autumn 2026) for GGUF.
#include "base/exact_math.h"
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void common(Descriptor& d) {
  d.qk_norm = HeadNormSpec::Scope::kHead;
  d.qk_norm_eps = d.norm_eps;
  d.qk_norm_after_rope = true;
}

// "dynamic" with an alpha is a constant growth of theta, not dynamic at all.
void apply_alpha(const Config& config, Rope& rope) {
  if (rope.scaling.kind != RopeScalingKind::kDynamicNtk) return;
  const bool old = config.has("rope_scaling");
  const Config s(config.value(old ? "rope_scaling" : "rope_parameters"), config.where());
  const double alpha = s.number("alpha", 0.0);
  if (alpha == 0) return;
  const auto dim = static_cast<double>(rope.dim);
  rope.theta *= exact_pow(alpha, dim / (dim - 2));
  rope.scaling = {};
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "hunyuan", {.norm_eps = 1e-5});
  apply_alpha(config, d.ropes[0]);
  common(d);
  d.qkv_bias = d.o_bias = config.boolean("attention_bias", false);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "hunyuan");
  common(d);
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.q_norm = "model.layers.{}.self_attn.query_layernorm";
  n.k_norm = "model.layers.{}.self_attn.key_layernorm";
  return n;
}

}  // namespace

const Family kHunyuan{.name = "hunyuan",
                      .model_types = {"hunyuan_v1_dense"},
                      .architectures = {"HunYuanDenseV1ForCausalLM"},
                      .gguf_names = {"hunyuan-dense"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = names};

}  // namespace keju
