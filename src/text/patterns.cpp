// SPDX-License-Identifier: MIT
#include "text/patterns.h"

namespace keju {

namespace {

const std::vector<GgufPre>& table() {
  static const std::vector<GgufPre> rows = [] {
    const std::vector<std::string_view> gpt2{kGpt2Pattern};
    const std::vector<std::string_view> digits{"\\p{N}", kGpt2Pattern};
    const std::vector<std::string_view> llama3{kLlama3Pattern};
    const std::vector<std::string_view> qwen2{kQwen2Pattern};
    const std::vector<std::string_view> o200k{kO200kPattern};
    std::vector<GgufPre> out{
        {"deepseek-v3", {"\\p{N}{1,3}", kCjkPattern, kDeepSeekPattern}},
        {"qwen35", {kMarksPattern}, false, false, true},
        {"tekken", {kTekkenPattern}, true, true},
    };
    for (const std::string_view name : {"gpt-2", "phi-2", "olmo", "mpt", "jais", "gigachat"}) {
      out.push_back({name, gpt2});
    }
    for (const std::string_view name :
         {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"}) {
      out.push_back({name, digits});
    }
    for (const std::string_view name : {"llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral"}) {
      out.push_back({name, llama3, true, true});
    }
    for (const std::string_view name : {"chatglm-bpe", "glm4", "dbrx", "smaug-bpe"}) {
      out.push_back({name, llama3, name != "dbrx" && name != "smaug-bpe"});
    }
    for (const std::string_view name : {"qwen2", "deepseek-r1-qwen", "megrez"}) {
      out.push_back({name, qwen2, false, false, true});
    }
    out.push_back({"stablelm2", qwen2});
    for (const std::string_view name : {"gpt-4o", "llama4"}) {
      out.push_back({name, o200k, true, name == "llama4"});
    }
    return out;
  }();
  return rows;
}

}  // namespace

const GgufPre* find_gguf_pre(std::string_view name) {
  for (const GgufPre& row : table()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::vector<std::string> gguf_pre_names() {
  std::vector<std::string> names;
  for (const GgufPre& row : table()) names.emplace_back(row.name);
  return names;
}

}  // namespace keju
