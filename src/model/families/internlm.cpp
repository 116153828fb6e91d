// SPDX-License-Identifier: MIT
// InternLM 1: LLaMA with a bias on q, k, v and o, and dynamic NTK past its context.
// Source: configuration_internlm.py and modeling_internlm.py of internlm-7b.
#include "base/error.h"
#include "model/config.h"
#include "model/families/families.h"

namespace keju {
namespace {

// "rotary" instead of rope_theta and rope_scaling. Where it is not written it is dynamic, as in the
// configuration class. Without a factor of its own, dynamic scaling grows with the length alone.
void read_rotary(const Config& config, Descriptor& d) {
  if (config.has("rope_scaling") || config.has("rope_parameters")) return;
  const Json rotary = config.has("rotary") ? config.value("rotary") : Json::object();
  const Config r(rotary, config.where());
  const std::string type = r.string("type", "dynamic");
  if (type != "dynamic" && type != "origin") {
    throw fail(Code::kUnsupported,
               "{}: rope type: found \"{}\", need origin or dynamic",
               config.where(),
               type);
  }
  Json parameters{{"rope_type", type == "origin" ? "default" : type},
                  {"factor", r.number("scaling_factor", 1.0)}};
  if (r.has("base")) parameters["rope_theta"] = r.number("base");
  d.ropes = {rope_of_parameters(parameters, config, d.k_size)};
}

Descriptor from_config(const Json& json, const std::string& where) {
  const Config config(json, where);
  Descriptor d = common_descriptor(config, "internlm");
  read_rotary(config, d);
  d.qkv_bias = d.o_bias = config.boolean("bias", true);
  return d;
}

}  // namespace

const Family kInternlm{.name = "internlm",
                       .model_types = {"internlm"},
                       .architectures = {"InternLMForCausalLM"},
                       .gguf_names = {},
                       .from_config = from_config,
                       .names = llama_names};

}  // namespace keju
