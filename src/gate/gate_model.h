// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "gate/gate.h"
#include "run/runner.h"

namespace keju {

// A gate that examines its candidate itself, in a drawn order of clusters, and stops as soon as the
// verdict is shown.
class ModelGate {
 public:
  // Everything that can be known before a model is opened: whether the papers at hand are the
  // baseline's (`invalid`), and what can be decided. `exams`: one per gated exam, in that order.
  // Errors: those of gated_exams and plan_gate.
  ModelGate(const Baseline& baseline,
            std::vector<std::unique_ptr<Exam>> exams,
            const GateOptions& options,
            uint64_t seed);

  const std::vector<std::string>& invalid() const { return invalid_; }
  const GatePlan& plan() const { return plan_; }

  // Equal weights, tokenizer, template and arithmetic pass at once. Else examines into `run.out`,
  // which keeps every answer and can be gone on with by `keju run`; `tell` hears of every look.
  GateReport judge_model(LanguageModel& model,
                         RunOptions run,
                         const std::function<void(const std::string&)>& tell);

 private:
  struct Item {
    size_t exam;       // index into exams_
    int64_t position;  // in that exam
    std::string id;
    double baseline;
  };
  void lay_out(const std::vector<const BaselineExam*>& gated);
  bool feed(const std::vector<std::vector<size_t>>& batch,
            const AnsweredRun& answers,
            SequentialGate& gate,
            GateReport& report) const;
  GateReport stopped(GateReport report, Verdict verdict, const RunOptions& run) const;

  const Baseline& baseline_;
  std::vector<std::unique_ptr<Exam>> exams_;
  GateOptions options_;
  uint64_t seed_;
  std::vector<std::string> invalid_;
  std::vector<Item> items_;
  std::vector<int64_t> clusters_;  // of items_
  GatePlan plan_;
};

}  // namespace keju
