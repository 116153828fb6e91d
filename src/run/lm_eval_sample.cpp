// SPDX-License-Identifier: MIT
#include "run/lm_eval_sample.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "run/request.h"
#include "score/choice.h"

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

// Of what follows its own context: False where the context was all likeliest tokens and the whole
// is not; None where the context was not, since the record says no more.
const char* greedy_behind(const ContinuationScore& context, const ContinuationScore& whole) {
  if (whole.greedy) return "True";
  return context.greedy ? "False" : "None";
}

// As the harness asks a task with one context for each choice (WinoGrande): the target is the text
// that is scored, the same behind every context.
Parts own_context_parts(const StoredItem& stored, const ScoreResult& result) {
  Parts parts;
  const size_t options = stored.options.size();
  std::string why;
  const std::optional<Choice> choice = choose(exam_item(stored), result, ChoiceScore::kSum, why);
  if (!choice.has_value()) {
    throw fail(Code::kInput, "item \"{}\": {}", stored.record.item, why);
  }
  for (size_t i = 0; i < options; ++i) {
    const std::string& context = stored.continuations[i];
    const std::string scored = stored.continuations[options + i].substr(context.size());
    const ContinuationScore& whole = result.continuations[options + i];
    const Json pair = Json::array(
        {python_float(choice->scores[i]), greedy_behind(result.continuations[i], whole)});
    add_argument(parts, stored.prompt + context, scored);
    parts.resps.push_back(Json::array({pair}));
    parts.filtered.push_back(pair);
    if (i == 0) parts.target = std::string(python_strip(scored));
  }
  if (stored.record.gold >= 0) {
    parts.metrics = {{"acc", choice->index == stored.record.gold ? 1.0 : 0.0}};
  }
  return parts;
}

// The prompt of the item's last request.
const std::string& asked(const ExamManifest& exam, const StoredItem& stored) {
  return exam.protocol.conclude.empty() ? stored.prompt : stored.answers.at(0);
}

// With a second round of scores, those of the options without the question, the harness's
// acc_mutual_info follows.
Parts choose_parts(const ExamManifest& exam, const StoredItem& stored, const ScoreResult& result) {
  Parts parts;
  const size_t options = stored.options.size();
  std::vector<double> sums, per_char, information;
  for (size_t i = 0; i < result.continuations.size(); ++i) {
    const ContinuationScore& one = result.continuations[i];
    const Json pair = Json::array({python_float(one.logprob), one.greedy ? "True" : "False"});
    add_argument(parts,
                 i < options ? asked(exam, stored) : exam.protocol.unconditional,
                 stored.continuations.at(i % options));
    parts.resps.push_back(Json::array({pair}));
    parts.filtered.push_back(pair);
    if (i >= options) {
      information.push_back(sums[i - options] - one.logprob);
      continue;
    }
    sums.push_back(one.logprob);
    per_char.push_back(one.logprob / static_cast<double>(count_code_points(stored.options[i])));
  }
  if (stored.record.gold < 0) return parts;
  const auto right = [&](const std::vector<double>& values) {
    return argmax(values) == stored.record.gold ? 1.0 : 0.0;
  };
  parts.target = std::to_string(stored.record.gold);
  parts.metrics = {{"acc", right(sums)}, {"acc_norm", right(per_char)}};
  if (!information.empty()) parts.metrics.emplace_back("acc_mutual_info", right(information));
  return parts;
}

Parts generate_parts(const ExamManifest& exam,
                     const StoredItem& stored,
                     const GenerateResult& result) {
  Parts parts;
  const GenerateSettings& settings = exam.protocol.generate;
  add_argument(parts,
               asked(exam, stored),
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

bool by_information(const Protocol& protocol) { return requests_per_item(protocol) == 2; }

// Texts that an option has: with a context of its own this one and the whole.
size_t own_texts(const Protocol& protocol) { return protocol.own_contexts ? 2 : 1; }

// Scores that an option has.
size_t rounds(const Protocol& protocol) {
  return protocol.own_contexts || by_information(protocol) ? 2 : 1;
}

Parts parts_of(const ExamManifest& exam, const StoredItem& stored) {
  const Response& response = stored.record.response;
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    const size_t options = stored.options.size(), scores = score->continuations.size();
    const size_t need = options * rounds(exam.protocol);
    if (scores != need || stored.continuations.size() != own_texts(exam.protocol) * options) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": found {} scores of {} options, need {}",
                 exam.key,
                 stored.record.item,
                 scores,
                 options,
                 need);
    }
    return exam.protocol.own_contexts ? own_context_parts(stored, *score)
                                      : choose_parts(exam, stored, *score);
  }
  if (const auto* rolling = std::get_if<RollingResult>(&response.what)) {
    return rolling_parts(stored, *rolling);
  }
  return generate_parts(exam, stored, std::get<GenerateResult>(response.what));
}

}  // namespace

std::vector<std::string> lm_eval_metrics(const ExamManifest& exam) {
  if (exam.protocol.task == Task::kChoose) {
    if (exam.protocol.own_contexts) return {"acc"};
    if (by_information(exam.protocol)) return {"acc", "acc_norm", "acc_mutual_info"};
    return {"acc", "acc_norm"};
  }
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
  // Of the first request's context.
  const std::string prompt_hash =
      sha256_hex(parts.arguments["gen_args_0"]["arg_0"].get_ref<const std::string&>());
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
