// SPDX-License-Identifier: MIT
#include "model/families/families.h"

#include <algorithm>

#include "base/block_codec.h"
#include "base/error.h"
#include "model/config.h"

namespace keju {
namespace {

// Sorted by name. A new family is its file, its declaration in families.h, and one line here.
constexpr const Family* kFamilies[] = {
    &kGemma3,
    &kLlama,
    &kQwen2,
};

bool contains(const std::vector<std::string_view>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

[[noreturn]] void unknown(const Checkpoint& checkpoint, std::string_view found) {
  std::vector<std::string> known;
  for (const Family* family : kFamilies) known.emplace_back(family->name);
  throw fail(Code::kUnsupported, "{}: architecture: found \"{}\", which keju has no family for{}",
             checkpoint.root().string(), found, suggestion(found, known));
}

const Family& family_of_config(const Checkpoint& checkpoint) {
  const Json& config = checkpoint.config();
  if (!config.is_object()) {
    throw fail(Code::kInput, "{}: config.json: not there, need it to know the architecture", checkpoint.root().string());
  }
  std::string architecture;
  if (config.contains("architectures") && config["architectures"].is_array() && !config["architectures"].empty() &&
      config["architectures"][0].is_string()) {
    architecture = config["architectures"][0].get<std::string>();
  }
  const std::string type = config.contains("model_type") && config["model_type"].is_string()
                               ? config["model_type"].get<std::string>() : "";
  // The architecture decides where model types are shared by families that differ.
  for (const Family* family : kFamilies) {
    if (!architecture.empty() && contains(family->architectures, architecture)) return *family;
  }
  for (const Family* family : kFamilies) {
    if (!type.empty() && contains(family->model_types, type)) return *family;
  }
  unknown(checkpoint, type.empty() ? architecture : type);
}

// What a GGUF file's tensors say and its keys do not.
void describe_from_tensors(const Checkpoint& checkpoint, Descriptor& d) {
  const auto has = [&](const char* name) { return checkpoint.find(name) != nullptr; };
  d.qkv_bias = has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias");
  d.o_bias = has("blk.0.attn_output.bias");
  d.mlp_bias = has("blk.0.ffn_down.bias");
  d.head_bias = has("output.bias");
  d.tied_head = !has("output.weight");
  if (const StoredTensor* embedding = checkpoint.find("token_embd.weight");
      embedding != nullptr && embedding->shape.size() == 2) {
    d.vocab = embedding->shape[0];
  }
  if (const StoredTensor* divisors = checkpoint.find("rope_freqs.weight"); divisors != nullptr && !d.ropes.empty()) {
    const int64_t pairs = elements(divisors->shape);
    if (pairs != d.ropes[0].dim / 2) {
      throw fail(Code::kShape, "{}: tensor \"rope_freqs.weight\": shape: found {}, need [{}]", checkpoint.root().string(),
                 to_string(divisors->shape), d.ropes[0].dim / 2);
    }
    std::vector<float> values(pairs);
    expand_row(divisors->dtype, divisors->data, pairs, values.data());
    d.ropes[0].frequency_divisors.assign(values.begin(), values.end());
  }
}

}  // namespace

std::span<const Family* const> families() { return kFamilies; }

const Family& family_of(const Checkpoint& checkpoint) {
  if (checkpoint.format() != Checkpoint::Format::kGguf) return family_of_config(checkpoint);
  const std::string& name = checkpoint.metadata().string("general.architecture");
  for (const Family* family : kFamilies) {
    if (contains(family->gguf_names, name)) return *family;
  }
  unknown(checkpoint, name);
}

Descriptor describe(const Family& family, const Checkpoint& checkpoint) {
  const std::string where = checkpoint.root().string();
  Descriptor d;
  if (checkpoint.format() == Checkpoint::Format::kGguf) {
    if (family.from_gguf == nullptr) {
      throw fail(Code::kUnsupported, "{}: family \"{}\": found a GGUF file, need a safetensors folder", where, family.name);
    }
    d = family.from_gguf(checkpoint.metadata());
    describe_from_tensors(checkpoint, d);
  } else {
    d = family.from_config(checkpoint.config(), where + "/config.json");
  }
  d.glu.activation = d.activation;
  d.validate(where);
  return d;
}

}  // namespace keju
