// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/error.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"

namespace keju {
namespace {

struct InspectCommand {
  std::string model, against;
  int64_t context = 0, batch = 1;
  int threads = 0;
  bool json = false, digests = true;
};

// Every tensor of the files; with digests also one over all, as runs record it.
void add_tensors(const Checkpoint& checkpoint, const InspectCommand& command, Json& out) {
  std::map<std::string, std::string> by_name;
  if (command.digests) {
    const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    ThreadPool pool(command.threads > 0 ? command.threads : cores);
    Sha256 whole;
    for (auto& [tensor, digest] : checkpoint.tensor_digests(pool)) {
      const StoredTensor& t = *checkpoint.find(tensor);
      whole.update(fmt::format("{} {} {} {}\n", tensor, name(t.dtype), to_string(t.shape), digest));
      by_name[tensor] = std::move(digest);
    }
    out["weights_digest"] = whole.finish_hex();
  }
  Json tensors = Json::array();
  for (const StoredTensor& t : checkpoint.tensors()) {
    Json entry{{"name", t.name}, {"type", name(t.dtype)}, {"shape", t.shape}, {"bytes", t.bytes}};
    if (command.digests) entry["sha256"] = by_name[t.name];
    tensors.push_back(std::move(entry));
  }
  out["tensors"] = std::move(tensors);
  Json left_out = Json::array();
  for (const LeftOutTensor& t : checkpoint.left_out())
    left_out.push_back({{"name", t.name}, {"type", t.type}});
  out["left_out"] = std::move(left_out);
}

// Which tensors two checkpoints share: the same name, type, shape and bytes.
Json compare_tensors(const Checkpoint& ours, const std::string& other, int threads) {
  const auto theirs = Checkpoint::open(other);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ThreadPool pool(threads > 0 ? threads : cores);
  std::map<std::string, std::string> digests;
  for (auto& [tensor, digest] : theirs->tensor_digests(pool))
    digests.emplace(tensor, std::move(digest));
  int64_t equal = 0, differing = 0, only_here = 0;
  Json changed = Json::array();
  for (const auto& [tensor, digest] : ours.tensor_digests(pool)) {
    const auto found = digests.find(tensor);
    if (found == digests.end()) {
      ++only_here;
      continue;
    }
    const StoredTensor &a = *ours.find(tensor), &b = *theirs->find(tensor);
    const bool same = found->second == digest && a.dtype == b.dtype && a.shape == b.shape;
    same ? ++equal : ++differing;
    if (!same) changed.push_back(tensor);
  }
  const auto shared = equal + differing;
  return {{"model", other},
          {"equal", equal},
          {"differing", differing},
          {"only_here", only_here},
          {"only_there", static_cast<int64_t>(digests.size()) - shared},
          {"differing_tensors", std::move(changed)}};
}

// What one packed pass of `rows` rows holds besides weights and pages, at most and about: rows of
// the stream, of queries, keys and values, of the attention's output and of the widest MLP.
int64_t step_bytes(const Descriptor& d, int64_t rows) {
  const int64_t mlp = std::max(d.mlp_width, d.moe.chosen * d.moe.width + d.moe.shared_width);
  const int64_t width =
      4 * d.width + d.heads * (d.k_size + d.v_size) + d.kv_heads * (d.k_size + d.v_size) + 3 * mlp;
  return rows * width * static_cast<int64_t>(sizeof(float));
}

int64_t checked(bool overflow, int64_t value) {
  if (overflow)
    throw fail(Code::kUsage, "memory plan: found more than 2^63 bytes, need fewer. Ask for less");
  return value;
}
int64_t product(int64_t a, int64_t b) {
  int64_t out = 0;
  const bool overflow = __builtin_mul_overflow(a, b, &out);
  return checked(overflow, out);
}
int64_t sum(int64_t a, int64_t b) {
  int64_t out = 0;
  const bool overflow = __builtin_add_overflow(a, b, &out);
  return checked(overflow, out);
}

// Memory for a context and a number of texts at once; keys and values are float32, in whole pages.
Json memory_plan(const Descriptor& d,
                 const Checkpoint& checkpoint,
                 int64_t context,
                 int64_t batch) {
  const int64_t per_token =
      d.layers * d.kv_heads * (d.k_size + d.v_size) * static_cast<int64_t>(sizeof(float));
  const int64_t pages = (context + kPagePositions - 1) / kPagePositions;
  const int64_t kv = product(product(per_token, pages * kPagePositions), batch);
  const auto weights = static_cast<int64_t>(checkpoint.weight_bytes());
  const int64_t rows = ModelOptions{}.step_rows;
  return {{"context", context},
          {"batch", batch},
          {"weights_bytes", weights},
          {"kv_bytes_per_token", per_token},
          {"kv_bytes", kv},
          {"step_rows", rows},
          {"step_bytes_about", step_bytes(d, rows)},
          {"total_bytes_about", sum(weights, sum(kv, step_bytes(d, rows)))}};
}

Json tokenizer_facts(const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) return {};
  const SpecialIds& special = tokenizer->special();
  const auto id = [](const std::optional<TokenId>& token) { return token ? Json(*token) : Json(); };
  return {{"kind", tokenizer->kind()},
          {"vocab", tokenizer->vocab_size()},
          {"digest", tokenizer->digest()},
          {"bos", id(special.bos)},
          {"eos", id(special.eos)},
          {"prefix", special.prefix},
          {"stops", special.stops}};
}

Json chat_facts(const ChatChoice& choice) {
  if (choice.none()) return {};
  const bool own = choice.builtin.empty();
  return {{"format", own ? "own" : "builtin:" + choice.builtin},
          {"from", own ? Json(choice.sources.where) : Json()},
          {"sha256",
           own ? sha256_hex(choice.sources.named("default"))
               : ChatFormat::builtin(choice.builtin).hash()}};
}

Json inspect(const InspectCommand& command) {
  const auto checkpoint = Checkpoint::open(command.model);
  const Descriptor descriptor = describe(family_of(*checkpoint), *checkpoint);
  int64_t parameters = 0;
  std::map<std::string, int64_t> types;
  for (const StoredTensor& t : checkpoint->tensors()) {
    if (descriptor.leaves_aside(t.name)) continue;
    parameters += elements(t.shape);
    ++types[std::string(name(t.dtype))];
  }
  Json out{{"model", command.model},
           {"family", descriptor.family},
           {"parameters", parameters},
           {"weight_types", types},
           {"descriptor", descriptor.to_json()}};
  const auto tokenizer = open_tokenizer(command.model, TokenizerUse::kOptional);
  out["tokenizer"] = tokenizer_facts(tokenizer.get());
  out["chat"] = chat_facts(choose_chat(checkpoint.get(), tokenizer.get(), ""));
  out["chat_template_sha256"] = out["chat"].is_null() ? Json() : out["chat"]["sha256"];
  out["memory"] = memory_plan(descriptor,
                              *checkpoint,
                              command.context > 0 ? command.context : descriptor.context_length,
                              command.batch);
  add_tensors(*checkpoint, command, out);
  if (!command.against.empty())
    out["against"] = compare_tensors(*checkpoint, command.against, command.threads);
  return out;
}

std::string plain(const Json& value) {
  return value.is_null() ? "none" : value.is_string() ? value.get<std::string>() : value.dump();
}

void print_plain(const Json& j) {
  fmt::print("family      {}\nparameters  {}\ntypes       {}\n",
             plain(j["family"]),
             plain(j["parameters"]),
             plain(j["weight_types"]));
  if (j.contains("weights_digest")) fmt::print("weights     {}\n", plain(j["weights_digest"]));
  fmt::print("descriptor  {}\n", plain(j["descriptor"]));
  fmt::print("tokenizer   {}\n", plain(j["tokenizer"]));
  fmt::print("chat        {}\n", plain(j["chat"]));
  const Json& memory = j["memory"];
  fmt::print(
      "memory      context {}, batch {}: weights {} + keys and values {} ({} a token) + steps of "
      "{} rows about {} = about {} bytes\n",
      plain(memory["context"]),
      plain(memory["batch"]),
      plain(memory["weights_bytes"]),
      plain(memory["kv_bytes"]),
      plain(memory["kv_bytes_per_token"]),
      plain(memory["step_rows"]),
      plain(memory["step_bytes_about"]),
      plain(memory["total_bytes_about"]));
  for (const Json& t : j["tensors"]) {
    fmt::print("  {:<48} {:<7} {}{}\n",
               plain(t["name"]),
               plain(t["type"]),
               plain(t["shape"]),
               t.contains("sha256") ? "  " + plain(t["sha256"]) : "");
  }
  for (const Json& t : j["left_out"])
    fmt::print("  {:<48} {:<7} left out: no weight\n", plain(t["name"]), plain(t["type"]));
  if (!j.contains("against")) return;
  const Json& other = j["against"];
  fmt::print("against     {}: {} tensors equal, {} differ, {} only here, {} only there\n",
             plain(other["model"]),
             plain(other["equal"]),
             plain(other["differing"]),
             plain(other["only_here"]),
             plain(other["only_there"]));
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "inspect",
      "Family, descriptor, tensors, tokenizer, chat format, digests and memory plan of a "
      "checkpoint");
  command->footer("Example: keju inspect --model model.gguf --context 4096 --batch 8 --json");
  auto options = std::make_shared<InspectCommand>();
  command->add_option("--model,-m", options->model, "Checkpoint")->required();
  command
      ->add_option("--context",
                   options->context,
                   "Plan memory for this many tokens; 0 means the checkpoint's own")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  command->add_option("--batch", options->batch, "… of this many texts at once")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  command->add_option("--threads", options->threads, "For the digests; 0 means one per core")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--digests,!--no-digests",
                    options->digests,
                    "sha256 of every tensor (reads all weights); on by default");
  command->add_option("--against",
                      options->against,
                      "Another checkpoint: count the tensors that are equal to the bit");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      const Json out = inspect(*options);
      if (options->json) {
        write_json_line(out);
      } else {
        print_plain(out);
      }
      return 0;
    };
  });
}

}  // namespace keju
