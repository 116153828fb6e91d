// SPDX-License-Identifier: MIT
#include "run/progress.h"

#include <algorithm>

namespace keju {
namespace {

constexpr std::chrono::milliseconds kPause{100};

}  // namespace

double eta_s(const Work& work, double elapsed_s) {
  const int64_t items_left = work.total - work.resumed - work.done;
  if (items_left <= 0 || work.done == 0 || elapsed_s <= 0) return 0;
  const auto computed = static_cast<double>(work.stats.tokens_computed);
  // How many tokens a generation will take nobody knows, so that its prompts' say nothing.
  const bool generates = work.stats.decode_tokens > 0;
  if (generates || work.stats.tokens_planned <= 0 || computed <= 0 || work.handed_out <= 0) {
    return elapsed_s / static_cast<double>(work.done) * static_cast<double>(items_left);
  }
  const auto window_left =
      static_cast<double>(std::max<int64_t>(0, work.stats.tokens_planned - work.stats.tokens_done));
  const double per_item = (computed + window_left) / static_cast<double>(work.handed_out);
  const auto later =
      static_cast<double>(std::max<int64_t>(0, work.total - work.resumed - work.handed_out));
  return (window_left + later * per_item) * elapsed_s / computed;
}

Meter::Meter(std::function<void(const Progress&)> listener) : listener_(std::move(listener)) {}

double Meter::elapsed_s() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count();
}

void Meter::tell(const std::string& exam, const Work& work, When when) {
  if (!listener_) return;
  if (!exam.empty()) exam_ = exam;
  const Clock::time_point now = Clock::now();
  if (when != kAlways && !silent_ && now - told_ < kPause) return;
  silent_ = false;
  told_ = now;
  Progress progress;
  progress.phase = "examine";
  progress.exam = exam_;
  progress.items_done = work.resumed + work.done;
  progress.items_total = work.total;
  progress.items_resumed = work.resumed;
  const double elapsed = elapsed_s();
  if (elapsed > 0) {
    progress.tokens_per_s = static_cast<double>(work.stats.tokens_computed) / elapsed;
  }
  progress.eta_s = eta_s(work, elapsed);
  listener_(progress);
}

}  // namespace keju
