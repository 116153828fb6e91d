// SPDX-License-Identifier: MIT
#pragma once

#include <limits>

// What a paired comparison can see. Pure functions.
namespace keju {

struct PowerQuestion {
  double count = 0;        // items; divided by the design effect where they come in clusters
  double discordance = 0;  // share of items that the two answer differently, in (0, 1]
  double alpha = 0.05;
  double power = 0.8;
  bool two_sided = false;
  double df = std::numeric_limits<double>::infinity();  // of Student's t, where there are clusters
};

// The smallest difference of shares that the score test (paired_score_statistic) finds with that
// power; equally the smallest margin at which two equals are shown to be equal with that power.
// Solves m = (z_{1-alpha}·sqrt(v(m)) + z_power·sqrt(q)) / sqrt(n), where v(m) is the test's own
// variance under the margin when b = c = n·q/2 is seen. At most 1.
double minimum_detectable(const PowerQuestion& question);

// The textbook form (z + z)·sqrt(q / n), as tables of benchmarks' power are made.
double minimum_detectable_normal(const PowerQuestion& question);

// Power of that test to show, at margin `margin`, that two equals differ by less.
double equivalence_power(const PowerQuestion& question, double margin);

}  // namespace keju
