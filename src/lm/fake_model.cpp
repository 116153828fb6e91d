// SPDX-License-Identifier: MIT
#include "lm/fake_model.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/sha256.h"
#include "base/utf8.h"

namespace keju {
namespace {

// The fake reads this many requests ahead and answers them backwards, so that nobody above the
// seam may rely on responses coming in the order of their requests.
constexpr size_t kWindow = 8;

// A clock that depends on nothing but the work done: reports over fake runs are reproducible.
constexpr double kPrefillSecondsPerToken = 1e-5;
constexpr double kDecodeSecondsPerToken = 1e-4;

// Uniform in [0, 1), by the first 52 bits of a hash.
double hash_fraction(const std::string& text) {
  const std::string hex = sha256_hex(text).substr(0, 13);
  return static_cast<double>(std::stoull(hex, nullptr, 16)) / 4503599627370496.0;
}

std::string plain_text(const Prompt& prompt) {
  std::string text;
  if (!prompt.chat.empty()) {
    for (const ChatTurn& turn : prompt.chat) text += turn.role + ": " + turn.content + "\n";
    return text + prompt.prefill;
  }
  for (const PromptPiece& piece : prompt.pieces) {
    if (piece.ids.empty()) {
      text += piece.text;
    } else {
      for (const TokenId id : piece.ids) append_utf8(text, static_cast<char32_t>(id));
    }
  }
  return text;
}

// One token per code point.
std::vector<TokenId> code_points(std::string_view text) {
  std::vector<TokenId> ids;
  for (size_t at = 0; at < text.size();)
    ids.push_back(static_cast<TokenId>(next_code_point(text, at)));
  return ids;
}

int64_t length(std::string_view text) { return static_cast<int64_t>(count_code_points(text)); }

class FakeSession : public Session {
 public:
  FakeSession(const FakeScript& script, RequestSource& source) : script_(script), source_(source) {}

  std::optional<Response> next() override {
    if (window_.empty()) fill();
    if (window_.empty()) return std::nullopt;
    const Request request = std::move(window_.back());
    window_.pop_back();
    if (script_.before_response) script_.before_response(responses_);
    ++responses_;
    Response response;
    response.id = request.id;
    response.timing.begin_s = now();
    try {
      std::visit([&](const auto& what) { answer(what, response); }, request.what);
    } catch (const std::exception& error) {
      response.what = ScoreResult{};
      response.error = error.what();
    }
    stats_.tokens_done = stats_.tokens_computed;
    return response;
  }

  SessionStats stats() const override { return stats_; }

 private:
  void fill() {
    while (window_.size() < kWindow) {
      std::optional<Request> request = source_.next();
      if (!request) break;
      window_.push_back(std::move(*request));
    }
  }

  double now() const { return stats_.prefill_s + stats_.decode_s; }

  double score(const std::string& prompt, const std::string& continuation) const {
    if (script_.score) return script_.score(prompt, continuation);
    return -8 * (1 - hash_fraction(prompt + '\0' + continuation));
  }

  void count_prefill(int64_t tokens, Response& response) {
    stats_.tokens_naive += tokens;
    stats_.tokens_computed += tokens;
    stats_.prefill_tokens += tokens;
    stats_.prefill_s = kPrefillSecondsPerToken * static_cast<double>(stats_.prefill_tokens);
    response.timing.first_token_s = response.timing.end_s = now();
  }

