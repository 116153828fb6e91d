// SPDX-License-Identifier: MIT
#include "run/manifest.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/error.h"
#include "base/sha256.h"
#include "run/pack.h"
#include "run/record.h"

namespace keju {
namespace {

constexpr std::array<std::string_view, 3> kTasks = {"choose", "generate", "perplexity"};
constexpr std::array<std::string_view, 7> kScores = {
    "sum", "per_char", "per_byte", "per_token", "whole_mean", "pmi", "mass"};
constexpr std::array<std::string_view, 4> kOptionTokens = {
    "retokenize", "separate", "separate_last", "vocabulary_entry"};
constexpr std::array<std::string_view, 2> kAverages = {"micro", "macro"};
constexpr std::array<std::string_view, 2> kReads = {"score_map", "rating"};
constexpr std::array<std::string_view, 2> kShares = {"right", "wrong"};

template <typename Enum, size_t N>
Enum parse_name(const std::array<std::string_view, N>& names,
                const Json& object,
                std::string_view key,
                std::string_view where) {
  const std::string text = string_member(object, key, where);
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  throw fail(Code::kInput, "{}: {}: found unknown \"{}\"", where, key, text);
}

Json to_json(const Threshold& threshold) {
  return {{"subject", threshold.subject},
          {"of", kShares[static_cast<size_t>(threshold.of)]},
          {threshold.at_least ? "at_least" : "at_most", threshold.bound},
          {"zh", threshold.name_zh},
          {"en", threshold.name_en}};
}

Threshold threshold_from_json(const Json& json, std::string_view where) {
  Threshold threshold;
  threshold.subject = string_member(json, "subject", where);
  threshold.of = parse_name<Threshold::Of>(kShares, json, "of", where);
  threshold.at_least = json.contains("at_least");
  threshold.bound = number_member(json, threshold.at_least ? "at_least" : "at_most", where);
  threshold.name_zh = string_member(json, "zh", where);
  threshold.name_en = string_member(json, "en", where);
  return threshold;
}

Json to_json(const JudgeRules& judge) {
  return {{"rubric", judge.rubric},
          {"pairwise", judge.pairwise},
          {"read", kReads[static_cast<size_t>(judge.read)]},
          {"total", judge.total},
          {"lowest", judge.lowest},
          {"highest", judge.highest},
          {"max_tokens", judge.max_tokens}};
}

JudgeRules judge_from_json(const Json& json, std::string_view where) {
  JudgeRules judge;
  judge.rubric = string_member(json, "rubric", where);
  judge.pairwise = string_member(json, "pairwise", where);
  judge.read = parse_name<JudgeRules::Read>(kReads, json, "read", where);
  judge.total = string_member(json, "total", where);
  judge.lowest = number_member(json, "lowest", where);
  judge.highest = number_member(json, "highest", where);
  judge.max_tokens = int_member(json, "max_tokens", where);
  return judge;
}

Json to_json(const Protocol& protocol) {
  Json thresholds = Json::array();
  for (const Threshold& threshold : protocol.thresholds) thresholds.push_back(to_json(threshold));
  Json also = Json::array();
  for (const ChoiceScore score : protocol.also) also.push_back(name(score));
  Json out = {{"id", protocol.id},
              {"name", protocol.name},
              {"about", protocol.about},
              {"task", name(protocol.task)},
              {"score", name(protocol.score)},
              {"also", also},
              {"option_token", name(protocol.option_token)},
              {"average", kAverages[static_cast<size_t>(protocol.average)]},
              {"extract", protocol.extract},
              {"also_extract", protocol.also_extract},
              {"compare", protocol.compare},
              {"max_tokens", protocol.generate.max_tokens},
              {"temperature", protocol.generate.temperature},
              {"top_p", protocol.generate.top_p},
              {"stop", protocol.generate.stop},
              {"samples", protocol.generate.samples},
              {"chat", protocol.generate.chat},
              {"system", protocol.generate.system},
              {"prefill", protocol.generate.prefill},
              {"own_contexts", protocol.own_contexts},
              {"unconditional", protocol.unconditional},
              {"thresholds", std::move(thresholds)},
              {"private", protocol.private_items},
              {"cyclic", protocol.cyclic},
              {"shots_as_turns", protocol.generate.shots_as_turns},
              {"judge", protocol.judge ? to_json(*protocol.judge) : Json()}};
  if (!protocol.conclude.empty()) out["conclude"] = protocol.conclude;  // earlier runs go on
  return out;
}

std::vector<std::string> strings(const Json& object, std::string_view key, std::string_view where) {
  std::vector<std::string> out;
  const Json& list = member(object, key, where);
  if (!list.is_array()) throw fail(Code::kInput, "{}: {}: need an array", where, key);
  for (const Json& value : list) {
    if (!value.is_string()) throw fail(Code::kInput, "{}: {}: need strings", where, key);
    out.push_back(value.get<std::string>());
  }
  return out;
}

Protocol protocol_from_json(const Json& json, std::string_view where) {
  Protocol protocol;
  protocol.id = string_member(json, "id", where);
  protocol.name = string_member(json, "name", where);
  protocol.about = string_member(json, "about", where);
  protocol.task = parse_name<Task>(kTasks, json, "task", where);
  protocol.score = parse_name<ChoiceScore>(kScores, json, "score", where);
  for (const std::string& also : strings(json, "also", where)) {
    protocol.also.push_back(parse_name<ChoiceScore>(kScores, {{"also", also}}, "also", where));
  }
  protocol.option_token = parse_name<OptionToken>(kOptionTokens, json, "option_token", where);
  protocol.average = parse_name<Average>(kAverages, json, "average", where);
  protocol.extract = string_member(json, "extract", where);
  protocol.also_extract = strings(json, "also_extract", where);
  protocol.compare = string_member(json, "compare", where);
  protocol.generate.max_tokens = int_member(json, "max_tokens", where);
  protocol.generate.temperature = number_member(json, "temperature", where);
  protocol.generate.top_p = number_member(json, "top_p", where);
  protocol.generate.stop = strings(json, "stop", where);
  if (json.contains("samples")) {  // runs of before these were known lack them
    protocol.generate.samples = int_member(json, "samples", where);
    protocol.generate.chat = member(json, "chat", where).get<bool>();
    protocol.generate.system = string_member(json, "system", where);
    protocol.generate.prefill = string_member(json, "prefill", where);
    protocol.own_contexts = member(json, "own_contexts", where).get<bool>();
    protocol.unconditional = string_member(json, "unconditional", where);
  }
  // Runs of earlier versions have none of these.
  protocol.private_items = json.value("private", false);
  protocol.cyclic = json.value("cyclic", false);
  protocol.conclude = json.value("conclude", "");
  protocol.generate.shots_as_turns = json.value("shots_as_turns", false);
  if (json.contains("judge") && !json["judge"].is_null()) {
    protocol.judge = judge_from_json(json["judge"], where);
  }
  if (json.contains("thresholds")) {
    for (const Json& one : json["thresholds"]) {
      protocol.thresholds.push_back(threshold_from_json(one, where));
    }
  }
  return protocol;
}

struct ItemSet {
  std::string digest;
  std::string first_prompt_sha256;
};

// Ids are held as hashes, eight bytes an item; those behind equal ones are compared themselves.
void check_unique_ids(const Exam& exam, std::vector<uint64_t> hashes) {
  std::sort(hashes.begin(), hashes.end());
  std::unordered_set<uint64_t> twice;
  for (size_t i = 1; i < hashes.size(); ++i) {
    if (hashes[i] == hashes[i - 1]) twice.insert(hashes[i]);
  }
  std::unordered_set<std::string> seen;
  for (int64_t i = 0; !twice.empty() && i < exam.size(); ++i) {
    const std::string id = exam.item_id(i);
    if (twice.count(std::hash<std::string>()(id)) == 0 || seen.insert(id).second) continue;
    throw fail(
        Code::kInput, "{}: item id \"{}\" occurs twice, need unique ids", exam_key(exam), id);
  }
}

ItemSet item_set_of(const Exam& exam) {
  ItemSet set;
  Sha256 hash;
  std::vector<uint64_t> ids;
  ids.reserve(static_cast<size_t>(exam.size()));
  for (int64_t i = 0; i < exam.size(); ++i) {
    const ExamItem item = exam.item(i);
    ids.push_back(std::hash<std::string>()(item.id));
    Packer bytes;
    bytes.text(item.id);
    bytes.text(item.prompt);
    for (const std::string& continuation : item.continuations) bytes.text(continuation);
    hash.update(bytes.bytes());
    if (i == 0) set.first_prompt_sha256 = sha256_hex(item.prompt);
  }
  check_unique_ids(exam, std::move(ids));
  set.digest = hash.finish_hex();
  return set;
}

Json describe(const Exam& exam, const ItemSet& set) {
  Json subjects = Json::array();
  for (const SubjectInfo& subject : exam.subjects()) {
    subjects.push_back({{"id", subject.id},
                        {"zh", subject.name_zh},
                        {"en", subject.name_en},
                        {"categories", subject.categories},
                        {"items", subject.items}});
  }
  Json out = {{"key", exam_key(exam)},
              {"suite", exam.suite()},
              {"title", {{"zh", exam.title(true)}, {"en", exam.title(false)}}},
              {"version", exam.suite_version()},
              {"protocol", to_json(exam.protocol())},
              {"split", exam.split()},
              {"shots", exam.shots()},
              {"limit", nullptr},
              {"subjects", std::move(subjects)},
              {"categories", exam.categories()},
              {"chance", exam.chance()},
              {"suite_hash", exam.suite_hash()},
              {"data_hash", exam.data_hash()},
              {"data_hash_matches_card", exam.data_hash_matches_card()},
              {"items", exam.size()},
              {"items_unlimited", exam.unlimited_size()},
              {"item_set", set.digest},
              {"first_prompt_sha256", set.first_prompt_sha256}};
  if (exam.limit()) out["limit"] = *exam.limit();
  return out;
}

// What must be equal to resume; the fields that people choose stand before the hashes that follow
// from them, so that a message names the choice.
Json fingerprint_of(const ModelFacts& facts, const Json& exams) {
  Json papers = Json::array();
  for (const Json& exam : exams) {
    Json subjects = Json::array();
    for (const Json& subject : exam["subjects"]) subjects.push_back(subject["id"]);
    papers.push_back({{"suite", exam["suite"]},
                      {"protocol", exam["protocol"]["id"]},
                      {"split", exam["split"]},
                      {"shots", exam["shots"]},
                      {"limit", exam["limit"]},
                      {"samples", exam["protocol"]["samples"]},
                      {"temperature", exam["protocol"]["temperature"]},
                      {"chat", exam["protocol"]["chat"]},
                      {"subjects", std::move(subjects)},
                      {"suite_hash", exam["suite_hash"]},
                      {"data_hash", exam["data_hash"]},
                      {"item_set", exam["item_set"]}});
  }
  return {{"weights_digest", facts.weights_digest},
          {"tokenizer_digest", facts.tokenizer_digest},
          {"template_hash", facts.template_hash},
          {"numeric_mode", facts.numeric_mode},
          {"exams", std::move(papers)}};
}

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

void compare(const Json& found,
             const Json& wanted,
             const std::string& field,
             const std::string& where) {
  if (found == wanted) return;
  if (found.is_object() && wanted.is_object()) {
    for (const auto& [key, value] : wanted.items()) {
      const std::string inner = field.empty() ? key : field + "." + key;
      compare(found.contains(key) ? found[key] : Json(), value, inner, where);
    }
  } else if (found.is_array() && wanted.is_array() && found.size() == wanted.size()) {
    for (size_t i = 0; i < wanted.size(); ++i) {
      compare(found[i], wanted[i], fmt::format("{}[{}]", field, i), where);
    }
  }
  // Also reached if only `found` has some key, which names the whole object.
  throw fail(Code::kUsage,
             "{}: {}: found {}, need {}. A run is resumed only as it began; choose another --out "
             "for other settings",
             where,
             field,
             shown(found),
             shown(wanted));
}

ExamManifest exam_from_json(const Json& json, const std::string& where) {
  ExamManifest exam;
  exam.key = string_member(json, "key", where);
  exam.suite = string_member(json, "suite", where);
  exam.title_zh = string_member(member(json, "title", where), "zh", where);
  exam.title_en = string_member(member(json, "title", where), "en", where);
  exam.version = int_member(json, "version", where);
  exam.protocol = protocol_from_json(member(json, "protocol", where), where + ": protocol");
  exam.split = string_member(json, "split", where);
  exam.shots = static_cast<int>(int_member(json, "shots", where));
  if (!member(json, "limit", where).is_null()) exam.limit = int_member(json, "limit", where);
  for (const Json& subject : member(json, "subjects", where)) {
    const std::string place = where + ": subjects";
    exam.subjects.push_back({string_member(subject, "id", place),
                             string_member(subject, "zh", place),
                             string_member(subject, "en", place),
                             strings(subject, "categories", place),
                             int_member(subject, "items", place)});
  }
  exam.categories = strings(json, "categories", where);
  exam.chance = number_member(json, "chance", where);
  exam.suite_hash = string_member(json, "suite_hash", where);
  exam.data_hash = string_member(json, "data_hash", where);
  exam.data_hash_matches_card = member(json, "data_hash_matches_card", where) == Json(true);
  exam.items = int_member(json, "items", where);
  exam.item_set = string_member(json, "item_set", where);
  exam.first_prompt_sha256 = string_member(json, "first_prompt_sha256", where);
  if (json.contains("judged")) exam.judged = json["judged"];
  return exam;
}

}  // namespace

std::string_view name(Task task) { return kTasks[static_cast<size_t>(task)]; }
std::string_view name(ChoiceScore score) { return kScores[static_cast<size_t>(score)]; }
std::optional<ChoiceScore> choice_score(std::string_view name) {
  const auto found = std::find(kScores.begin(), kScores.end(), name);
  if (found == kScores.end()) return std::nullopt;
  return static_cast<ChoiceScore>(found - kScores.begin());
}
std::string_view name(OptionToken token) { return kOptionTokens[static_cast<size_t>(token)]; }

Json make_manifest(const ModelFacts& facts,
                   const std::vector<std::unique_ptr<Exam>>& exams,
                   const std::string& model_name,
                   const Json& environment) {
  Json papers = Json::array();
  for (const std::unique_ptr<Exam>& exam : exams) {
    papers.push_back(describe(*exam, item_set_of(*exam)));
  }
  Json model = {{"name", model_name.empty() ? facts.name : model_name},
                {"file", facts.name},
                {"family", facts.family},
                {"weights_digest", facts.weights_digest},
                {"tokenizer_digest", facts.tokenizer_digest},
                {"template_hash", facts.template_hash},
                {"numeric_mode", facts.numeric_mode},
                {"parameters", facts.parameters},
                {"weight_bytes", facts.weight_bytes},
                {"context_length", facts.context_length},
                {"details", facts.details}};
  return {{"schema", kManifestSchema},
          {"fingerprint", fingerprint_of(facts, papers)},
          {"model", std::move(model)},
          {"exams", std::move(papers)},
          {"environment", environment}};
}

void check_same_run(const Json& found, const Json& wanted, const std::string& where) {
  compare(member(found, "fingerprint", where), wanted["fingerprint"], "", where);
}

Json read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "run.json";
  if (!std::filesystem::exists(path)) {
    throw fail(Code::kIo,
               "{}: found no run.json, need a run folder that `keju run` wrote",
               folder.string());
  }
  Json manifest = read_json(path);
  const std::string schema = string_member(manifest, "schema", path.string());
  if (schema != kManifestSchema) {
    throw fail(Code::kUnsupported,
               "{}: schema: found \"{}\", need \"{}\". It was written by another version of keju",
               path.string(),
               schema,
               kManifestSchema);
  }
  return manifest;
}

std::vector<ExamManifest> manifest_exams(const Json& manifest, const std::string& where) {
  std::vector<ExamManifest> exams;
  const Json& list = member(manifest, "exams", where);
  if (!list.is_array()) throw fail(Code::kInput, "{}: exams: need an array", where);
  for (const Json& exam : list) exams.push_back(exam_from_json(exam, where + ": exams"));
  return exams;
}

}  // namespace keju
