// SPDX-License-Identifier: MIT
// Weights and the ops that read them: embedding, learned positions, linear, the head's tiles.
#include <cstring>

#include "base/block_codec.h"
#include "base/error.h"
#include "kernels/cpu/lanes_math.h"
#include "kernels/cpu/plain_backend.h"

namespace keju {
namespace {

const PlainMatrix& plain(const Matrix& matrix) { return static_cast<const PlainMatrix&>(matrix); }

// The one order of a linear layer's sum.
float dot(const float* x, const float* w, int64_t n, float start) {
  float sum = start;
  for (int64_t k = 0; k < n; ++k) sum = mul_add(x[k], w[k], sum);
  return sum;
}

}  // namespace

PlainMatrix::PlainMatrix(const MatrixSource& source) {
  rows = source.rows();
  cols = source.cols;
  dtype = source.dtype;
  row_bytes_ = row_bytes(dtype, cols);
  data_ = Buffer(rows * row_bytes_);
  resident_bytes = data_.bytes();
  std::byte* to = data_.data();
  for (const MatrixSource::Piece& piece : source.pieces) {
    for (int64_t r = 0; r < piece.rows; ++r, to += row_bytes_) {
      std::memcpy(to, piece.data + r * piece.row_stride_bytes, static_cast<size_t>(row_bytes_));
    }
  }
}

void PlainMatrix::expand(int64_t row, float* out) const {
  expand_row(dtype, data_.data() + row * row_bytes_, cols, out);
}

std::unique_ptr<Matrix> PlainBackend::make_matrix(const MatrixSource& source) {
  return std::make_unique<PlainMatrix>(source);
}

void PlainBackend::embed(const Matrix& table, std::span<const int32_t> ids, float scale, Rows out) {
  float* const row = worker_scratch(0).floats(table.cols);
  for (size_t t = 0; t < ids.size(); ++t) {
    KEJU_CHECK(ids[t] >= 0 && ids[t] < table.rows, "token id out of range");
    plain(table).expand(ids[t], row);
    float* to = out.data + static_cast<int64_t>(t) * out.stride;
    for (int64_t d = 0; d < table.cols; ++d) to[d] = scale * row[d];
  }
}

void PlainBackend::add_rows(const Matrix& table, std::span<const int32_t> positions, Rows x) {
  float* const row = worker_scratch(0).floats(table.cols);
  for (size_t t = 0; t < positions.size(); ++t) {
    KEJU_CHECK(positions[t] >= 0 && positions[t] < table.rows, "position out of range");
    plain(table).expand(positions[t], row);
    float* to = x.data + static_cast<int64_t>(t) * x.stride;
    for (int64_t d = 0; d < table.cols; ++d) to[d] = to[d] + row[d];
  }
}

void PlainBackend::linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  linear_by(
      w,
      x.count,
      bias,
      accumulate,
      out,
      [&](int64_t n, int worker) { return expanded(w, n, worker); },
      [&](int64_t t, const float* row, float start) {
        return dot(x.data + t * x.stride, row, w.cols, start);
      });
}

void PlainBackend::head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) {
  logits_by(
      spec,
      tile,
      [&](int64_t n, int worker) { return expanded(w, n, worker); },
      [&](int64_t t, const float* row, float start) {
        return dot(x.data + t * x.stride, row, w.cols, start);
      });
}

const float* PlainBackend::expanded(const Matrix& w, int64_t n, int worker) {
  float* const row = worker_scratch(worker).floats(w.cols);
  plain(w).expand(n, row);
  return row;
}

TileSum PlainBackend::tile_sum(const float* logits, int64_t count) {
  TileSum result;
  result.max = logits[0];
  for (int64_t i = 1; i < count; ++i) result.max = max_lanes(logits[i], result.max);
  float lanes[16] = {};
  for (int64_t i = 0; i < count; ++i) {
    lanes[i % 16] = lanes[i % 16] + exp_lanes(logits[i] - result.max);
  }
  result.sum = fold_lanes(lanes);
  return result;
}

}  // namespace keju
