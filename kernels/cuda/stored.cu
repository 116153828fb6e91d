// SPDX-License-Identifier: MIT
// Ops that read stored weights row by row: embedding, learned positions, expansion to float32.
#include "kernels/cuda/codec.cuh"

namespace keju::cuda {
namespace {

constexpr int kThreads = 128;

template <DType type>
__global__ void embed_kernel(
    StoredRows table, const int32_t* ids, float scale, bool add, Rows out) {
  const uint8_t* const row = table.data + ids[blockIdx.x] * table.row_bytes;
  float* const to = out.data + blockIdx.x * out.stride;
  for (int64_t group = threadIdx.x; group * kGroup < table.cols; group += kThreads) {
    const int64_t left = table.cols - group * kGroup;
    const int count = left < kGroup ? static_cast<int>(left) : kGroup;
    float values[kGroup];
    decode_group<type>(row, group, count, values);
    for (int j = 0; j < count; ++j) {
      float& at = to[group * kGroup + j];
      at = add ? at + values[j] : scale * values[j];
    }
  }
}

template <DType type>
__global__ void expand_kernel(StoredRows from, float* out) {
  const uint8_t* const row = from.data + blockIdx.x * from.row_bytes;
  float* const to = out + blockIdx.x * from.cols;
  for (int64_t group = threadIdx.x; group * kGroup < from.cols; group += kThreads) {
    const int64_t left = from.cols - group * kGroup;
    const int count = left < kGroup ? static_cast<int>(left) : kGroup;
    float values[kGroup];
    decode_group<type>(row, group, count, values);
    for (int j = 0; j < count; ++j) to[group * kGroup + j] = values[j];
  }
}

}  // namespace

void embed(
    void* stream, const StoredRows& table, const int32_t* ids, float scale, bool add, Rows out) {
  with_type(table.dtype, [&]<DType type>() {
    launch({.grid_x = out.count, .block = kThreads, .stream = stream},
           embed_kernel<type>,
           table,
           ids,
           scale,
           add,
           out);
  });
}

void expand(void* stream, const StoredRows& from, float* out) {
  with_type(from.dtype, [&]<DType type>() {
    launch(
        {.grid_x = from.rows, .block = kThreads, .stream = stream}, expand_kernel<type>, from, out);
  });
}

}  // namespace keju::cuda
