// SPDX-License-Identifier: MIT
#include "suite/rules.h"

#include <algorithm>
#include <map>

namespace keju {

const std::vector<std::string>& extract_rules() {
  static const std::vector<std::string> rules = {
      "agieval_cloze",
      "answer_letter_colon",
      "boxed",
      "capital_letters",
      "choice_letter",
      "cmath",
      "final_answer",
      "first_capital",
      "first_line",
      "gaokao_five",
      "gaokao_multi",
      "gaokao_questions",
      "gaokao_single",
      "gsm8k_cot_strict",
      "gsm8k_flexible",
      "gsm8k_strict",
      "hash_number",
      "last_number",
      "number_after_answer",
      "opencompass_last_number",
      "opencompass_option",
      "raw_text",
      "refusal",
      "whole_text",
  };
  return rules;
}

const std::vector<std::string>& compare_rules() {
  static const std::vector<std::string> rules = {
      "answer_equal",
      "bleu_char",
      "cjrc_f1",
      "cjrc_spans_f1",
      "cmath",
      "cmrc_exact",
      "cmrc_f1",
      "drop_exact",
      "drop_f1",
      "gaokao_each",
      "gaokao_multi",
      "gaokao_questions",
      "holds_gold",
      "ifeval_instruction_loose",
      "ifeval_instruction_strict",
      "ifeval_prompt_loose",
      "ifeval_prompt_strict",
      "law_articles_f1",
      "letter_equal",
      "letters_equal",
      "lm_eval_exact",
      "lm_eval_plain",
      "math_equal",
      "number_equal",
      "opencompass_number",
      "prison_term",
      "python_tests",
      "rouge_1_char",
      "rouge_2_char",
      "rouge_l_char",
      "squad_exact",
      "squad_f1",
      "text_equal",
  };
  return rules;
}

std::vector<PatternStep> pattern_steps(std::string_view rule) {
  static const std::map<std::string_view, PatternStep> kinds = {
      {"first", {"", false, false}},
      {"last", {"", true, false}},
      {"first_stripped", {"", false, true}},
      {"last_stripped", {"", true, true}}};
  std::vector<PatternStep> steps;
  while (!rule.empty()) {
    const size_t end = std::min(rule.find('\n'), rule.size());
    const std::string_view line = rule.substr(0, end);
    rule.remove_prefix(std::min(end + 1, rule.size()));
    if (line.empty()) continue;
    const size_t colon = line.find(':');
    const auto kind = kinds.find(line.substr(0, colon));
    if (colon == std::string_view::npos || kind == kinds.end()) return {};
    steps.push_back(kind->second);
    steps.back().pattern = line.substr(colon + 1);
  }
  return steps;
}

std::optional<ExactMatch> exact_match_rule(std::string_view rule) {
  constexpr std::string_view kName = "exact_match", kIgnore = "ignore:";
  if (!rule.starts_with(kName)) return std::nullopt;
  rule.remove_prefix(kName.size());
  ExactMatch match;
  while (!rule.empty()) {
    if (rule.front() != '\n') return std::nullopt;
    rule.remove_prefix(1);
    const size_t end = std::min(rule.find('\n'), rule.size());
    const std::string_view line = rule.substr(0, end);
    rule.remove_prefix(end);
    if (line == "ignore_case") {
      match.ignore_case = true;
    } else if (line == "ignore_punctuation") {
      match.ignore_punctuation = true;
    } else if (line == "ignore_numbers") {
      match.ignore_numbers = true;
    } else if (line.starts_with(kIgnore)) {
      match.ignore.emplace_back(line.substr(kIgnore.size()));
    } else {
      return std::nullopt;
    }
  }
  return match;
}

std::optional<LabelSet> label_rule(std::string_view rule) {
  const size_t first = rule.find('\n');
  const std::string_view name = rule.substr(0, std::min(first, rule.size()));
  static const std::map<std::string_view, LabelSet::Kind> kinds = {
      {"labels_f1", LabelSet::Kind::kF1},
      {"labels_alone", LabelSet::Kind::kAlone},
      {"entities_f1", LabelSet::Kind::kEntities}};
  const auto kind = kinds.find(name);
  if (first == std::string_view::npos || kind == kinds.end()) return std::nullopt;
  LabelSet set;
  set.kind = kind->second;
  rule.remove_prefix(first);
  while (!rule.empty()) {
    rule.remove_prefix(1);  // the line break
    const size_t end = std::min(rule.find('\n'), rule.size());
    if (end > 0) set.labels.emplace_back(rule.substr(0, end));
    rule.remove_prefix(end);
  }
  if (set.labels.empty()) return std::nullopt;
  return set;
}

AlsoRule also_rule(const std::string& entry) {
  constexpr std::string_view kBy = " by ";
  const size_t at = entry.rfind(kBy);
  if (at == std::string::npos) return {entry, ""};
  const std::string compare = entry.substr(at + kBy.size());
  const std::vector<std::string>& known = compare_rules();
  if (std::find(known.begin(), known.end(), compare) == known.end()) return {entry, ""};
  return {entry.substr(0, at), compare};
}

}  // namespace keju
