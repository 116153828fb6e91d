// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <map>

#include "base/sha256.h"
#include "base/thread_pool.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"

namespace keju {
namespace {

Json tensor_list(const Checkpoint& checkpoint, bool digests) {
  std::map<std::string, std::string> by_name;
  if (digests) {
    ThreadPool pool(2);
    for (auto& [tensor, digest] : checkpoint.tensor_digests(pool)) by_name[tensor] = digest;
  }
  Json tensors = Json::array();
  for (const StoredTensor& t : checkpoint.tensors()) {
    Json entry{{"name", t.name}, {"type", name(t.dtype)}, {"shape", t.shape}, {"bytes", t.bytes}};
    if (digests) entry["sha256"] = by_name[t.name];
    tensors.push_back(std::move(entry));
  }
  return tensors;
}

// Memory for a context and a number of texts at once, in float32 keys and values.
Json memory_plan(const Descriptor& d,
                 const Checkpoint& checkpoint,
                 int64_t context,
                 int64_t batch) {
  const int64_t per_token =
      d.layers * d.kv_heads * (d.k_size + d.v_size) * static_cast<int64_t>(sizeof(float));
  const int64_t pages = (context + kPagePositions - 1) / kPagePositions;
  return {{"context", context},
          {"batch", batch},
          {"weights_bytes", checkpoint.weight_bytes()},
          {"kv_bytes_per_token", per_token},
          {"kv_bytes", per_token * pages * kPagePositions * batch}};
}

Json inspect(const std::string& path, int64_t context, int64_t batch, bool digests) {
  const auto checkpoint = Checkpoint::open(path);
  const Family& family = family_of(*checkpoint);
  const Descriptor descriptor = describe(family, *checkpoint);
  int64_t parameters = 0;
  std::map<std::string, int64_t> types;
  for (const StoredTensor& t : checkpoint->tensors()) {
    parameters += elements(t.shape);
    ++types[std::string(name(t.dtype))];
  }
  Json out{{"model", path},
           {"family", descriptor.family},
           {"parameters", parameters},
           {"weight_types", types},
           {"descriptor", descriptor.to_json()}};
  const auto tokenizer = open_tokenizer(path, TokenizerUse::kOptional);
  out["tokenizer"] = tokenizer ? Json{{"kind", tokenizer->kind()},
                                      {"vocab", tokenizer->vocab_size()},
                                      {"digest", tokenizer->digest()},
                                      {"prefix", tokenizer->special().prefix},
                                      {"stops", tokenizer->special().stops}}
                               : Json();
  const std::string source = template_source(*checkpoint);
  out["chat_template_sha256"] = source.empty() ? Json() : Json(sha256_hex(source));
  out["memory"] = memory_plan(
      descriptor, *checkpoint, context > 0 ? context : descriptor.context_length, batch);
  out["tensors"] = tensor_list(*checkpoint, digests);
  return out;
}

void print_plain(const Json& j) {
  fmt::print("family      {}\nparameters  {}\n",
             j["family"].get<std::string>(),
             j["parameters"].get<int64_t>());
  fmt::print("types       {}\n", j["weight_types"].dump());
  fmt::print("descriptor  {}\n", j["descriptor"].dump());
  fmt::print("tokenizer   {}\n", j["tokenizer"].is_null() ? "none" : j["tokenizer"].dump());
  fmt::print(
      "template    {}\n",
      j["chat_template_sha256"].is_null() ? "none" : j["chat_template_sha256"].get<std::string>());
  fmt::print("memory      {}\n", j["memory"].dump());
  for (const Json& t : j["tensors"]) {
    fmt::print("  {:<48} {:<7} {}{}\n",
               t["name"].get<std::string>(),
               t["type"].get<std::string>(),
               t["shape"].dump(),
               t.contains("sha256") ? "  " + t["sha256"].get<std::string>() : "");
  }
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "inspect", "Family, descriptor, tensors, tokenizer, digests and memory plan of a checkpoint");
  command->footer("Example: keju inspect --model model.gguf --json");
  auto model = std::make_shared<std::string>();
  auto context = std::make_shared<int64_t>(0);
  auto batch = std::make_shared<int64_t>(1);
  auto json = std::make_shared<bool>(false);
  auto digests = std::make_shared<bool>(false);
  command->add_option("--model,-m", *model, "Checkpoint")->required();
  command->add_option(
      "--context", *context, "Plan memory for this many tokens; 0 means the checkpoint's own");
  command->add_option("--batch", *batch, "… of this many texts at once")
      ->check(CLI::PositiveNumber);
  command->add_flag("--digests", *digests, "sha256 of every tensor (reads all weights)");
  command->add_flag("--json", *json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      const Json out = inspect(*model, *context, *batch, *digests);
      if (*json) {
        write_json_line(out);
      } else {
        print_plain(out);
      }
      return 0;
    };
  });
}

}  // namespace keju
