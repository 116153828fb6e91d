// SPDX-License-Identifier: MIT
#include "score/statistics/pass_at_k.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace keju {
namespace {

// C(a, k) / C(n, k) for a <= n, by factors below one: no overflow, no cancellation.
double choose_ratio(int64_t a, int64_t n, int64_t k) {
  double out = 1;
  for (int64_t i = 0; i < k; ++i) {
    if (a - i <= 0) return 0;
    out *= static_cast<double>(a - i) / static_cast<double>(n - i);
  }
  return out;
}

// P[exactly m of k drawn are right].
double hypergeometric(int64_t n, int64_t c, int64_t k, int64_t m) {
  // C(c, m)·C(n-c, k-m) / C(n, k) = C(k, m) · (c)_m (n-c)_{k-m} / (n)_k
  double out = 1;
  for (int64_t i = 0; i < m; ++i) {
    out *= static_cast<double>(c - i) / static_cast<double>(n - i);
    out *= static_cast<double>(k - i) / static_cast<double>(i + 1);
  }
  for (int64_t i = 0; i < k - m; ++i)
    out *= static_cast<double>(n - c - i) / static_cast<double>(n - m - i);
  return out;
}

bool valid(int64_t count, int64_t right, int64_t k) {
  KEJU_CHECK(right >= 0 && right <= count && k >= 1, "more right samples than samples, or k < 1");
  return k <= count;
}

}  // namespace

std::optional<double> pass_at_k(int64_t count, int64_t right, int64_t k) {
  if (!valid(count, right, k)) return std::nullopt;
  return 1 - choose_ratio(count - right, count, k);
}

std::optional<double> all_at_k(int64_t count, int64_t right, int64_t k) {
  if (!valid(count, right, k)) return std::nullopt;
  return choose_ratio(right, count, k);
}

std::optional<double> pass_at_least(int64_t count, int64_t right, int64_t k, int64_t least) {
  if (!valid(count, right, k)) return std::nullopt;
  double out = 0;
  const int64_t from = std::max({least, int64_t{0}, k - (count - right)});
  for (int64_t m = from; m <= std::min(k, right); ++m) out += hypergeometric(count, right, k, m);
  return std::min(1.0, out);
}

std::optional<MeanEstimate> mean_pass_at_k(std::span<const Samples> items, int64_t k) {
  std::vector<double> values;
  for (const Samples& item : items) {
    const auto value = pass_at_k(item.count, item.right, k);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return mean(values);
}

}  // namespace keju
