// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

// The upper seam: what an examinee can do. Below it stand the local engine, an API client or a
// scripted fake; above it nobody sees a tensor.
namespace keju {

// A part of a prompt: text, or ids that are taken as they are.
struct PromptPiece {
  std::string text;
  ParseSpecial parse_special = ParseSpecial::kNo;  // may the text spell special tokens?
  std::vector<TokenId> ids;                        // used instead of text when not empty
};

// A chat turn; the model's own template renders turns into pieces.
struct ChatTurn {
  std::string role;
  std::string content;
};

struct Prompt {
  std::vector<PromptPiece> pieces;
  std::vector<ChatTurn> chat;  // used instead of pieces when not empty
  std::string prefill;         // with chat: begins the assistant's turn
  bool add_prefix = true;      // whether the checkpoint's BOS or prefix ids go in front
};

// Where a continuation's tokens begin.
enum class Boundary {
  // Trailing white space of the prompt moves to the continuation, the whole is encoded, and what
  // lies past len(encode(prompt)) is the continuation (lm-evaluation-harness 0.4.13, _encode_pair).
  kRetokenize,
  // The continuation is encoded by itself and appended.
  kSeparate,
  // The same, and only its last id is used (bare option letters after a dummy prefix space).
  kSeparateLast,
  // The continuation is the vocabulary entry of that very spelling.
  kVocabularyEntry,
};

// Log-likelihood of each continuation after one prompt.
struct ScoreRequest {
  Prompt prompt;
  std::vector<std::string> continuations;
  Boundary boundary = Boundary::kRetokenize;
  bool whole = false;  // also report the log-prob of prompt and continuation together
};

// Log-likelihood of a whole text, in windows of the model's context length; the first is
// conditioned on the prefix token, each later one on one token of the text before it.
struct RollingRequest {
  std::string text;
};

struct GenerateRequest {
  Prompt prompt;
  int64_t max_tokens = 256;
  std::vector<std::string> stop;  // the text ends before the first of them
  double temperature = 0;         // 0: greedy, ties to the lower id
  double top_p = 1;
  int64_t top_k = 0;  // 0: all
  double min_p = 0;
  uint64_t seed = 0;
  int64_t sample = 0;  // which of n samples of this prompt: draws depend on (seed, key, sample)
  bool ignore_eos = false;
};

struct Request {
  uint64_t id = 0;  // unique in a session; responses carry it
  std::string
      group;        // items that share a prompt header (suite/subject): windows end at its borders
  std::string key;  // stable name of the item; random draws are keyed by it
  std::variant<ScoreRequest, RollingRequest, GenerateRequest> what;
};

struct ContinuationScore {
  double logprob = 0;  // sum, in double
  std::vector<TokenId> ids;
  std::vector<float> token_logprobs;
  bool greedy = false;       // every token was the argmax at its place
  double whole_logprob = 0;  // of prompt and continuation, where asked for
  int64_t whole_tokens = 0;  // tokens of both, the first one (which has no log-prob) counted
};

struct ScoreResult {
  std::vector<ContinuationScore> continuations;
  int64_t prompt_tokens = 0;
  int64_t truncated_tokens = 0;  // dropped from the left to fit the context
};

struct RollingResult {
  double logprob = 0;
  int64_t tokens = 0;
};

enum class FinishReason { kStop, kLength, kEos };

struct GenerateResult {
  std::string text;          // without the stop string
  std::vector<TokenId> ids;  // new tokens, EOS excluded
  FinishReason finish = FinishReason::kStop;
  int64_t prompt_tokens = 0;
  int64_t truncated_tokens = 0;
};

std::string_view name(FinishReason reason);  // "stop", "length", "eos"

// Seconds since the session began, by a monotonic clock.
struct Timing {
  double begin_s = 0;        // the first forward pass that works on this request begins
  double first_token_s = 0;  // its first new token (or its scores) is known
  double end_s = 0;
  int64_t output_tokens = 0;
};

struct Response {
  uint64_t id = 0;
  std::variant<ScoreResult, RollingResult, GenerateResult> what;
  std::string error;  // not empty: this request could not be done, and why; `what` is void
  Timing timing;
};

struct SessionStats {
  int64_t tokens_naive = 0;     // one forward per item, its options together
  int64_t tokens_computed = 0;  // rows that went through the model
  int64_t prefill_tokens = 0;
  double prefill_s = 0;
  int64_t decode_tokens = 0;
  double decode_s = 0;
  int64_t kv_peak_bytes = 0;
  int64_t tokens_planned = 0;  // of the current window, for progress
  int64_t tokens_done = 0;
};

// Of two sessions together: sums, and the larger of the peaks.
inline SessionStats sum(SessionStats a, const SessionStats& b) {
  a.tokens_naive += b.tokens_naive;
  a.tokens_computed += b.tokens_computed;
  a.prefill_tokens += b.prefill_tokens;
  a.prefill_s += b.prefill_s;
  a.decode_tokens += b.decode_tokens;
  a.decode_s += b.decode_s;
  a.kv_peak_bytes = std::max(a.kv_peak_bytes, b.kv_peak_bytes);
  a.tokens_planned += b.tokens_planned;
  a.tokens_done += b.tokens_done;
  return a;
}

struct ModelFacts {
  std::string name;    // file or folder name
  std::string family;  // "llama", "gemma3", "fake"
  std::string weights_digest;
  std::string tokenizer_digest;
  std::string template_hash;  // of the chat template; "" if there is none
  std::string numeric_mode;   // equal text means equal bits
  int64_t parameters = 0;
  int64_t weight_bytes = 0;
  int64_t context_length = 0;
  Json details;  // backend, device, isa, threads, quantisation …: recorded, not compared
};

// Hands out requests in a fixed order. Threads: next() is called by one thread at a time.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  virtual std::optional<Request> next() = 0;
  // Whether no further response is wanted: a session then ends, whatever is left. Called from any
  // thread, between the steps of a model.
  virtual bool cancelled() const { return false; }
};

// One pass over a source. Responses are pulled one by one, in an order that the model chooses, so
// that the caller stores each before the next is computed; destroying the session cancels the rest.
class Session {
 public:
  virtual ~Session() = default;
  virtual std::optional<Response> next() = 0;
  virtual SessionStats stats() const = 0;
};

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual ModelFacts facts() const = 0;

  // `source` outlives the session. One session at a time.
  virtual std::unique_ptr<Session> start(RequestSource& source) = 0;

  // Ids of a prompt, for suites' displays and dry runs. Errors: Error(kUnsupported) where the model
  // tokenises elsewhere (an API).
  virtual std::vector<TokenId> encode(const Prompt& prompt) const = 0;
};

// A source over a vector.
class VectorSource : public RequestSource {
 public:
  explicit VectorSource(std::vector<Request> requests) : requests_(std::move(requests)) {}
  std::optional<Request> next() override {
    if (next_ == requests_.size()) return std::nullopt;
    return std::move(requests_[next_++]);
  }

 private:
  std::vector<Request> requests_;
  size_t next_ = 0;
};

}  // namespace keju
