// SPDX-License-Identifier: MIT
// ChatGLM 2 and 3 and GLM-4 in their first form: a group of key heads, half of every head rotated
// in consecutive pairs, fused q, k and v and fused gate and up. Source: configuration_chatglm.py
// and modeling_chatglm.py of chatglm3-6b and glm-4-9b; llama.cpp (autumn 2026) for GGUF.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

constexpr double kTheta = 10000;

void refuse_first_generation(const Config& config) {
  if (!config.has("inner_hidden_size") && !config.has("position_encoding_2d")) return;
  throw fail(
      Code::kUnsupported,
      "{}: architecture: found ChatGLM 1 (two-dimensional positions), need ChatGLM 2 or later",
      config.where());
}

Rope rope_from(const Config& config, int64_t head_size) {
  Rope rope;
  rope.style = RopeStyle::kInterleaved;
  rope.dim = head_size / 2;
  rope.theta = kTheta;
  const double ratio = config.number("rope_ratio", 1.0);
  // ChatGLM2-6B-32K divides positions by the ratio; all later ones multiply theta by it. Only the
  // checkpoint's name tells them apart.
  if (config.string("_name_or_path", "").find("chatglm2") == std::string::npos) {
    rope.theta *= ratio;
  } else if (ratio != 1) {
    rope.scaling.kind = RopeScalingKind::kLinear;
    rope.scaling.factor = ratio;
    rope.scaling.original_context = config.number("seq_length", 2048) / ratio;
  }
  return rope;
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  refuse_first_generation(config);
  if (config.has("pre_seq_len")) {
    throw fail(Code::kUnsupported, "{}: pre_seq_len: found a trained prefix, need none", where);
  }
  Descriptor d;
  d.family = "chatglm";
  d.layers = config.integer_of({"num_layers", "num_hidden_layers"});
  d.width = config.integer("hidden_size");
  d.heads = config.integer("num_attention_heads");
  d.kv_heads = config.boolean("multi_query_attention", false)
                   ? config.integer("multi_query_group_num", 1)
                   : d.heads;
  d.k_size = d.v_size = config.integer("kv_channels", 128);
  d.mlp_width = config.integer("ffn_hidden_size");
  d.vocab = config.integer_of({"padded_vocab_size", "vocab_size"});
  d.context_length = config.integer("seq_length", 2048);
  d.norm = config.boolean("rmsnorm", true) ? NormKind::kRms : NormKind::kLayer;
  d.norm_bias = d.norm == NormKind::kLayer;
  d.norm_eps = config.number("layernorm_epsilon", 1e-5);
  d.final_norm = config.boolean("post_layer_norm", true);
  d.residual_from_norm = config.boolean("apply_residual_connection_post_layernorm", false);
  d.attention_scale = 1.0 / std::sqrt(static_cast<double>(d.k_size));
  d.tied_head = config.boolean("tie_word_embeddings", false);
  d.o_bias = d.mlp_bias = config.boolean("add_bias_linear", false);
  d.qkv_bias = d.o_bias || config.boolean("add_qkv_bias", false);
  d.ropes = {rope_from(config, d.k_size)};
  d.layer.assign(static_cast<size_t>(std::clamp<int64_t>(d.layers, 0, kMostLayers)), {});
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) {
  Descriptor d = common_descriptor(metadata, "chatglm");
  d.ropes[0].style = RopeStyle::kInterleaved;
  return d;
}

TensorNames names(const Descriptor& d) {
  TensorNames n;
  n.embedding = "transformer.embedding.word_embeddings";
  n.final_norm = "transformer.encoder.final_layernorm";
  n.head = "transformer.output_layer";
  n.attention_norm = "transformer.encoder.layers.{}.input_layernorm";
  n.mlp_norm = "transformer.encoder.layers.{}.post_attention_layernorm";
  n.qkv = "transformer.encoder.layers.{}.self_attention.query_key_value";
  n.layout = d.kv_heads == d.heads ? QkvLayout::kPerHead : QkvLayout::kStacked;
  n.o = "transformer.encoder.layers.{}.self_attention.dense";
  n.gate_up = "transformer.encoder.layers.{}.mlp.dense_h_to_4h";
  n.down = "transformer.encoder.layers.{}.mlp.dense_4h_to_h";
  n.ignored_suffixes = {"rotary_pos_emb.inv_freq"};
  return n;
}

}  // namespace

const Family kChatglm{.name = "chatglm",
                      .model_types = {"chatglm"},
                      .architectures = {"ChatGLMModel", "ChatGLMForConditionalGeneration"},
                      .gguf_names = {"chatglm"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = names};

}  // namespace keju
