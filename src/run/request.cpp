// SPDX-License-Identifier: MIT
#include "run/request.h"

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

bool needs_whole(const Protocol& protocol) {
  if (protocol.score == ChoiceScore::kWholeMean) return true;
  for (const ChoiceScore score : protocol.also) {
    if (score == ChoiceScore::kWholeMean) return true;
  }
  return false;
}

}  // namespace

Request make_request(const Exam& exam, ExamItem item) {
  return make_request(exam.suite(), exam.protocol(), std::move(item));
}

Request make_request(const std::string& suite, const Protocol& protocol, ExamItem item) {
  Request request;
  request.group = suite + "/" + item.subject;
  request.key = item.id;
  if (protocol.task == Task::kPerplexity) {
    request.what = RollingRequest{std::move(item.prompt)};
    return request;
  }
  Prompt prompt;
  if (!item.turns.empty()) {
    KEJU_CHECK(item.answers.size() + 1 == item.turns.size(), "a turn without the answers before");
    for (size_t i = 0; i < item.turns.size(); ++i) {
      if (i > 0) prompt.chat.push_back({"assistant", std::move(item.answers[i - 1])});
      prompt.chat.push_back({"user", std::move(item.turns[i])});
    }
  } else if (protocol.chat) {
    prompt.chat.push_back({"user", std::move(item.prompt)});
  } else {
    prompt.pieces.push_back({std::move(item.prompt), ParseSpecial::kNo, {}});
  }
  if (protocol.task == Task::kChoose) {
    request.what = ScoreRequest{std::move(prompt),
                                std::move(item.continuations),
                                boundary_of(protocol.option_token),
                                needs_whole(protocol)};
    return request;
  }
  GenerateRequest generate;
  generate.prompt = std::move(prompt);
  generate.max_tokens = protocol.generate.max_tokens;
  generate.stop = protocol.generate.stop;
  generate.temperature = item.temperature.value_or(protocol.generate.temperature);
  generate.top_p = protocol.generate.top_p;
  request.what = std::move(generate);
  return request;
}

}  // namespace keju
