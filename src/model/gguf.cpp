// SPDX-License-Identifier: MIT
// Source of keys and layouts: llama.cpp (autumn 2026), gguf-py constants.py.
#include "model/gguf.h"

#include <algorithm>
#include <cmath>

#include "base/block_codec.h"
#include "base/error.h"

namespace keju {
namespace {

RopeScalingKind scaling_kind(const std::string& type, const std::string& where) {
  if (type == "none") return RopeScalingKind::kNone;
  if (type == "linear") return RopeScalingKind::kLinear;
  if (type == "yarn") return RopeScalingKind::kYarn;
  if (type == "longrope") return RopeScalingKind::kLongRope;
  throw fail(Code::kUnsupported,
             "{}: rope.scaling.type: found \"{}\", need none, linear, yarn or longrope",
             where,
             type);
}

Rope read_rope(const GgufKeys& k, const Descriptor& d) {
  Rope rope;
  rope.dim = k.integer("rope.dimension_count", d.k_size);
  rope.theta = k.number("rope.freq_base", 10000.0);
  RopeScaling& s = rope.scaling;
  s.kind = scaling_kind(k.string("rope.scaling.type", "none"), k.metadata().where());
  s.factor = k.number("rope.scaling.factor", k.number("rope.scale_linear", 1.0));
  s.original_context =
      k.number("rope.scaling.original_context_length", static_cast<double>(d.context_length));
  s.attention_factor = k.number("rope.scaling.attn_factor", 0.0);
  s.beta_fast = k.number("rope.scaling.yarn_beta_fast", 32.0);
  s.beta_slow = k.number("rope.scaling.yarn_beta_slow", 1.0);
  // Before scaling had a type of its own, a factor alone meant linear scaling.
  if (!k.has("rope.scaling.type") && s.factor != 1.0) s.kind = RopeScalingKind::kLinear;
  return rope;
}

std::vector<double> table(const Checkpoint& checkpoint, const StoredTensor& tensor, int64_t pairs) {
  if (elements(tensor.shape) != pairs) {
    throw fail(Code::kShape,
               "{}: tensor \"{}\": shape: found {}, need [{}]",
               checkpoint.root().string(),
               tensor.name,
               to_string(tensor.shape),
               pairs);
  }
  std::vector<float> values(static_cast<size_t>(pairs));
  expand_row(tensor.dtype, tensor.data, pairs, values.data());
  return {values.begin(), values.end()};
}

void read_rope_tables(const Checkpoint& checkpoint, Rope& rope) {
  const int64_t pairs = rope.dim / 2;
  if (const StoredTensor* divisors = checkpoint.find("rope_freqs.weight")) {
    rope.frequency_divisors = table(checkpoint, *divisors, pairs);
  }
  const StoredTensor* shorter = checkpoint.find("rope_factors_short.weight");
  const StoredTensor* longer = checkpoint.find("rope_factors_long.weight");
  if (shorter == nullptr || longer == nullptr) return;
  rope.scaling.kind = RopeScalingKind::kLongRope;
  rope.scaling.short_factors = table(checkpoint, *shorter, pairs);
  rope.scaling.long_factors = table(checkpoint, *longer, pairs);
}

}  // namespace

Descriptor common_descriptor(const KeyValues& metadata, std::string family) {
  const GgufKeys k(metadata);
  Descriptor d;
  d.family = std::move(family);
  d.layers = k.integer("block_count");
  d.width = k.integer("embedding_length");
  d.heads = k.integer("attention.head_count");
  d.kv_heads = k.integer("attention.head_count_kv", d.heads);
  d.k_size = k.integer("attention.key_length", d.heads > 0 ? d.width / d.heads : 0);
  d.v_size = k.integer("attention.value_length", d.k_size);
  d.mlp_width = k.integer("feed_forward_length");
  d.context_length = k.integer("context_length", 2048);
  d.norm_eps = k.has("attention.layer_norm_rms_epsilon")
                   ? k.number("attention.layer_norm_rms_epsilon")
                   : k.number("attention.layer_norm_epsilon", 1e-5);
  d.attention_scale = 1.0 / std::sqrt(static_cast<double>(d.k_size));
  d.layer.assign(static_cast<size_t>(std::clamp<int64_t>(d.layers, 0, kMostLayers)), {});
  d.ropes = {read_rope(k, d)};
  return d;
}

void read_gguf_experts(const KeyValues& metadata, Descriptor& d) {
  const GgufKeys k(metadata);
  d.moe.experts = k.integer("expert_count", 0);
  if (d.moe.experts == 0) return;
  d.moe.chosen = k.integer("expert_used_count");
  d.moe.width = k.integer("expert_feed_forward_length", d.mlp_width);
  const double scale = k.number("expert_weights_scale", 1.0);
  d.moe.route.scale = scale != 0 ? static_cast<float>(scale) : 1.0f;
  d.moe.route.normalise = k.boolean("expert_weights_norm", false);
  d.moe.route.groups = std::max<int64_t>(k.integer("expert_group_count", 1), 1);
  d.moe.route.topk_groups =
      std::max<int64_t>(k.integer("expert_group_used_count", d.moe.route.groups), 1);
  constexpr int64_t kSoftmax = 1;
  constexpr int64_t kSigmoid = 2;
  const int64_t score = k.integer("expert_gating_func", kSoftmax);
  if (score != kSoftmax && score != kSigmoid) {
    throw fail(Code::kUnsupported,
               "{}: expert_gating_func: found {}, need 1 (softmax) or 2 (sigmoid)",
               metadata.where(),
               score);
  }
  if (score == kSigmoid) d.moe.route.score = RouteSpec::Score::kSigmoid;
}

void set_permuted_rope(Descriptor& d) {
  if (d.ropes[0].dim != d.k_size) d.ropes[0].style = RopeStyle::kInterleaved;
}

void read_gguf_windows(const KeyValues& metadata, int64_t pattern, Descriptor& d) {
  const GgufKeys k(metadata);
  const int64_t window = k.integer("attention.sliding_window", 0);
  const KeyValue* own = metadata.find(k.key("attention.sliding_window_pattern"));
  if (own != nullptr && std::holds_alternative<int64_t>(*own)) pattern = std::get<int64_t>(*own);
  const auto* flags = own != nullptr ? std::get_if<std::vector<bool>>(own) : nullptr;
  for (int64_t l = 0; l < static_cast<int64_t>(d.layer.size()); ++l) {
    bool sliding = pattern == 0 || (l + 1) % pattern != 0;
    if (flags != nullptr && l < static_cast<int64_t>(flags->size())) sliding = (*flags)[l];
    d.layer[l].window = sliding ? window : 0;
  }
}

void describe_from_tensors(const Checkpoint& checkpoint, Descriptor& d) {
  const auto has = [&](const char* name) { return checkpoint.find(name) != nullptr; };
  d.qkv_bias = has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias");
  d.o_bias = has("blk.0.attn_output.bias");
  d.mlp_bias = has("blk.0.ffn_down.bias");
  d.norm_bias = has("output_norm.bias");
  d.head_bias = has("output.bias");
  d.tied_head = !has("output.weight");
  d.moe.router_bias = has("blk.0.ffn_gate_inp.bias");
  d.moe.expert_bias = has("blk.0.ffn_down_exps.bias");
  for (size_t l = 0; l < d.layer.size() && d.moe.experts > 0; ++l) {
    d.layer[l].moe = has(fmt::format("blk.{}.ffn_gate_inp.weight", l).c_str());
  }
  if (const StoredTensor* embedding = checkpoint.find("token_embd.weight");
      embedding != nullptr && embedding->shape.size() == 2) {
    d.vocab = embedding->shape[0];
  }
  if (!d.ropes.empty()) read_rope_tables(checkpoint, d.ropes[0]);
}

}  // namespace keju
