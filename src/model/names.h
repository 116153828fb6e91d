// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/descriptor.h"

namespace keju {

// How a checkpoint lays q, k and v into one tensor.
enum class QkvLayout {
  kSeparate,    // three tensors
  kStacked,     // [q; k; v]
  kGrouped,     // per kv head: its queries, then k, then v (InternLM2, Falcon)
  kPerHead,     // per head: q, k, v (GPT-NeoX, BLOOM)
  kMossBlocks,  // four blocks, each of q, v, k (CodeGen; transformers modeling_codegen.py)
};

// Where a family's tensors are called what. Patterns hold {} for the layer (and a second {} for the
// expert); an empty name means that the family has no such tensor. Names are without ".weight" and
// ".bias" unless it says otherwise.
struct TensorNames {
  std::string embedding, positions, embedding_norm, final_norm, head;
  std::string attention_norm, attention_post_norm, mlp_norm, mlp_post_norm;
  std::string q, k, v, qkv, o, q_norm, k_norm;
  std::string sinks;  // whole
  QkvLayout layout = QkvLayout::kSeparate;
  std::string gate, up, gate_up, down;
  bool gate_up_in_up = false;  // GGUF: where `gate` is absent, `up` holds both
  bool conv1d = false;         // matrices are stored [in, out] (GPT-2)
  std::string router;
  std::string router_correction;                    // whole
  std::string expert_gate, expert_up, expert_down;  // one tensor per expert
  // All experts in one tensor; used where the checkpoint has it.
  std::string experts_gate, experts_up, experts_gate_up, experts_down;
  std::string experts_weight = ".weight", experts_bias = ".bias";  // what follows those four names
  bool experts_transposed = false;                                 // [E, in, out] (gpt-oss)
  bool experts_interleaved = false;  // gate and up rows alternate (gpt-oss)
  std::string shared_gate, shared_up, shared_down, shared_scale;
  std::string q_a, q_a_norm, q_b, kv_a, kv_a_norm, kv_b;
  std::string k_b, v_b;  // kv_b in two, k_b turned (GGUF)
  // GGUF: rows of q and k stand in the order of consecutive rotary pairs.
  bool permuted_qk = false;
  std::vector<std::string> ignored_suffixes, ignored_prefixes;
};

// GGUF's names for what `family` names; where a family has no such tensor, GGUF has none either.
TensorNames gguf_names(const TensorNames& family);

// The names that LLaMA's descendants share.
TensorNames llama_names(const Descriptor& descriptor);

// Takes the part of `names` up to the first dot of the embedding's off every name that has it:
// checkpoints of a base model without its head are written so (GPT-2, BLOOM).
void strip_base_prefix(TensorNames& names);

// Both ways in which a multimodal checkpoint holds its language model: `language_model.` before
// every name (transformers until 4.51, and what it still writes), or `model.language_model.` where
// the base prefix stood (from 4.52 on).
void prefix_all(TensorNames& names, std::string_view prefix);
void replace_base_prefix(TensorNames& names, std::string_view with);

}  // namespace keju
