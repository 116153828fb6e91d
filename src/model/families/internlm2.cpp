// SPDX-License-Identifier: MIT
// InternLM 2 and 2.5: LLaMA with q, k and v grouped per key head in one tensor; dynamic NTK past
// max_position_embeddings.
// Source: configuration_internlm2.py and modeling_internlm2.py of internlm2-7b; llama.cpp (autumn
// 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "internlm2");
  d.qkv_bias = d.o_bias = config.boolean("bias", true);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "internlm2");
  set_permuted_rope(d);
  return d;
}

TensorNames names(const Descriptor&) {
  TensorNames n;
  n.embedding = "model.tok_embeddings";
  n.final_norm = "model.norm";
  n.head = "output";
  n.attention_norm = "model.layers.{}.attention_norm";
  n.mlp_norm = "model.layers.{}.ffn_norm";
  n.qkv = "model.layers.{}.attention.wqkv";
  n.layout = QkvLayout::kGrouped;
  n.o = "model.layers.{}.attention.wo";
  n.gate = "model.layers.{}.feed_forward.w1";
  n.up = "model.layers.{}.feed_forward.w3";
  n.down = "model.layers.{}.feed_forward.w2";
  n.ignored_suffixes = {".rotary_emb.inv_freq"};
  return n;
}

void adjust_gguf_names(const Descriptor&, TensorNames& names) { names.permuted_qk = true; }

}  // namespace

const Family kInternlm2{.name = "internlm2",
                        .model_types = {"internlm2"},
                        .architectures = {"InternLM2ForCausalLM"},
                        .gguf_names = {"internlm2"},
                        .from_config = from_config,
                        .from_gguf = from_gguf,
                        .names = names,
                        .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
