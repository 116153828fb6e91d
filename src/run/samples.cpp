// SPDX-License-Identifier: MIT
#include "run/samples.h"

#include <cmath>
#include <map>
#include <utility>

#include "base/error.h"

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

double pass_at_k(int64_t n, int64_t c, int64_t k) {
  KEJU_CHECK(k >= 1 && k <= n && c >= 0 && c <= n, "pass@k out of range");
  if (n - c < k) return 1;
  double none = 1;  // of k drawn without return
  for (int64_t i = n - c + 1; i <= n; ++i) {
    none *= 1 - static_cast<double>(k) / static_cast<double>(i);
  }
  return 1 - none;
}

Json pass_at_k_rows(const std::vector<const ItemRecord*>& records, int64_t samples) {
  Json rows = Json::array();
  for (const int64_t k : {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}) {
    if (k > samples) break;
    double sum = 0, squares = 0;
    int64_t count = 0;
    for (const auto& [item, all] : by_item(records)) {
      const Outcome mean = mean_outcome(all);
      if (static_cast<int64_t>(all.size()) < samples || !std::holds_alternative<Scored>(mean)) {
        continue;
      }
      const double value = pass_at_k(samples, right_ones(all), k);
      sum += value;
      squares += value * value;
      ++count;
    }
    Json row = {{"k", k}, {"value", nullptr}, {"se", nullptr}, {"n", count}};
    const double n = static_cast<double>(count);
    if (count > 0) row["value"] = sum / n;
    if (count > 1) {
      const double variance = std::max(0.0, squares / n - (sum / n) * (sum / n)) * n / (n - 1);
      row["se"] = std::sqrt(variance / n);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace keju
