// SPDX-License-Identifier: MIT
#include "model/descriptor.h"

#include <algorithm>

#include "base/error.h"

namespace keju {
namespace {

std::string_view kind_name(RopeScalingKind kind) {
  switch (kind) {
    case RopeScalingKind::kNone:
      return "none";
    case RopeScalingKind::kLinear:
      return "linear";
    case RopeScalingKind::kDynamicNtk:
      return "dynamic";
    case RopeScalingKind::kYarn:
      return "yarn";
    case RopeScalingKind::kLongRope:
      return "longrope";
    case RopeScalingKind::kLlama3:
      return "llama3";
    case RopeScalingKind::kQwenDynamicNtk:
      return "qwen-dynamic";
  }
  return "?";
}

// 2^(ceil(log2(length / trained)) + 1) - 1, by doubling: no logarithm decides at a power of two.
int64_t qwen_ntk_alpha(const RopeScaling& scaling, double length) {
  int64_t alpha = 1;
  for (double reach = scaling.original_context; reach < length; reach *= 2) alpha = 2 * alpha + 1;
  return alpha;
}

// Dynamic NTK: every length past the limit has a base of its own. Qwen 1: one base between two
// doublings of the length. Longrope: two tables.
int64_t regime_of(const RopeScaling& s, int64_t total_tokens) {
  const auto length = static_cast<double>(total_tokens);
  if (s.kind == RopeScalingKind::kNone || length <= s.original_context) return 0;
  if (s.kind == RopeScalingKind::kDynamicNtk) return total_tokens;
  if (s.kind == RopeScalingKind::kQwenDynamicNtk) return qwen_ntk_alpha(s, length);
  return s.kind == RopeScalingKind::kLongRope ? 1 : 0;
}

// Llama 3's factor is already counted in its context, and an unscaled rope was trained up to it.
int64_t reach_of(const RopeScaling& s, int64_t context) {
  switch (s.kind) {
    case RopeScalingKind::kDynamicNtk:
    case RopeScalingKind::kQwenDynamicNtk:
      return kMostPositions;
    case RopeScalingKind::kLinear:
    case RopeScalingKind::kYarn:
    case RopeScalingKind::kLongRope: {
      const double reach =
          std::min(s.factor * s.original_context, static_cast<double>(kMostPositions));
      return std::max(context, static_cast<int64_t>(reach));
    }
    case RopeScalingKind::kNone:
    case RopeScalingKind::kLlama3:
      break;
  }
  return context;
}

Json rope_json(const Rope& rope) {
  return {{"style", rope.style == RopeStyle::kHalf ? "half" : "interleaved"},
          {"dim", rope.dim},
          {"theta", rope.theta},
          {"scaling", kind_name(rope.scaling.kind)},
          {"factor", rope.scaling.factor}};
}

}  // namespace

int64_t Descriptor::rope_regime(int64_t total_tokens) const {
  for (const Rope& rope : ropes) {
    if (const int64_t regime = regime_of(rope.scaling, total_tokens); regime > 0) return regime;
  }
  return 0;
}

int64_t Descriptor::longest_context() const {
  if (learned_positions) return context_length;
  if (alibi) return std::max(context_length, kMostPositions);
  if (ropes.empty()) return context_length;
  int64_t reach = std::max(context_length, kMostPositions);
  for (const Rope& rope : ropes) reach = std::min(reach, reach_of(rope.scaling, context_length));
  return reach;
}

bool Descriptor::leaves_aside(std::string_view tensor) const {
  constexpr std::string_view kBase = "model.";
  return std::any_of(left_aside.begin(), left_aside.end(), [&](const std::string& prefix) {
    return tensor.starts_with(prefix) ||
           (tensor.starts_with(kBase) && tensor.substr(kBase.size()).starts_with(prefix));
  });
}

Json Descriptor::to_json() const {
  Json j{{"family", family},
         {"layers", layers},
         {"width", width},
         {"heads", heads},
         {"kv_heads", kv_heads},
         {"k_size", k_size},
         {"v_size", v_size},
         {"mlp_width", mlp_width},
         {"vocab", vocab},
         {"context_length", context_length},
         {"norm", norm == NormKind::kRms ? "rms" : "layer"},
         {"norm_eps", norm_eps},
         {"tied_head", tied_head},
         {"attention_scale", attention_scale}};
  Json all = Json::array();
  for (const Rope& rope : ropes) all.push_back(rope_json(rope));
  j["ropes"] = all;
  if (moe.experts > 0)
    j["moe"] = {{"experts", moe.experts},
                {"chosen", moe.chosen},
                {"width", moe.width},
                {"shared_width", moe.shared_width}};
  if (mla.kv_rank > 0)
    j["mla"] = {{"q_rank", mla.q_rank},
                {"kv_rank", mla.kv_rank},
                {"nope", mla.nope},
                {"rope", mla.rope},
                {"value", mla.value}};
  Json windows = Json::array();
  bool any = false;
  for (const LayerSettings& l : layer) {
    windows.push_back(l.window);
    any = any || l.window > 0;
  }
  if (any) j["windows"] = windows;
  if (attention_softcap > 0) j["attention_softcap"] = attention_softcap;
  if (logit_softcap > 0) j["logit_softcap"] = logit_softcap;
  if (alibi) j["alibi"] = true;
  if (learned_positions) j["learned_positions"] = true;
  if (attention_sinks) j["attention_sinks"] = true;
  if (logn_attention) j["logn_attention"] = true;
  if (normalised_head) j["normalised_head"] = true;
  if (parallel) j["parallel"] = true;
  if (embedding_scale != 1) j["embedding_scale"] = embedding_scale;
  if (residual_scale != 1) j["residual_scale"] = residual_scale;
  if (logit_scale != 1) j["logit_scale"] = logit_scale;
  if (!left_aside.empty()) j["left_aside"] = left_aside;
  return j;
}

void Descriptor::validate(const std::string& where) const {
  const auto need = [&](bool holds, std::string_view what, int64_t found, std::string_view rule) {
    if (!holds) throw fail(Code::kInput, "{}: {}: found {}, need {}", where, what, found, rule);
  };
  need(layers > 0 && layers <= kMostLayers, "layers", layers, "1 to 4096");
  need(width > 0 && width <= (1 << 20), "hidden size", width, "1 to 2^20");
  need(heads > 0 && heads <= 4096, "attention heads", heads, "1 to 4096");
  need(kv_heads > 0 && heads % kv_heads == 0,
       "key-value heads",
       kv_heads,
       fmt::format("a divisor of {}", heads));
  need(k_size > 0 && k_size <= 8192, "head size", k_size, "1 to 8192");
  need(v_size > 0 && v_size <= 8192, "value head size", v_size, "1 to 8192");
  need(vocab > 0 && vocab < (int64_t{1} << 31), "vocabulary", vocab, "1 to 2^31");
  need(mlp_width > 0 && mlp_width <= (int64_t{1} << 24), "mlp width", mlp_width, "1 to 2^24");
  need(context_length > 0, "context length", context_length, "at least 1");
  need(static_cast<int64_t>(layer.size()) == layers,
       "layer settings",
       static_cast<int64_t>(layer.size()),
       "one per layer");
  for (const Rope& rope : ropes) {
    need(rope.dim >= 0 && rope.dim % 2 == 0 && rope.offset >= 0 && rope.offset + rope.dim <= k_size,
         "rotary dimensions",
         rope.dim,
         fmt::format("an even number up to {}", k_size - rope.offset));
    if (!(rope.theta > 0))
      throw fail(
          Code::kInput, "{}: rope theta: found {}, need a positive number", where, rope.theta);
    const RopeScaling& s = rope.scaling;
    if (s.kind != RopeScalingKind::kNone && !(s.factor > 0 && s.original_context > 0)) {
      throw fail(Code::kInput,
                 "{}: rope scaling: found factor {} over a context of {}, need positive numbers",
                 where,
                 s.factor,
                 s.original_context);
    }
    const bool grows =
        s.kind == RopeScalingKind::kDynamicNtk || s.kind == RopeScalingKind::kQwenDynamicNtk;
    need(!grows || rope.dim > 2, "rotary dimensions", rope.dim, "more than 2 for dynamic scaling");
  }
  for (const LayerSettings& l : layer) {
    need(l.rope < static_cast<int>(ropes.size()), "rope index", l.rope, "an existing rope");
    need(l.window >= 0, "window", l.window, "at least 0");
    need(!l.moe || moe.experts > 0,
         "experts",
         moe.experts,
         "at least 1 in a model with mixture layers");
  }
  if (moe.experts > 0) {
    need(moe.chosen > 0 && moe.chosen <= moe.experts,
         "experts per token",
         moe.chosen,
         fmt::format("1 to {}", moe.experts));
    need(moe.width > 0, "expert width", moe.width, "at least 1");
    need(moe.route.groups > 0 && moe.experts % moe.route.groups == 0,
         "expert groups",
         moe.route.groups,
         fmt::format("a divisor of {}", moe.experts));
    need(moe.route.topk_groups > 0 && moe.route.topk_groups <= moe.route.groups,
         "open expert groups",
         moe.route.topk_groups,
         fmt::format("1 to {}", moe.route.groups));
    const int64_t open = moe.experts / moe.route.groups * moe.route.topk_groups;
    need(moe.chosen <= open,
         "experts per token",
         moe.chosen,
         fmt::format("at most the {} of the open groups", open));
    need(moe.shared_width >= 0, "shared expert width", moe.shared_width, "at least 0");
  }
  if (mla.kv_rank > 0) {
    need(mla.q_rank >= 0, "query rank", mla.q_rank, "at least 0");
    need(mla.nope >= 0 && mla.rope > 0 && mla.nope + mla.rope == k_size,
         "rotary part of keys",
         mla.rope,
         fmt::format("the rest of {} after {}", k_size, mla.nope));
    need(mla.value == v_size, "value head size", mla.value, fmt::format("{}", v_size));
    need(kv_heads == heads,
         "key-value heads",
         kv_heads,
         fmt::format("{}, as many as query heads", heads));
  }
}

}  // namespace keju
