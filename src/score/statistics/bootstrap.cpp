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

std::vector<double> bootstrap_means(std::span<const double> values,
                                    const Design& design,
                                    const BootstrapOptions& options) {
  std::map<int64_t, size_t> known;
  std::vector<size_t> stratum(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const bool alone = design.strata.empty() || design.weights == Design::Weights::kItems;
    stratum[i] = known.emplace(alone ? 0 : design.strata[i], known.size()).first->second;
  }
  std::vector<double> out;
  out.reserve(static_cast<size_t>(options.replicates));
  resample(values.size(), design, options, [&](int64_t, std::span<const int32_t> times) {
    std::vector<double> sums(known.size(), 0), counts(known.size(), 0);
    for (size_t i = 0; i < values.size(); ++i) {
      sums[stratum[i]] += times[i] * values[i];
      counts[stratum[i]] += times[i];
    }
    double sum = 0, groups = 0;
    for (size_t k = 0; k < sums.size(); ++k) {
      if (counts[k] == 0) continue;  // all of its clusters begin in other strata
      sum += sums[k] / counts[k];
      ++groups;
    }
    out.push_back(sum / groups);
  });
  return out;
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
