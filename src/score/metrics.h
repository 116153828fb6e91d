// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "score/outcome.h"
#include "score/statistics.h"
#include "suite/exam.h"

namespace keju {

// What became of the items behind a number.
struct OutcomeCounts {
  int64_t scored = 0;
  int64_t unscored = 0;  // of which `unread` count as wrong
  int64_t unread = 0;    // an answer that could not be read
  int64_t failed = 0;
  int64_t missing = 0;  // no outcome yet
  int64_t ties = 0;
  std::map<std::string, int64_t> reasons;  // of the unscored
  int64_t total() const { return scored + unscored + failed + missing; }
  void add(const OutcomeCounts& other);
};

// The averages of a set of subjects. Every number stands beside its counts; nothing to average is
// "n/a" (nullopt), never 0.
struct Averages {
  std::optional<MeanEstimate> micro;           // over items (over bytes, for bits per byte)
  std::optional<MeanEstimate> macro;           // unweighted over subjects
  std::vector<double> also_micro, also_macro;  // the protocol's other rules, in its order
  OutcomeCounts counts;
};

struct SubjectScore {
  std::string subject;
  std::optional<MeanEstimate> score;
  OutcomeCounts counts;
};

struct ExamScore {
  Averages overall;
  std::vector<SubjectScore> subjects;                        // in the exam's order
  std::vector<std::pair<std::string, Averages>> categories;  // in the exam's order; may overlap
  bool near_chance = false;  // the headline average cannot be told from guessing
};

// One item's outcome for aggregation; `outcome` null: not there yet.
struct ScoredItem {
  std::string subject;
  const Outcome* outcome = nullptr;
};

// What is known of a set of items: eight bytes for each value that an average goes by, the same for
// each of the protocol's other rules, and for each weight as soon as one is not 1.
class OutcomePool {
 public:
  explicit OutcomePool(size_t also) : also_count_(also) {}
  void add(const Outcome* outcome);
  const OutcomeCounts& counts() const { return counts_; }

 private:
  friend class PoolView;
  void add_value(double value, double weight);
  std::vector<double> values_, weights_;  // no weights: all are 1
  std::vector<double> also_;              // also_count_ for each value
  size_t also_count_;
  OutcomeCounts counts_;
};

// Averages an exam from outcomes that come one by one and are not kept. The arguments must outlive
// it.
class Aggregator {
 public:
  Aggregator(const std::vector<SubjectInfo>& subjects,
             const std::vector<std::string>& categories,
             const Protocol& protocol,
             double chance);
  void add(const std::string& subject, const Outcome* outcome);  // null: not there yet
  ExamScore score() const;

 private:
  const std::vector<SubjectInfo>& subjects_;
  const std::vector<std::string>& categories_;
  const Protocol& protocol_;
  double chance_;
  size_t also_count_;
  std::map<std::string, OutcomePool> pools_;
};

// Averages an exam. Items that failed or are missing are in no average and in the counts. An answer
// that could not be read counts as wrong (value 0). `chance` 0 means that nothing is guessed.
ExamScore aggregate(const std::vector<SubjectInfo>& subjects,
                    const std::vector<std::string>& categories,
                    const Protocol& protocol,
                    double chance,
                    const std::vector<ScoredItem>& items);

}  // namespace keju
