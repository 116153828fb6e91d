// SPDX-License-Identifier: MIT
#include "run/lm_eval_sample.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/utf8.h"

namespace keju {
namespace {

// What the harness keeps for an answer that its regular expression does not find.
constexpr const char* kInvalid = "[invalid]";

// The first largest value, as numpy's argmax.
int argmax(const std::vector<double>& values) {
  size_t best = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] > values[best]) best = i;
  }
  return static_cast<int>(best);
}

struct Parts {
  std::string target;
  Json arguments = Json::object();
  Json resps = Json::array();
  Json filtered = Json::array();
  std::vector<std::pair<std::string, double>> metrics;
};

void add_argument(Parts& parts, Json first, Json second) {
  Json argument = Json::object();
  argument["arg_0"] = std::move(first);
  if (!second.is_null()) argument["arg_1"] = std::move(second);
  parts.arguments[fmt::format("gen_args_{}", parts.arguments.size())] = std::move(argument);
}

Parts choose_parts(const StoredItem& stored, const ScoreResult& result) {
  Parts parts;
  std::vector<double> sums, per_char;
  for (size_t i = 0; i < result.continuations.size(); ++i) {
    const ContinuationScore& one = result.continuations[i];
    const std::string& option = stored.options.at(i);
    const Json pair = Json::array({python_float(one.logprob), one.greedy ? "True" : "False"});
    add_argument(parts, stored.prompt, stored.continuations.at(i));
    parts.resps.push_back(Json::array({pair}));
    parts.filtered.push_back(pair);
    sums.push_back(one.logprob);
    per_char.push_back(one.logprob / static_cast<double>(count_code_points(option)));
  }
  if (stored.record.gold < 0) return parts;
  parts.target = std::to_string(stored.record.gold);
  parts.metrics = {{"acc", argmax(sums) == stored.record.gold ? 1.0 : 0.0},
                   {"acc_norm", argmax(per_char) == stored.record.gold ? 1.0 : 0.0}};
  return parts;
}

Parts generate_parts(const ExamManifest& exam,
                     const StoredItem& stored,
                     const GenerateResult& result) {
  Parts parts;
  const GenerateSettings& settings = exam.protocol.generate;
  add_argument(parts,
               stored.prompt,
               Json{{"until", settings.stop},
                    {"do_sample", settings.temperature > 0},
                    {"temperature", settings.temperature},
                    {"max_gen_toks", settings.max_tokens}});
  parts.resps.push_back(Json::array({result.text}));
  const auto* scored = std::get_if<Scored>(&stored.record.outcome);
  parts.filtered.push_back(scored == nullptr ? kInvalid : scored->extracted);
  parts.target = stored.record.answer;
  const auto* unscored = std::get_if<Unscored>(&stored.record.outcome);
  if (scored != nullptr) parts.metrics = {{"exact_match", scored->value}};
  if (unscored != nullptr && unscored->counts_as_wrong) parts.metrics = {{"exact_match", 0.0}};
  return parts;
}

Parts rolling_parts(const StoredItem& stored, const RollingResult& result) {
  Parts parts;
  add_argument(parts, stored.prompt, Json());
  parts.resps.push_back(Json::array({python_float(result.logprob)}));
  parts.filtered.push_back(python_float(result.logprob));
  parts.target = stored.prompt;
  if (const auto* scored = std::get_if<Scored>(&stored.record.outcome)) {
    parts.metrics = {{"bits_per_byte", scored->value}};
  }
  return parts;
}

Parts parts_of(const ExamManifest& exam, const StoredItem& stored) {
  const Response& response = stored.record.response;
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    if (score->continuations.size() > stored.options.size() ||
        score->continuations.size() > stored.continuations.size()) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": found {} scores, need one for each of {} options",
                 exam.key,
                 stored.record.item,
                 score->continuations.size(),
                 stored.options.size());
    }
    return choose_parts(stored, *score);
  }
  if (const auto* rolling = std::get_if<RollingResult>(&response.what)) {
    return rolling_parts(stored, *rolling);
  }
  return generate_parts(exam, stored, std::get<GenerateResult>(response.what));
}

}  // namespace

std::vector<std::string> lm_eval_metrics(const ExamManifest& exam) {
  if (exam.protocol.task == Task::kChoose) return {"acc", "acc_norm"};
  if (exam.protocol.task == Task::kGenerate) return {"exact_match"};
  return {"bits_per_byte"};
}

std::string lm_eval_filter(const ExamManifest& exam) {
  return exam.protocol.extract.empty() ? "none" : exam.protocol.extract;
}

LmEvalSample lm_eval_sample(const ExamManifest& exam, const StoredItem& stored) {
  Parts parts = parts_of(exam, stored);
  LmEvalSample sample;
  sample.metrics = std::move(parts.metrics);
  const std::string doc_hash = sha256_hex(python_dumps(stored.doc, 2));
  const std::string prompt_hash = sha256_hex(stored.prompt);
  const std::string target_hash = sha256_hex(parts.target);
  sample.hashes = doc_hash + prompt_hash + target_hash;
  Json& line = sample.line;
  line["doc_id"] = stored.record.row;
  line["doc"] = stored.doc;
  line["target"] = std::move(parts.target);
  line["arguments"] = std::move(parts.arguments);
  line["resps"] = std::move(parts.resps);
  line["filtered_resps"] = std::move(parts.filtered);
  line["filter"] = lm_eval_filter(exam);
  line["metrics"] = lm_eval_metrics(exam);
  line["doc_hash"] = doc_hash;
  line["prompt_hash"] = prompt_hash;
  line["target_hash"] = target_hash;
  for (const std::string& metric : lm_eval_metrics(exam)) line[metric] = nullptr;
  for (const auto& [metric, value] : sample.metrics) line[metric] = value;
  return sample;
}

}  // namespace keju
