// SPDX-License-Identifier: MIT
#include "bench/scenario.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/rng.h"

namespace keju {
namespace {

Request random_request(const BenchOptions& o, int64_t number, int64_t new_tokens) {
  std::vector<TokenId> ids;
  for (int64_t i = 0; i < o.prompt_tokens; ++i) {
    ids.push_back(static_cast<TokenId>(uniform_below(o.seed,
                                                     static_cast<uint64_t>(number),
                                                     static_cast<uint64_t>(i),
                                                     static_cast<uint64_t>(o.vocab))));
  }
  GenerateRequest generate;
  generate.prompt.add_prefix = false;
  generate.prompt.pieces = {{"", ParseSpecial::kNo, std::move(ids)}};
  generate.max_tokens = new_tokens;
  generate.ignore_eos = true;
  Request request;
  request.id = static_cast<uint64_t>(number);
  request.group = "bench";
  request.key = std::to_string(number);
  request.what = std::move(generate);
  return request;
}

struct Measured {
  SessionStats stats;
  double wall_s = 0;
  std::vector<Timing> timings;
};

Measured measure(LanguageModel& model, std::vector<Request> requests) {
  const auto start = std::chrono::steady_clock::now();
  VectorSource source(std::move(requests));
  const auto session = model.start(source);
  Measured m;
  while (const auto response = session->next()) {
    if (!response->error.empty()) throw fail(Code::kInput, "bench: {}", response->error);
    m.timings.push_back(response->timing);
  }
  m.stats = session->stats();
  m.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return m;
}

double rate(int64_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

Json offline(LanguageModel& model, const BenchOptions& o) {
  std::vector<Request> all;
  for (int64_t i = 0; i < o.requests; ++i) all.push_back(random_request(o, i, o.new_tokens));
  const Measured m = measure(model, std::move(all));
  return {{"prefill_tokens", m.stats.prefill_tokens},
          {"prefill_tokens_per_s", rate(m.stats.prefill_tokens, m.stats.prefill_s)},
          {"decode_tokens", m.stats.decode_tokens},
          {"decode_tokens_per_s", rate(m.stats.decode_tokens, m.stats.decode_s)},
          {"kv_peak_bytes", m.stats.kv_peak_bytes},
          {"wall_s", m.wall_s}};
}

Json spread(const std::vector<double>& samples) {
  return {{"p50", percentile(samples, 0.50)},
          {"p90", percentile(samples, 0.90)},
          {"p99", percentile(samples, 0.99)}};
}

Json single(LanguageModel& model, const BenchOptions& o) {
  std::vector<double> ttft, tpot, latency;
  SessionStats total;
  for (int64_t i = 0; i < o.requests; ++i) {
    const Measured m = measure(model, {random_request(o, i, o.new_tokens)});
    const Timing& t = m.timings.at(0);
    ttft.push_back((t.first_token_s - t.begin_s) * 1e3);
    latency.push_back((t.end_s - t.begin_s) * 1e3);
    if (t.output_tokens > 1)
      tpot.push_back((t.end_s - t.first_token_s) * 1e3 / static_cast<double>(t.output_tokens - 1));
    total.prefill_tokens += m.stats.prefill_tokens;
    total.prefill_s += m.stats.prefill_s;
    total.decode_tokens += m.stats.decode_tokens;
    total.decode_s += m.stats.decode_s;
  }
  Json out{{"ttft_ms", spread(ttft)}, {"latency_ms", spread(latency)}};
  out["tpot_ms"] = tpot.empty() ? Json() : spread(tpot);
  out["prefill_tokens_per_s"] = rate(total.prefill_tokens, total.prefill_s);
  out["decode_tokens_per_s"] = rate(total.decode_tokens, total.decode_s);
  return out;
}

// Tokens/s of one measurement of a phase. The first new token comes from the prompt's own forward
// pass.
double phase_rate(LanguageModel& model,
                  const BenchOptions& o,
                  const std::string& phase,
                  int64_t i) {
  if (phase == "prefill") {
    const SessionStats prompt = measure(model, {random_request(o, i, 1)}).stats;
    return rate(prompt.prefill_tokens, prompt.prefill_s);
  }
  BenchOptions tiny = o;
  tiny.prompt_tokens = 1;
  std::vector<Request> all;
  for (int64_t r = 0; r < (phase == "batch" ? o.requests : 1); ++r)
    all.push_back(random_request(tiny, phase == "batch" ? r : i, o.new_tokens + 1));
  const SessionStats stats = measure(model, std::move(all)).stats;
  return rate(stats.decode_tokens, stats.decode_s);
}

// Medians of `repeat` warm measurements of each phase, and the measurements themselves.
Json phases(LanguageModel& model, const BenchOptions& o) {
  static const std::map<std::string, std::string> kNames = {{"prefill", "prefill_tokens_per_s"},
                                                            {"decode", "decode_tokens_per_s"},
                                                            {"batch", "batch_decode_tokens_per_s"}};
  std::map<std::string, std::vector<double>> rates;
  for (int64_t i = 0; i < o.repeat; ++i) {
    for (const std::string& phase : o.phases) {
      const auto at = kNames.find(phase);
      if (at == kNames.end()) {
        throw fail(Code::kUsage,
                   "--phases: unknown \"{}\"{}",
                   phase,
                   suggestion(phase, {"prefill", "decode", "batch"}));
      }
      rates[at->second].push_back(phase_rate(model, o, phase, i));
    }
  }
  Json out = Json::object();
  for (const auto& [key, all] : rates) {
    out[key] = percentile(all, 0.5);
    out["repetitions"][key] = all;
  }
  return out;
}

}  // namespace

double percentile(std::vector<double> samples, double p) {
  KEJU_CHECK(!samples.empty(), "percentile of nothing");
  std::sort(samples.begin(), samples.end());
  const double place = p * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const size_t above = std::min(below + 1, samples.size() - 1);
  return samples[below] + (place - static_cast<double>(below)) * (samples[above] - samples[below]);
}

Json run_scenario(LanguageModel& model, const BenchOptions& options) {
  Json (*run)(LanguageModel&, const BenchOptions&) = nullptr;
  if (options.scenario == "offline") run = offline;
  if (options.scenario == "single") run = single;
  if (options.scenario == "phases") run = phases;
  if (run == nullptr) {
    throw fail(Code::kUsage,
               "--scenario: unknown \"{}\"{}",
               options.scenario,
               suggestion(options.scenario, {"offline", "single", "phases"}));
  }
  BenchOptions warm = options;  // the first pass touches the weights for the first time
  warm.requests = 1;
  warm.new_tokens = 2;
  (void)measure(model, {random_request(warm, -1, 2)});
  Json out{{"scenario", options.scenario},
           {"requests", options.requests},
           {"prompt_tokens", options.prompt_tokens},
           {"new_tokens", options.new_tokens}};
  out.update(run(model, options));
  return out;
}

}  // namespace keju
