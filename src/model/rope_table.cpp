// SPDX-License-Identifier: MIT
#include "model/rope_table.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/exact_math.h"

namespace keju {
namespace {

// Rounding to float32 where the reference holds one.
double rounded(double value) { return static_cast<double>(static_cast<float>(value)); }

int64_t span_of(const Rope& rope) { return rope.span > 0 ? rope.span : rope.dim; }

// theta^(2i/span) in float32.
std::vector<float> powers(double theta, const Rope& rope) {
  const auto span = static_cast<float>(span_of(rope));
  std::vector<float> all(rope.dim / 2);
  for (int64_t i = 0; i < rope.dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / span;
    all[i] = static_cast<float>(exact_pow(rounded(theta), static_cast<double>(exponent)));
  }
  return all;
}

// Its inverse, rounded again.
std::vector<double> plain_frequencies(double theta, const Rope& rope) {
  std::vector<double> frequencies;
  for (const float power : powers(theta, rope)) {
    frequencies.push_back(static_cast<double>(1.0f / power));
  }
  return frequencies;
}

// theta · grow^(span / (span - 2)).
double grown_theta(const Rope& rope, double grow) {
  const auto span = static_cast<double>(span_of(rope));
  return rope.theta * exact_pow(grow, span / (span - 2));
}

// The length is a tensor in the reference, so every step is rounded to float32.
double dynamic_ntk_theta(const Rope& rope, double length) {
  const RopeScaling& s = rope.scaling;
  const double share = rounded(rounded(s.factor * length) / s.original_context);
  const double grow = rounded(share - (s.factor - 1));
  const auto span = static_cast<double>(span_of(rope));
  return rope.theta * rounded(exact_pow(grow, rounded(span / (span - 2))));
}

void scale_llama3(const RopeScaling& s, std::vector<double>& frequencies) {
  constexpr double kTwoPi = 6.28318530717958647692;
  const double low_wavelength = s.original_context / s.low_freq_factor;
  const double high_wavelength = s.original_context / s.high_freq_factor;
  for (double& f : frequencies) {
    const double wavelength = kTwoPi / f;
    double scaled = wavelength > low_wavelength ? f / s.factor : f;
    if (wavelength <= low_wavelength && wavelength >= high_wavelength) {
      const double smooth = (s.original_context / wavelength - s.low_freq_factor) /
                            (s.high_freq_factor - s.low_freq_factor);
      scaled = (1 - smooth) * f / s.factor + smooth * f;
    }
    f = static_cast<double>(static_cast<float>(scaled));
  }
}

double yarn_mscale(double scale, double mscale) {
  return scale <= 1 ? 1.0 : 0.1 * mscale * exact_log(scale) + 1.0;
}

// The dimension whose wavelength turns `rotations` times within the original context.
double yarn_dimension(const Rope& rope, double rotations) {
  constexpr double kTwoPi = 6.28318530717958647692;
  return static_cast<double>(span_of(rope)) *
         exact_log(rope.scaling.original_context / (rotations * kTwoPi)) /
         (2 * exact_log(rope.theta));
}

void scale_yarn(const Rope& rope, std::vector<double>& frequencies) {
  const RopeScaling& s = rope.scaling;
  double low = yarn_dimension(rope, s.beta_fast);
  double high = yarn_dimension(rope, s.beta_slow);
  if (s.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(span_of(rope) - 1));
  if (low == high) high += 0.001;  // as the reference does, against division by zero
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double keep = 1 - ramp;
    const double value = frequencies[i] / s.factor * (1 - keep) + frequencies[i] * keep;
    frequencies[i] = static_cast<double>(static_cast<float>(value));
  }
}

double attention_factor(const RopeScaling& s) {
  if (s.kind != RopeScalingKind::kYarn && s.kind != RopeScalingKind::kLongRope) return 1;
  if (s.attention_factor > 0) return s.attention_factor;
  if (s.kind == RopeScalingKind::kYarn) {
    if (s.mscale != 0 && s.mscale_all_dim != 0) {
      return yarn_mscale(s.factor, s.mscale) / yarn_mscale(s.factor, s.mscale_all_dim);
    }
    return yarn_mscale(s.factor, 1);
  }
  if (s.factor > 1) {
    return std::sqrt(1 + exact_log(s.factor) / exact_log(s.original_context));
  }
  return 1;
}

std::vector<double> frequencies_of(const Rope& rope, int64_t regime) {
  const RopeScaling& s = rope.scaling;
  double theta = rope.theta;
  if (s.kind == RopeScalingKind::kDynamicNtk && regime > 0) {
    theta = dynamic_ntk_theta(rope, static_cast<double>(regime));
  }
  if (s.kind == RopeScalingKind::kQwenDynamicNtk && regime > 0) {
    theta = grown_theta(rope, static_cast<double>(regime));
  }
  std::vector<double> frequencies = plain_frequencies(theta, rope);
  if (s.kind == RopeScalingKind::kLlama3) scale_llama3(s, frequencies);
  if (s.kind == RopeScalingKind::kYarn) scale_yarn(rope, frequencies);
  if (s.kind == RopeScalingKind::kLinear) {
    for (double& f : frequencies) f = static_cast<double>(static_cast<float>(f / s.factor));
  }
  if (s.kind == RopeScalingKind::kLongRope) {
    // transformers divides one by (factor · power): one rounding of the product, one of the
    // quotient.
    const auto& factors = regime > 0 ? s.long_factors : s.short_factors;
    const std::vector<float> all = powers(theta, rope);
    for (size_t i = 0; i < frequencies.size(); ++i) {
      frequencies[i] = static_cast<double>(1.0f / (static_cast<float>(factors[i]) * all[i]));
    }
  }
  for (size_t i = 0; i < rope.frequency_divisors.size(); ++i) {
    frequencies[i] =
        static_cast<double>(static_cast<float>(frequencies[i] / rope.frequency_divisors[i]));
  }
  return frequencies;
}

}  // namespace

RopeTable make_rope_table(const Rope& rope, int64_t positions, int64_t regime) {
  const std::vector<double> frequencies = frequencies_of(rope, regime);
  const double factor = attention_factor(rope.scaling);
  const auto pairs = static_cast<int64_t>(frequencies.size());
  RopeTable table;
  table.cos.resize(positions * pairs);
  table.sin.resize(positions * pairs);
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < pairs; ++i) {
      const float angle = static_cast<float>(p) * static_cast<float>(frequencies[i]);
      table.cos[p * pairs + i] = static_cast<float>(exact_cos(static_cast<double>(angle)) * factor);
      table.sin[p * pairs + i] = static_cast<float>(exact_sin(static_cast<double>(angle)) * factor);
    }
  }
  return table;
}

}  // namespace keju
