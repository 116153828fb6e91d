// SPDX-License-Identifier: MIT
// Fast mode in bfloat16 as plain loops; bf16_backend.h states the arithmetic.
#include <cmath>
#include <vector>

#include "base/dtype.h"
#include "kernels/cpu/bf16_backend.h"
#include "kernels/cpu/lanes_math.h"

namespace keju {
namespace {

float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

float rounded(float x) { return bf16_to_f32(f32_to_bf16(flushed(x))); }

struct Parts {
  std::vector<float> high;
  std::vector<float> low;
};

Parts split(const float* x, int64_t n) {
  const auto size = static_cast<size_t>((n + 31) / 32 * 32);
  Parts parts{std::vector<float>(size, 0.0f), std::vector<float>(size, 0.0f)};
  for (size_t k = 0; k < static_cast<size_t>(n); ++k) {
    parts.high[k] = rounded(x[k]);
    parts.low[k] = rounded(x[k] - parts.high[k]);
  }
  return parts;
}

// out + (e + o) over 32 of k.
float add_group(const float* x, const float* w, float out) {
  float half[2] = {0, 0};
  for (int i = 0; i < 32; ++i) half[i % 2] = flushed(std::fma(x[i], w[i], half[i % 2]));
  return flushed(out + flushed(half[0] + half[1]));
}

float bf16_dot(const Parts& x, const Parts& w, bool whole_weights, float start) {
  float sum = flushed(start);
  for (size_t k = 0; k < x.high.size(); k += 32) {
    sum = add_group(&x.low[k], &w.high[k], sum);
    sum = add_group(&x.high[k], &w.high[k], sum);
    if (!whole_weights) sum = add_group(&x.high[k], &w.low[k], sum);
  }
  return sum;
}

Parts matrix_row(const Matrix& w, int64_t n) {
  std::vector<float> row(static_cast<size_t>(w.cols));
  static_cast<const PlainMatrix&>(w).expand(n, row.data());
  return split(row.data(), w.cols);
}

}  // namespace

void PlainBf16Backend::linear(
    Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  std::vector<Parts> rows;
  for (int64_t t = 0; t < x.count; ++t) {
    rows.push_back(split(x.data + t * x.stride, x.width));
  }
  in_parallel(w.rows, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const Parts row = matrix_row(w, n);
      for (int64_t t = 0; t < x.count; ++t) {
        float& to = out.data[t * out.stride + n];
        float start = bias != nullptr ? bias->data[n] : 0.0f;
        if (accumulate) start = bias != nullptr ? to + start : to;
        to = bf16_dot(rows[static_cast<size_t>(t)], row, w.dtype == DType::kBF16, start);
      }
    }
  });
}

void PlainBf16Backend::head_tile(Rows x,
                                 const Matrix& w,
                                 const HeadSpec& spec,
                                 int64_t row0,
                                 int64_t rows,
                                 int64_t begin,
                                 int64_t end,
                                 float* out,
                                 int64_t stride,
                                 int) {
  std::vector<Parts> all;
  for (int64_t r = row0; r < row0 + rows; ++r) {
    all.push_back(split(x.data + r * x.stride, x.width));
  }
  for (int64_t n = begin; n < end; ++n) {
    const Parts row = matrix_row(w, n);
    for (int64_t r = 0; r < rows; ++r) {
      const float start = spec.bias != nullptr ? spec.bias->data[n] : 0.0f;
      float logit =
          bf16_dot(all[static_cast<size_t>(r)], row, w.dtype == DType::kBF16, start) * spec.scale;
      if (spec.softcap > 0) logit = softcap_lanes(logit, spec.softcap);
      out[r * stride + n - begin] = logit;
    }
  }
}

}  // namespace keju
