// SPDX-License-Identifier: MIT
// Rotary settings of a config.json. Source: transformers 5.23 modeling_rope_utils.py.
#include <cmath>

#include "base/error.h"
#include "base/exact_math.h"
#include "model/config.h"

namespace keju {
namespace {

RopeScalingKind scaling_kind(const std::string& type,
                             const ConfigDefaults& defaults,
                             const std::string& where) {
  // Positions of text are the same along all three axes of "mrope" (Qwen2-VL, arXiv:2409.12191).
  if (type == "default" || type == "none" || type == "mrope") return RopeScalingKind::kNone;
  if (type == "longrope") return RopeScalingKind::kLongRope;
  if (defaults.any_scaling_is_long && (type == "su" || type == "yarn")) {
    return RopeScalingKind::kLongRope;
  }
  if (type == "linear") return RopeScalingKind::kLinear;
  if (type == "dynamic") return RopeScalingKind::kDynamicNtk;
  if (type == "yarn") return RopeScalingKind::kYarn;
  if (type == "su") return RopeScalingKind::kLongRope;
  if (type == "llama3") return RopeScalingKind::kLlama3;
  throw fail(Code::kUnsupported,
             "{}: rope type: found \"{}\", need default, linear, dynamic, yarn, longrope or llama3",
             where,
             type);
}

std::vector<double> factors(const Config& config, std::string_view key, int64_t count) {
  const Json& list = config.value(key);
  if (!list.is_array() || static_cast<int64_t>(list.size()) != count) {
    throw fail(
        Code::kInput, "{}: {}: found {} entries, need {}", config.where(), key, list.size(), count);
  }
  std::vector<double> values;
  for (const Json& entry : list) {
    if (!entry.is_number()) {
      throw fail(Code::kInput, "{}: {}: found {}, need numbers", config.where(), key, entry.dump());
    }
    values.push_back(entry.get<double>());
  }
  return values;
}

// Context that the model was trained on. The configuration's own key goes before the rope
// settings', and what neither states is the class's default or the whole context.
double original_context(const Config& s, const Config& config, const ConfigDefaults& defaults) {
  constexpr std::string_view kKey = "original_max_position_embeddings";
  if (config.has(kKey)) return config.number(kKey);
  if (defaults.original_context > 0) return defaults.original_context;
  if (s.has(kKey)) return s.number(kKey);
  return config.number("max_position_embeddings", static_cast<double>(defaults.context_length));
}

void read_yarn(const Config& s, RopeScaling& out) {
  // Zero counts as not stated, as in Python.
  const double fast = s.number("beta_fast", 0.0);
  const double slow = s.number("beta_slow", 0.0);
  out.beta_fast = fast != 0 ? fast : 32;
  out.beta_slow = slow != 0 ? slow : 1;
  out.truncate = s.boolean("truncate", true);
  out.mscale = s.number("mscale", 0.0);
  out.mscale_all_dim = s.number("mscale_all_dim", 0.0);
}

void read_scaling(const Config& s,
                  const Config& config,
                  const ConfigDefaults& defaults,
                  Rope& rope) {
  RopeScaling& out = rope.scaling;
  const std::string type = s.string("rope_type", s.string("type", "default"));
  out.kind = scaling_kind(type, defaults, config.where());
  if (out.kind == RopeScalingKind::kNone) return;
  const double context =
      config.number("max_position_embeddings", static_cast<double>(defaults.context_length));
  out.original_context = original_context(s, config, defaults);

  switch (out.kind) {
    case RopeScalingKind::kLinear:
      out.factor = s.number("factor");
      break;
    case RopeScalingKind::kDynamicNtk:
      out.factor = s.number("factor");
      out.original_context = context;  // dynamic scaling knows no other
      break;
    case RopeScalingKind::kLlama3:
      out.factor = s.number("factor");
      out.low_freq_factor = s.number("low_freq_factor");
      out.high_freq_factor = s.number("high_freq_factor");
      break;
    case RopeScalingKind::kYarn:
      out.factor = s.number("factor", context / out.original_context);
      out.attention_factor = s.number("attention_factor", 0.0);
      read_yarn(s, out);
      break;
    case RopeScalingKind::kLongRope:
      out.factor = s.number("factor", context / out.original_context);
      out.attention_factor = s.number("attention_factor", 0.0);
      out.short_factors = factors(s, "short_factor", rope.dim / 2);
      out.long_factors = factors(s, "long_factor", rope.dim / 2);
      break;
    case RopeScalingKind::kNone:
    case RopeScalingKind::kQwenDynamicNtk:
      break;
  }
}

}  // namespace

void set_partial_rotary(Rope& rope, int64_t head_size, double factor) {
  rope.span = static_cast<int64_t>(static_cast<double>(head_size) * factor);
  // Frequencies stand for every second number below span: an odd span rotates one more element.
  rope.dim = rope.span + rope.span % 2;
}

Rope rope_of_parameters(const Json& parameters,
                        const Config& config,
                        int64_t head_size,
                        const ConfigDefaults& defaults) {
  Rope rope;
  const Config s(parameters, config.where());
  rope.theta = s.number("rope_theta", config.number("rope_theta", defaults.theta));
  const double partial =
      defaults.partial_rotary > 0
          ? s.number("partial_rotary_factor",
                     config.number("partial_rotary_factor", defaults.partial_rotary))
          : 1.0;
  set_partial_rotary(rope, head_size, partial);
  read_scaling(s, config, defaults, rope);
  return rope;
}

Rope rope_of(const Config& config, int64_t head_size, const ConfigDefaults& defaults) {
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    if (!config.has(key)) continue;
    const Json& parameters = config.value(key);
    if (!parameters.is_object()) {
      throw fail(
          Code::kInput, "{}: {}: found {}, need an object", config.where(), key, parameters.dump());
    }
    if (!parameters.empty()) return rope_of_parameters(parameters, config, head_size, defaults);
  }
  return rope_of_parameters(Json::object(), config, head_size, defaults);
}

double yarn_attention_scale(const RopeScaling& scaling) {
  if (scaling.kind == RopeScalingKind::kNone || scaling.mscale_all_dim == 0) return 1;
  const double mscale =
      scaling.factor <= 1 ? 1.0 : 0.1 * scaling.mscale_all_dim * exact_log(scaling.factor) + 1.0;
  return mscale * mscale;
}

}  // namespace keju
