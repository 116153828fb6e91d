// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "base/error.h"
#include "base/rng.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"
#include "cli/talk.h"
#include "run/manifest.h"
#include "run/request.h"
#include "run/store.h"

namespace keju {
namespace {

bool same_bits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

bool same(const ScoreResult& a, const ScoreResult& b) {
  if (a.continuations.size() != b.continuations.size()) return false;
  for (size_t i = 0; i < a.continuations.size(); ++i) {
    const ContinuationScore& x = a.continuations[i];
    const ContinuationScore& y = b.continuations[i];
    if (x.ids != y.ids || !same_bits(x.logprob, y.logprob) || x.greedy != y.greedy) return false;
    if (x.token_logprobs.size() != y.token_logprobs.size()) return false;
    for (size_t k = 0; k < x.token_logprobs.size(); ++k) {
      if (std::bit_cast<uint32_t>(x.token_logprobs[k]) !=
          std::bit_cast<uint32_t>(y.token_logprobs[k]))
        return false;
    }
  }
  return true;
}

bool same(const Response& a, const Response& b) {
  if (a.what.index() != b.what.index()) return false;
  if (const auto* score = std::get_if<ScoreResult>(&a.what))
    return same(*score, std::get<ScoreResult>(b.what));
  if (const auto* rolling = std::get_if<RollingResult>(&a.what)) {
    const auto& other = std::get<RollingResult>(b.what);
    return rolling->tokens == other.tokens && same_bits(rolling->logprob, other.logprob);
  }
  const auto& x = std::get<GenerateResult>(a.what);
  const auto& y = std::get<GenerateResult>(b.what);
  return x.ids == y.ids && x.text == y.text && x.finish == y.finish;
}

// `count` items at random, the same for the same seed; all of them if there are fewer.
std::vector<StoredItem> sample_items(const std::filesystem::path& run,
                                     int64_t count,
                                     uint64_t seed) {
  std::vector<StoredItem> kept;
  int64_t seen = 0;
  for_each_item(run, "", [&](const StoredItem& item) {
    if (!item.record.response.error.empty()) return;
    const int64_t index = seen++;
    if (static_cast<int64_t>(kept.size()) < count) {
      kept.push_back(item);
      return;
    }
    const auto place = static_cast<int64_t>(
        uniform_below(seed, 0, static_cast<uint64_t>(index), static_cast<uint64_t>(index) + 1));
    if (place < count) kept[place] = item;
  });
  return kept;
}

void check_same_model(const Json& manifest, const ModelFacts& facts, const std::string& run) {
  const Json& print = member(manifest, "fingerprint", run);
  const auto need = [&](const char* key, const std::string& mine) {
    const std::string theirs = string_member(print, key, run);
    if (theirs != mine) {
      throw fail(Code::kUsage,
                 "{}: {}: the run has \"{}\", this model has \"{}\". Only the same can be verified",
                 run,
                 key,
                 theirs,
                 mine);
    }
  };
  need("weights_digest", facts.weights_digest);
  need("tokenizer_digest", facts.tokenizer_digest);
  need("numeric_mode", facts.numeric_mode);
}

struct VerifyCommand {
  ModelOptions model;
  std::string run;
  int64_t sample = 20;
  uint64_t seed = 1;
  bool json = false;
};

int verify(const VerifyCommand& command) {
  const std::filesystem::path run(command.run);
  const Json manifest = read_manifest(run);
  std::map<std::string, ExamManifest> exams;
  for (ExamManifest& exam : manifest_exams(manifest, command.run))
    exams.emplace(exam.key, std::move(exam));
  const std::vector<StoredItem> items = sample_items(run, command.sample, command.seed);
  if (items.empty())
    throw fail(Code::kInput, "{}: items: found none that finished, need at least one", command.run);
  OpenedModel opened = open_model(command.model);
  check_same_model(manifest, opened.model->facts(), command.run);
  std::vector<Request> requests;
  for (const StoredItem& stored : items) {
    const ExamManifest& exam = exams.at(stored.record.exam);
    ExamItem item;
    item.id = stored.record.item;
    item.subject = stored.record.subject;
    item.prompt = stored.prompt;
    item.continuations = stored.continuations;
    requests.push_back(make_request(exam.suite, exam.protocol, std::move(item)));
    requests.back().id = requests.size() - 1;
  }
  VectorSource source(std::move(requests));
  const auto session = opened.model->start(source);
  std::vector<std::string> differing;
  while (const auto response = session->next()) {
    const StoredItem& stored = items[response->id];
    if (!response->error.empty() || !same(stored.record.response, *response))
      differing.push_back(stored.record.item);
  }
  std::sort(differing.begin(), differing.end());
  if (command.json) {
    write_json_line({{"items", items.size()},
                     {"equal", items.size() - differing.size()},
                     {"differing", differing}});
  } else {
    fmt::print("verified {} items of {}: {} equal to the bit, {} different\n",
               items.size(),
               command.run,
               items.size() - differing.size(),
               differing.size());
    for (const std::string& id : differing) fmt::print("  different: {}\n", id);
  }
  return differing.empty() ? 0 : 3;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "verify",
      "Compute random items of a run again here and compare the bits; exit 3 if any differs");
  command->footer("Example: keju verify runs/theirs --model model.gguf --sample 50");
  auto options = std::make_shared<VerifyCommand>();
  command->add_option("run", options->run, "Run folder")->required();
  add_model_options(*command, options->model);
  command->add_option("--sample", options->sample, "How many items")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Which items")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] { action = [=] { return verify(*options); }; });
}

}  // namespace keju
