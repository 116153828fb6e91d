// SPDX-License-Identifier: MIT
// Fast mode in 16-bit integers as plain loops; w16_backend.h states the arithmetic.
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/lanes_math.h"
#include "kernels/cpu/w16_backend.h"

namespace keju {
namespace {

using CodedRow = W16Plain::Row;

float largest_of(const float* v, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(v[i])) return std::numeric_limits<float>::infinity();
    largest = std::max(largest, std::fabs(v[i]));
  }
  return largest;
}

// `unit` is what a value of the largest magnitude divided by the scale is.
CodedRow coded(const float* v, int64_t k, float unit) {
  CodedRow row{std::vector<int32_t>(static_cast<size_t>(k)),
               std::vector<int32_t>(static_cast<size_t>(k)),
               {}};
  for (int64_t g = 0; g < w16_groups(k); ++g) {
    const int64_t begin = w16_first(k, g) * kW16Step;
    const int64_t end = std::min(k, w16_first(k, g + 1) * kW16Step);
    const float largest = largest_of(v + begin, end - begin);
    if (!std::isfinite(largest)) {
      row.scales.push_back(std::numeric_limits<float>::quiet_NaN());
      continue;
    }
    if (largest < kW16Tiny) {
      row.scales.push_back(0);
      continue;
    }
    row.scales.push_back(largest / unit);
    const float inverse = kW16Largest / largest;
    for (int64_t i = begin; i < end; ++i) {
      const auto code = static_cast<int32_t>(mul_add(v[i], inverse, kRoundMagic) - kRoundMagic);
      const auto low = static_cast<int8_t>(static_cast<uint8_t>(code & 0xFF));
      row.low[static_cast<size_t>(i)] = low;
      row.high[static_cast<size_t>(i)] = (code - low) / 256;
    }
  }
  return row;
}

}  // namespace

float W16Plain::dot(const CodedRow& x, const CodedRow& w, int64_t k, float start) {
  float sum = start;
  for (int64_t g = 0; g < w16_groups(k); ++g) {
    const int64_t end = std::min(k, w16_first(k, g + 1) * kW16Step);
    int32_t whole = 0;
    int32_t cross = 0;
    for (auto i = static_cast<size_t>(w16_first(k, g) * kW16Step); i < static_cast<size_t>(end);
         ++i) {
      whole += x.high[i] * w.high[i];
      cross += x.high[i] * w.low[i] + x.low[i] * w.high[i];
    }
    const float f = mul_add(256.0f, static_cast<float>(whole), static_cast<float>(cross));
    const auto at = static_cast<size_t>(g);
    sum = mul_add(f * x.scales[at], w.scales[at], sum);
  }
  return sum;
}

CodedRow W16Plain::activations(const float* x, int64_t k) { return coded(x, k, kW16Largest); }

CodedRow W16Plain::weights(const Matrix& w, int64_t n) {
  std::vector<float> row(static_cast<size_t>(w.cols));
  static_cast<const PlainMatrix&>(w).expand(n, row.data());
  return coded(row.data(), w.cols, kW16WeightLargest);
}

}  // namespace keju
