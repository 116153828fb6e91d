// SPDX-License-Identifier: MIT
#include "gate/gate.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "gate/likeness.h"
#include "score/statistics/multiplicity.h"

namespace keju {
namespace {

std::string suite_of(const BaselineExam& exam) {
  return string_member(exam.entry, "suite", exam.key);
}

// The exams that were asked for, whatever they are.
std::vector<const BaselineExam*> wanted_exams(const Baseline& baseline,
                                              const GateOptions& options) {
  std::vector<const BaselineExam*> out;
  for (const BaselineExam& exam : baseline.exams) {
    const auto asked = [&](const std::string& suite) {
      return suite == suite_of(exam) || suite == exam.key;
    };
    const auto& suites = options.suites;
    if (suites.empty() || std::any_of(suites.begin(), suites.end(), asked)) out.push_back(&exam);
  }
  return out;
}

void refuse_chance(const Baseline& baseline, const BaselineExam& exam) {
  std::vector<double> values;
  for (const auto& value : exam.values) {
    if (value) values.push_back(*value);
  }
  const auto estimate = mean(values);
  if (!estimate)
    throw fail(Code::kUsage, "{}: {}: found no scored item, need some", baseline.where, exam.key);
  // Wilson's interval at the binomial variance, which graded values do not exceed.
  const Interval interval = wilson(estimate->value, static_cast<double>(values.size()));
  if (interval.low <= exam.chance) {
    throw fail(Code::kUsage,
               "{}: {}: the baseline has {:.2f} % (95 % {:.2f} to {:.2f}), guessing {:.2f} %: a "
               "model that only guesses has nothing to lose. Name other suites with --suites",
               baseline.where,
               exam.key,
               100 * estimate->value,
               100 * interval.low,
               100 * interval.high,
               100 * exam.chance);
  }
}

// Values of both sides over all gated exams; clusters keep apart what exams keep apart.
struct Pool {
  std::vector<double> baseline, candidate;
  std::vector<int64_t> clusters;
};

double candidate_value(const AnsweredItem& item) { return item.failed ? 0 : item.value; }

void add_exam(const BaselineExam& exam, const AnsweredExam& answers, int64_t number, Pool& pool) {
  for (size_t i = 0; i < exam.values.size(); ++i) {
    if (!exam.values[i]) continue;
    pool.baseline.push_back(*exam.values[i]);
    pool.candidate.push_back(candidate_value(answers.items[i]));
    pool.clusters.push_back(pooled_cluster(answers.items[i].cluster, number));
  }
}

std::optional<PairedDifference> difference(const Pool& pool) {
  return paired_difference(pool.baseline, pool.candidate, {.clusters = pool.clusters});
}

// What is missing of the candidate, or of the baseline, in words.
void check_whole(const Baseline& baseline,
                 const BaselineExam& exam,
                 const AnsweredRun& candidate,
                 double max_errors,
                 std::vector<std::string>& invalid) {
  if (!exam.complete) {
    invalid.push_back(
        fmt::format("{}: {}: the baseline is not complete", baseline.where, exam.key));
    return;
  }
  const AnsweredExam* answers = candidate.find(exam.key);
  if (answers == nullptr) return;  // told as unlike
  const auto found = static_cast<int64_t>(answers->items.size());
  if (found != answers->manifest.items) {
    invalid.push_back(fmt::format("{}: {}: found {} items, need {}: the run is not complete",
                                  candidate.where,
                                  exam.key,
                                  found,
                                  answers->manifest.items));
    return;
  }
  if (static_cast<double>(answers->failed) > max_errors * static_cast<double>(found)) {
    invalid.push_back(fmt::format("{}: {}: {} of {} items failed, allowed are {:.2f} %",
                                  candidate.where,
                                  exam.key,
                                  answers->failed,
                                  found,
                                  100 * max_errors));
  }
  for (size_t i = 0; i < exam.values.size() && i < answers->items.size(); ++i) {
    const AnsweredItem& item = answers->items[i];
    if (item.failed || exam.values[i].has_value() == item.counted) continue;
    invalid.push_back(fmt::format(
        "{}: {}: item {} has a score in one run only", candidate.where, exam.key, item.id));
    return;
  }
}

// Rates are told; the verdict is that of their ratio's bounds, stretch by stretch.
struct Speed {
  std::optional<double> rate;  // tokens/s
  std::optional<Pace> pace;
};

void check_speed(const char* what,
                 const Speed& before,
                 const Speed& now,
                 const GateOptions& options,
                 GateReport& report) {
  if (!before.rate || !now.rate || *before.rate <= 0) {
    report.notes.push_back(fmt::format("{} speed: not measured in both, not judged", what));
    return;
  }
  const double allowed = 1 - *options.max_slowdown, alpha = options.rules.alpha;
  const std::string rates = fmt::format("{:.1f} tokens/s against {:.1f}", *now.rate, *before.rate);
  const std::string name = fmt::format("{} speed", what);
  if (!before.pace && !now.pace) {
    report.notes.push_back(
        fmt::format("{}: {}; fewer than {} items of the kind in one session, not judged",
                    name,
                    rates,
                    5 * kStretches));
    return;
  }
  const auto ratio = before.pace && now.pace ? speed_ratio(*before.pace, *now.pace, alpha)
                                             : std::optional<SpeedRatio>();
  if (!ratio) {
    report.checks.push_back({name,
                             Verdict::kUndecided,
                             fmt::format("{}; no interval: it takes {} items of the kind in one "
                                         "session of each run, and a baseline with its paces",
                                         rates,
                                         5 * kStretches)});
    return;
  }
  const Verdict verdict = ratio->low > allowed    ? Verdict::kPass
                          : ratio->high < allowed ? Verdict::kRegression
                                                  : Verdict::kUndecided;
  report.checks.push_back(
      {name,
       verdict,
       fmt::format("{}; over the same stretches {:+.1f} %, one-sided {:.0f} % bounds {:+.1f} and "
                   "{:+.1f}, allowed -{:.1f}",
                   rates,
                   100 * (ratio->value - 1),
                   100 * (1 - alpha),
                   100 * (ratio->low - 1),
                   100 * (ratio->high - 1),
                   100 * *options.max_slowdown)});
}

void check_cap_hits(const std::vector<const BaselineExam*>& exams,
                    const AnsweredRun& candidate,
                    double allowed,
                    GateReport& report) {
  double before = 0, now = 0, items = 0;
  for (const BaselineExam* exam : exams) {
    before += static_cast<double>(exam->cap_hits);
    for (const AnsweredItem& item : candidate.find(exam->key)->items) now += item.cap_hit;
    items += static_cast<double>(exam->values.size());
  }
  const double growth = (now - before) / items;
  report.checks.push_back({"cap hits",
                           growth <= allowed ? Verdict::kPass : Verdict::kRegression,
                           fmt::format("{:.0f} of {:.0f} texts ended at max_tokens, {:.0f} before "
                                       "({:+.2f} points), allowed +{:.2f}",
                                       now,
                                       items,
                                       before,
                                       100 * growth,
                                       100 * allowed)});
}

void add_suites(const std::vector<const BaselineExam*>& exams,
                const AnsweredRun& candidate,
                GateReport& report) {
  std::vector<double> p;
  for (const BaselineExam* exam : exams) {
    Pool pool;
    add_exam(*exam, *candidate.find(exam->key), 0, pool);
    GateSuiteRow row;
    row.exam = exam->key;
    row.baseline = mean(pool.baseline)->value;
    row.candidate = mean(pool.candidate)->value;
    row.difference = difference(pool);
    p.push_back(row.difference ? row.difference->p : 1);
    report.suites.push_back(std::move(row));
  }
  const auto adjusted = holm(p);
  for (size_t i = 0; i < p.size(); ++i) report.suites[i].p_adjusted = adjusted[i];
}

GateCheck accuracy_check(const PairedDifference& d, const GatePlan& plan) {
  const double a = plan.alpha_final;
  return {
      "accuracy",
      judge(d, plan.margin, a),
      fmt::format("{:+.2f} points, one-sided {:.0f} % bounds {:+.2f} and {:+.2f}, margin {:.2f}; "
                  "{} lost, {} gained of {} items",
                  100 * d.mean.value,
                  100 * (1 - a),
                  100 * d.lower(a),
                  100 * d.upper(a),
                  100 * plan.margin,
                  d.counts.first_only,
                  d.counts.second_only,
                  d.mean.count)};
}

}  // namespace

int64_t pooled_cluster(int64_t cluster, int64_t exam) {
  return static_cast<int64_t>(static_cast<uint64_t>(cluster) ^
                              (static_cast<uint64_t>(exam) * 0x9e3779b97f4a7c15ull));
}

std::optional<Verdict> GateReport::verdict() const {
  if (!invalid.empty() || checks.empty()) return std::nullopt;
  Verdict worst = Verdict::kPass;
  for (const GateCheck& check : checks) {
    if (check.verdict == Verdict::kRegression) return check.verdict;
    if (check.verdict == Verdict::kUndecided) worst = check.verdict;
  }
  return worst;
}

int GateReport::exit_code() const {
  const auto got = verdict();
  return got ? static_cast<int>(*got) : 3;
}

std::vector<const BaselineExam*> gated_exams(const Baseline& baseline, const GateOptions& options) {
  std::vector<const BaselineExam*> out;
  for (const std::string& suite : options.suites) {
    const bool known =
        std::any_of(baseline.exams.begin(), baseline.exams.end(), [&](const BaselineExam& e) {
          return suite_of(e) == suite || e.key == suite;
        });
    if (known) continue;
    std::vector<std::string> names;
    for (const BaselineExam& exam : baseline.exams) names.push_back(suite_of(exam));
    throw fail(
        Code::kUsage, "--suites: the baseline has no \"{}\"{}", suite, suggestion(suite, names));
  }
  for (const BaselineExam* exam : wanted_exams(baseline, options)) {
    if (exam->perplexity) continue;
    refuse_chance(baseline, *exam);
    out.push_back(exam);
  }
  if (out.empty())
    throw fail(Code::kUsage,
               "{}: found no suite of right and wrong answers to gate on, need one",
               baseline.where);
  return out;
}

std::vector<std::string> unlike_baseline(const Baseline& baseline,
                                         const std::vector<const BaselineExam*>& exams,
                                         const Json& entries) {
  std::vector<std::string> out;
  for (const BaselineExam* exam : exams) {
    const Json* found = nullptr;
    for (const Json& entry : entries) {
      if (entry.contains("key") && entry["key"] == exam->key) found = &entry;
    }
    if (found == nullptr) {
      out.push_back(
          fmt::format("{}: the candidate did not sit it, {} did", exam->key, baseline.where));
      continue;
    }
    for (const Unlikeness& unlike : unlike_exams(exam->entry, *found)) out.push_back(say(unlike));
  }
  return out;
}

bool same_examinee(const Json& a, const Json& b) {
  for (const char* key : {"weights_digest", "tokenizer_digest", "template_hash", "numeric_mode"}) {
    if (!a.contains(key) || !b.contains(key) || a[key] != b[key]) return false;
  }
  return true;
}

Pilot usual_pilot(const Baseline& baseline,
                  std::span<const int64_t> clusters,
                  const GateOptions& options) {
  if (options.discordance) {
    Pilot pilot = assumed_pilot(clusters, *options.discordance);
    pilot.from = "as given";
    return pilot;
  }
  if (baseline.pilot) return *baseline.pilot;
  return assumed_pilot(clusters, 0.1);
}

Pilot pilot_of(const Baseline& baseline, const AnsweredRun& pilot, const GateOptions& options) {
  const auto exams = gated_exams(baseline, options);
  std::vector<std::string> wrong =
      unlike_baseline(baseline, exams, member(pilot.manifest, "exams", pilot.where));
  if (wrong.empty()) {
    for (const BaselineExam* exam : exams) check_whole(baseline, *exam, pilot, 0, wrong);
  }
  if (!wrong.empty())
    throw fail(
        Code::kUsage, "--pilot {}: {}. A pilot sits what the baseline sat", pilot.where, wrong[0]);
  Pool pool;
  int64_t number = 0;
  for (const BaselineExam* exam : exams) add_exam(*exam, *pilot.find(exam->key), number++, pool);
  const auto d = difference(pool);
  if (!d) throw fail(Code::kUsage, "--pilot {}: too few items, need two", pilot.where);
  Pilot out;
  out.discordance =
      static_cast<double>(d->counts.discordant()) / static_cast<double>(d->mean.count);
  out.design_effect = std::max(1.0, d->mean.design_effect);
  out.from = fmt::format("pilot {} against {}", pilot.model, baseline.model);
  return out;
}

GateReport run_gate(const Baseline& baseline,
                    const AnsweredRun& candidate,
                    const Json& candidate_results,
                    const GateOptions& options) {
  GateReport report;
  report.baseline = baseline.model;
  report.candidate = candidate.model;
  std::vector<const BaselineExam*> all;
  for (const BaselineExam* exam : wanted_exams(baseline, options)) {
    if (!exam->perplexity) {
      all.push_back(exam);
      continue;
    }
    report.notes.push_back(exam->key + ": bits per byte, no share of right answers: not judged");
  }
  report.invalid =
      unlike_baseline(baseline, all, member(candidate.manifest, "exams", candidate.where));
  for (const BaselineExam* exam : all)
    check_whole(baseline, *exam, candidate, options.max_errors, report.invalid);
  if (!report.invalid.empty()) return report;

  report.equal_digests =
      !all.empty() && std::all_of(all.begin(), all.end(), [&](const BaselineExam* exam) {
        return candidate.find(exam->key)->digest == exam->digest;
      });
  Pool pool;
  if (report.equal_digests) {
    report.checks.push_back(
        {"accuracy", Verdict::kPass, "every answer is equal to the bit (equal digests)"});
  } else {
    all = gated_exams(baseline, options);
    for (size_t i = 0; i < all.size(); ++i)
      add_exam(*all[i], *candidate.find(all[i]->key), static_cast<int64_t>(i), pool);
    report.plan =
        plan_gate(pool.clusters, usual_pilot(baseline, pool.clusters, options), options.rules);
    report.pooled = difference(pool);
    if (!report.pooled)
      throw fail(Code::kUsage, "gate: found {} items, need two at least", pool.clusters.size());
    report.checks.push_back(accuracy_check(*report.pooled, *report.plan));
    add_suites(all, candidate, report);
  }
  for (const BaselineExam* exam : all)
    report.items_used += static_cast<int64_t>(exam->values.size());
  if (options.max_slowdown) {
    check_speed("prefill",
                {baseline.prefill_tokens_per_s, baseline.paces.prefill},
                {rate_of(candidate_results, "prefill_tokens_per_s"), candidate.paces.prefill},
                options,
                report);
    check_speed("decode",
                {baseline.decode_tokens_per_s, baseline.paces.decode},
                {rate_of(candidate_results, "decode_tokens_per_s"), candidate.paces.decode},
                options,
                report);
    if (report.checks.size() == 1) {  // accuracy alone: what was asked for is not shown
      report.checks.push_back({"speed", Verdict::kUndecided, "could not be judged, see the notes"});
    }
  }
  if (options.max_cap_hits) check_cap_hits(all, candidate, *options.max_cap_hits, report);
  return report;
}

}  // namespace keju
