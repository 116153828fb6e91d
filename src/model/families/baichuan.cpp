// SPDX-License-Identifier: MIT
// Baichuan 1 and 2: 7B rotates half-split pairs, 13B has ALiBi instead, and Baichuan 2 takes every
// row of its head at unit length. q, k and v lie in one tensor.
// Source: modeling_baichuan.py of Baichuan-7B, -13B and Baichuan2; llama.cpp (autumn 2026) for
// GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

// Baichuan 2's vocabulary; nothing else in its configuration tells it from Baichuan 1.
constexpr int64_t kNormHeadVocab = 125696;
// GGUF files hold no word of ALiBi: the number of layers tells 13B.
constexpr int64_t kLayersOf13B = 40;

void use_alibi(Descriptor& d) {
  d.alibi = true;
  d.ropes.clear();
  for (LayerSettings& layer : d.layer) layer.rope = -1;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "baichuan");
  d.normalised_head = d.vocab == kNormHeadVocab;
  if (!config.has("max_position_embeddings")) {
    d.context_length = config.integer("model_max_length", 4096);
    use_alibi(d);
  }
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "baichuan");
  set_permuted_rope(d);
  if (d.layers == kLayersOf13B) use_alibi(d);
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.q = n.k = n.v = "";
  n.qkv = "model.layers.{}.self_attn.W_pack";
  n.layout = QkvLayout::kStacked;
  n.ignored_suffixes.insert(n.ignored_suffixes.end(), {"model.future_mask", "model.alibi_mask"});
  return n;
}

void adjust_gguf_names(const Descriptor&, TensorNames& names) { names.permuted_qk = true; }

}  // namespace

const Family kBaichuan{.name = "baichuan",
                       .model_types = {"baichuan"},
                       .architectures = {"BaiChuanForCausalLM", "BaichuanForCausalLM"},
                       .gguf_names = {"baichuan"},
                       .from_config = from_config,
                       .from_gguf = from_gguf,
                       .names = names,
                       .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
