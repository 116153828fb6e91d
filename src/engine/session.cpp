// SPDX-License-Identifier: MIT
#include "engine/session.h"

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"

namespace keju {

LocalSession::LocalSession(Decoder& model,
                           const Tokenizer& tokenizer,
                           const PromptEncoder& encoder,
                           const EngineOptions& options,
                           int64_t context_length,
                           RequestSource& source)
    : model_(model),
      tokenizer_(tokenizer),
      encoder_(encoder),
      options_(options),
      context_length_(context_length),
      source_(source),
      pool_(model),
      start_(std::chrono::steady_clock::now()) {}

LocalSession::~LocalSession() {
  planner_.reset();
  for (Live& live : live_) live.state.release(pool_);
}

double LocalSession::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

SessionStats LocalSession::stats() const {
  SessionStats stats = stats_;
  stats.kv_peak_bytes = pool_.peak_bytes();
  return stats;
}

std::optional<Response> LocalSession::next() {
  while (true) {
    if (!ready_.empty()) {
      Response response = std::move(ready_.front());
      ready_.pop_front();
      return response;
    }
    if (source_.cancelled()) return std::nullopt;
    // Waiting prompts are admitted as long as there is room to decode them together.
    const bool room =
        static_cast<int64_t>(live_.size()) < options_.live_sequences && room_for_prompts();
    if (room && prefill_step()) continue;
    if (!live_.empty()) {
      decode_step();
      continue;
    }
    if (!start_regime(pool_) && !fill_window()) {
      if (ready_.empty()) return std::nullopt;
    }
  }
}

bool LocalSession::start_regime(PagePool& pool) {
  if (regimes_.empty()) return false;
  planner_.reset();
  trie_.reset();
  current_ = std::move(regimes_.front());
  regimes_.pop_front();
  trie_ = std::make_unique<Trie>(current_->sequences);
  PlannerLimits limits;
  limits.step_rows = options_.step_rows;
  planner_ = std::make_unique<Planner>(
      *trie_, current_->sequences, pool, limits, [this](int32_t sequence, PathState state) {
        kept_.emplace_back(sequence, std::move(state));
      });
  stats_.tokens_planned = stats_.tokens_done + trie_->unique_tokens();
  return true;
}

// Where memory is fixed, a prompt step waits until what lives can grow to its end beside it.
bool LocalSession::room_for_prompts() const {
  const int64_t left = pool_.left();
  if (live_.empty() || left == INT64_MAX) return true;
  int64_t needed = most_step_pages(options_.step_rows);
  for (const Live& live : live_) {
    const auto& generate = std::get<GenerateRequest>(jobs_.at(live.job).request.what);
    const int64_t end =
        std::min(context_length_,
                 live.state.length() + generate.max_tokens - static_cast<int64_t>(live.ids.size()));
    needed += end / kPagePositions + 1 - static_cast<int64_t>(live.state.pages().size());
  }
  return needed <= left;
}

bool LocalSession::prefill_step() {
  if (planner_ == nullptr) return false;
  PlannedStep planned;
  if (!planner_->next(planned)) {
    planner_.reset();
    return false;
  }
  const double begin = now();
  planned.step.regime = current_->regime;
  for (const int32_t sequence : planned.begun) {
    Job& job = jobs_.at(current_->infos[sequence].job);
    if (!job.begun) job.response.timing.begin_s = begin;
    job.begun = true;
  }
  const Rows hidden = model_.forward(planned.step);
  take_results(planned, hidden);
  pool_.end_step();
  const auto rows = static_cast<int64_t>(planned.step.ids.size());
  stats_.tokens_computed += rows;
  stats_.prefill_tokens += rows;
  stats_.tokens_done += rows;
  stats_.prefill_s += now() - begin;
  return true;
}

void LocalSession::take_results(const PlannedStep& planned, Rows hidden) {
  if (hidden.count == 0) return;
  std::vector<std::vector<int32_t>> wanted;
  wanted.reserve(planned.wanted.size());
  bool scored = false;
  for (const PlannedStep::Wanted& w : planned.wanted) {
    wanted.push_back(w.ids);
    scored = scored || !w.ids.empty();
  }
  std::vector<HeadRow> rows;
  if (scored) rows = model_.head(hidden, wanted);
  std::deque<Live> begun = begin_generations(planned, hidden);
  for (size_t r = 0; r < planned.wanted.size(); ++r) {
    for (const Trie::NodeNeed& need : planned.wanted[r].needs) {
      if (current_->sequences[need.sequence].needs[need.need].token >= 0) {
        take_score(need, rows[r], wanted[r]);
        continue;
      }
      Live live = std::move(begun.front());
      begun.pop_front();
      if (!append_token(live, live.last)) live_.push_back(std::move(live));
    }
  }
}

// The generations whose prompts end in this step, in its order, each with its first token in
// `last`.
std::deque<LocalSession::Live> LocalSession::begin_generations(const PlannedStep& planned,
                                                               Rows hidden) {
  std::deque<Live> begun;
  rules_.clear();
  for (size_t r = 0; r < planned.wanted.size(); ++r) {
    for (const Trie::NodeNeed& need : planned.wanted[r].needs) {
      if (current_->sequences[need.sequence].needs[need.need].token >= 0) continue;
      KEJU_CHECK(begun.size() < kept_.size() && kept_[begun.size()].first == need.sequence,
                 "a generation without its state");
      const int64_t job = current_->infos[need.sequence].job;
      begun.push_back(begin_generation(job, std::move(kept_[begun.size()].second)));
      rules_.push_back(rule_for(begun.back(), jobs_.at(job), static_cast<int32_t>(r)));
    }
  }
  kept_.clear();
  if (begun.empty()) return begun;
  // The rows in between are of little cost: a step's prompts are generated from or scored.
  const int32_t first = rules_.front().row;
  hidden.data += first * hidden.stride;
  hidden.count = rules_.back().row - first + 1;
  for (SampleRule& rule : rules_) rule.row -= first;
  drawn_.resize(rules_.size());
  model_.sample(hidden, rules_, drawn_);
  const double time = now();
  for (size_t i = 0; i < begun.size(); ++i) {
    begun[i].last = drawn_[i];
    begun[i].first_token_s = time;
  }
  return begun;
}

// Room for the whole generation at once: it then grows without allocating.
LocalSession::Live LocalSession::begin_generation(int64_t id, PathState state) {
  const Job& job = jobs_.at(id);
  const auto& generate = std::get<GenerateRequest>(job.request.what);
  const int64_t longest = std::min(generate.max_tokens, context_length_);
  Live live;
  live.job = id;
  live.state = std::move(state);
  live.state.reserve(std::min<int64_t>(live.state.length() + longest, context_length_ + 1));
  live.decoder = std::make_unique<StreamDecoder>(tokenizer_);
  live.ids.reserve(static_cast<size_t>(longest));
  live.pending.reserve(static_cast<size_t>(longest) * sizeof(TokenId));
  if (generate.temperature > 0) live.stream = sampling_stream(job.request.key, generate.sample);
  return live;
}

// How the next token of `live` is chosen.
SampleRule LocalSession::rule_for(const Live& live, const Job& job, int32_t row) {
  const auto& generate = std::get<GenerateRequest>(job.request.what);
  if (generate.temperature <= 0) return {.row = row};
  return {.row = row,
          .temperature = generate.temperature,
          .top_k = generate.top_k,
          .top_p = generate.top_p,
          .min_p = generate.min_p,
          .draw = uniform(generate.seed, live.stream, static_cast<uint64_t>(live.ids.size()))};
}

void LocalSession::decode_step() {
  const double begin = now();
  Step& step = decode_;
  step.ids.clear();
  step.segments.clear();
  step.needed.clear();
  rules_.clear();
  for (Live& live : live_) {
    live.state.extend(pool_, 1);
    Segment segment;
    segment.row0 = static_cast<int32_t>(step.ids.size());
    segment.rows = 1;
    segment.pos0 = live.state.length() - 1;
    segment.pages = live.state.pages().data();
    segment.generated = true;
    step.segments.push_back(segment);
    step.needed.push_back(segment.row0);
    step.ids.push_back(live.last);
    rules_.push_back(rule_for(live, jobs_.at(live.job), segment.row0));
  }
  step.regime = current_->regime;
  drawn_.resize(live_.size());
  model_.decode(step, rules_, drawn_);
  const size_t count = live_.size();
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    Live& live = live_[i];
    if (append_token(live, drawn_[i])) continue;
    if (kept != i) live_[kept] = std::move(live);
    ++kept;
  }
  live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(kept), live_.end());
  pool_.end_step();
  stats_.tokens_computed += static_cast<int64_t>(count);
  stats_.decode_tokens += static_cast<int64_t>(count);
  stats_.decode_s += now() - begin;
}

