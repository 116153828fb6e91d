// SPDX-License-Identifier: MIT
#include "gate/pace.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "score/statistics/distributions.h"

namespace keju {
namespace {

struct Ending {
  double at = 0, tokens = 0;
};

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

std::optional<Pace> cut(std::vector<Ending> endings, double begin) {
  if (endings.size() < 5 * kStretches) return std::nullopt;
  std::stable_sort(
      endings.begin(), endings.end(), [](const Ending& a, const Ending& b) { return a.at < b.at; });
  Pace out;
  double before = begin;
  for (size_t k = 0, first = 0; k < kStretches; ++k) {
    const size_t end = endings.size() * (k + 1) / kStretches;
    double tokens = 0;
    for (size_t i = first; i < end; ++i) tokens += endings[i].tokens;
    out.seconds.push_back(endings[end - 1].at - before);
    out.tokens.push_back(tokens);
    before = endings[end - 1].at;
    first = end;
  }
  if (!(sum(out.seconds) > 0) || !(sum(out.tokens) > 0)) return std::nullopt;
  return out;
}

}  // namespace

Paces paces_of(const std::vector<const ItemRecord*>& records) {
  std::vector<Ending> prefill, decode;
  double prefill_begin = INFINITY, decode_begin = INFINITY;
  for (const ItemRecord* record : records) {
    const Response& response = record->response;
    const Timing& timing = response.timing;
    if (!response.error.empty() || !std::isfinite(timing.end_s)) continue;
    if (std::holds_alternative<GenerateResult>(response.what)) {
      decode.push_back({timing.end_s, static_cast<double>(timing.output_tokens)});
      decode_begin = std::min(decode_begin, timing.begin_s);
      continue;
    }
    const auto* score = std::get_if<ScoreResult>(&response.what);
    const auto* rolling = std::get_if<RollingResult>(&response.what);
    const int64_t tokens = score != nullptr     ? score->prompt_tokens
                           : rolling != nullptr ? rolling->tokens
                                                : 0;
    prefill.push_back({timing.end_s, static_cast<double>(tokens)});
    prefill_begin = std::min(prefill_begin, timing.begin_s);
  }
  return {cut(std::move(prefill), prefill_begin), cut(std::move(decode), decode_begin)};
}

std::optional<SpeedRatio> speed_ratio(const Pace& baseline, const Pace& candidate, double alpha) {
  const size_t n = baseline.seconds.size();
  if (n < 2 || candidate.seconds.size() != n) return std::nullopt;
  const double bs = sum(baseline.seconds), bt = sum(baseline.tokens);
  const double cs = sum(candidate.seconds), ct = sum(candidate.tokens);
  double squares = 0;
  for (size_t i = 0; i < n; ++i) {
    const double off = candidate.tokens[i] / ct - candidate.seconds[i] / cs -
                       baseline.tokens[i] / bt + baseline.seconds[i] / bs;
    squares += off * off;
  }
  const auto count = static_cast<double>(n);
  const double se = std::sqrt(count / (count - 1) * squares);
  const double reach = student_quantile(1 - alpha, count - 1) * se;
  const double ratio = (ct / cs) / (bt / bs);
  return SpeedRatio{ratio, ratio * std::exp(-reach), ratio * std::exp(reach)};
}

Json to_json(const std::optional<Pace>& pace) {
  if (!pace) return nullptr;
  Json seconds = Json::array(), tokens = Json::array();
  // To the nanosecond, so that a committed file stays small.
  for (const double s : pace->seconds) seconds.push_back(std::round(s * 1e9) / 1e9);
  for (const double t : pace->tokens) tokens.push_back(std::llround(t));
  return {{"seconds", std::move(seconds)}, {"tokens", std::move(tokens)}};
}

std::optional<Pace> pace_from_json(const Json& json, const std::string& where) {
  if (json.is_null()) return std::nullopt;
  Pace out;
  const auto read = [&](const char* key, std::vector<double>& values) {
    for (const Json& value : member(json, key, where)) {
      if (!value.is_number() || !(value.get<double>() >= 0))
        throw fail(Code::kInput, "{}: {}: need numbers from 0 up", where, key);
      values.push_back(value.get<double>());
    }
    if (!(sum(values) > 0) || !std::isfinite(sum(values)))
      throw fail(Code::kInput, "{}: {}: need a finite sum above 0", where, key);
  };
  read("seconds", out.seconds);
  read("tokens", out.tokens);
  if (out.seconds.size() != out.tokens.size())
    throw fail(Code::kInput,
               "{}: found {} seconds and {} tokens, need equally many",
               where,
               out.seconds.size(),
               out.tokens.size());
  return out;
}

}  // namespace keju
