// SPDX-License-Identifier: MIT
// Ops that look at one element at a time. A block takes one row and some of its columns.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/ptx.cuh"

namespace keju::cuda {
namespace {

constexpr int kThreads = 256;

LaunchShape per_row(void* stream, int64_t rows, int64_t width) {
  // Rows stand on the grid's long axis.
  const int64_t columns = (width + kThreads - 1) / kThreads;
  return {
      .grid_x = rows, .grid_y = columns < 64 ? columns : 64, .block = kThreads, .stream = stream};
}

// body(column) for the columns of this thread.
template <typename Body>
__device__ __forceinline__ void columns(int64_t width, const Body& body) {
  const int64_t step = static_cast<int64_t>(gridDim.y) * kThreads;
  for (int64_t d = static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x; d < width;
       d += step) {
    body(d);
  }
}

__global__ void add_kernel(Rows h, Rows delta, float alpha) {
  const int64_t t = blockIdx.x;
  columns(h.width, [&](int64_t d) {
    float& to = h.data[t * h.stride + d];
    to = fmaf(alpha, delta.data[t * delta.stride + d], to);
  });
}

__global__ void zero_kernel(Rows x) {
  const int64_t t = blockIdx.x;
  columns(x.width, [&](int64_t d) { x.data[t * x.stride + d] = 0; });
}

__global__ void gather_kernel(Rows x, const int32_t* rows, Rows out) {
  const int64_t t = blockIdx.x;
  const float* from = x.data + rows[t] * x.stride;
  columns(x.width, [&](int64_t d) { out.data[t * out.stride + d] = from[d]; });
}

__global__ void sigmoid_scale_kernel(Rows x, Rows gate) {
  const int64_t t = blockIdx.x;
  const float scale = sigmoid(gate.data[t * gate.stride]);
  columns(x.width, [&](int64_t d) { x.data[t * x.stride + d] *= scale; });
}

__global__ void glu_kernel(Rows gate_up, GluSpec spec, Rows out) {
  const int64_t t = blockIdx.x;
  const float* const gates = gate_up.data + t * gate_up.stride;
  columns(out.width, [&](int64_t f) {
    float gate = gates[f];
    float up = gates[out.width + f];
    float value;
    if (spec.clamp_limit > 0) {
      gate = fminf(gate, spec.clamp_limit);
      up = fmaxf(fminf(up, spec.clamp_limit), -spec.clamp_limit);
      value = swish(gate, spec.sigmoid_alpha) * (up + 1.0f);
    } else {
      value = activated(spec.activation, gate) * up;
    }
    out.data[t * out.stride + f] = value;
  });
}

__global__ void activate_kernel(Rows x, Activation activation) {
  const int64_t t = blockIdx.x;
  columns(x.width, [&](int64_t d) {
    float& to = x.data[t * x.stride + d];
    to = activated(activation, to);
  });
}

template <typename T>
__global__ void round_kernel(Rows x, T* out, int64_t out_stride) {
  const int64_t t = blockIdx.x;
  columns(out_stride, [&](int64_t d) {
    out[t * out_stride + d] = from_float<T>(d < x.width ? x.data[t * x.stride + d] : 0.0f);
  });
}

__global__ void combine_kernel(
    Rows results, const int32_t* place, const float* weights, int64_t chosen, Rows out) {
  const int64_t t = blockIdx.x;
  columns(out.width, [&](int64_t d) {
    float sum = out.data[t * out.stride + d];
    for (int64_t j = 0; j < chosen; ++j) {
      sum = fmaf(
          weights[t * chosen + j], results.data[place[t * chosen + j] * results.stride + d], sum);
    }
    out.data[t * out.stride + d] = sum;
  });
}

__global__ void pick_kernel(Rows logits, const Pick* picks, int64_t count, float* out) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const Pick p = picks[i];
  out[p.place] = logits.data[p.row * logits.stride + p.column];
}

}  // namespace

void add(void* stream, Rows h, Rows delta, float alpha) {
  launch(per_row(stream, h.count, h.width), add_kernel, h, delta, alpha);
}

void zero(void* stream, Rows x) { launch(per_row(stream, x.count, x.width), zero_kernel, x); }

void gather(void* stream, Rows x, const int32_t* rows, int64_t count, Rows out) {
  launch(per_row(stream, count, x.width), gather_kernel, x, rows, out);
}

void sigmoid_scale(void* stream, Rows x, Rows gate) {
  launch(per_row(stream, x.count, x.width), sigmoid_scale_kernel, x, gate);
}

void glu(void* stream, Rows gate_up, const GluSpec& spec, Rows out) {
  launch(per_row(stream, gate_up.count, out.width), glu_kernel, gate_up, spec, out);
}

void activate(void* stream, Rows x, Activation activation) {
  launch(per_row(stream, x.count, x.width), activate_kernel, x, activation);
}

void round_rows(void* stream, Rows x, DType to, void* out, int64_t out_stride) {
  const LaunchShape shape = per_row(stream, x.count, out_stride);
  if (to == DType::kBF16) {
    launch(shape, round_kernel<Bf16>, x, static_cast<Bf16*>(out), out_stride);
  } else {
    launch(shape, round_kernel<F16>, x, static_cast<F16*>(out), out_stride);
  }
}

void combine(void* stream,
             Rows results,
             const int32_t* place,
             const float* weights,
             int64_t chosen,
             Rows out) {
  launch(
      per_row(stream, out.count, out.width), combine_kernel, results, place, weights, chosen, out);
}

void pick(void* stream, Rows logits, const Pick* picks, int64_t count, float* out) {
  launch({.grid_x = (count + kThreads - 1) / kThreads, .block = kThreads, .stream = stream},
         pick_kernel,
         logits,
         picks,
         count,
         out);
}

}  // namespace keju::cuda
