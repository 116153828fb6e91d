// SPDX-License-Identifier: MIT
// DeepSeek V2 and V3: multi-head latent attention, routed and shared experts, group-limited
// routing. Source: transformers 5.23 models/deepseek_v2, models/deepseek_v3; llama.cpp (autumn
// 2026) for GGUF.
#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

void refuse_other(const Config& config, std::string_view key, const std::string& only) {
  const std::string found = config.string(key, only);
  if (found == only) return;
  throw fail(Code::kUnsupported, "{}: {}: found \"{}\", need {}", config.where(), key, found, only);
}

// V2: softmax, a group's score is its best expert's.
void read_v2_routing(const Config& config, RouteSpec& route) {
  route.scale = static_cast<float>(config.number("routed_scaling_factor", 1.0));
  const std::string method = config.string("topk_method", "greedy");
  if (method == "group_limited_greedy") {
    route.groups = config.integer("n_group");
    route.topk_groups = config.integer("topk_group");
  } else if (method != "greedy") {
    throw fail(Code::kUnsupported,
               "{}: topk_method: found \"{}\", need greedy or group_limited_greedy",
               config.where(),
               method);
  }
  refuse_other(config, "scoring_func", "softmax");
}

// V3: sigmoid, a correction that only chooses, a group's score is the sum of its two best.
void read_v3_routing(const Config& config, RouteSpec& route) {
  route.score = RouteSpec::Score::kSigmoid;
  route.scale = static_cast<float>(config.number("routed_scaling_factor", 2.5));
  route.normalise = config.boolean("norm_topk_prob", true);
  route.groups = config.integer("n_group", 8);
  route.topk_groups = config.integer("topk_group", 4);
  route.group_score_top2 = true;
  refuse_other(config, "topk_method", "noaux_tc");
  refuse_other(config, "scoring_func", "sigmoid");
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  const bool v3 = config.string("model_type", "deepseek_v2") == "deepseek_v3";
  MlaSettings latent{.q_rank = 1536, .kv_rank = 512, .nope = 128, .rope = 64, .value = 128};
  Descriptor d =
      common_descriptor(config,
                        v3 ? "deepseek_v3" : "deepseek_v2",
                        {.context_length = v3 ? 4096 : 2048,
                         .rotary_size = config.integer("qk_rope_head_dim", latent.rope)});
  read_latent_attention(config, latent, d);
  const bool pairs = !v3 || config.boolean("rope_interleave", true);
  d.ropes[0].style = pairs ? RopeStyle::kInterleaved : RopeStyle::kHalf;
  d.mlp_bias = !v3 && config.boolean("mlp_bias", false);
  d.moe.experts = config.integer_of({"n_routed_experts", "num_local_experts"}, v3 ? 256 : 64);
  d.moe.chosen =
      v3 ? config.integer("num_experts_per_tok", 8) : config.integer("num_experts_per_tok");
  d.moe.width = config.integer("moe_intermediate_size", v3 ? 2048 : 1407);
  d.moe.shared_width = d.moe.width * config.integer("n_shared_experts", v3 ? 1 : 2);
  if (v3) {
    read_v3_routing(config, d.moe.route);
  } else {
    read_v2_routing(config, d.moe.route);
  }
  if (const int64_t every = config.integer("moe_layer_freq", 1); every != 1) {
    throw fail(Code::kUnsupported, "{}: moe_layer_freq: found {}, need 1", where, every);
  }
  const int64_t first = config.integer("first_k_dense_replace", v3 ? 3 : 0);
  for (int64_t l = first; l < static_cast<int64_t>(d.layer.size()); ++l) d.layer[l].moe = true;
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  const GgufKeys keys(metadata);
  Descriptor d = common_descriptor(metadata, "deepseek_v2");
  d.mla.q_rank = keys.integer("attention.q_lora_rank", 0);
  d.mla.kv_rank = keys.integer("attention.kv_lora_rank");
  d.mla.rope = d.ropes[0].dim;
  // Files that keep kv_b whole state the sizes of expanded heads under the plain keys.
  d.mla.nope = keys.integer("attention.key_length_mla", d.k_size) - d.mla.rope;
  d.mla.value = keys.integer("attention.value_length_mla", d.v_size);
  d.ropes[0].style = RopeStyle::kInterleaved;
  // Stored times 0.1; the file's one number stands for mscale and mscale_all_dim.
  RopeScaling& scaling = d.ropes[0].scaling;
  if (scaling.kind == RopeScalingKind::kYarn && keys.has("rope.scaling.yarn_log_multiplier")) {
    scaling.mscale = scaling.mscale_all_dim = keys.number("rope.scaling.yarn_log_multiplier") / 0.1;
  }
  set_latent_heads(d);
  read_gguf_experts(metadata, d);
  d.moe.shared_width = d.moe.width * keys.integer("expert_shared_count", 0);
  if (d.moe.route.score == RouteSpec::Score::kSigmoid) {
    d.family = "deepseek_v3";
    d.moe.route.group_score_top2 = true;
  }
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n = llama_names(d);
  n.q_a = "model.layers.{}.self_attn.q_a_proj";
  n.q_a_norm = "model.layers.{}.self_attn.q_a_layernorm";
  n.q_b = "model.layers.{}.self_attn.q_b_proj";
  n.kv_a = "model.layers.{}.self_attn.kv_a_proj_with_mqa";
  n.kv_a_norm = "model.layers.{}.self_attn.kv_a_layernorm";
  n.kv_b = "model.layers.{}.self_attn.kv_b_proj";
  n.router = "model.layers.{}.mlp.gate";
  if (d.moe.route.score == RouteSpec::Score::kSigmoid) {
    n.router_correction = "model.layers.{}.mlp.gate.e_score_correction_bias";
  }
  n.expert_gate = "model.layers.{}.mlp.experts.{}.gate_proj";
  n.expert_up = "model.layers.{}.mlp.experts.{}.up_proj";
  n.expert_down = "model.layers.{}.mlp.experts.{}.down_proj";
  n.experts_gate_up = "model.layers.{}.mlp.experts.gate_up_proj";
  n.experts_down = "model.layers.{}.mlp.experts.down_proj";
  n.experts_weight = "";
  n.shared_gate = "model.layers.{}.mlp.shared_experts.gate_proj";
  n.shared_up = "model.layers.{}.mlp.shared_experts.up_proj";
  n.shared_down = "model.layers.{}.mlp.shared_experts.down_proj";
  // The layer past the last predicts a second token ahead and takes no part here.
  n.ignored_prefixes = {fmt::format("model.layers.{}.", d.layers)};
  return n;
}

}  // namespace

const Family kDeepseek{.name = "deepseek",
                       .model_types = {"deepseek_v2", "deepseek_v3"},
                       .architectures = {"DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM"},
                       .gguf_names = {"deepseek2"},
                       .from_config = from_config,
                       .from_gguf = from_gguf,
                       .names = names};

}  // namespace keju