bool LocalSession::append_token(Live& live, TokenId token) {
  Job& job = jobs_.at(live.job);
  const auto& generate = std::get<GenerateRequest>(job.request.what);
  const std::vector<TokenId>& stops = tokenizer_.special().stops;
  if (!generate.ignore_eos && std::binary_search(stops.begin(), stops.end(), token)) {
    end_generation(live, FinishReason::kEos);
    return true;
  }
  live.ids.push_back(token);
  live.last = token;
  const size_t before = live.pending.size();
  live.pending += live.decoder->push(token);
  for (const std::string& stop : generate.stop) {
    if (stop.empty()) continue;
    const size_t from = before >= stop.size() ? before - stop.size() + 1 : 0;
    if (live.pending.find(stop, from) != std::string::npos) {
      end_generation(live, FinishReason::kStop);
      return true;
    }
  }
  const bool full = static_cast<int64_t>(live.ids.size()) >= generate.max_tokens;
  const bool context_full = live.state.length() + 1 > context_length_;
  if (full || context_full) {
    end_generation(live, FinishReason::kLength);
    return true;
  }
  return false;
}

void LocalSession::end_generation(Live& live, FinishReason reason) {
  Job& job = jobs_.at(live.job);
  auto& result = std::get<GenerateResult>(job.response.what);
  live.pending += live.decoder->finish();
  size_t cut = live.pending.size();
  for (const std::string& stop : std::get<GenerateRequest>(job.request.what).stop) {
    if (!stop.empty()) cut = std::min(cut, live.pending.find(stop));
  }
  result.text = live.pending.substr(0, cut);
  result.ids = std::move(live.ids);
  result.finish = reason;
  job.response.timing.first_token_s = live.first_token_s;
  job.response.timing.output_tokens = static_cast<int64_t>(result.ids.size());
  stats_.tokens_naive += static_cast<int64_t>(result.ids.size());
  live.state.release(pool_);
  complete(live.job);
}

