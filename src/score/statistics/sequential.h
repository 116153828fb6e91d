// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

namespace keju {

// An anytime-valid one-sided test that a bounded mean is positive: under the hypothesis that every
// observation's mean, given what came before, is at most 0, the chance that `evidence` ever reaches
// 1/alpha is at most alpha, however often one looks (Ville). It is the average wealth of gamblers
// who stake fixed shares on a grid, so nothing about the distribution is assumed but its bound.
// Source: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting".
class BettingTest {
 public:
  // `most_loss`: no observation lies below -most_loss (> 0).
  explicit BettingTest(double most_loss);

  void add(double x);  // Error(kBug) where x < -most_loss

  double evidence() const;  // the e-value: 1 at the beginning
  bool decided(double alpha) const { return evidence() >= 1 / alpha; }

 private:
  double most_loss_;
  std::vector<double> stakes_;
  std::vector<double> log_wealth_;
};

}  // namespace keju
