// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "engine/local_model.h"

namespace keju {

// Where a window of requests ends: at a group's border once it is worth a pass, and in any case
// before it would be too large to plan. Memory is bounded by the window, not by the number of
// items.
class WindowCut {
 public:
  explicit WindowCut(const EngineOptions& options)
      : most_(options.window_tokens), least_(options.window_least_tokens) {}
  bool empty() const { return !any_; }
  bool full() const { return tokens_ >= most_; }
  bool ends_before(const std::string& group) const {
    return any_ && group != group_ && tokens_ >= least_;
  }
  void add(const std::string& group, int64_t tokens) {
    any_ = true;
    group_ = group;
    tokens_ += kRequestTokens + tokens;
  }

 private:
  // What a request takes in memory beside its tokens, in tokens of four bytes.
  static constexpr int64_t kRequestTokens = 256;

  int64_t most_;
  int64_t least_;
  int64_t tokens_ = 0;
  std::string group_;
  bool any_ = false;
};

}  // namespace keju
