// SPDX-License-Identifier: MIT
// Phi-3, Phi-3.5-mini and Phi-4: fused q, k, v and fused gate and up, LongRoPE, sliding window.
// Source: transformers 5.23 models/phi3; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config,
                                   "phi3",
                                   {.norm_eps = 1e-5,
                                    .context_length = 4096,
                                    .partial_rotary = 1,
                                    .original_context = 4096,
                                    .any_scaling_is_long = true});
  apply_window_everywhere(config, 0, d);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "phi3");
  RopeScaling& scaling = d.ropes[0].scaling;
  if (!GgufKeys(metadata).has("rope.scaling.factor") && scaling.original_context > 0) {
    scaling.factor = static_cast<double>(d.context_length) / scaling.original_context;
  }
  // The tables of factors say whether it is long; a factor alone is only the ratio of contexts.
  scaling.kind = RopeScalingKind::kNone;
  read_gguf_windows(metadata, 0, d);
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.q = n.k = n.v = "";
  n.qkv = "model.layers.{}.self_attn.qkv_proj";
  n.layout = QkvLayout::kStacked;
  n.gate = n.up = "";
  n.gate_up = "model.layers.{}.mlp.gate_up_proj";
  return n;
}

}  // namespace

const Family kPhi3{.name = "phi3",
                   .model_types = {"phi3"},
                   .architectures = {"Phi3ForCausalLM"},
                   .gguf_names = {"phi3"},
                   .from_config = from_config,
                   .from_gguf = from_gguf,
                   .names = names};

}  // namespace keju
