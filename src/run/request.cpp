// SPDX-License-Identifier: MIT
#include "run/request.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace keju {
namespace {

Boundary boundary_of(OptionToken token) {
  switch (token) {
    case OptionToken::kRetokenize:
      return Boundary::kRetokenize;
    case OptionToken::kSeparate:
      return Boundary::kSeparate;
    case OptionToken::kSeparateLast:
      return Boundary::kSeparateLast;
    case OptionToken::kVocabularyEntry:
      return Boundary::kVocabularyEntry;
  }
  KEJU_CHECK(false, "unknown option token rule");
}

bool scores_by(const Protocol& protocol, ChoiceScore rule) {
  return protocol.score == rule ||
         std::find(protocol.also.begin(), protocol.also.end(), rule) != protocol.also.end();
}

Prompt text_prompt(std::string text) {
  Prompt prompt;
  prompt.pieces.push_back({std::move(text), ParseSpecial::kNo, {}});
  return prompt;
}

GenerateRequest generation(const GenerateSettings& settings, ExamItem item) {
  GenerateRequest generate;
  if (settings.chat) {
    if (item.turns.empty()) item.turns.push_back(std::move(item.prompt));
    KEJU_CHECK(item.answers.size() + 1 == item.turns.size(), "a turn without the answers before");
    if (!item.system.empty()) generate.prompt.chat.push_back({"system", std::move(item.system)});
    for (size_t i = 0; i < item.turns.size(); ++i) {
      if (i > 0) generate.prompt.chat.push_back({"assistant", std::move(item.answers[i - 1])});
      generate.prompt.chat.push_back({"user", std::move(item.turns[i])});
    }
    generate.prompt.prefill = std::move(item.prefill);
  } else {
    generate.prompt = text_prompt(std::move(item.prompt));
  }
  generate.max_tokens = settings.max_tokens;
  generate.stop = settings.stop;
  generate.temperature = item.temperature.value_or(settings.temperature);
  generate.top_p = settings.top_p;
  generate.sample = item.sample;
  return generate;
}

}  // namespace

int requests_per_item(const Protocol& protocol) {
  return protocol.task == Task::kChoose && scores_by(protocol, ChoiceScore::kPmi) ? 2 : 1;
}

std::vector<Request> make_requests(const Exam& exam, ExamItem item) {
  return make_requests(exam.suite(), exam.protocol(), std::move(item));
}

std::vector<Request> make_requests(const std::string& suite,
                                   const Protocol& protocol,
                                   ExamItem item) {
  Request request;
  request.group = suite + "/" + item.subject;
  request.key = item.id;
  if (!protocol.conclude.empty()) {
    if (item.answers.empty()) {
      request.what = generation(protocol.generate, std::move(item));
      return {std::move(request)};
    }
    item.prompt = item.answers.front();
  }
  if (protocol.task == Task::kPerplexity) {
    request.what = RollingRequest{std::move(item.prompt)};
    return {std::move(request)};
  }
  if (protocol.task == Task::kGenerate) {
    request.what = generation(protocol.generate, std::move(item));
    return {std::move(request)};
  }
  ScoreRequest score;
  score.prompt = text_prompt(std::move(item.prompt));
  score.continuations = std::move(item.continuations);
  score.boundary = boundary_of(protocol.option_token);
  score.whole = scores_by(protocol, ChoiceScore::kWholeMean);
  std::vector<Request> requests;
  request.what = score;
  requests.push_back(request);
  if (requests_per_item(protocol) == 2) {
    score.prompt = text_prompt(protocol.unconditional);
    score.whole = false;
    request.what = std::move(score);
    requests.push_back(std::move(request));
  }
  return requests;
}

Response merged(std::vector<Response> parts) {
  Response all = std::move(parts.at(0));
  for (size_t i = 1; i < parts.size(); ++i) {
    Response& part = parts[i];
    if (all.error.empty()) all.error = part.error;
    auto* into = std::get_if<ScoreResult>(&all.what);
    auto* from = std::get_if<ScoreResult>(&part.what);
    KEJU_CHECK(into != nullptr && from != nullptr, "parts of an item that are no scores");
    for (ContinuationScore& one : from->continuations) {
      into->continuations.push_back(std::move(one));
    }
    into->truncated_tokens += from->truncated_tokens;
    all.timing.begin_s = std::min(all.timing.begin_s, part.timing.begin_s);
    all.timing.end_s = std::max(all.timing.end_s, part.timing.end_s);
  }
  return all;
}

}  // namespace keju
