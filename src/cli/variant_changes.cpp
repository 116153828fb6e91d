// SPDX-License-Identifier: MIT
#include "cli/variant_changes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/json.h"
#include "run/manifest.h"

namespace keju {
namespace {

using Rules = std::vector<std::pair<std::string, std::string>>;

std::string option_token_name(OptionToken token) {
  switch (token) {
    case OptionToken::kRetokenize:
      return "retokenize";
    case OptionToken::kSeparate:
      return "separate";
    case OptionToken::kSeparateLast:
      return "separate_last";
    case OptionToken::kVocabularyEntry:
      return "vocabulary_entry";
  }
  return "";
}

std::string shots_of(const ShotRules& shots) {
  if (shots.count == 0) return "0";
  switch (shots.pick) {
    case ShotRules::Pick::kFirst:
      return fmt::format("the first {} of {}", shots.count, shots.split);
    case ShotRules::Pick::kPythonRandom:
      return fmt::format("{} of {}, drawn for each item", shots.count, shots.split);
    case ShotRules::Pick::kFixed:
      return fmt::format("{} fixed", shots.count);
  }
  return "";
}

Rules rules_of(const SuiteVariant& variant) {
  const Protocol& p = variant.protocol;
  const PromptRules& prompt = variant.prompt;
  std::vector<std::string> also = p.also_extract;
  for (const ChoiceScore score : p.also) also.emplace_back(name(score));
  Rules rules = {{"task", std::string(name(p.task))},
                 {"split", variant.split},
                 {"shots", shots_of(prompt.shots)},
                 {"average", p.average == Average::kMacro ? "macro" : "micro"}};
  if (p.task == Task::kChoose) {
    rules.push_back({"score", std::string(name(p.score))});
    rules.push_back({"option token", option_token_name(p.option_token)});
  }
  if (!p.conclude.empty()) {
    rules.push_back({"written first", fmt::format("at most {} tokens", p.generate.max_tokens)});
    rules.push_back({"conclude", Json(p.conclude).dump()});
  }
  if (p.task == Task::kGenerate) {
    rules.push_back({"extract", p.extract});
    rules.push_back({"compare", p.compare});
    rules.push_back({"max tokens", std::to_string(p.generate.max_tokens)});
    rules.push_back({"stops", Json(p.generate.stop).dump()});
    rules.push_back({"chat template", p.generate.chat ? "yes" : "no"});
    rules.push_back({"shots as", p.generate.shots_as_turns ? "turns" : "text"});
  }
  rules.push_back({"also", fmt::format("{}", fmt::join(also, ", "))});
  return rules;
}

}  // namespace

Rules variant_changes(const SuiteVariant& base, const SuiteVariant& variant) {
  const Rules before = rules_of(base);
  Rules changes;
  for (const auto& rule : rules_of(variant)) {
    if (std::find(before.begin(), before.end(), rule) == before.end()) changes.push_back(rule);
  }
  const PromptRules &a = base.prompt, &b = variant.prompt;
  std::vector<std::string> words;
  const auto compare = [&](const char* what, const std::string& x, const std::string& y) {
    if (x != y) words.emplace_back(what);
  };
  compare("header", a.header.text, b.header.text);
  compare("question", a.question.text, b.question.text);
  compare("item", a.item.text, b.item.text);
  compare("answer", a.answer.text, b.answer.text);
  compare("delimiter", a.delimiter.text, b.delimiter.text);
  const GenerateSettings &x = base.protocol.generate, &y = variant.protocol.generate;
  compare("system", x.system, y.system);
  compare("prefill", x.prefill, y.prefill);
  compare("option", a.option_context.text + a.option.text, b.option_context.text + b.option.text);
  compare("join", a.join + a.join_item.value_or(""), b.join + b.join_item.value_or(""));
  if (!words.empty()) changes.push_back({"words of", fmt::format("{}", fmt::join(words, ", "))});
  return changes;
}

}  // namespace keju
