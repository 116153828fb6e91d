// SPDX-License-Identifier: MIT
// Fast mode in integers with sums of 32 bits as plain loops; w13_backend.h states the arithmetic.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/block_parts.h"
#include "kernels/cpu/lanes_math.h"
#include "kernels/cpu/panel_layout.h"
#include "kernels/cpu/w13_backend.h"

namespace keju {
namespace {

using CodedRow = W13Plain::Row;

int32_t whole(float v, float inverse) {
  return static_cast<int32_t>(mul_add(v, inverse, kRoundMagic) - kRoundMagic);
}

float larger(float largest, float v) {
  return std::isfinite(v) ? std::max(largest, std::fabs(v))
                          : std::numeric_limits<float>::infinity();
}
float largest_of(const float* v, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = larger(largest, v[i]);
  return largest;
}

// `squares`: Σ (v/largest)².
float scale_of(float largest, float squares) {
  if (!std::isfinite(largest)) return std::numeric_limits<float>::quiet_NaN();
  if (largest < kW13Tiny) return 0;
  return largest * max_lanes(1 / kW13Largest, std::sqrt(squares) * (1 / kW13Norm));
}
// 0 where no codes are wanted.
float inverse_of(float scale) { return scale > 0 ? 1 / scale : 0; }

}  // namespace

// -- activations -------------------------------------------------------------------------------

CodedRow W13Plain::activations(const float* x, int64_t k) {
  CodedRow row{std::vector<int32_t>(static_cast<size_t>(k)), {}};
  for (int64_t g = 0; g < w13_groups(k); ++g) {
    const int64_t begin = w13_first(k, g) * kW13Unit;
    const int64_t end = std::min(k, w13_first(k, g + 1) * kW13Unit);
    const float largest = largest_of(x + begin, end - begin);
    float lanes[16] = {};
    for (int64_t i = begin; i < end; ++i) {
      const float part = x[i] * (1 / largest);
      lanes[(i - begin) % 16] = mul_add(part, part, lanes[(i - begin) % 16]);
    }
    const float scale = scale_of(largest, fold_lanes(lanes));
    row.scales.push_back(scale);
    const float inverse = inverse_of(scale);
    if (inverse == 0) continue;
    for (int64_t i = begin; i < end; ++i) row.codes[static_cast<size_t>(i)] = whole(x[i], inverse);
  }
  return row;
}

namespace {

// -- weights -----------------------------------------------------------------------------------

bool has_low(DType type) {
  return type == DType::kQ4_1 || type == DType::kQ5_1 || type == DType::kQ2_K ||
         type == DType::kQ4_K || type == DType::kQ5_K;
}

// 2^(b-1), with b the bits of a code.
int32_t half_of(DType type) {
  switch (type) {
    case DType::kQ2_K:
      return 2;
    case DType::kQ3_K:
      return 4;
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ5_K:
      return 16;
    case DType::kQ6_K:
      return 32;
    case DType::kQ8_0:
    case DType::kIQ4_NL:
      return 128;
    default:
      return 8;
  }
}

int32_t signed_code(DType type, uint8_t code) {
  static constexpr int32_t kLevels[16] = {
      -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  if (type == DType::kIQ4_NL) return kLevels[code];
  if (type == DType::kQ8_0) return static_cast<int8_t>(code);
  return code - half_of(type);
}

struct SubScale {
  float top = 0;  // s·h
  float low = 0;  // m
};

SubScale sub_scale(DType type, const BlockParts& parts, int sub) {
  const float d = f16_to_f32(parts.d);
  const float low = f16_to_f32(parts.m);
  const uint8_t scale = parts.scales[sub];
  float s = d;
  float m = low;
  if (type == DType::kQ2_K) {
    s = d * static_cast<float>(scale & 15);
    m = -(low * static_cast<float>(scale >> 4));
  } else if (type == DType::kQ4_K || type == DType::kQ5_K) {
    s = d * static_cast<float>(scale);
    m = -(low * static_cast<float>(parts.lows[sub]));
  } else if (type == DType::kQ3_K || type == DType::kQ6_K) {
    s = d * static_cast<float>(static_cast<int8_t>(scale));
  }
  const float top = s * static_cast<float>(half_of(type));
  return {top, has_low(type) ? m + top : 0};
}

// A row of a block type: its codes, and the scales of every sub-block.
struct BlockRow {
  std::vector<int32_t> codes;
  std::vector<SubScale> scales;
};

BlockRow block_row(DType type, const uint8_t* at, int64_t k) {
  const PanelLayout layout = panel_layout(type);
  BlockRow row;
  for (int64_t i = 0; i < k; i += layout.block, at += facts(type).block_bytes) {
    BlockParts parts{};
    split_block(type, at, parts);
    for (int j = 0; j < layout.block; ++j) row.codes.push_back(signed_code(type, parts.codes[j]));
    for (int sub = 0; sub < layout.block / layout.sub; ++sub) {
      row.scales.push_back(sub_scale(type, parts, sub));
    }
  }
  return row;
}

// (a·b / 2^15), halves up: how c·S/h comes out of c at the top of 16 bits.
int32_t top_product(int32_t a, int32_t b) { return (a * b + (1 << 14)) >> 15; }

}  // namespace

CodedRow W13Plain::weights(const Matrix& w, int64_t n) {
  const auto& plain = static_cast<const PlainMatrix&>(w);
  const int64_t k = w.cols;
  const int64_t sub = panel_layout(w.dtype).sub;
  const bool blocks = panel_layout(w.dtype).unit > 0;
  std::vector<float> values(static_cast<size_t>(k));
  plain.expand(n, values.data());
  BlockRow stored;
  if (blocks) {
    stored = block_row(w.dtype, reinterpret_cast<const uint8_t*>(plain.stored_row(n)), k);
  }
  const auto scale_at = [&](int64_t i) { return stored.scales[static_cast<size_t>(i / sub)]; };
  CodedRow row{std::vector<int32_t>(static_cast<size_t>(k)), {}};
  for (int64_t g = 0; g < w13_groups(k); ++g) {
    const int64_t begin = w13_first(k, g) * kW13Unit;
    const int64_t end = std::min(k, w13_first(k, g + 1) * kW13Unit);
    float largest = largest_of(values.data() + begin, end - begin);
    for (int64_t i = begin; blocks && i < end; i += sub) {
      largest = larger(larger(largest, scale_at(i).top), scale_at(i).low);
    }
    float squares = 0;
    for (int64_t i = begin; i < end; ++i) {
      const float part = values[static_cast<size_t>(i)] * (1 / largest);
      squares = mul_add(part, part, squares);
    }
    row.scales.push_back(scale_of(largest, squares));
    const float inverse = inverse_of(row.scales.back());
    if (inverse == 0) continue;
    const int32_t to_top = 32768 / half_of(w.dtype);
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      row.codes[at] =
          blocks ? top_product(stored.codes[at] * to_top, whole(scale_at(i).top, inverse)) +
                       whole(scale_at(i).low, inverse)
                 : whole(values[at], inverse);
    }
  }
  return row;
}

// -- products ----------------------------------------------------------------------------------

float W13Plain::dot(const CodedRow& x, const CodedRow& w, int64_t k, float start) {
  float sum = start;
  for (int64_t g = 0; g < w13_groups(k); ++g) {
    const auto begin = static_cast<size_t>(w13_first(k, g) * kW13Unit);
    const auto end = static_cast<size_t>(std::min(k, w13_first(k, g + 1) * kW13Unit));
    int32_t products = 0;
    for (size_t i = begin; i < end; ++i) products += x.codes[i] * w.codes[i];
    const auto at = static_cast<size_t>(g);
    sum = mul_add(static_cast<float>(products) * x.scales[at], w.scales[at], sum);
  }
  return sum;
}

}  // namespace keju
