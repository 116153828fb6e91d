// SPDX-License-Identifier: MIT
// The part of LocalSession that turns requests into sequences.

#include <algorithm>

#include "base/error.h"
#include "engine/session.h"
#include "engine/window_cut.h"

namespace keju {
namespace {

constexpr int64_t kPulledTogether = 256;

}  // namespace

void LocalSession::refuse(int64_t id, const std::string& why) {
  Job& job = jobs_.at(id);
  job.response.error = why;
  complete(id);
}

bool LocalSession::fill_window() {
  WindowCut window(options_);
  while (!window.full()) {
    if (waiting_.empty() && !pull()) break;
    const std::string group = waiting_.front().request.group;
    if (window.ends_before(group)) break;
    Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    window.add(group, admit(std::move(waiting)));
  }
  return !window.empty();
}

// The next requests of the source, encoded on all threads; false when there are none.
bool LocalSession::pull() {
  while (!source_dry_ && static_cast<int64_t>(waiting_.size()) < kPulledTogether) {
    std::optional<Request> request = source_.next();
    source_dry_ = !request;
    if (request)
      waiting_.push_back({.request = std::move(*request), .pairs = {}, .failure = nullptr});
  }
  if (waiting_.empty()) return false;
  model_.threads().run(static_cast<int64_t>(waiting_.size()),
                       [this](int64_t i) { encode(waiting_[static_cast<size_t>(i)]); });
  return true;
}

void LocalSession::encode(Waiting& waiting) const {
  const auto* score = std::get_if<ScoreRequest>(&waiting.request.what);
  if (score == nullptr) return;
  try {
    waiting.pairs = encoder_.pairs(score->prompt, score->continuations, score->boundary);
  } catch (...) {
    waiting.failure = std::current_exception();  // that request's own; admit throws it again
  }
}

int64_t LocalSession::admit(Waiting waiting) {
  const int64_t id = next_job_++;
  Job& job = jobs_[id];
  job.response.id = waiting.request.id;
  job.request = std::move(waiting.request);
  window_added_ = 0;
  try {
    if (waiting.failure) std::rethrow_exception(waiting.failure);
    if (const auto* score = std::get_if<ScoreRequest>(&job.request.what)) {
      admit_score(*score, waiting.pairs, id);
    } else if (const auto* rolling = std::get_if<RollingRequest>(&job.request.what)) {
      admit_rolling(*rolling, id);
    } else {
      admit_generate(std::get<GenerateRequest>(job.request.what), id);
    }
    forget_prompt(job.request);
  } catch (const Error& error) {
    // What is wrong with one request is that request's result. Our own mistakes end the run.
    if (error.code() == Code::kBug || error.code() == Code::kDevice) throw;
    refuse(id, error.what());
    return 0;
  }
  return window_added_;
}

// A window's texts need not stay in memory once they are tokens; the settings do.
void LocalSession::forget_prompt(Request& request) {
  if (auto* generate = std::get_if<GenerateRequest>(&request.what)) {
    generate->prompt = {};
  } else {
    request.what = ScoreRequest{};
  }
}

void LocalSession::check_sequence(const Sequence& sequence) const {
  const auto vocab = static_cast<TokenId>(model_.descriptor().vocab);
  for (const TokenId id : sequence.ids) {
    if (id < 0 || id >= vocab)
      throw fail(Code::kInput, "token id: found {}, need 0 to {}", id, vocab - 1);
  }
  // A step's own pages stand beside the longest text's.
  const int64_t longest =
      (model_.most_pages() - most_step_pages(options_.step_rows)) * kPagePositions;
  if (model_.most_pages() > 0 && static_cast<int64_t>(sequence.ids.size()) > longest) {
    throw fail(Code::kInput,
               "text: found {} tokens, need at most {}: the device's memory has room for no more",
               sequence.ids.size(),
               longest);
  }
}

void LocalSession::add_sequence(int64_t regime_key, Sequence sequence, SequenceInfo info) {
  check_sequence(sequence);
  auto at = std::find_if(
      regimes_.begin(), regimes_.end(), [&](const auto& r) { return r->regime == regime_key; });
  if (at == regimes_.end()) {
    regimes_.push_back(std::make_unique<Regime>());
    regimes_.back()->regime = regime_key;
    at = regimes_.end() - 1;
  }
  window_added_ += static_cast<int64_t>(sequence.ids.size());
  info.missing = static_cast<int64_t>(sequence.needs.size());
  if (!sequence.needs.empty() && sequence.needs[0].token >= 0) {
    info.logprobs.resize(sequence.needs.size());
    info.greedy.resize(sequence.needs.size());
  }
  (*at)->sequences.push_back(std::move(sequence));
  (*at)->infos.push_back(std::move(info));
}

void LocalSession::admit_score(const ScoreRequest& score,
                               const std::vector<EncodedPair>& pairs,
                               int64_t id) {
  Job& job = jobs_.at(id);
  ScoreResult result;
  std::vector<std::pair<Sequence, SequenceInfo>> all;
  int64_t naive = 0;
  // Options of one token each after one prompt are one sequence with a need for each.
  const bool together =
      !score.whole && std::all_of(pairs.begin(), pairs.end(), [&](const EncodedPair& pair) {
        return pair.continuation.size() == 1 && pair.prompt == pairs[0].prompt;
      });
  for (size_t c = 0; c < pairs.size(); ++c) {
    const EncodedPair& pair = pairs[c];
    // Left truncation keeps the end: (prompt + continuation)[-(context + 1):][:-1].
    const auto total = static_cast<int64_t>(pair.prompt.size() + pair.continuation.size());
    const int64_t cut = std::max<int64_t>(0, total - (context_length_ + 1));
    if (cut >= static_cast<int64_t>(pair.prompt.size())) {
      throw fail(Code::kInput,
                 "option {}: found {} tokens, need fewer than the context of {}",
                 c,
                 pair.continuation.size(),
                 context_length_);
    }
    result.truncated_tokens = std::max(result.truncated_tokens, cut);
    if (together && c > 0) {
      Sequence& first = all[0].first;
      first.needs.push_back({static_cast<int32_t>(first.ids.size()) - 1, pair.continuation[0]});
      continue;
    }
    Sequence sequence;
    sequence.ids.assign(pair.prompt.begin() + cut, pair.prompt.end());
    const auto prompt = static_cast<int32_t>(sequence.ids.size());
    if (c == 0) {
      result.prompt_tokens = prompt;
      naive += prompt;
    }
    naive += static_cast<int64_t>(pair.continuation.size()) - 1;
    sequence.ids.insert(sequence.ids.end(), pair.continuation.begin(), pair.continuation.end() - 1);
    SequenceInfo info;
    info.job = id;
    info.continuation = static_cast<int64_t>(c);
    info.together = together;
    if (score.whole) {
      for (int32_t p = 0; p + 1 < prompt; ++p) sequence.needs.push_back({p, sequence.ids[p + 1]});
      info.first_scored = prompt - 1;
    }
    for (size_t k = 0; k < pair.continuation.size(); ++k) {
      sequence.needs.push_back({prompt - 1 + static_cast<int32_t>(k), pair.continuation[k]});
    }
    check_sequence(sequence);  // before any of the request's sequences is taken in
    all.emplace_back(std::move(sequence), std::move(info));
  }
  result.continuations.resize(score.continuations.size());
  job.response.what = std::move(result);
  job.open_sequences = static_cast<int64_t>(all.size());
  if (all.empty()) throw fail(Code::kInput, "options: found none, need at least one");
  for (auto& [sequence, info] : all) {
    const int64_t regime =
        model_.descriptor().rope_regime(static_cast<int64_t>(sequence.ids.size()));
    add_sequence(regime, std::move(sequence), std::move(info));
  }
  stats_.tokens_naive += naive;
}

// Windows as lm-evaluation-harness 0.4.13 cuts them (utils.get_rolling_token_windows): disjoint in
// what they predict; the last one, when it is shorter, reaches back for a full context.
void LocalSession::admit_rolling(const RollingRequest& rolling, int64_t id) {
  Job& job = jobs_.at(id);
  job.response.what = RollingResult{};
  std::vector<TokenId> tokens;
  tokenizer_.encode(rolling.text, ParseSpecial::kNo, tokens);
  const auto total = static_cast<int64_t>(tokens.size());
  if (total == 0) throw fail(Code::kInput, "text: found no tokens, need at least one");
  std::vector<TokenId> all = {encoder_.prefix_token()};
  all.insert(all.end(), tokens.begin(), tokens.end());
  std::vector<std::pair<int64_t, int64_t>> windows;  // [first, last) of the tokens predicted
  for (int64_t done = 0; done < total; done += context_length_)
    windows.push_back({done, std::min(total, done + context_length_)});
  job.open_sequences = static_cast<int64_t>(windows.size());
  for (const auto& [first, last] : windows) {
    const int64_t begin = first == 0 ? 0 : std::max<int64_t>(1, last - context_length_);
    Sequence sequence;
    sequence.ids.assign(all.begin() + begin, all.begin() + last);
    for (int64_t t = first; t < last; ++t)
      sequence.needs.push_back({static_cast<int32_t>(t - begin), tokens[t]});
    SequenceInfo info;
    info.job = id;
    add_sequence(model_.descriptor().rope_regime(static_cast<int64_t>(sequence.ids.size())),
                 std::move(sequence),
                 std::move(info));
  }
  stats_.tokens_naive += total;
}

void LocalSession::admit_generate(const GenerateRequest& generate, int64_t id) {
  Job& job = jobs_.at(id);
  if (generate.max_tokens < 1)
    throw fail(Code::kInput, "max_tokens: found {}, need at least 1", generate.max_tokens);
  std::vector<TokenId> prompt = encoder_.prompt(generate.prompt);
  GenerateResult result;
  // The end of the prompt is kept, with room for what is to come (lm-evaluation-harness 0.4.13).
  const int64_t room = std::max<int64_t>(1, context_length_ - generate.max_tokens);
  const int64_t cut = std::max<int64_t>(0, static_cast<int64_t>(prompt.size()) - room);
  prompt.erase(prompt.begin(), prompt.begin() + cut);
  result.truncated_tokens = cut;
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  stats_.tokens_naive += result.prompt_tokens;
  job.response.what = result;
  job.open_sequences = 1;
  Sequence sequence;
  sequence.needs = {{static_cast<int32_t>(prompt.size()) - 1, -1}};
  sequence.ids = std::move(prompt);
  SequenceInfo info;
  info.job = id;
  add_sequence(model_.descriptor().rope_regime(static_cast<int64_t>(sequence.ids.size())),
               std::move(sequence),
               std::move(info));
}

}  // namespace keju
