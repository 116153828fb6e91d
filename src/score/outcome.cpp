// SPDX-License-Identifier: MIT
#include "score/outcome.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/utf8.h"
#include "score/choice.h"
#include "score/code_tests.h"
#include "score/compare.h"
#include "score/extract.h"
#include "score/ifeval.h"
#include "suite/rules.h"

namespace keju {
namespace {

// What the log-likelihood of option `i` is divided by.
double divisor(const ExamItem& item, const ContinuationScore& score, size_t i, ChoiceScore rule) {
  switch (rule) {
    case ChoiceScore::kSum:
    case ChoiceScore::kPmi:
    case ChoiceScore::kMass:
      return 1;
    case ChoiceScore::kPerChar:
      return static_cast<double>(count_code_points(item.options[i]));
    case ChoiceScore::kPerByte:
      return static_cast<double>(item.options[i].size());
    case ChoiceScore::kPerToken:
      return static_cast<double>(score.ids.size());
    case ChoiceScore::kWholeMean:
      return static_cast<double>(score.whole_tokens);
  }
  return 1;
}

bool is_right(const ExamItem& item, int index) {
  return index == item.gold ||
         std::find(item.golds.begin(), item.golds.end(), index) != item.golds.end();
}

// The right options' share of the probability of all. The largest is taken out first: whole
// sentences have probabilities that a double cannot hold.
double mass_of(const ExamItem& item, const std::vector<double>& logprobs) {
  const double top = *std::max_element(logprobs.begin(), logprobs.end());
  double right = 0, all = 0;
  for (size_t i = 0; i < logprobs.size(); ++i) {
    const double part = std::exp(logprobs[i] - top);
    all += part;
    if (is_right(item, static_cast<int>(i))) right += part;
  }
  return right / all;
}

// The log-likelihood of what follows a context of `tokens` tokens.
double behind(const ContinuationScore& whole, size_t tokens) {
  double sum = 0;
  for (size_t i = tokens; i < whole.token_logprobs.size(); ++i) {
    sum += static_cast<double>(whole.token_logprobs[i]);
  }
  return sum;
}

double value_of(const ExamItem& item, ChoiceScore rule, const Choice& choice) {
  if (rule == ChoiceScore::kMass) return mass_of(item, choice.scores);
  return is_right(item, choice.index) ? 1 : 0;
}

Outcome score_choice(const ExamItem& item, const Protocol& protocol, const ScoreResult& result) {
  std::string why;
  const std::optional<Choice> choice = choose(item, result, protocol.score, why);
  if (!choice.has_value()) return Failed{why};
  if (item.gold < 0) return Unscored{"no label", false, item.weight};
  Scored scored;
  scored.choice = choice->index;
  scored.tie = choice->tie;
  scored.option_scores = choice->scores;
  scored.value = value_of(item, protocol.score, *choice);
  scored.weight = item.weight;
  for (const ChoiceScore rule : protocol.also) {
    const std::optional<Choice> other = choose(item, result, rule, why);
    if (!other.has_value()) return Failed{why};
    scored.also.push_back(value_of(item, rule, *other));
  }
  return scored;
}

Outcome score_rolling(const ExamItem& item, const RollingResult& result) {
  const double bytes = static_cast<double>(item.prompt.size());
  if (bytes == 0) return Unscored{"empty text", false, 1};
  if (!std::isfinite(result.logprob)) return Failed{"the text's log-likelihood is not finite"};
  Scored scored;
  scored.value = -result.logprob / (bytes * std::numbers::ln2);
  scored.weight = bytes;
  return scored;
}

double graded(const std::string& compare, const std::string& answer, const ExamItem& item) {
  if (is_instruction_rule(compare)) return instruction_value(compare, answer, item.answer);
  return grade(compare, answer, item.answer, item.aliases);
}

// Runs a program on its tests. What became of it stands as `extracted`.
Outcome score_program(const ExamItem& item, const std::string& program) {
  const CodeVerdict verdict = shared_sandbox().run(code_task(item.answer, program, item.id));
  if (verdict.kind == CodeVerdict::Kind::kUnusable) return Failed{verdict.detail};
  Scored scored;
  scored.value = verdict.kind == CodeVerdict::Kind::kPassed ? 1 : 0;
  scored.extracted = code_outcome(verdict);
  scored.weight = item.weight;
  return scored;
}

Outcome score_generation(const ExamItem& item,
                         const Protocol& protocol,
                         const GenerateResult& result) {
  if (protocol.judge.has_value()) return Unscored{"not judged", false, item.weight};
  if (item.answer.empty()) return Unscored{"no label", false, item.weight};
  const std::string& by = item.extract.empty() ? protocol.extract : item.extract;
  const std::string& compare = item.compare.empty() ? protocol.compare : item.compare;
  const Extraction read = extract(by, result.text, item.options);
  if (read.status != Extraction::Status::kExtracted) {
    const bool none = read.status == Extraction::Status::kNone;
    return Unscored{none ? "no answer extracted" : "ambiguous answer", true, item.weight};
  }
  if (compare == kPythonTests) return score_program(item, *read.answer);
  if (is_instruction_rule(compare)) {
    const std::string why = undecided(item.answer);
    if (!why.empty()) return Unscored{why, false, item.weight};
  }
  Scored scored;
  scored.extracted = *read.answer;
  scored.value = graded(compare, *read.answer, item);
  scored.weight = item.weight;
  for (const std::string& entry : protocol.also_extract) {
    const AlsoRule rule = also_rule(entry);
    const Extraction other = extract(rule.extract, result.text, item.options);
    const std::string& own = rule.compare.empty() ? compare : rule.compare;
    scored.also.push_back(other.answer.has_value() ? graded(own, *other.answer, item) : 0);
  }
  for (size_t i = 0; i < item.options.size(); ++i) {
    if (item.options[i] == *read.answer) scored.choice = static_cast<int>(i);
  }
  return scored;
}

template <typename Result>
const Result& result_of(const Response& response) {
  const Result* result = std::get_if<Result>(&response.what);
  KEJU_CHECK(result != nullptr, "a response of another kind than the protocol's task");
  return *result;
}

}  // namespace

std::optional<Choice> choose(const ExamItem& item,
                             const ScoreResult& result,
                             ChoiceScore rule,
                             std::string& why) {
  const size_t options = item.options.size(), scored = result.continuations.size();
  const bool pmi = rule == ChoiceScore::kPmi;
  KEJU_CHECK(options > 0 && (scored == options || scored == 2 * options) &&
                 (!pmi || scored == 2 * options),
             "a response with another number of options than the item");
  const bool contexts = item.continuations.size() == 2 * options;
  Choice choice;
  for (size_t i = 0; i < item.options.size(); ++i) {
    const ContinuationScore& score = result.continuations[contexts ? options + i : i];
    double logprob = rule == ChoiceScore::kWholeMean ? score.whole_logprob : score.logprob;
    if (contexts) logprob = behind(score, result.continuations[i].ids.size());
    if (pmi) logprob -= result.continuations[options + i].logprob;
    const double by = divisor(item, score, i, rule);
    if (!std::isfinite(logprob)) {
      why = fmt::format("option {}: the log-likelihood is not finite", i);
      return std::nullopt;
    }
    if (!(by > 0)) {
      why = fmt::format("option {}: nothing to divide the log-likelihood by", i);
      return std::nullopt;
    }
    choice.scores.push_back(logprob / by);
    const double best = choice.index < 0 ? 0 : choice.scores[static_cast<size_t>(choice.index)];
    if (choice.index < 0 || choice.scores.back() > best) {
      choice.index = static_cast<int>(i);
      choice.tie = false;
    } else if (choice.scores.back() == best) {
      choice.tie = true;
    }
  }
  return choice;
}

Outcome score_item(const ExamItem& item, const Protocol& protocol, const Response& response) {
  if (!response.error.empty()) return Failed{response.error};
  switch (protocol.task) {
    case Task::kChoose:
      return score_choice(item, protocol, result_of<ScoreResult>(response));
    case Task::kGenerate:
      try {
        return score_generation(item, protocol, result_of<GenerateResult>(response));
      } catch (const Error& error) {
        // Instructions or tests of the data set that make no sense: this item's fault alone.
        if (error.code() != Code::kInput) throw;
        return Failed{error.what()};
      }
    case Task::kPerplexity:
      return score_rolling(item, result_of<RollingResult>(response));
  }
  KEJU_CHECK(false, "a task that nobody knows");
  return Failed{""};
}

}  // namespace keju
