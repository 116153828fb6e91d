// SPDX-License-Identifier: MIT
#include "model/families/families.h"

#include <algorithm>

#include "base/error.h"
#include "model/config.h"
#include "model/gguf.h"
#include "model/multimodal.h"

namespace keju {
namespace {

#define KEJU_FAMILY_ADDRESS(family) &(family),
constexpr const Family* kFamilies[] = {KEJU_FAMILIES(KEJU_FAMILY_ADDRESS)};
#undef KEJU_FAMILY_ADDRESS

bool contains(const std::vector<std::string_view>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

[[noreturn]] void unknown(const Checkpoint& checkpoint, std::string_view found) {
  std::vector<std::string> known;
  for (const Family* family : kFamilies) known.emplace_back(family->name);
  throw fail(Code::kUnsupported,
             "{}: architecture: found \"{}\", which keju has no family for{}",
             checkpoint.root().string(),
             found,
             suggestion(found, known));
}

std::string text(const Json& config, const char* key) {
  return config.contains(key) && config[key].is_string() ? config[key].get<std::string>() : "";
}

const Family& family_of_config(const Checkpoint& checkpoint) {
  if (!checkpoint.config().is_object()) {
    throw fail(Code::kInput,
               "{}: config.json: not there, need it to know the architecture",
               checkpoint.root().string());
  }
  const Json config = text_part(checkpoint.config()).config;
  const std::string type = text(config, "model_type");
  std::string architecture;
  if (config.contains("architectures") && config["architectures"].is_array() &&
      !config["architectures"].empty() && config["architectures"][0].is_string()) {
    architecture = config["architectures"][0].get<std::string>();
  }
  for (const Family* family : kFamilies) {
    if (!type.empty() && contains(family->model_types, type)) return *family;
  }
  // Early checkpoints and renamed derivatives have a model type of their own, or none.
  for (const Family* family : kFamilies) {
    if (!architecture.empty() && contains(family->architectures, architecture)) return *family;
  }
  unknown(checkpoint, type.empty() ? architecture : type);
}

// Weights in a form that no table here knows. Refused by name: their scales would be left over.
void refuse_quantised(const Json& config, const std::string& where) {
  if (config.contains("quantization_config") && config["quantization_config"].is_object()) {
    const std::string method = text(config["quantization_config"], "quant_method");
    throw fail(
        Code::kUnsupported,
        "{}: quantization: found \"{}\", need weights that are not quantised, or a GGUF file",
        where,
        method.empty() ? "an unnamed method" : method);
  }
  if (config.contains("quantization_bit") && config["quantization_bit"].is_number_integer() &&
      config["quantization_bit"].get<int64_t>() != 0) {
    throw fail(Code::kUnsupported,
               "{}: quantization_bit: found {}, need 0",
               where,
               config["quantization_bit"].get<int64_t>());
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
      throw fail(Code::kUnsupported,
                 "{}: family \"{}\": found a GGUF file, need a safetensors folder",
                 where,
                 family.name);
    }
    d = family.from_gguf(checkpoint.metadata());
    describe_from_tensors(checkpoint, d);
  } else {
    refuse_quantised(checkpoint.config(), where + "/config.json");
    const TextPart part = text_part(checkpoint.config());
    d = family.from_config(part.config, where + "/config.json" + part.where);
    d.left_aside = part.left_aside;
  }
  d.glu.activation = d.activation;
  d.validate(where);
  return d;
}

}  // namespace keju
