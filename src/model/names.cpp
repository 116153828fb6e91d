// SPDX-License-Identifier: MIT
#include "model/names.h"

namespace keju {
namespace {

using Field = std::string TensorNames::*;

constexpr Field kNames[] = {
    &TensorNames::embedding,
    &TensorNames::positions,
    &TensorNames::embedding_norm,
    &TensorNames::final_norm,
    &TensorNames::head,
    &TensorNames::attention_norm,
    &TensorNames::mlp_norm,
    &TensorNames::attention_post_norm,
    &TensorNames::mlp_post_norm,
    &TensorNames::q,
    &TensorNames::k,
    &TensorNames::v,
    &TensorNames::qkv,
    &TensorNames::o,
    &TensorNames::q_norm,
    &TensorNames::k_norm,
    &TensorNames::sinks,
    &TensorNames::gate,
    &TensorNames::up,
    &TensorNames::gate_up,
    &TensorNames::down,
    &TensorNames::router,
    &TensorNames::expert_gate,
    &TensorNames::router_correction,
    &TensorNames::expert_up,
    &TensorNames::expert_down,
    &TensorNames::experts_gate,
    &TensorNames::experts_up,
    &TensorNames::experts_gate_up,
    &TensorNames::experts_down,
    &TensorNames::shared_gate,
    &TensorNames::shared_up,
    &TensorNames::shared_down,
    &TensorNames::shared_scale,
    &TensorNames::q_a,
    &TensorNames::q_a_norm,
    &TensorNames::q_b,
    &TensorNames::kv_a,
    &TensorNames::kv_a_norm,
    &TensorNames::kv_b,
};

// GGUF's names of what stands in every layer.
constexpr struct {
  Field field;
  const char* name;
} kGgufOfLayers[] = {
    {&TensorNames::attention_norm, "attn_norm"},
    {&TensorNames::attention_post_norm, "post_attention_norm"},
    {&TensorNames::mlp_norm, "ffn_norm"},
    {&TensorNames::mlp_post_norm, "post_ffw_norm"},
    {&TensorNames::q_norm, "attn_q_norm"},
    {&TensorNames::k_norm, "attn_k_norm"},
    {&TensorNames::shared_scale, "ffn_gate_inp_shexp"},
};

}  // namespace

TensorNames gguf_names(const TensorNames& family) {
  TensorNames n;
  n.embedding = "token_embd";
  n.positions = "position_embd";
  n.embedding_norm = "token_embd_norm";
  n.final_norm = "output_norm";
  n.head = "output";
  for (const auto& [field, name] : kGgufOfLayers) {
    if (!(family.*field).empty()) n.*field = std::string("blk.{}.") + name;
  }
  n.q = "blk.{}.attn_q";
  n.k = "blk.{}.attn_k";
  n.v = "blk.{}.attn_v";
  n.qkv = "blk.{}.attn_qkv";
  n.layout = QkvLayout::kStacked;
  n.o = "blk.{}.attn_output";
  n.sinks = "blk.{}.attn_sinks.weight";
  n.gate = "blk.{}.ffn_gate";
  n.up = "blk.{}.ffn_up";
  n.down = "blk.{}.ffn_down";
  n.gate_up_in_up = true;
  n.router = "blk.{}.ffn_gate_inp";
  if (!family.router_correction.empty()) n.router_correction = "blk.{}.exp_probs_b.bias";
  n.experts_gate = "blk.{}.ffn_gate_exps";
  n.experts_up = "blk.{}.ffn_up_exps";
  n.experts_gate_up = "blk.{}.ffn_gate_up_exps";
  n.experts_down = "blk.{}.ffn_down_exps";
  n.shared_gate = "blk.{}.ffn_gate_shexp";
  n.shared_up = "blk.{}.ffn_up_shexp";
  n.shared_down = "blk.{}.ffn_down_shexp";
  n.q_a = "blk.{}.attn_q_a";
  n.q_a_norm = "blk.{}.attn_q_a_norm";
  n.q_b = "blk.{}.attn_q_b";
  n.kv_a = "blk.{}.attn_kv_a_mqa";
  n.kv_a_norm = "blk.{}.attn_kv_a_norm";
  n.kv_b = "blk.{}.attn_kv_b";
  n.k_b = "blk.{}.attn_k_b";
  n.v_b = "blk.{}.attn_v_b";
  return n;
}

void strip_base_prefix(TensorNames& names) { replace_base_prefix(names, ""); }

void prefix_all(TensorNames& names, std::string_view prefix) {
  for (const Field field : kNames) {
    if (!(names.*field).empty()) (names.*field).insert(0, prefix);
  }
}

void replace_base_prefix(TensorNames& names, std::string_view with) {
  const std::string prefix = names.embedding.substr(0, names.embedding.find('.') + 1);
  if (prefix.empty()) return;
  for (const Field field : kNames) {
    std::string& name = names.*field;
    if (name.starts_with(prefix)) name.replace(0, prefix.size(), with);
  }
}

TensorNames llama_names(const Descriptor&) {
  TensorNames n;
  n.embedding = "model.embed_tokens";
  n.final_norm = "model.norm";
  n.head = "lm_head";
  n.attention_norm = "model.layers.{}.input_layernorm";
  n.mlp_norm = "model.layers.{}.post_attention_layernorm";
  n.q = "model.layers.{}.self_attn.q_proj";
  n.k = "model.layers.{}.self_attn.k_proj";
  n.v = "model.layers.{}.self_attn.v_proj";
  n.o = "model.layers.{}.self_attn.o_proj";
  n.q_norm = "model.layers.{}.self_attn.q_norm";
  n.k_norm = "model.layers.{}.self_attn.k_norm";
  n.gate = "model.layers.{}.mlp.gate_proj";
  n.up = "model.layers.{}.mlp.up_proj";
  n.down = "model.layers.{}.mlp.down_proj";
  n.ignored_suffixes = {".rotary_emb.inv_freq"};
  return n;
}

}  // namespace keju
