// SPDX-License-Identifier: MIT
#include "score/statistics.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace keju {
namespace {

Interval around(double value, double se) { return {value - kZ95 * se, value + kZ95 * se}; }

}  // namespace

std::optional<MeanEstimate> mean(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  const double n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  MeanEstimate out;
  out.value = sum / n;
  out.count = static_cast<int64_t>(values.size());
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double value : values) squares += (value - out.value) * (value - out.value);
  out.stderr_ = std::sqrt(squares / (n - 1)) / std::sqrt(n);
  out.interval = around(out.value, *out.stderr_);
  return out;
}

Interval wilson(double share, double count, double z) {
  const double z2 = z * z;
  const double scale = 1 + z2 / count;
  const double centre = (share + z2 / (2 * count)) / scale;
  const double half = z / scale * std::sqrt(share * (1 - share) / count + z2 / (4 * count * count));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

std::optional<MeanEstimate> proportion(int64_t right, int64_t count) {
  KEJU_CHECK(right >= 0 && right <= count, "more right answers than answers");
  if (count == 0) return std::nullopt;
  const double n = static_cast<double>(count);
  MeanEstimate out;
  out.value = static_cast<double>(right) / n;
  out.count = count;
  if (count > 1) out.stderr_ = std::sqrt(out.value * (1 - out.value) / (n - 1));
  out.interval = wilson(out.value, n);
  return out;
}

std::optional<MeanEstimate> macro_mean(std::span<const Group> groups, bool bounded) {
  if (groups.empty()) return std::nullopt;
  // Variance of one observation, pooled over the groups that show any.
  double squares = 0, freedom = 0;
  for (const Group& group : groups) {
    if (!group.stderr_.has_value()) continue;
    const double n = static_cast<double>(group.count);
    squares += *group.stderr_ * *group.stderr_ * n * (n - 1);
    freedom += n - 1;
  }
  MeanEstimate out;
  double variance = 0;
  for (const Group& group : groups) {
    out.value += group.mean;
    out.count += group.count;
    if (group.stderr_.has_value()) {
      variance += *group.stderr_ * *group.stderr_;
    } else if (freedom > 0) {
      variance += squares / freedom / static_cast<double>(std::max<int64_t>(group.count, 1));
    }
  }
  const double count = static_cast<double>(groups.size());
  out.value /= count;
  if (freedom == 0) return out;
  const double se = std::sqrt(variance) / count;
  out.stderr_ = se;
  if (!bounded) {
    out.interval = around(out.value, se);
    return out;
  }
  const double spread = out.value * (1 - out.value);
  // All right or all wrong shows no variance: the plain number of observations is all there is.
  const double effective =
      se > 0 && spread > 0 ? spread / (se * se) : static_cast<double>(out.count);
  out.interval = wilson(std::clamp(out.value, 0.0, 1.0), effective);
  return out;
}

std::optional<MeanEstimate> pooled_mean(std::span<const Group> groups) {
  if (groups.empty()) return std::nullopt;
  double total = 0, sum = 0, squares = 0;
  bool known = true;
  for (const Group& group : groups) {
    const double n = static_cast<double>(group.count);
    total += n;
    sum += group.mean * n;
    known = known && group.stderr_.has_value();
    if (known) squares += (n - 1) * *group.stderr_ * *group.stderr_ * n;
  }
  if (total == 0) return std::nullopt;
  MeanEstimate out;
  out.value = sum / total;
  out.count = static_cast<int64_t>(total);
  const double freedom = total - static_cast<double>(groups.size());
  if (!known || freedom <= 0) return out;
  out.stderr_ = std::sqrt(squares / freedom / total);
  out.interval = around(out.value, *out.stderr_);
  return out;
}

std::optional<MeanEstimate> weighted_ratio(std::span<const double> values,
                                           std::span<const double> weights) {
  KEJU_CHECK(values.size() == weights.size(), "as many weights as values");
  double sum = 0, total = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += weights[i] * values[i];
    total += weights[i];
  }
  if (values.empty() || !(total > 0)) return std::nullopt;
  MeanEstimate out;
  out.value = sum / total;
  out.count = static_cast<int64_t>(values.size());
  if (values.size() < 2) return out;
  const double n = static_cast<double>(values.size());
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double part = weights[i] * (values[i] - out.value);
    squares += part * part;
  }
  out.stderr_ = std::sqrt(n / (n - 1) * squares) / total;
  out.interval = around(out.value, *out.stderr_);
  return out;
}

bool near_chance(const MeanEstimate& estimate, double chance) {
  return !estimate.interval.has_value() || estimate.interval->low <= chance;
}

}  // namespace keju
