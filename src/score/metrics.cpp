// SPDX-License-Identifier: MIT
#include "score/metrics.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace keju {
namespace {

// All that is known of one subject's items.
struct Pool {
  std::vector<double> values, weights;
  std::vector<std::vector<double>> also;  // by item
  OutcomeCounts counts;

  void add(const Outcome* outcome, size_t also_count) {
    if (outcome == nullptr) {
      ++counts.missing;
    } else if (const auto* scored = std::get_if<Scored>(outcome)) {
      ++counts.scored;
      counts.ties += scored->tie ? 1 : 0;
      values.push_back(scored->value);
      weights.push_back(scored->weight);
      also.push_back(scored->also);
      also.back().resize(also_count);
    } else if (const auto* unscored = std::get_if<Unscored>(outcome)) {
      ++counts.unscored;
      ++counts.reasons[unscored->reason];
      if (!unscored->counts_as_wrong) return;
      ++counts.unread;
      values.push_back(0);
      weights.push_back(unscored->weight);
      also.emplace_back(also_count, 0.0);
    } else {
      ++counts.failed;
    }
  }

  void merge(const Pool& other) {
    values.insert(values.end(), other.values.begin(), other.values.end());
    weights.insert(weights.end(), other.weights.begin(), other.weights.end());
    also.insert(also.end(), other.also.begin(), other.also.end());
    counts.add(other.counts);
  }
};

bool all_binary(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return v == 0 || v == 1; });
}

bool all_one(const std::vector<double>& weights) {
  return std::all_of(weights.begin(), weights.end(), [](double w) { return w == 1; });
}

// Shares get Wilson's interval, graded scores the normal one, bits per byte the ratio's.
std::optional<MeanEstimate> estimate(const Pool& pool, const Protocol& protocol) {
  if (protocol.task == Task::kPerplexity || !all_one(pool.weights)) {
    return weighted_ratio(pool.values, pool.weights);
  }
  if (!all_binary(pool.values)) return mean(pool.values);
  const auto right = std::count(pool.values.begin(), pool.values.end(), 1.0);
  return proportion(right, static_cast<int64_t>(pool.values.size()));
}

std::vector<double> also_means(const Pool& pool, size_t also_count) {
  std::vector<double> means(also_count, 0.0);
  if (pool.also.empty()) return {};
  double total = 0;
  for (size_t item = 0; item < pool.also.size(); ++item) {
    total += pool.weights[item];
    for (size_t i = 0; i < also_count; ++i) means[i] += pool.weights[item] * pool.also[item][i];
  }
  for (double& value : means) value /= total;
  return means;
}

Averages average(const std::vector<const Pool*>& pools,
                 const Protocol& protocol,
                 size_t also_count) {
  Averages out;
  Pool all;
  std::vector<Group> groups;
  std::vector<double> also_sum(also_count, 0.0);
  for (const Pool* pool : pools) {
    all.merge(*pool);
    const std::optional<MeanEstimate> one = estimate(*pool, protocol);
    if (!one.has_value()) continue;
    groups.push_back({one->value, one->stderr_, static_cast<int64_t>(pool->values.size())});
    const std::vector<double> also = also_means(*pool, also_count);
    for (size_t i = 0; i < also_count; ++i) also_sum[i] += also[i];
  }
  out.micro = estimate(all, protocol);
  out.macro = macro_mean(groups, protocol.task != Task::kPerplexity);
  out.also_micro = also_means(all, also_count);
  if (!groups.empty()) {
    for (double& value : also_sum) value /= static_cast<double>(groups.size());
    out.also_macro = also_sum;
  }
  out.counts = all.counts;
  return out;
}

}  // namespace

void OutcomeCounts::add(const OutcomeCounts& other) {
  scored += other.scored;
  unscored += other.unscored;
  unread += other.unread;
  failed += other.failed;
  missing += other.missing;
  ties += other.ties;
  for (const auto& [reason, count] : other.reasons) reasons[reason] += count;
}

ExamScore aggregate(const std::vector<SubjectInfo>& subjects,
                    const std::vector<std::string>& categories,
                    const Protocol& protocol,
                    double chance,
                    const std::vector<ScoredItem>& items) {
  const size_t also_count =
      protocol.task == Task::kGenerate ? protocol.also_extract.size() : protocol.also.size();
  std::map<std::string, Pool> pools;
  for (const SubjectInfo& subject : subjects) pools[subject.id];
  for (const ScoredItem& item : items) {
    const auto pool = pools.find(item.subject);
    KEJU_CHECK(pool != pools.end(), "an item of a subject that the exam does not have");
    pool->second.add(item.outcome, also_count);
  }

  ExamScore out;
  std::vector<const Pool*> all;
  for (const SubjectInfo& subject : subjects) {
    const Pool& pool = pools[subject.id];
    all.push_back(&pool);
    out.subjects.push_back({subject.id, estimate(pool, protocol), pool.counts});
  }
  out.overall = average(all, protocol, also_count);
  for (const std::string& category : categories) {
    std::vector<const Pool*> part;
    for (const SubjectInfo& subject : subjects) {
      const auto& own = subject.categories;
      if (std::find(own.begin(), own.end(), category) != own.end())
        part.push_back(&pools[subject.id]);
    }
    out.categories.emplace_back(category, average(part, protocol, also_count));
  }
  const std::optional<MeanEstimate>& headline =
      protocol.average == Average::kMacro ? out.overall.macro : out.overall.micro;
  out.near_chance = chance > 0 && headline.has_value() && near_chance(*headline, chance);
  return out;
}

}  // namespace keju
