// SPDX-License-Identifier: MIT
#include "run/samples.h"

#include <algorithm>

namespace keju {
namespace {

Outcome mean_outcome(const std::vector<Outcome>& samples) {
  Scored mean;
  double sum = 0;
  std::vector<double> also;
  for (const Outcome& outcome : samples) {
    if (std::holds_alternative<Failed>(outcome)) return outcome;
    if (const auto* unscored = std::get_if<Unscored>(&outcome)) {
      if (!unscored->counts_as_wrong) return *unscored;
      mean.weight = unscored->weight;
      continue;
    }
    const Scored& one = std::get<Scored>(outcome);
    mean.weight = one.weight;
    sum += one.value;
    also.resize(std::max(also.size(), one.also.size()));
    for (size_t i = 0; i < one.also.size(); ++i) also[i] += one.also[i];
  }
  const double count = static_cast<double>(samples.size());
  mean.value = sum / count;
  for (const double value : also) mean.also.push_back(value / count);
  return mean;
}

int64_t right_ones(const std::vector<Outcome>& samples) {
  return std::count_if(samples.begin(), samples.end(), [](const Outcome& outcome) {
    const auto* scored = std::get_if<Scored>(&outcome);
    return scored != nullptr && scored->value == 1;
  });
}

}  // namespace

void SampledItems::add(const ItemRecord& record) {
  if (record.subject != subject_ || record.row != row_) finish();
  subject_ = record.subject;
  row_ = record.row;
  waiting_.push_back(record.outcome);
}

void SampledItems::finish() {
  if (!waiting_.empty() && static_cast<int64_t>(waiting_.size()) >= samples_) {
    const Outcome mean = mean_outcome(waiting_);
    if (std::holds_alternative<Scored>(mean)) right_.push_back({samples_, right_ones(waiting_)});
    take_(subject_, mean);
  }
  waiting_.clear();
}

Json SampledItems::pass_at_k() const {
  Json rows = Json::array();
  for (const int64_t k : {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}) {
    if (k > samples_) break;
    const auto mean = mean_pass_at_k(right_, k);
    Json row = {{"k", k}, {"value", nullptr}, {"se", nullptr}, {"n", right_.size()}};
    if (mean) row["value"] = mean->value;
    if (mean && mean->stderr_) row["se"] = *mean->stderr_;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace keju
