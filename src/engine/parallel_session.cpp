// SPDX-License-Identifier: MIT
#include "engine/parallel_session.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/error.h"
#include "engine/session.h"
#include "engine/window_cut.h"

namespace keju {
namespace {

class ShareSource : public VectorSource {
 public:
  ShareSource(std::vector<Request> requests, std::function<bool()> cancelled)
      : VectorSource(std::move(requests)), cancelled_(std::move(cancelled)) {}
  bool cancelled() const override { return cancelled_(); }

 private:
  std::function<bool()> cancelled_;
};

}  // namespace

ParallelSession::ParallelSession(std::span<const std::unique_ptr<Decoder>> copies,
                                 const Tokenizer& tokenizer,
                                 const PromptEncoder& encoder,
                                 const EngineOptions& options,
                                 int64_t context_length,
                                 RequestSource& source)
    : tokenizer_(tokenizer),
      encoder_(encoder),
      options_(options),
      context_length_(context_length),
      source_(source),
      start_(std::chrono::steady_clock::now()) {
  for (const std::unique_ptr<Decoder>& copy : copies) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->decoder = copy.get();
  }
  for (const std::unique_ptr<Lane>& lane : lanes_)
    lane->thread = std::thread([this, one = lane.get()] { work(*one); });
}

ParallelSession::~ParallelSession() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (const std::unique_ptr<Lane>& lane : lanes_) lane->thread.join();
}

double ParallelSession::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

SessionStats ParallelSession::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  SessionStats all;
  int64_t peak = 0;
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    const SessionStats own = sum(lane->done, lane->running);
    all = sum(all, own);
    peak += own.kv_peak_bytes;
  }
  all.kv_peak_bytes = peak;
  all.prefill_s /= static_cast<double>(lanes_.size());
  all.decode_s /= static_cast<double>(lanes_.size());
  return all;
}

std::optional<Response> ParallelSession::next() {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto all = [&](bool Lane::*state) {
    return std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& l) { return (*l).*state; });
  };
  while (true) {
    if (!ready_.empty()) {
      Response response = std::move(ready_.front());
      ready_.pop_front();
      return response;
    }
    if (failure_ && all(&Lane::ended)) std::rethrow_exception(failure_);
    if (source_.cancelled()) return std::nullopt;  // a lane that sees it wakes us
    const bool hungry =
        std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->idle; });
    if (!failure_ && shares_.empty() && hungry) {
      if (source_dry_ && !held_) {
        if (all(&Lane::idle)) return std::nullopt;
      } else {
        lock.unlock();
        std::vector<Share> window = next_window();
        lock.lock();
        for (Share& share : window) shares_.push_back(std::move(share));
        changed_.notify_all();
        continue;
      }
    }
    changed_.wait(lock);
  }
}

void ParallelSession::work(Lane& lane) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    lane.idle = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return stop_ || !shares_.empty(); });
    if (stop_) break;
    Share share = std::move(shares_.front());
    shares_.pop_front();
    lane.idle = false;
    lock.unlock();
    std::exception_ptr failure;
    try {
      run_share(lane, std::move(share));
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure) {
      if (!failure_) failure_ = failure;
      stop_ = true;
      break;
    }
  }
  lane.idle = true;
  lane.ended = true;
  changed_.notify_all();
}

void ParallelSession::run_share(Lane& lane, Share share) {
  const double begin = now();  // the session's own clock starts here
  ShareSource source(std::move(share), [this] { return stop_ || source_.cancelled(); });
  LocalSession session(*lane.decoder, tokenizer_, encoder_, options_, context_length_, source);
  while (true) {
    std::optional<Response> response = session.next();
    const SessionStats stats = session.stats();
    const std::lock_guard<std::mutex> lock(mutex_);
    lane.running = stats;
    if (!response || stop_) break;
    response->timing.begin_s += begin;
    response->timing.first_token_s += begin;
    response->timing.end_s += begin;
    ready_.push_back(std::move(*response));
    changed_.notify_all();
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  lane.done = sum(lane.done, std::exchange(lane.running, {}));
}

RequestCost ParallelSession::cost_of(const Request& request) const {
  RequestCost cost;
  try {
    if (const auto* score = std::get_if<ScoreRequest>(&request.what)) {
      cost.prompt = encoder_.prompt(score->prompt);
      cost.more = static_cast<int64_t>(score->continuations.size());
    } else if (const auto* rolling = std::get_if<RollingRequest>(&request.what)) {
      tokenizer_.encode(rolling->text, ParseSpecial::kNo, cost.prompt);
    } else {
      const auto& generate = std::get<GenerateRequest>(request.what);
      cost.prompt = encoder_.prompt(generate.prompt);
      cost.more = generate.max_tokens;
    }
  } catch (const Error& error) {
    // Whoever works on the request says what is wrong with it.
    if (error.code() == Code::kBug) throw;
  }
  return cost;
}

std::vector<ParallelSession::Share> ParallelSession::next_window() {
  std::vector<Request> window;
  std::vector<RequestCost> costs;
  WindowCut cut(options_);
  while (!cut.full()) {
    std::optional<Request> request = held_ ? std::exchange(held_, std::nullopt) : source_.next();
    if (!request) {
      source_dry_ = true;
      break;
    }
    if (cut.ends_before(request->group)) {
      held_ = std::move(request);
      break;
    }
    costs.push_back(cost_of(*request));
    cut.add(request->group, static_cast<int64_t>(costs.back().prompt.size()));
    window.push_back(std::move(*request));
  }
  std::vector<Share> shares;
  for (const std::vector<size_t>& own : deal_out(costs, static_cast<int64_t>(lanes_.size()))) {
    Share share;
    for (const size_t i : own) share.push_back(std::move(window[i]));
    shares.push_back(std::move(share));
  }
  return shares;
}

}  // namespace keju
