// SPDX-License-Identifier: MIT
#include "run/samples.h"

#include <map>
#include <utility>

#include "score/statistics/pass_at_k.h"

namespace keju {
namespace {

using ByItem = std::map<std::pair<std::string, int64_t>, std::vector<const ItemRecord*>>;

ByItem by_item(const std::vector<const ItemRecord*>& records) {
  ByItem items;
  for (const ItemRecord* record : records) {
    items[{record->subject, record->row}].push_back(record);
  }
  return items;
}

Outcome mean_outcome(const std::vector<const ItemRecord*>& samples) {
  Scored mean;
  double sum = 0;
  std::vector<double> also;
  for (const ItemRecord* record : samples) {
    if (std::holds_alternative<Failed>(record->outcome)) return record->outcome;
    if (const auto* unscored = std::get_if<Unscored>(&record->outcome)) {
      if (!unscored->counts_as_wrong) return *unscored;
      mean.weight = unscored->weight;
      continue;
    }
    const Scored& one = std::get<Scored>(record->outcome);
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

int64_t right_ones(const std::vector<const ItemRecord*>& samples) {
  int64_t count = 0;
  for (const ItemRecord* record : samples) {
    const auto* scored = std::get_if<Scored>(&record->outcome);
    count += scored != nullptr && scored->value == 1;
  }
  return count;
}

}  // namespace

std::vector<ItemRecord> mean_over_samples(const std::vector<const ItemRecord*>& records,
                                          int64_t samples) {
  std::vector<ItemRecord> out;
  for (const auto& [item, all] : by_item(records)) {
    if (static_cast<int64_t>(all.size()) < samples) continue;
    out.push_back(*all.front());
    out.back().outcome = mean_outcome(all);
  }
  return out;
}

Json pass_at_k_rows(const std::vector<const ItemRecord*>& records, int64_t samples) {
  std::vector<Samples> items;
  for (const auto& [item, all] : by_item(records)) {
    if (static_cast<int64_t>(all.size()) < samples) continue;
    if (!std::holds_alternative<Scored>(mean_outcome(all))) continue;
    items.push_back({samples, right_ones(all)});
  }
  Json rows = Json::array();
  for (const int64_t k : {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}) {
    if (k > samples) break;
    const auto mean = mean_pass_at_k(items, k);
    Json row = {{"k", k}, {"value", nullptr}, {"se", nullptr}, {"n", items.size()}};
    if (mean) row["value"] = mean->value;
    if (mean && mean->stderr_) row["se"] = *mean->stderr_;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace keju
