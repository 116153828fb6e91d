// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "gate/gate.h"
#include "report/escape.h"

namespace keju {
namespace {

Json difference_json(const std::optional<PairedDifference>& d) {
  if (!d) return {};
  return {{"difference", d->mean.value},
          {"low", d->interval.low},
          {"high", d->interval.high},
          {"p", d->p},
          {"method", d->method},
          {"items", d->mean.count},
          {"clusters", d->mean.clusters},
          {"design_effect", d->mean.design_effect},
          {"lost", d->counts.first_only},
          {"gained", d->counts.second_only}};
}

Json plan_json(const std::optional<GatePlan>& plan) {
  if (!plan) return {};
  return {{"items", plan->items},
          {"clusters", plan->clusters},
          {"discordance", plan->pilot.discordance},
          {"design_effect", plan->pilot.design_effect},
          {"discordance_from", plan->pilot.from},
          {"minimum_detectable", plan->smallest},
          {"margin", plan->margin},
          {"alpha_final", plan->alpha_final},
          {"alpha_looks", plan->alpha_looks}};
}

std::string verdict_text(const GateReport& report) {
  const auto verdict = report.verdict();
  return verdict ? std::string(name(*verdict)) : "invalid";
}

std::string testcase(const std::string& what, const std::string& inner) {
  return fmt::format(
      "  <testcase classname=\"keju.gate\" name=\"{}\">{}</testcase>\n", html(what), inner);
}

}  // namespace

std::string describe(const GatePlan& plan) {
  return fmt::format(
      "{} items in {} clusters; {:.1f} % expected to differ ({}{}); smallest margin that can be "
      "decided "
      "{:.2f} points, margin {:.2f} points",
      plan.items,
      plan.clusters,
      100 * plan.pilot.discordance,
      plan.pilot.from,
      plan.pilot.design_effect > 1.0001
          ? fmt::format(", design effect {:.2f}", plan.pilot.design_effect)
          : "",
      100 * plan.smallest,
      100 * plan.margin);
}

Json to_json(const GateReport& report) {
  Json checks = Json::array(), suites = Json::array();
  for (const GateCheck& check : report.checks)
    checks.push_back(
        {{"name", check.name}, {"verdict", name(check.verdict)}, {"detail", check.detail}});
  for (const GateSuiteRow& row : report.suites) {
    suites.push_back({{"exam", row.exam},
                      {"baseline", row.baseline},
                      {"candidate", row.candidate},
                      {"p_adjusted", row.p_adjusted},
                      {"paired", difference_json(row.difference)}});
  }
  return {{"schema", kGateSchema},
          {"verdict", verdict_text(report)},
          {"exit_code", report.exit_code()},
          {"baseline", report.baseline},
          {"candidate", report.candidate},
          {"invalid", report.invalid},
          {"equal_digests", report.equal_digests},
          {"stopped_early", report.stopped_early},
          {"items_used", report.items_used},
          {"plan", plan_json(report.plan)},
          {"pooled", difference_json(report.pooled)},
          {"checks", std::move(checks)},
          {"suites", std::move(suites)},
          {"notes", report.notes}};
}

std::string to_markdown(const GateReport& report) {
  std::string out = fmt::format("**keju gate: {}** (exit {})\n\n{} against baseline {}\n",
                                verdict_text(report),
                                report.exit_code(),
                                markdown(report.candidate),
                                markdown(report.baseline));
  for (const std::string& why : report.invalid)
    out += fmt::format("- invalid: {}\n", markdown(why, kLongestNote));
  if (report.plan) out += "\n" + markdown(describe(*report.plan), kLongestNote) + "\n";
  if (!report.checks.empty()) out += "\n| check | verdict | |\n| --- | --- | --- |\n";
  for (const GateCheck& check : report.checks)
    out += fmt::format("| {} | {} | {} |\n",
                       markdown(check.name),
                       name(check.verdict),
                       markdown(check.detail, kLongestNote));
  if (!report.suites.empty()) {
    out +=
        "\n| suite | baseline | candidate | change | 95 % | p adjusted |\n| --- | ---: | ---: | "
        "---: | ---: | ---: |\n";
  }
  for (const GateSuiteRow& row : report.suites) {
    out += fmt::format("| {} | {:.2f} | {:.2f} | {:+.2f} | {} | {:.4f} |\n",
                       markdown(row.exam),
                       100 * row.baseline,
                       100 * row.candidate,
                       100 * (row.candidate - row.baseline),
                       row.difference ? fmt::format("{:+.2f} to {:+.2f}",
                                                    100 * row.difference->interval.low,
                                                    100 * row.difference->interval.high)
                                      : "n/a",
                       row.p_adjusted);
  }
  if (report.stopped_early)
    out += fmt::format("\nStopped early, after {} items.\n", report.items_used);
  for (const std::string& note : report.notes)
    out += fmt::format("\n{}\n", markdown(note, kLongestNote));
  return out;
}

std::string to_junit(const GateReport& report) {
  std::string cases;
  int failures = 0, errors = 0;
  for (const std::string& why : report.invalid) {
    ++errors;
    cases +=
        testcase(fmt::format("valid comparison {}", errors),
                 fmt::format("<error type=\"invalid\" message=\"{}\"/>", html(why, kLongestNote)));
  }
  for (const GateCheck& check : report.checks) {
    if (check.verdict == Verdict::kPass) {
      cases += testcase(
          check.name, fmt::format("<system-out>{}</system-out>", html(check.detail, kLongestNote)));
      continue;
    }
    ++failures;
    cases += testcase(check.name,
                      fmt::format("<failure type=\"{}\" message=\"{}\"/>",
                                  name(check.verdict),
                                  html(check.detail, kLongestNote)));
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"keju gate\" tests=\"{}\" "
      "failures=\"{}\" "
      "errors=\"{}\">\n{}</testsuite>\n",
      report.checks.size() + report.invalid.size(),
      failures,
      errors,
      cases);
}

}  // namespace keju
