// SPDX-License-Identifier: MIT
#include "model/descriptor.h"

#include "base/error.h"

namespace keju {
namespace {

std::string_view kind_name(RopeScalingKind kind) {
  switch (kind) {
    case RopeScalingKind::kNone: return "none";
    case RopeScalingKind::kLinear: return "linear";
    case RopeScalingKind::kDynamicNtk: return "dynamic";
    case RopeScalingKind::kYarn: return "yarn";
    case RopeScalingKind::kLongRope: return "longrope";
    case RopeScalingKind::kLlama3: return "llama3";
    case RopeScalingKind::kQwenDynamicNtk: return "qwen-dynamic";
  }
  return "?";
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
    const RopeScaling& s = rope.scaling;
    const auto length = static_cast<double>(total_tokens);
    if (length <= s.original_context) continue;
    // Dynamic NTK: every length past the limit has its own base. Longrope: two tables.
    if (s.kind == RopeScalingKind::kDynamicNtk || s.kind == RopeScalingKind::kQwenDynamicNtk) return total_tokens;
    if (s.kind == RopeScalingKind::kLongRope) return 1;
  }
  return 0;
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
  if (moe.experts > 0) j["moe"] = {{"experts", moe.experts}, {"chosen", moe.chosen}, {"width", moe.width}, {"shared_width", moe.shared_width}};
  if (mla.kv_rank > 0) j["mla"] = {{"q_rank", mla.q_rank}, {"kv_rank", mla.kv_rank}, {"nope", mla.nope}, {"rope", mla.rope}, {"value", mla.value}};
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
  return j;
}

void Descriptor::validate(const std::string& where) const {
  const auto need = [&](bool holds, std::string_view what, int64_t found, std::string_view rule) {
    if (!holds) throw fail(Code::kInput, "{}: {}: found {}, need {}", where, what, found, rule);
  };
  need(layers > 0 && layers <= 4096, "layers", layers, "1 to 4096");
  need(width > 0 && width <= (1 << 20), "hidden size", width, "1 to 2^20");
  need(heads > 0 && heads <= 4096, "attention heads", heads, "1 to 4096");
  need(kv_heads > 0 && heads % kv_heads == 0, "key-value heads", kv_heads, fmt::format("a divisor of {}", heads));
  need(k_size > 0 && k_size <= 8192, "head size", k_size, "1 to 8192");
  need(v_size > 0 && v_size <= 8192, "value head size", v_size, "1 to 8192");
  need(vocab > 0 && vocab < (int64_t{1} << 31), "vocabulary", vocab, "1 to 2^31");
  need(mlp_width > 0 && mlp_width <= (int64_t{1} << 24), "mlp width", mlp_width, "1 to 2^24");
  need(context_length > 0, "context length", context_length, "at least 1");
  need(static_cast<int64_t>(layer.size()) == layers, "layer settings", static_cast<int64_t>(layer.size()), "one per layer");
  for (const Rope& rope : ropes) {
    need(rope.dim >= 0 && rope.dim % 2 == 0 && rope.offset + rope.dim <= k_size, "rotary dimensions", rope.dim,
         fmt::format("an even number up to {}", k_size));
  }
  for (const LayerSettings& l : layer) {
    need(l.rope < static_cast<int>(ropes.size()), "rope index", l.rope, "an existing rope");
    need(l.window >= 0, "window", l.window, "at least 0");
  }
  if (moe.experts > 0) {
    need(moe.chosen > 0 && moe.chosen <= moe.experts, "experts per token", moe.chosen, fmt::format("1 to {}", moe.experts));
    need(moe.width > 0, "expert width", moe.width, "at least 1");
    need(moe.route.groups > 0 && moe.experts % moe.route.groups == 0, "expert groups", moe.route.groups, fmt::format("a divisor of {}", moe.experts));
  }
}

}  // namespace keju
