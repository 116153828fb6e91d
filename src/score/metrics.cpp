// SPDX-License-Identifier: MIT
#include "score/metrics.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace keju {

// The items of several pools one after another, as if they were one.
class PoolView {
 public:
  PoolView(std::vector<const OutcomePool*> pools, const Protocol& protocol, size_t also_count)
      : pools_(std::move(pools)), protocol_(protocol), also_count_(also_count) {}

  // Shares get Wilson's interval, graded scores the normal one, bits per byte the ratio's.
  std::optional<MeanEstimate> estimate() const {
    if (protocol_.task == Task::kPerplexity || !all_one()) {
      return weighted_ratio(values(), weights());
    }
    int64_t right = 0, count = 0;
    for (const OutcomePool* pool : pools_) {
      count += static_cast<int64_t>(pool->values_.size());
      for (const double value : pool->values_) {
        if (value != 0 && value != 1) return mean(values());
        right += value == 1 ? 1 : 0;
      }
    }
    return proportion(right, count);
  }

  // By the protocol's other rules; empty without items.
  std::vector<double> also_means() const {
    std::vector<double> means(also_count_, 0.0);
    double total = 0;
    bool any = false;
    for (const OutcomePool* pool : pools_) {
      for (size_t item = 0; item < pool->values_.size(); ++item) {
        const double weight = weight_of(*pool, item);
        total += weight;
        any = true;
        for (size_t i = 0; i < also_count_; ++i) {
          means[i] += weight * pool->also_[item * also_count_ + i];
        }
      }
    }
    if (!any) return {};
    for (double& value : means) value /= total;
    return means;
  }

  Averages averages() const {
    Averages out;
    std::vector<Group> groups;
    std::vector<double> also_sum(also_count_, 0.0);
    for (const OutcomePool* pool : pools_) {
      out.counts.add(pool->counts_);
      const PoolView alone({pool}, protocol_, also_count_);
      const std::optional<MeanEstimate> one = alone.estimate();
      if (!one.has_value()) continue;
      groups.push_back({one->value, one->stderr_, static_cast<int64_t>(pool->values_.size())});
      const std::vector<double> also = alone.also_means();
      for (size_t i = 0; i < also_count_; ++i) also_sum[i] += also[i];
    }
    out.micro = estimate();
    out.macro = macro_mean(groups, protocol_.task != Task::kPerplexity);
    out.also_micro = also_means();
    if (!groups.empty()) {
      for (double& value : also_sum) value /= static_cast<double>(groups.size());
      out.also_macro = also_sum;
    }
    return out;
  }

 private:
  static double weight_of(const OutcomePool& pool, size_t item) {
    return pool.weights_.empty() ? 1 : pool.weights_[item];
  }

  bool all_one() const {
    return std::all_of(pools_.begin(), pools_.end(), [](const OutcomePool* pool) {
      return std::all_of(
          pool->weights_.begin(), pool->weights_.end(), [](double w) { return w == 1; });
    });
  }

  std::vector<double> values() const {
    std::vector<double> all;
    for (const OutcomePool* pool : pools_) {
      all.insert(all.end(), pool->values_.begin(), pool->values_.end());
    }
    return all;
  }

  std::vector<double> weights() const {
    std::vector<double> all;
    for (const OutcomePool* pool : pools_) {
      for (size_t i = 0; i < pool->values_.size(); ++i) all.push_back(weight_of(*pool, i));
    }
    return all;
  }

  std::vector<const OutcomePool*> pools_;
  const Protocol& protocol_;
  size_t also_count_;
};

void OutcomePool::add_value(double value, double weight) {
  if (weight != 1 && weights_.empty()) weights_.assign(values_.size(), 1.0);
  values_.push_back(value);
  if (weight != 1 || !weights_.empty()) weights_.push_back(weight);
}

void OutcomePool::add(const Outcome* outcome) {
  if (outcome == nullptr) {
    ++counts_.missing;
  } else if (const auto* scored = std::get_if<Scored>(outcome)) {
    ++counts_.scored;
    counts_.ties += scored->tie ? 1 : 0;
    add_value(scored->value, scored->weight);
    for (size_t i = 0; i < also_count_; ++i) {
      also_.push_back(i < scored->also.size() ? scored->also[i] : 0.0);
    }
  } else if (const auto* unscored = std::get_if<Unscored>(outcome)) {
    ++counts_.unscored;
    ++counts_.reasons[unscored->reason];
    if (!unscored->counts_as_wrong) return;
    ++counts_.unread;
    add_value(0, unscored->weight);
    also_.resize(also_.size() + also_count_);
  } else {
    ++counts_.failed;
  }
}

void OutcomeCounts::add(const OutcomeCounts& other) {
  scored += other.scored;
  unscored += other.unscored;
  unread += other.unread;
  failed += other.failed;
  missing += other.missing;
  ties += other.ties;
  for (const auto& [reason, count] : other.reasons) reasons[reason] += count;
}

Aggregator::Aggregator(const std::vector<SubjectInfo>& subjects,
                       const std::vector<std::string>& categories,
                       const Protocol& protocol,
                       double chance)
    : subjects_(subjects),
      categories_(categories),
      protocol_(protocol),
      chance_(chance),
      also_count_(protocol.task == Task::kGenerate ? protocol.also_extract.size()
                                                   : protocol.also.size()) {
  for (const SubjectInfo& subject : subjects) pools_.try_emplace(subject.id, also_count_);
}

void Aggregator::add(const std::string& subject, const Outcome* outcome) {
  const auto pool = pools_.find(subject);
  KEJU_CHECK(pool != pools_.end(), "an item of a subject that the exam does not have");
  pool->second.add(outcome);
}

ExamScore Aggregator::score() const {
  ExamScore out;
  std::vector<const OutcomePool*> all;
  for (const SubjectInfo& subject : subjects_) {
    const OutcomePool& pool = pools_.at(subject.id);
    all.push_back(&pool);
    out.subjects.push_back(
        {subject.id, PoolView({&pool}, protocol_, also_count_).estimate(), pool.counts()});
  }
  out.overall = PoolView(std::move(all), protocol_, also_count_).averages();
  for (const std::string& category : categories_) {
    std::vector<const OutcomePool*> part;
    for (const SubjectInfo& subject : subjects_) {
      const auto& own = subject.categories;
      if (std::find(own.begin(), own.end(), category) != own.end())
        part.push_back(&pools_.at(subject.id));
    }
    out.categories.emplace_back(category,
                                PoolView(std::move(part), protocol_, also_count_).averages());
  }
  const std::optional<MeanEstimate>& headline =
      protocol_.average == Average::kMacro ? out.overall.macro : out.overall.micro;
  out.near_chance = chance_ > 0 && headline.has_value() && near_chance(*headline, chance_);
  return out;
}

ExamScore aggregate(const std::vector<SubjectInfo>& subjects,
                    const std::vector<std::string>& categories,
                    const Protocol& protocol,
                    double chance,
                    const std::vector<ScoredItem>& items) {
  Aggregator all(subjects, categories, protocol, chance);
  for (const ScoredItem& item : items) all.add(item.subject, item.outcome);
  return all.score();
}

}  // namespace keju
