// SPDX-License-Identifier: MIT
#include "gate/gate_model.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/error.h"
#include "run/manifest.h"
#include "run/results.h"
#include "score/clusters.h"

namespace keju {
namespace {

// Looks: after every twentieth of the items, of at least so many that a pass through the model is
// worth it. The verdict's validity does not hang on the number.
size_t batch_items(size_t items) { return std::max<size_t>(32, (items + 19) / 20); }

}  // namespace

ModelGate::ModelGate(const Baseline& baseline,
                     std::vector<std::unique_ptr<Exam>> exams,
                     const GateOptions& options,
                     uint64_t seed)
    : baseline_(baseline), exams_(std::move(exams)), options_(options), seed_(seed) {
  options_.rules.sequential = true;
  const auto gated = gated_exams(baseline_, options_);
  KEJU_CHECK(gated.size() == exams_.size(), "one paper per gated exam");
  const Json manifest = make_manifest(ModelFacts{}, exams_, "", {});
  invalid_ = unlike_baseline(baseline_, gated, manifest["exams"]);
  for (size_t e = 0; e < gated.size(); ++e) {
    if (!gated[e]->complete)
      invalid_.push_back(
          fmt::format("{}: {}: the baseline is not complete", baseline_.where, gated[e]->key));
  }
  if (!invalid_.empty()) return;
  lay_out(gated);
  plan_ = plan_gate(clusters_, usual_pilot(baseline_, clusters_, options_), options_.rules);
}

void ModelGate::lay_out(const std::vector<const BaselineExam*>& gated) {
  for (size_t e = 0; e < exams_.size(); ++e) {
    const Exam& exam = *exams_[e];
    std::vector<std::tuple<std::string, int64_t, std::string, int64_t, int64_t>> order;
    for (int64_t i = 0; i < exam.size(); ++i) {
      ExamItem item = exam.item(i);
      const int64_t cluster =
          pooled_cluster(cluster_of(item.doc, item.id), static_cast<int64_t>(e));
      order.emplace_back(std::move(item.subject), item.row, std::move(item.id), i, cluster);
    }
    std::sort(order.begin(), order.end());
    for (size_t k = 0; k < order.size(); ++k) {
      const auto& value = gated[e]->values[k];
      if (!value) continue;
      items_.push_back({e, std::get<3>(order[k]), std::get<2>(order[k]), *value});
      clusters_.push_back(std::get<4>(order[k]));
    }
  }
}

// Takes a batch's answers; false where the candidate cannot be judged any more.
bool ModelGate::feed(const std::vector<std::vector<size_t>>& batch,
                     const AnsweredRun& answers,
                     SequentialGate& gate,
                     GateReport& report) const {
  std::vector<std::unordered_map<std::string_view, const AnsweredItem*>> by_id(exams_.size());
  int64_t failed = 0;
  for (size_t e = 0; e < exams_.size(); ++e) {
    for (const AnsweredItem& item : answers.find(exam_key(*exams_[e]))->items)
      by_id[e].emplace(item.id, &item);
    failed += answers.find(exam_key(*exams_[e]))->failed;
  }
  if (static_cast<double>(failed) > options_.max_errors * static_cast<double>(items_.size())) {
    report.invalid.push_back(
        fmt::format("{} items failed, allowed are {:.2f} %", failed, 100 * options_.max_errors));
    return false;
  }
  for (const auto& cluster : batch) {
    double sum = 0;
    for (const size_t i : cluster) {
      const auto found = by_id[items_[i].exam].find(items_[i].id);
      if (found == by_id[items_[i].exam].end()) {
        report.invalid.push_back(fmt::format("item {} was not answered", items_[i].id));
        return false;
      }
      sum += (found->second->failed ? 0 : found->second->value) - items_[i].baseline;
    }
    gate.add_cluster(sum, static_cast<int64_t>(cluster.size()));
    report.items_used += static_cast<int64_t>(cluster.size());
  }
  return true;
}

GateReport ModelGate::stopped(GateReport report, Verdict verdict, const RunOptions& run) const {
  report.stopped_early = report.items_used < static_cast<int64_t>(items_.size());
  report.checks.push_back({"accuracy",
                           verdict,
                           fmt::format("shown after {} of {} items by an anytime-valid test at "
                                       "level {:.3f}, margin {:.2f} points",
                                       report.items_used,
                                       items_.size(),
                                       plan_.alpha_looks,
                                       100 * plan_.margin)});
  if (options_.max_slowdown || options_.max_cap_hits)
    report.notes.push_back("speed and cap hits: not judged, the run was stopped at a regression");
  report.notes.push_back(fmt::format("answers so far are in {}", run.out.string()));
  return report;
}

GateReport ModelGate::judge_model(LanguageModel& model,
                                  RunOptions run,
                                  const std::function<void(const std::string&)>& tell) {
  GateReport report;
  report.baseline = baseline_.model;
  report.candidate = run.model_name.empty() ? model.facts().name : run.model_name;
  report.invalid = invalid_;
  if (!report.invalid.empty()) return report;
  report.plan = plan_;
  const Json manifest = make_manifest(model.facts(), {}, "", {});
  if (same_examinee(manifest["fingerprint"], baseline_.fingerprint)) {
    report.equal_digests = true;
    report.checks.push_back(
        {"accuracy",
         Verdict::kPass,
         "the same weights, tokenizer, template and arithmetic: nothing to run"});
    return report;
  }
  const auto order = drawn_order(clusters_, seed_);
  size_t largest = 1;
  for (const auto& cluster : order) largest = std::max(largest, cluster.size());
  SequentialGate gate(plan_.margin, plan_.alpha_looks, static_cast<int64_t>(largest));
  // A pass must also have seen what else is judged.
  const bool whole_for_pass = options_.max_slowdown || options_.max_cap_hits;
  for (size_t next = 0; next < order.size();) {
    std::vector<std::vector<size_t>> batch;
    std::map<std::string, std::set<int64_t>> wanted;
    for (size_t items = 0; next < order.size() && items < batch_items(items_.size()); ++next) {
      for (const size_t i : order[next])
        wanted[exam_key(*exams_[items_[i].exam])].insert(items_[i].position);
      items += order[next].size();
      batch.push_back(order[next]);
    }
    run.only = [&](const std::string& exam, int64_t index) {
      const auto found = wanted.find(exam);
      return next == order.size() || (found != wanted.end() && found->second.count(index) > 0);
    };
    run_exams(model, exams_, run);
    if (run.cancel != nullptr && run.cancel->load()) {
      report.invalid.push_back(
          "cancelled before a verdict; the same command goes on where it stopped");
      return report;
    }
    if (!feed(batch, read_answers(run.out), gate, report)) return report;
    const auto verdict = gate.look();
    tell(fmt::format(
        "{} of {} items: {}", report.items_used, items_.size(), verdict ? name(*verdict) : "open"));
    if (next == order.size()) break;  // all are in: the final analysis is the sharper one
    if (verdict && !(*verdict == Verdict::kPass && whole_for_pass))
      return stopped(std::move(report), *verdict, run);
  }
  // What a look has shown stands; else the final analysis has the rest of alpha.
  const auto shown = gate.look();
  GateReport whole = run_gate(baseline_, read_answers(run.out), read_results(run.out), options_);
  if (shown && whole.invalid.empty() && !whole.checks.empty()) whole.checks[0].verdict = *shown;
  return whole;
}

}  // namespace keju