void LocalSession::take_score(const Trie::NodeNeed& need,
                              const HeadRow& row,
                              const std::vector<int32_t>& wanted) {
  SequenceInfo& info = current_->infos[need.sequence];
  const Sequence& sequence = current_->sequences[need.sequence];
  const int32_t token = sequence.needs[need.need].token;
  const auto at = std::lower_bound(wanted.begin(), wanted.end(), token) - wanted.begin();
  info.logprobs[need.need] =
      static_cast<float>(static_cast<double>(row.wanted[at]) - row.log_sum_exp);
  info.greedy[need.need] = row.best_id == token;
  if (--info.missing == 0) finish_sequence(info, sequence);
}

void LocalSession::finish_sequence(SequenceInfo& info, const Sequence& sequence) {
  Job& job = jobs_.at(info.job);
  if (auto* rolling = std::get_if<RollingResult>(&job.response.what)) {
    for (const float lp : info.logprobs) rolling->logprob += static_cast<double>(lp);
    rolling->tokens += static_cast<int64_t>(info.logprobs.size());
  } else {
    finish_score(job, info, sequence);
  }
  info.logprobs = {};
  info.greedy = {};
  if (--job.open_sequences == 0) complete(info.job);
}

void LocalSession::finish_score(Job& job, const SequenceInfo& info, const Sequence& sequence) {
  auto& result = std::get<ScoreResult>(job.response.what);
  const size_t needs = info.logprobs.size();
  if (!info.together) {
    result.continuations[info.continuation] = score_of(info, sequence, 0, needs);
    return;
  }
  for (size_t k = 0; k < needs; ++k) result.continuations[k] = score_of(info, sequence, k, k + 1);
}

// The continuation that the needs [first, last) make.
ContinuationScore LocalSession::score_of(const SequenceInfo& info,
                                         const Sequence& sequence,
                                         size_t first,
                                         size_t last) {
  ContinuationScore score;
  score.greedy = true;
  for (size_t k = first; k < last; ++k) {
    const auto lp = static_cast<double>(info.logprobs[k]);
    score.whole_logprob += lp;
    if (static_cast<int32_t>(k) < info.first_scored) continue;
    score.logprob += lp;
    score.token_logprobs.push_back(info.logprobs[k]);
    score.ids.push_back(sequence.needs[k].token);
    score.greedy = score.greedy && info.greedy[k];
  }
  score.whole_tokens = static_cast<int64_t>(sequence.ids.size()) + 1;
  return score;
}

void LocalSession::complete(int64_t id) {
  const auto at = jobs_.find(id);
  Job& job = at->second;
  job.response.timing.end_s = now();
  if (job.response.timing.first_token_s == 0)
    job.response.timing.first_token_s = job.response.timing.end_s;
  ready_.push_back(std::move(job.response));
  jobs_.erase(at);
}

}  // namespace keju
