// SPDX-License-Identifier: MIT
#include "model/binder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/block_codec.h"
#include "base/error.h"

namespace keju {
namespace {

std::vector<float> expand(const StoredTensor& tensor) {
  const int64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  const int64_t rows = elements(tensor.shape) / std::max<int64_t>(cols, 1);
  const int64_t stride = row_bytes(tensor.dtype, cols);
  std::vector<float> values(rows * cols);
  for (int64_t r = 0; r < rows; ++r) {
    expand_row(tensor.dtype, tensor.data + r * stride, cols, values.data() + r * cols);
  }
  return values;
}

MatrixSource whole(const StoredTensor& tensor, int64_t rows, int64_t cols, int64_t first_row) {
  const int64_t stride = row_bytes(tensor.dtype, cols);
  return {
      .dtype = tensor.dtype,
      .cols = cols,
      .pieces = {
          {.data = tensor.data + first_row * stride, .rows = rows, .row_stride_bytes = stride}}};
}

}  // namespace

Binder::Binder(const Checkpoint& checkpoint, std::string where, ModelSources& sources)
    : checkpoint_(checkpoint), where_(std::move(where)), sources_(sources) {}

const StoredTensor& Binder::take(const std::string& name, const Shape& shape) {
  const StoredTensor* tensor = checkpoint_.find(name);
  if (tensor == nullptr) {
    throw fail(Code::kInput,
               "{}: tensor \"{}\": not in the checkpoint, need shape {}",
               where_,
               name,
               to_string(shape));
  }
  Shape found = tensor->shape;
  // A vector may be stored as [1, n] or [n, 1]; a matrix must agree exactly.
  if (shape.size() == 1 && found.size() > 1) std::erase(found, 1);
  if (found.empty() && shape == Shape{1}) found = {1};
  if (found != shape) {
    throw fail(
        Code::kShape,
        "{}: tensor \"{}\": shape: found {}, need {}. The configuration and the weights disagree",
        where_,
        name,
        to_string(tensor->shape),
        to_string(shape));
  }
  taken_.insert(name);
  return *tensor;
}

MatrixSource Binder::own(std::vector<float> values, int64_t rows, int64_t cols) {
  sources_.owned.push_back(std::move(values));
  return {.dtype = DType::kF32,
          .cols = cols,
          .pieces = {{.data = reinterpret_cast<const std::byte*>(sources_.owned.back().data()),
                      .rows = rows,
                      .row_stride_bytes = cols * static_cast<int64_t>(sizeof(float))}}};
}

MatrixSource Binder::matrix(const std::string& name, int64_t rows, int64_t cols) {
  return whole(take(name, {rows, cols}), rows, cols, 0);
}

MatrixSource Binder::transposed(const std::string& name, int64_t rows, int64_t cols) {
  const std::vector<float> stored = expand(take(name, {cols, rows}));
  std::vector<float> values(rows * cols);
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t r = 0; r < rows; ++r) values[r * cols + c] = stored[c * rows + r];
  }
  return own(std::move(values), rows, cols);
}

std::vector<MatrixSource> Binder::stack(const std::string& name,
                                        int64_t count,
                                        int64_t rows,
                                        int64_t cols) {
  const StoredTensor& tensor = take(name, {count, rows, cols});
  std::vector<MatrixSource> all;
  for (int64_t i = 0; i < count; ++i) all.push_back(whole(tensor, rows, cols, i * rows));
  return all;
}

std::vector<MatrixSource> Binder::transposed_stack(const std::string& name,
                                                   int64_t count,
                                                   int64_t rows,
                                                   int64_t cols) {
  const std::vector<float> stored = expand(take(name, {count, cols, rows}));
  std::vector<MatrixSource> all;
  for (int64_t i = 0; i < count; ++i) {
    const float* from = stored.data() + i * rows * cols;
    std::vector<float> values(rows * cols);
    for (int64_t c = 0; c < cols; ++c) {
      for (int64_t r = 0; r < rows; ++r) values[r * cols + c] = from[c * rows + r];
    }
    all.push_back(own(std::move(values), rows, cols));
  }
  return all;
}

MatrixSource Binder::widened(const MatrixSource& source) {
  std::vector<float> values(source.rows() * source.cols);
  float* to = values.data();
  for (const MatrixSource::Piece& piece : source.pieces) {
    for (int64_t r = 0; r < piece.rows; ++r, to += source.cols) {
      expand_row(source.dtype, piece.data + r * piece.row_stride_bytes, source.cols, to);
    }
  }
  return own(std::move(values), source.rows(), source.cols);
}

