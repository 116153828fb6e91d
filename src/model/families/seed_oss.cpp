// SPDX-License-Identifier: MIT
// Seed-OSS: LLaMA with separate switches for the biases of q, k, v and of the output projection.
// Source: transformers 5.23 models/seed_oss; llama.cpp (autumn 2026) for GGUF.
#include "model/config.h"
#include "model/families/families.h"
#include "model/gguf.h"

namespace keju {
namespace {

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(
      config, "seed_oss", {.kv_heads = 8, .head_size = 128, .context_length = 524288});
  d.qkv_bias = config.boolean("attention_bias", true);
  d.o_bias = config.boolean("attention_out_bias", false);
  d.mlp_bias = config.boolean("mlp_bias", false);
  return d;
}

Descriptor from_gguf(const KeyValues& metadata) { return common_descriptor(metadata, "seed_oss"); }

void adjust_gguf_names(const Descriptor&, TensorNames& names) {
  names.mlp_norm = "blk.{}.post_attention_norm";
}

}  // namespace

const Family kSeedOss{.name = "seed_oss",
                      .model_types = {"seed_oss"},
                      .architectures = {"SeedOssForCausalLM"},
                      .gguf_names = {"seed_oss"},
                      .from_config = from_config,
                      .from_gguf = from_gguf,
                      .names = llama_names,
                      .adjust_gguf_names = adjust_gguf_names};

}  // namespace keju
