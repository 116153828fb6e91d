// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/rng.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"
#include "cli/talk.h"
#include "run/manifest.h"
#include "run/pack.h"
#include "run/request.h"
#include "run/store.h"
#include "score/outcome.h"

namespace keju {
namespace {

// Everything that the model answered, to the bit.
std::string bits(const Response& response) {
  Packer out;
  pack(out, response);
  return out.bytes();
}

std::string bits(const Outcome& outcome) {
  Packer out;
  pack(out, outcome);
  return out.bytes();
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
  std::string run, data;
  int64_t sample = 20;
  uint64_t seed = 1;
  bool json = false;
};

// The run's papers rendered again here, by exam key; without those that cannot be had where no
// --data was given, which is said.
std::map<std::string, std::unique_ptr<Exam>> open_papers(
    const std::map<std::string, ExamManifest>& manifests, const std::string& data) {
  std::map<std::string, std::unique_ptr<Exam>> papers;
  for (const auto& [key, manifest] : manifests) {
    ExamOptions options;
    options.suite = manifest.suite;
    if (!data.empty()) options.data = data;
    options.protocol = manifest.protocol.id;
    options.split = manifest.split;
    options.shots = manifest.shots;
    options.limit = manifest.limit;
    if (manifest.protocol.task == Task::kGenerate) {
      options.samples = manifest.protocol.generate.samples;
      options.temperature = manifest.protocol.generate.temperature;
      options.chat = manifest.protocol.generate.chat;
    }
    for (const SubjectInfo& subject : manifest.subjects) options.subjects.push_back(subject.id);
    try {
      papers.emplace(key, Exam::open(options));
    } catch (const Error& error) {
      if (!data.empty()) throw;
      talk(fmt::format(
          "{}: the paper is taken from the run, not rendered here too: {}", key, error.what()));
    }
  }
  return papers;
}

// Why a stored item is not what this machine finds; "" if it is, to the bit.
std::string difference(const StoredItem& stored,
                       const ExamManifest& manifest,
                       const Exam* paper,
                       const Response& response) {
  if (!response.error.empty()) return "failed here: " + response.error;
  if (paper != nullptr) {
    if (stored.position >= paper->size()) return "the paper has no such item";
    const ExamItem item = paper->item(stored.position);
    if (item.id != stored.record.item || item.prompt != stored.prompt ||
        item.continuations != stored.continuations)
      return "the paper asks something else";
    if (item.gold != stored.record.gold || item.answer != stored.record.answer)
      return "the paper has another answer";
  }
  if (bits(stored.record.response) != bits(response)) return "other log-probs or text";
  const ExamItem item = exam_item(stored);
  if (bits(stored.record.outcome) != bits(score_item(item, manifest.protocol, response)))
    return "scored otherwise";
  return "";
}

// {id, why} of the sampled items that differ.
std::vector<std::pair<std::string, std::string>> compute_again(
    const std::vector<StoredItem>& items,
    const std::map<std::string, ExamManifest>& exams,
    const std::map<std::string, std::unique_ptr<Exam>>& papers,
    LanguageModel& model) {
  std::vector<Request> requests;
  std::vector<size_t> owners;  // by request id: the item's place
  for (const StoredItem& stored : items) {
    const ExamManifest& exam = exams.at(stored.record.exam);
    for (Request& request : make_requests(exam.suite, exam.protocol, exam_item(stored))) {
      request.id = requests.size();
      requests.push_back(std::move(request));
      owners.push_back(static_cast<size_t>(&stored - items.data()));
    }
  }
  VectorSource source(std::move(requests));
  const auto session = model.start(source);
  std::vector<std::pair<std::string, std::string>> differing;
  std::map<size_t, std::map<uint64_t, Response>> waiting;
  while (auto part = session->next()) {
    const size_t owner = owners.at(part->id);
    const StoredItem& stored = items[owner];
    waiting[owner][part->id] = std::move(*part);
    const int parts = requests_per_item(exams.at(stored.record.exam).protocol);
    if (waiting[owner].size() < static_cast<size_t>(parts)) continue;
    std::vector<Response> in_order;
    for (auto& [id, one] : waiting[owner]) in_order.push_back(std::move(one));
    const Response response = merged(std::move(in_order));
    const auto paper = papers.find(stored.record.exam);
    const std::string why = difference(stored,
                                       exams.at(stored.record.exam),
                                       paper == papers.end() ? nullptr : paper->second.get(),
                                       response);
    if (!why.empty()) differing.emplace_back(stored.record.item, why);
  }
  std::sort(differing.begin(), differing.end());
  return differing;
}

int verify(const VerifyCommand& command) {
  const std::filesystem::path run(command.run);
  const Json manifest = read_manifest(run);
  std::map<std::string, ExamManifest> exams;
  for (ExamManifest& exam : manifest_exams(manifest, command.run))
    exams.emplace(exam.key, std::move(exam));
  const std::vector<StoredItem> items = sample_items(run, command.sample, command.seed);
  if (items.empty())
    throw fail(Code::kInput, "{}: items: found none that finished, need at least one", command.run);
  for (const StoredItem& item : items) {
    if (exams.count(item.record.exam) == 0)
      throw fail(Code::kInput,
                 "{}: {}: found items of it, but run.json has no such exam",
                 command.run,
                 item.record.exam);
  }
  const auto papers = open_papers(exams, command.data);
  OpenedModel opened = open_model(command.model);
  check_same_model(manifest, opened.model->facts(), command.run);
  const auto differing = compute_again(items, exams, papers, *opened.model);
  if (command.json) {
    Json list = Json::array();
    for (const auto& [id, why] : differing) list.push_back({{"item", id}, {"why", why}});
    write_json_line({{"items", items.size()},
                     {"equal", items.size() - differing.size()},
                     {"papers_compared", papers.size()},
                     {"papers", exams.size()},
                     {"differing", list}});
  } else {
    fmt::print("verified {} items of {}: {} equal to the bit, {} different\n",
               items.size(),
               command.run,
               items.size() - differing.size(),
               differing.size());
    for (const auto& [id, why] : differing) fmt::print("  different: {}: {}\n", id, why);
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
  command->add_option(
      "--data", options->data, "Folder of the data sets: the papers are rendered and compared too");
  command->add_option("--sample", options->sample, "How many items")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Which items")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] { action = [=] { return verify(*options); }; });
}

}  // namespace keju
