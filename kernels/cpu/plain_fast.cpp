// SPDX-License-Identifier: MIT
// Fast mode's arithmetic as plain loops; fast_backend.h states it.
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/block_parts.h"
#include "kernels/cpu/fast_backend.h"
#include "kernels/cpu/lanes_math.h"
#include "kernels/cpu/panel_layout.h"

namespace keju {
namespace {

struct Codes32 {
  int32_t q[32] = {};
  float scale = 0;
};

Codes32 quantise_32(const float* x) {
  uint32_t top = 0;
  for (int i = 0; i < 32; ++i) top = std::max(top, std::bit_cast<uint32_t>(x[i]) & 0x7FFFFFFFu);
  const float largest = std::bit_cast<float>(top);
  Codes32 codes;
  if (top >= 0x7F800000u) {
    codes.scale = std::numeric_limits<float>::quiet_NaN();
  } else if (!(largest < kFastTiny)) {
    codes.scale = largest / kFastLargest;
    const float inverse = kFastLargest / largest;
    for (int i = 0; i < 32; ++i) {
      codes.q[i] = static_cast<int32_t>((x[i] * inverse + kRoundMagic) - kRoundMagic);
    }
  }
  return codes;
}

std::vector<Codes32> quantise_row(const float* x, int64_t n) {
  std::vector<Codes32> row;
  for (int64_t k = 0; k < n; k += 32) row.push_back(quantise_32(x + k));
  return row;
}

// One block of weights as integers, and the scales that make values of them.
struct Weights {
  int32_t w[256];
  float s[16];
  float m[16];
  bool has_m;
};

int32_t code_value(DType type, uint8_t code) {
  static constexpr int32_t kLevels[16] = {
      -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  switch (type) {
    case DType::kQ4_0:
      return code - 8;
    case DType::kQ5_0:
      return code - 16;
    case DType::kQ8_0:
      return static_cast<int8_t>(code);
    case DType::kQ3_K:
      return code - 4;
    case DType::kQ6_K:
      return code - 32;
    case DType::kIQ4_NL:
      return kLevels[code];
    default:
      return code;
  }
}

void scales_of(DType type, const BlockParts& parts, int sub, float* s, float* m) {
  const float d = f16_to_f32(parts.d);
  const float low = f16_to_f32(parts.m);
  const uint8_t scale = parts.scales[sub];
  *m = 0;
  switch (type) {
    case DType::kQ4_1:
    case DType::kQ5_1:
      *s = d;
      *m = low;
      return;
    case DType::kQ2_K:
      *s = d * static_cast<float>(scale & 15);
      *m = -(low * static_cast<float>(scale >> 4));
      return;
    case DType::kQ4_K:
    case DType::kQ5_K:
      *s = d * static_cast<float>(scale);
      *m = -(low * static_cast<float>(parts.lows[sub]));
      return;
    case DType::kQ3_K:
    case DType::kQ6_K:
      *s = d * static_cast<float>(static_cast<int8_t>(scale));
      return;
    default:
      *s = d;
  }
}

Weights weights_of(DType type, const uint8_t* block) {
  const PanelLayout layout = panel_layout(type);
  BlockParts parts{};
  split_block(type, block, parts);
  Weights weights{};
  weights.has_m = type == DType::kQ4_1 || type == DType::kQ5_1 || type == DType::kQ2_K ||
                  type == DType::kQ4_K || type == DType::kQ5_K;
  for (int k = 0; k < layout.block; ++k) weights.w[k] = code_value(type, parts.codes[k]);
  for (int sub = 0; sub < layout.block / layout.sub; ++sub) {
    scales_of(type, parts, sub, &weights.s[sub], &weights.m[sub]);
  }
  return weights;
}

// One row of the matrix, block by block, against one row of codes.
float fast_dot(const std::vector<Codes32>& x,
               const std::vector<Weights>& row,
               DType type,
               float start) {
  const PanelLayout layout = panel_layout(type);
  float sum = start;
  int64_t k = 0;
  for (const Weights& block : row) {
    for (int sub = 0; sub < layout.block / layout.sub; ++sub, k += layout.sub) {
      const Codes32& codes = x[static_cast<size_t>(k / 32)];
      int32_t products = 0;
      int32_t total = 0;
      for (int i = 0; i < layout.sub; ++i) {
        const int32_t q = codes.q[k % 32 + i];
        products += q * block.w[sub * layout.sub + i];
        total += q;
      }
      sum = mul_add(codes.scale * static_cast<float>(products), block.s[sub], sum);
      if (block.has_m) {
        sum = mul_add(codes.scale * static_cast<float>(total), block.m[sub], sum);
      }
    }
  }
  return sum;
}

std::vector<Weights> matrix_row(const Matrix& w, int64_t n) {
  const auto* at =
      reinterpret_cast<const uint8_t*>(static_cast<const PlainMatrix&>(w).stored_row(n));
  std::vector<Weights> row;
  for (int64_t k = 0; k < w.cols; k += facts(w.dtype).block_elems) {
    row.push_back(weights_of(w.dtype, at));
    at += facts(w.dtype).block_bytes;
  }
  return row;
}

std::vector<std::vector<Codes32>> quantise_rows(Rows x, int64_t begin, int64_t end) {
  std::vector<std::vector<Codes32>> rows;
  for (int64_t t = begin; t < end; ++t) {
    rows.push_back(quantise_row(x.data + t * x.stride, x.width));
  }
  return rows;
}

}  // namespace

void PlainFastBackend::linear(
    Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  if (panel_layout(w.dtype).unit == 0) {
    return PlainBackend::linear(x, w, bias, accumulate, out);
  }
  const std::vector<std::vector<Codes32>> codes = quantise_rows(x, 0, x.count);
  linear_by(
      w,
      x.count,
      bias,
      accumulate,
      out,
      [&](int64_t n, int) { return matrix_row(w, n); },
      [&](int64_t t, const std::vector<Weights>& row, float start) {
        return fast_dot(codes[static_cast<size_t>(t)], row, w.dtype, start);
      });
}

void PlainFastBackend::head_tile(Rows x,
                                 const Matrix& w,
                                 const HeadSpec& spec,
                                 const LogitTile& tile) {
  if (panel_layout(w.dtype).unit == 0) return PlainBackend::head_tile(x, w, spec, tile);
  const std::vector<std::vector<Codes32>> codes =
      quantise_rows(x, tile.row0, tile.row0 + tile.rows);
  logits_by(
      spec,
      tile,
      [&](int64_t n, int) { return matrix_row(w, n); },
      [&](int64_t t, const std::vector<Weights>& row, float start) {
        return fast_dot(codes[static_cast<size_t>(t - tile.row0)], row, w.dtype, start);
      });
}

}  // namespace keju
