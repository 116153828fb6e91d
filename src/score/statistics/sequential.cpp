// SPDX-License-Identifier: MIT
#include "score/statistics/sequential.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace keju {

BettingTest::BettingTest(double most_loss) : most_loss_(most_loss) {
  KEJU_CHECK(most_loss > 0, "a bet needs a bound");
  // Shares of the largest stake that cannot ruin: small ones for small effects.
  constexpr int kGamblers = 24;
  for (int i = 0; i < kGamblers; ++i) stakes_.push_back(0.95 * std::pow(0.75, i) / most_loss);
  log_wealth_.assign(stakes_.size(), 0);
}

void BettingTest::add(double x) {
  KEJU_CHECK(x >= -most_loss_ * (1 + 1e-12), "an observation lies below its bound");
  for (size_t i = 0; i < stakes_.size(); ++i) log_wealth_[i] += std::log1p(stakes_[i] * x);
}

double BettingTest::evidence() const {
  const double most = *std::max_element(log_wealth_.begin(), log_wealth_.end());
  double sum = 0;
  for (const double w : log_wealth_) sum += std::exp(w - most);
  return std::exp(most) * sum / static_cast<double>(log_wealth_.size());
}

}  // namespace keju
