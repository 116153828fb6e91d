// SPDX-License-Identifier: MIT
#include "run/speed.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "base/error.h"

namespace keju {
namespace {

// What a run may use beside weights and pages (200 MB of a million bytes).
constexpr int64_t kPromisedOverheadBytes = 200'000'000;

SessionStats sum_of(const std::vector<SessionRecord>& sessions) {
  SessionStats sum;
  for (const SessionRecord& session : sessions) {
    const SessionStats& one = session.stats;
    sum.tokens_naive += one.tokens_naive;
    sum.tokens_computed += one.tokens_computed;
    sum.prefill_tokens += one.prefill_tokens;
    sum.prefill_s += one.prefill_s;
    sum.decode_tokens += one.decode_tokens;
    sum.decode_s += one.decode_s;
    sum.kv_peak_bytes = std::max(sum.kv_peak_bytes, one.kv_peak_bytes);
  }
  return sum;
}

// A line of /proc/self/status, which counts in KiB.
int64_t status_bytes(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::strtoll(line.c_str() + key.size(), nullptr, 10) * 1024;
  }
  return 0;
}

Json rate(double amount, double seconds) { return seconds > 0 ? Json(amount / seconds) : Json(); }

}  // namespace

std::optional<double> percentile(const std::vector<double>& sorted, double percent) {
  if (sorted.empty()) return std::nullopt;
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()) - 1e-9);
  const size_t index = rank < 1 ? 0 : static_cast<size_t>(rank) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

Json percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Json out = Json::object();
  for (const int percent : {50, 90, 99}) {
    const std::optional<double> value = percentile(values, percent);
    out[fmt::format("p{}", percent)] = value ? Json(*value) : Json();
  }
  out["n"] = values.size();
  return out;
}

Json token_results(const std::vector<SessionRecord>& sessions) {
  const SessionStats sum = sum_of(sessions);
  return {{"naive", sum.tokens_naive}, {"computed", sum.tokens_computed}};
}

void ItemTimings::add(const ItemRecord& record) {
  const Timing& timing = record.response.timing;
  if (!record.response.error.empty()) return;
  ttft_s.push_back(timing.first_token_s - timing.begin_s);
  latency_s.push_back(timing.end_s - timing.begin_s);
  if (timing.output_tokens >= 2) {
    tpot_s.push_back((timing.end_s - timing.first_token_s) /
                     static_cast<double>(timing.output_tokens - 1));
  }
}

Json speed_results(const std::vector<SessionRecord>& sessions, ItemTimings timings) {
  const SessionStats sum = sum_of(sessions);
  double wall_s = 0, load_s = 0;
  int64_t items = 0;
  for (const SessionRecord& session : sessions) {
    wall_s += session.wall_s;
    load_s = std::max(load_s, session.load_s);
    items += session.items;
  }
  return {{"prefill_tokens_per_s", rate(static_cast<double>(sum.prefill_tokens), sum.prefill_s)},
          {"decode_tokens_per_s", rate(static_cast<double>(sum.decode_tokens), sum.decode_s)},
          {"prefill_tokens", sum.prefill_tokens},
          {"prefill_s", sum.prefill_s},
          {"decode_tokens", sum.decode_tokens},
          {"decode_s", sum.decode_s},
          {"ttft_s", percentiles(std::move(timings.ttft_s))},
          {"tpot_s", percentiles(std::move(timings.tpot_s))},
          {"latency_s", percentiles(std::move(timings.latency_s))},
          {"load_s", load_s},
          {"wall_s", wall_s},
          {"items_per_s", rate(static_cast<double>(items), wall_s)},
          {"sessions", sessions.size()}};
}

Json memory_results(const std::vector<SessionRecord>& sessions, int64_t weight_bytes) {
  const int64_t kv_peak = sum_of(sessions).kv_peak_bytes;
  int64_t peak = 0;
  for (const SessionRecord& session : sessions) peak = std::max(peak, session.peak_rss_bytes);
  return {{"weights_bytes", weight_bytes},
          {"kv_peak_bytes", kv_peak},
          {"peak_rss_bytes", peak},
          {"promise_bytes", weight_bytes + kv_peak + kPromisedOverheadBytes}};
}

// Not getrusage: its peak outlives exec, and so counts the program that started this one.
int64_t peak_rss_bytes() { return status_bytes("VmHWM:"); }
int64_t resident_memory_bytes() { return status_bytes("VmRSS:"); }

}  // namespace keju
