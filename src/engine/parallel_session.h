// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "engine/decoder.h"
#include "engine/encode.h"
#include "engine/local_model.h"
#include "engine/shares.h"
#include "lm/language_model.h"

namespace keju {

// One pass over a source on several copies of a model, one thread each. A window of requests is cut
// into runs of neighbours in the prefix trie; whichever copy is free takes the next run and works
// through it as a LocalSession. Results are those of one copy, bit for bit; their order is not
// fixed. The source is asked on the thread that calls next().
//
// stats(): rows and bytes are sums; seconds are means over the copies, so that rows by seconds is
// the speed of all together. Errors: the first of any copy, after what all had finished by then.
class ParallelSession : public Session {
 public:
  ParallelSession(std::span<const std::unique_ptr<Decoder>> copies,
                  const Tokenizer& tokenizer,
                  const PromptEncoder& encoder,
                  const EngineOptions& options,
                  int64_t context_length,
                  RequestSource& source);
  ~ParallelSession() override;
  std::optional<Response> next() override;
  SessionStats stats() const override;

 private:
  using Share = std::vector<Request>;
  struct Lane {
    Decoder* decoder = nullptr;
    bool idle = false;
    bool ended = false;
    SessionStats done, running;  // of its finished shares, of the one at work
    std::thread thread;
  };

  double now() const;
  void work(Lane& lane);
  void run_share(Lane& lane, Share share);
  std::vector<Share> next_window();
  RequestCost cost_of(const Request& request) const;

  const Tokenizer& tokenizer_;
  const PromptEncoder& encoder_;
  EngineOptions options_;
  int64_t context_length_;
  RequestSource& source_;
  std::chrono::steady_clock::time_point start_;
  std::optional<Request> held_;  // pulled, but of the next window
  bool source_dry_ = false;

  mutable std::mutex mutex_;  // over everything below
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Lane>> lanes_;
  std::deque<Share> shares_;
  std::deque<Response> ready_;
  std::exception_ptr failure_;
  std::atomic<bool> stop_ = false;  // written under the mutex
};

}  // namespace keju
