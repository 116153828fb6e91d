// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/sampling.h"
#include "tests/kernels/kernel_test.h"

// Sampling as its definition says it, by a sort, and rows of logits on which backends are compared
// with it.
namespace keju::kernel_test {

inline int32_t plain_sample(const std::vector<float>& logits, const SampleRule& rule) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  const float best = logits[static_cast<size_t>(order[0])];
  if (best == -std::numeric_limits<float>::infinity()) return 0;
  if (rule.temperature <= 0) return order[0];
  std::vector<int32_t> tokens;
  std::vector<uint64_t> mass;
  for (const int32_t id : order) {
    const uint64_t own = sample_mass(logits[static_cast<size_t>(id)], best, 1 / rule.temperature);
    if (own == 0) continue;
    tokens.push_back(id);
    mass.push_back(own);
  }
  if (rule.top_k > 0 && static_cast<size_t>(rule.top_k) < tokens.size())
    mass.resize(static_cast<size_t>(rule.top_k));
  const uint64_t total = std::accumulate(mass.begin(), mass.end(), uint64_t{0});
  const double least = rule.min_p * static_cast<double>(kSampleUnit);
  uint64_t kept = 0;
  for (size_t i = 0; i < mass.size(); ++i) {
    if (i > 0 && kept >= top_p_mass(total, rule.top_p)) break;
    if (i > 0 && static_cast<double>(mass[i]) < least) break;
    kept += mass[i];
  }
  uint64_t position = drawn_position(kept, rule.draw);
  size_t i = 0;
  for (; position >= mass[i]; ++i) position -= mass[i];
  return tokens[i];
}

// A row of logits by name: what makes draws hard.
struct LogitCase {
  std::string name;
  std::vector<float> logits;
};

inline std::vector<LogitCase> logit_cases(int64_t large) {
  const float infinite = std::numeric_limits<float>::infinity();
  std::vector<LogitCase> cases;
  for (const int64_t vocab : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{1025}, large}) {
    Draw draw(static_cast<uint64_t>(vocab));
    std::vector<float> spread(static_cast<size_t>(vocab));
    for (float& v : spread) {
      v = draw.between(-4, 4) + draw.between(-4, 4) + draw.between(-4, 4) + draw.between(-9, 9);
    }
    const std::string size = std::to_string(vocab);
    cases.push_back({"spread " + size, spread});
    std::vector<float> tied = spread;
    for (float& v : tied) v = std::floor(v / 4);
    cases.push_back({"tied " + size, tied});
    std::vector<float> masked = spread;
    for (size_t i = 0; i < masked.size(); ++i) {
      if (i % 3 != 2) masked[i] = -infinite;
    }
    cases.push_back({"masked " + size, masked});
    cases.push_back({"equal " + size, std::vector<float>(spread.size(), -3.25f)});
    cases.push_back({"none " + size, std::vector<float>(spread.size(), -infinite)});
  }
  std::vector<float> odd(3000, 0.0f);
  for (size_t i = 0; i < odd.size(); i += 2) odd[i] = -0.0f;
  cases.push_back({"both zeros", odd});
  for (size_t i = 0; i < odd.size(); ++i) {
    odd[i] = std::bit_cast<float>(static_cast<uint32_t>(i * 7919 % 3000));
    if (i % 2 == 1) odd[i] = -odd[i];
  }
  cases.push_back({"subnormal", odd});
  for (size_t i = 0; i < odd.size(); ++i) odd[i] = i % 2 == 0 ? 3e38f : -3e38f;
  cases.push_back({"far apart", odd});
  for (size_t i = 0; i < odd.size(); ++i) {
    odd[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(17.0f) + static_cast<uint32_t>(i % 900));
  }
  cases.push_back({"neighbours", odd});
  odd[1234] = odd[2001] = infinite;
  cases.push_back({"two infinite", odd});
  return cases;
}

// Rules of every option alone and together, at every `stride`th place of their list.
inline std::vector<SampleRule> sample_rules(int64_t vocab, int64_t stride, uint64_t stream) {
  Draw draw(stream);
  std::vector<SampleRule> rules;
  int64_t at = 0;
  for (const double temperature : {0.0, 1e-300, 0.05, 0.8, 1.0, 2.5, 1e3, 1e300}) {
    for (const int64_t top_k :
         {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{40}, vocab, vocab + 5}) {
      for (const double top_p : {0.0, 0.3, 0.95, 0.9999999, 1.0}) {
        for (const double min_p : {0.0, 0.02, 1.0, 1.5}) {
          if (at++ % stride != 0) continue;
          const double edge = at % 5 == 0 ? 0.0 : 0x1.fffffffffffffp-1;
          const auto inside = static_cast<double>(draw.between(0, 1));
          rules.push_back({0, temperature, top_k, top_p, min_p, at % 3 == 0 ? edge : inside});
        }
      }
    }
  }
  return rules;
}

// Σ (found - expected)²/expected of n draws from these logits with `rule`, over tokens of which at
// least 5 are expected; the others count as one. `degrees`: of freedom.
inline double chi_square(const std::vector<float>& logits,
                         double temperature,
                         const std::vector<int32_t>& drawn,
                         int& degrees) {
  std::vector<double> expected(logits.size());
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i)
    total += expected[i] = std::exp(static_cast<double>(logits[i]) / temperature);
  std::vector<double> found(logits.size());
  for (const int32_t id : drawn) ++found[static_cast<size_t>(id)];
  double sum = 0, rest_found = 0, rest_expected = 0;
  degrees = -1;
  const auto add = [&](double got, double want) {
    sum += (got - want) * (got - want) / want;
    ++degrees;
  };
  for (size_t i = 0; i < logits.size(); ++i) {
    const double want = expected[i] / total * static_cast<double>(drawn.size());
    if (want >= 5) {
      add(found[i], want);
    } else {
      rest_found += found[i];
      rest_expected += want;
    }
  }
  if (rest_expected >= 5) add(rest_found, rest_expected);
  return sum;
}

// What chi_square exceeds once in 10,000 times. Source: Wilson and Hilferty 1931.
inline double chi_square_limit(int degrees) {
  const double part = 2.0 / (9.0 * degrees);
  return degrees * std::pow(1 - part + 3.719 * std::sqrt(part), 3);
}

}  // namespace keju::kernel_test
