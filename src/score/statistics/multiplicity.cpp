// SPDX-License-Identifier: MIT
#include "score/statistics/multiplicity.h"

#include <algorithm>
#include <numeric>

namespace keju {
namespace {

std::vector<size_t> ascending(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  return order;
}

}  // namespace

std::vector<double> holm(std::span<const double> p) {
  const std::vector<size_t> order = ascending(p);
  std::vector<double> out(p.size());
  double most = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    most = std::max(most, p[order[i]] * static_cast<double>(p.size() - i));
    out[order[i]] = std::min(1.0, most);
  }
  return out;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  const std::vector<size_t> order = ascending(p);
  std::vector<double> out(p.size());
  double least = 1;
  for (size_t i = order.size(); i-- > 0;) {
    least =
        std::min(least, p[order[i]] * static_cast<double>(p.size()) / static_cast<double>(i + 1));
    out[order[i]] = least;
  }
  return out;
}

}  // namespace keju