  void answer(const ScoreRequest& request, Response& response) {
    const std::string prompt = plain_text(request.prompt);
    ScoreResult result;
    result.prompt_tokens = length(prompt);
    int64_t tokens = result.prompt_tokens;
    for (const std::string& continuation : request.continuations) {
      ContinuationScore one;
      one.logprob = score(prompt, continuation);
      one.ids = code_points(continuation);
      const double share = one.logprob / static_cast<double>(std::max<size_t>(1, one.ids.size()));
      one.token_logprobs.assign(one.ids.size(), static_cast<float>(share));
      if (request.whole) {
        one.whole_logprob = one.logprob + score("", prompt);
        one.whole_tokens = result.prompt_tokens + static_cast<int64_t>(one.ids.size());
      }
      tokens += static_cast<int64_t>(one.ids.size());
      result.continuations.push_back(std::move(one));
    }
    const auto best = std::max_element(result.continuations.begin(),
                                       result.continuations.end(),
                                       [](const ContinuationScore& a, const ContinuationScore& b) {
                                         return a.logprob < b.logprob;
                                       });
    if (best != result.continuations.end()) best->greedy = true;
    response.what = std::move(result);
    count_prefill(tokens, response);
  }

  void answer(const RollingRequest& request, Response& response) {
    RollingResult result;
    result.tokens = length(request.text);
    result.logprob = script_.score ? script_.score("", request.text)
                                   : score("", request.text) * static_cast<double>(result.tokens);
    response.what = result;
    count_prefill(result.tokens, response);
  }

  void answer(const GenerateRequest& request, Response& response) {
    const std::string prompt = plain_text(request.prompt);
    GenerateResult result;
    result.prompt_tokens = length(prompt);
    result.text = generated(request, prompt);
    result.finish = FinishReason::kEos;
    size_t stop_at = std::string::npos;
    for (const std::string& stop : request.stop) {
      if (!stop.empty()) stop_at = std::min(stop_at, result.text.find(stop));
    }
    if (stop_at != std::string::npos) {
      result.text.resize(stop_at);
      result.finish = FinishReason::kStop;
    }
    result.ids = code_points(result.text);
    if (static_cast<int64_t>(result.ids.size()) > request.max_tokens) {
      result.ids.resize(static_cast<size_t>(std::max<int64_t>(0, request.max_tokens)));
      result.text.clear();
      for (const TokenId id : result.ids) append_utf8(result.text, static_cast<char32_t>(id));
      result.finish = FinishReason::kLength;
    }
    const int64_t output = static_cast<int64_t>(result.ids.size());
    const int64_t prompt_tokens = result.prompt_tokens;
    response.what = std::move(result);
    count_prefill(prompt_tokens, response);
    stats_.tokens_naive += output;
    stats_.tokens_computed += output;
    stats_.decode_tokens += output;
    stats_.decode_s = kDecodeSecondsPerToken * static_cast<double>(stats_.decode_tokens);
    response.timing.end_s = now();
    response.timing.output_tokens = output;
  }

  std::string generated(const GenerateRequest& request, const std::string& prompt) const {
    if (script_.generate) return script_.generate(prompt);
    std::string seed = prompt;
    if (request.temperature > 0) {
      seed += '\0' + std::to_string(request.seed) + ':' + std::to_string(request.sample);
    }
    return "#### " + std::to_string(static_cast<int>(1000 * hash_fraction(seed)));
  }

  const FakeScript& script_;
  RequestSource& source_;
  std::vector<Request> window_;
  SessionStats stats_;
  int64_t responses_ = 0;
};

class FakeModel : public LanguageModel {
 public:
  explicit FakeModel(FakeScript script) : script_(std::move(script)) {}

  ModelFacts facts() const override {
    ModelFacts facts;
    facts.name = script_.name;
    facts.family = "fake";
    facts.weights_digest = script_.weights_digest;
    facts.tokenizer_digest = "code points";
    facts.numeric_mode = "fake";
    facts.context_length = int64_t{1} << 20;
    facts.details = Json::object();
    return facts;
  }

  std::unique_ptr<Session> start(RequestSource& source) override {
    return std::make_unique<FakeSession>(script_, source);
  }

  std::vector<TokenId> encode(const Prompt& prompt) const override {
    return code_points(plain_text(prompt));
  }

 private:
  FakeScript script_;
};

}  // namespace

std::unique_ptr<LanguageModel> make_fake_model(FakeScript script) {
  return std::make_unique<FakeModel>(std::move(script));
}

}  // namespace keju
