// SPDX-License-Identifier: MIT
#include "score/statistics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/rng.h"

namespace keju {
namespace {

using Members = std::vector<size_t>;

// The clusters of each stratum, in order of appearance.
std::vector<std::vector<Members>> clusters_by_stratum(size_t count, const Design& design) {
  std::map<int64_t, size_t> strata;
  std::map<int64_t, std::pair<size_t, size_t>> places;  // cluster: stratum and index in it
  std::vector<std::vector<Members>> out;
  for (size_t i = 0; i < count; ++i) {
    const int64_t label = design.strata.empty() ? 0 : design.strata[i];
    const size_t stratum = strata.emplace(label, strata.size()).first->second;
    if (stratum == out.size()) out.emplace_back();
    const int64_t cluster = design.clusters.empty() ? static_cast<int64_t>(i) : design.clusters[i];
    const auto [place, fresh] = places.emplace(cluster, std::pair(stratum, out[stratum].size()));
    if (fresh) out[stratum].emplace_back();
    out[place->second.first][place->second.second].push_back(i);
  }
  return out;
}

// Item by item, the models side by side, so that a draw adds one short row.
std::vector<double> transposed(std::span<const std::vector<double>> scores) {
  const size_t models = scores.size(), items = scores[0].size();
  std::vector<double> out(models * items);
  for (size_t m = 0; m < models; ++m) {
    for (size_t i = 0; i < items; ++i) out[i * models + m] = scores[m][i];
  }
  return out;
}

}  // namespace

void resample(size_t count,
              const Design& design,
              const BootstrapOptions& options,
              const std::function<void(int64_t, std::span<const int32_t>)>& visit) {
  const auto strata = clusters_by_stratum(count, design);
  std::vector<int32_t> times(count);
  for (int64_t replicate = 0; replicate < options.replicates; ++replicate) {
    std::fill(times.begin(), times.end(), 0);
    uint64_t draw = 0;
    for (const auto& clusters : strata) {
      for (size_t k = 0; k < clusters.size(); ++k) {
        const uint64_t chosen =
            uniform_below(options.seed, static_cast<uint64_t>(replicate), draw++, clusters.size());
        for (const size_t i : clusters[chosen]) ++times[i];
      }
    }
    visit(replicate, times);
  }
}

std::vector<std::vector<double>> joint_bootstrap_means(std::span<const std::vector<double>> scores,
                                                       const Design& design,
                                                       const BootstrapOptions& options) {
  if (scores.empty()) return {};
  const DesignLayout layout(scores[0].size(), design);
  const size_t models = scores.size(), items = scores[0].size();
  const bool macro = design.weights == Design::Weights::kStrata;
  const size_t strata = macro ? layout.strata.size() : 1;
  for (const auto& row : scores) {
    KEJU_CHECK(row.size() == items, "every model answers every item");
  }
  const std::vector<double> rows = transposed(scores);
  std::vector<std::vector<double>> out(models);
  std::vector<double> sums(strata * models), counts(strata), means(models);
  resample(items, design, options, [&](int64_t, std::span<const int32_t> times) {
    std::fill(sums.begin(), sums.end(), 0);
    std::fill(counts.begin(), counts.end(), 0);
    for (size_t i = 0; i < items; ++i) {
      if (times[i] == 0) continue;
      const size_t k = macro ? layout.stratum[i] : 0;
      const double t = times[i];
      const double* row = &rows[i * models];
      double* sum = &sums[k * models];
      for (size_t m = 0; m < models; ++m) sum[m] += t * row[m];
      counts[k] += t;
    }
    std::fill(means.begin(), means.end(), 0);
    double drawn = 0;
    for (size_t k = 0; k < strata; ++k) {
      if (counts[k] == 0) continue;  // all of its clusters begin in other strata
      for (size_t m = 0; m < models; ++m) means[m] += sums[k * models + m] / counts[k];
      ++drawn;
    }
    for (size_t m = 0; m < models; ++m) out[m].push_back(means[m] / drawn);
  });
  return out;
}

std::vector<double> bootstrap_means(std::span<const double> values,
                                    const Design& design,
                                    const BootstrapOptions& options) {
  const std::vector<std::vector<double>> one = {{values.begin(), values.end()}};
  return joint_bootstrap_means(one, design, options)[0];
}

double bootstrap_error(std::span<const double> replicates) {
  KEJU_CHECK(replicates.size() > 1, "a deviation needs two replicates");
  const auto n = static_cast<double>(replicates.size());
  double mean = 0, squares = 0;
  for (const double x : replicates) mean += x / n;
  for (const double x : replicates) squares += (x - mean) * (x - mean);
  return std::sqrt(squares / (n - 1));
}

Interval percentile_interval(std::vector<double> replicates, double coverage) {
  KEJU_CHECK(!replicates.empty(), "an interval needs replicates");
  std::sort(replicates.begin(), replicates.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(replicates.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, replicates.size() - 1);
    return replicates[below] +
           (place - static_cast<double>(below)) * (replicates[above] - replicates[below]);
  };
  return {at((1 - coverage) / 2), at((1 + coverage) / 2)};
}

}  // namespace keju
