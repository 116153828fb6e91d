// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/key_values.h"
#include "model/binder.h"
#include "model/descriptor.h"

namespace keju {

// How a checkpoint lays q, k and v into one tensor.
enum class QkvLayout {
  kSeparate,  // three tensors
  kStacked,   // [q; k; v]
  kGrouped,   // per kv head: its queries, then k, then v (InternLM2)
  kPerHead,   // per head: q, k, v (GPT-NeoX, BLOOM)
  kMossBlocks,  // four blocks, each of q, v, k (CodeGen; transformers modeling_codegen.py)
};

// Where a family's tensors are called what in a safetensors or .bin checkpoint. Patterns hold {} for
// the layer; an empty name means that the family has no such tensor. Names are without ".weight".
struct TensorNames {
  std::string embedding, positions, embedding_norm, final_norm, head;
  std::string attention_norm, attention_post_norm, mlp_norm, mlp_post_norm;
  std::string q, k, v, qkv, o, q_norm, k_norm, sinks;
  QkvLayout layout = QkvLayout::kSeparate;
  std::string gate, up, gate_up, down;
  bool up_before_gate = false;          // the fused tensor holds [up; gate]
  bool conv1d = false;                  // matrices are stored [in, out] (GPT-2)
  std::string router, router_correction;
  std::string expert_gate, expert_up, expert_down;  // second {} is the expert
  std::string experts_gate_up, experts_down;        // all experts in one tensor
  std::string shared_gate_up_prefix;    // prefix of the shared expert; + gate_proj, up_proj, down_proj
  std::string shared_gate;
  std::string q_a, q_a_norm, q_b, kv_a, kv_a_norm, kv_b;
  std::vector<std::string> ignored_suffixes;
};

// One model family: how its configuration reads, and what its tensors are called. Everything that a
// family is lies in its file under families/; the forward pass does not know it.
struct Family {
  std::string_view name;
  std::vector<std::string_view> model_types;  // config.json "model_type"; "" where none is written
  std::vector<std::string_view> architectures;  // or config.json "architectures" for shared model types
  std::vector<std::string_view> gguf_names;   // general.architecture

  // Errors: Error(kInput) for a key that is missing or of the wrong type, Error(kUnsupported) for an
  // activation, rope type or option that is not known, by its name.
  Descriptor (*from_config)(const Json& config, const std::string& where);
  Descriptor (*from_gguf)(const KeyValues& metadata);
  TensorNames (*names)(const Descriptor& descriptor);
  // Adjusts sources after the tables were followed (norm heads, rope permutations …); may be null.
  void (*adjust)(const Descriptor& descriptor, Binder& binder, ModelSources& sources) = nullptr;
};

// All families, in a fixed order; names, model types and GGUF names are unique.
std::span<const Family* const> families();

// The family of a checkpoint. Errors: Error(kUnsupported) names the architecture found and those known.
const Family& family_of(const Checkpoint& checkpoint);

Descriptor describe(const Family& family, const Checkpoint& checkpoint);

// Follows the family's table (or GGUF's own names) over the checkpoint, strictly both ways.
ModelSources bind(const Family& family, const Descriptor& descriptor, const Checkpoint& checkpoint);

}  // namespace keju