bool Binder::same(const std::string& a, const std::string& b) const {
  const StoredTensor* x = checkpoint_.find(a);
  const StoredTensor* y = checkpoint_.find(b);
  return x != nullptr && y != nullptr && x->dtype == y->dtype && x->shape == y->shape &&
         std::memcmp(x->data, y->data, x->bytes) == 0;
}

std::vector<float> Binder::vector(const std::string& name, int64_t size) {
  return expand(take(name, {size}));
}

std::vector<std::vector<float>> Binder::vectors(const std::string& name,
                                                int64_t count,
                                                int64_t size) {
  const std::vector<float> all = expand(take(name, {count, size}));
  std::vector<std::vector<float>> rows;
  for (int64_t i = 0; i < count; ++i)
    rows.emplace_back(all.begin() + i * size, all.begin() + (i + 1) * size);
  return rows;
}

MatrixSource Binder::normalised(const MatrixSource& source) {
  const int64_t rows = source.rows();
  std::vector<float> values(rows * source.cols);
  int64_t at = 0;
  for (const MatrixSource::Piece& piece : source.pieces) {
    for (int64_t r = 0; r < piece.rows; ++r, ++at) {
      float* row = values.data() + at * source.cols;
      expand_row(source.dtype, piece.data + r * piece.row_stride_bytes, source.cols, row);
      double squares = 0;
      for (int64_t c = 0; c < source.cols; ++c)
        squares += static_cast<double>(row[c]) * static_cast<double>(row[c]);
      const auto length = static_cast<float>(std::max(std::sqrt(squares), 1e-12));
      for (int64_t c = 0; c < source.cols; ++c) row[c] /= length;
    }
  }
  return own(std::move(values), rows, source.cols);
}

void Binder::ignore_suffix(std::string_view suffix) {
  for (const StoredTensor& tensor : checkpoint_.tensors()) {
    if (tensor.name.ends_with(suffix)) taken_.insert(tensor.name);
  }
}

void Binder::ignore_prefix(std::string_view prefix) {
  for (const StoredTensor& tensor : checkpoint_.tensors()) {
    if (tensor.name.starts_with(prefix)) taken_.insert(tensor.name);
  }
}

void Binder::finish() const {
  std::vector<std::string> left;
  for (const StoredTensor& tensor : checkpoint_.tensors()) {
    if (!taken_.contains(tensor.name)) left.push_back(tensor.name);
  }
  if (left.empty()) return;
  std::sort(left.begin(), left.end());
  std::string names;
  for (size_t i = 0; i < std::min<size_t>(left.size(), 5); ++i)
    names += (i ? ", \"" : "\"") + left[i] + "\"";
  if (left.size() > 5) names += fmt::format(" and {} more", left.size() - 5);
  throw fail(
      Code::kInput,
      "{}: tensors left over: found {}, need none. The model would not be the one that was trained",
      where_,
      names);
}

MatrixSource slice_rows(const MatrixSource& source, int64_t begin, int64_t count) {
  MatrixSource out{.dtype = source.dtype, .cols = source.cols, .pieces = {}};
  int64_t at = 0;
  for (const MatrixSource::Piece& piece : source.pieces) {
    const int64_t from = std::max(begin, at);
    const int64_t to = std::min(begin + count, at + piece.rows);
    if (from < to) {
      out.pieces.push_back({.data = piece.data + (from - at) * piece.row_stride_bytes,
                            .rows = to - from,
                            .row_stride_bytes = piece.row_stride_bytes});
    }
    at += piece.rows;
  }
  KEJU_CHECK(out.rows() == count, "slice_rows: rows outside the source");
  return out;
}

MatrixSource every_row(const MatrixSource& source, int64_t begin, int64_t count, int64_t step) {
  KEJU_CHECK(source.pieces.size() == 1, "every_row: a source in several pieces");
  const MatrixSource::Piece& piece = source.pieces[0];
  KEJU_CHECK(begin + (count - 1) * step < piece.rows, "every_row: rows outside the source");
  return {.dtype = source.dtype,
          .cols = source.cols,
          .pieces = {{.data = piece.data + begin * piece.row_stride_bytes,
                      .rows = count,
                      .row_stride_bytes = piece.row_stride_bytes * step}}};
}

MatrixSource join_rows(const std::vector<MatrixSource>& sources) {
  KEJU_CHECK(!sources.empty(), "join_rows: nothing to join");
  MatrixSource out{.dtype = sources[0].dtype, .cols = sources[0].cols, .pieces = {}};
  for (const MatrixSource& source : sources) {
    KEJU_CHECK(source.dtype == out.dtype && source.cols == out.cols,
               "join_rows: types or widths differ");
    out.pieces.insert(out.pieces.end(), source.pieces.begin(), source.pieces.end());
  }
  return out;
}

}  // namespace keju
