// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "kernels/backend.h"

namespace keju {

// Everything that tells one decoder from another, as data. Families fill it in; the forward pass
// reads it and knows no family.

inline constexpr int64_t kMostLayers = 4096;
inline constexpr int64_t kMostPositions = int64_t{1} << 20;  // of one text

enum class RopeScalingKind {
  kNone,
  kLinear,
  kDynamicNtk,
  kYarn,
  kLongRope,
  kLlama3,
  kQwenDynamicNtk,
};

// Sources: transformers 5.23 modeling_rope_utils.py; Qwen-7B modeling_qwen.py for kQwenDynamicNtk.
struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1;
  double original_context = 0;  // positions that the model was trained on before scaling
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // YaRN
  bool truncate = true;                              // YaRN: round the correction range to integers
  double attention_factor = 0;            // multiplies cos and sin; 0: by the kind's own formula
  double mscale = 0, mscale_all_dim = 0;  // YaRN, DeepSeek
  std::vector<double> short_factors, long_factors;  // longrope
};

struct Rope {
  RopeStyle style = RopeStyle::kHalf;
  int64_t dim = 0;     // rotated elements of a head
  int64_t span = 0;    // what frequencies are spread over: theta^(-2i/span); 0: dim
  int64_t offset = 0;  // first rotated element
  double theta = 10000;
  std::vector<double> frequency_divisors;  // per pair, from a GGUF file's own table; may be empty
  RopeScaling scaling;
};

// Norms around attention and MLP.
enum class NormPlacement {
  kPre,       // x + f(norm(x))
  kSandwich,  // x + post(f(norm(x)))
  kPost,      // x + post(f(x))
};

struct MoeSettings {
  int64_t experts = 0;  // 0: dense
  int64_t chosen = 0;
  int64_t width = 0;         // F of one expert
  int64_t shared_width = 0;  // F of the shared expert(s) together; 0: none
  bool shared_gate = false;  // the shared expert's output is scaled by sigmoid(gate · x)
  RouteSpec route;           // correction is filled in by the model
  bool router_bias = false;
  bool expert_bias = false;  // of the experts' own linear layers
};

struct MlaSettings {   // multi-head latent attention; 0 kv_rank: off
  int64_t q_rank = 0;  // 0: q is projected directly
  int64_t kv_rank = 0;
  int64_t nope = 0, rope = 0, value = 0;
  double norm_eps = 1e-6;  // of the norms inside, which is not the configuration's
};

struct LayerSettings {
  int rope = 0;        // index into Descriptor::ropes; -1: none (NoPE, ALiBi, learned)
  int64_t window = 0;  // 0: full attention
  bool moe = false;
  double attention_scale = 0;  // 0: the descriptor's
};

struct Descriptor {
  std::string family;
  int64_t layers = 0, width = 0, heads = 0, kv_heads = 0, k_size = 0, v_size = 0;
  int64_t mlp_width = 0, vocab = 0, context_length = 0;

  NormKind norm = NormKind::kRms;
  double norm_eps = 1e-5;
  bool norm_one_plus = false;
  NormPlacement placement = NormPlacement::kPre;
  bool parallel = false;              // x + attn(norm(x)) + mlp(norm'(x))
  bool parallel_shared_norm = false;  // norm' is norm
  bool residual_from_norm = false;    // n + f(n) with n = norm(x) (an option of BLOOM and ChatGLM)
  bool final_norm = true;

  HeadNormSpec::Scope qk_norm = HeadNormSpec::Scope::kNone;
  NormKind qk_norm_kind = NormKind::kRms;
  double qk_norm_eps = 1e-6;
  bool qk_norm_one_plus = false;
  bool qk_norm_after_rope = false;

  double attention_scale = 0;  // multiplies q·k
  double attention_softcap = 0;
  bool alibi = false;
  double alibi_max_bias = 8;
  bool attention_sinks = false;
  bool logn_attention = false;  // Qwen 1: q · max(1, log_train(position + 1))
  double logn_context = 0;

  double embedding_scale = 1;
  double residual_scale = 1;
  double logit_scale = 1;
  double logit_softcap = 0;
  bool tied_head = false;
  bool normalised_head = false;  // Baichuan 2: rows of the head at unit length
  bool learned_positions = false;
  bool embedding_norm = false;  // BLOOM

  // Which linear layers and norms carry a bias. Stated by the configuration, never guessed from the
  // tensors of a safetensors file: a misspelt tensor must not change the model.
  bool qkv_bias = false, o_bias = false, mlp_bias = false, head_bias = false, norm_bias = false;

  Activation activation = Activation::kSilu;
  bool gated_mlp = true;
  GluSpec glu;  // activation repeated, with clamps where a family has them

  MoeSettings moe;
  MlaSettings mla;
  std::vector<Rope> ropes;
  std::vector<LayerSettings> layer;  // one per layer

  // Where the parts of a multimodal checkpoint that text does not pass through stand: prefixes of
  // tensor names, with or without "model." before them.
  std::vector<std::string> left_aside;
  bool leaves_aside(std::string_view tensor) const;

  // Whether positions depend on the length of the whole text (dynamic NTK, longrope): texts of
  // different regimes may not share keys. 0 for every length of an ordinary model; past the limit
  // the text's length (dynamic NTK), the growth of theta's step (Qwen 1) or 1 (longrope).
  int64_t rope_regime(int64_t total_tokens) const;

  // The longest context whose positions are defined: past context_length only where the rope's
  // scaling says how (a factor over the original context, dynamic NTK) or ALiBi goes on.
  int64_t longest_context() const;

  Json to_json() const;  // for inspect and records
  // Errors: Error(kInput) names the first setting that contradicts another.
  void validate(const std::string& where) const;
};

}  // namespace keju
