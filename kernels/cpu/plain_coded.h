// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "kernels/cpu/plain_backend.h"

namespace keju {

// Products with weights in whole numbers, as plain loops; all other ops are exact mode's.
// `Arithmetic` says what a row of either side is and what two of them make:
//   struct Row
//   static Row activations(const float* x, int64_t k)
//   static Row weights(const Matrix& w, int64_t n)                          row n
//   static float dot(const Row& x, const Row& w, int64_t k, float start)    start + x·w
template <typename Arithmetic>
class PlainCodedBackend : public PlainBackend {
 public:
  using PlainBackend::PlainBackend;

  void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) override {
    const std::vector<Row> rows = coded(x, 0, x.count);
    const auto row_of = [&](int64_t n, int) { return Arithmetic::weights(w, n); };
    linear_by(w, x.count, bias, accumulate, out, row_of, products(rows, 0, w.cols));
  }

 protected:
  void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) override {
    const std::vector<Row> rows = coded(x, tile.row0, tile.row0 + tile.rows);
    const auto row_of = [&](int64_t n, int) { return Arithmetic::weights(w, n); };
    logits_by(spec, tile, row_of, products(rows, tile.row0, w.cols));
  }

 private:
  using Row = typename Arithmetic::Row;

  static std::vector<Row> coded(Rows x, int64_t begin, int64_t end) {
    std::vector<Row> rows;
    for (int64_t t = begin; t < end; ++t) {
      rows.push_back(Arithmetic::activations(x.data + t * x.stride, x.width));
    }
    return rows;
  }

  // `rows` begin with row `first` of x.
  static auto products(const std::vector<Row>& rows, int64_t first, int64_t k) {
    return [&rows, first, k](int64_t t, const Row& w, float start) {
      return Arithmetic::dot(rows[static_cast<size_t>(t - first)], w, k, start);
    };
  }
};

}  // namespace keju
