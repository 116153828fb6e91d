// SPDX-License-Identifier: MIT
// What stands between the projections and attention: QK-norm, rotary embedding, scaling of q,
// scatter of keys and values into their pages. One block per row; its heads lie in shared memory.
#include <algorithm>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/ptx.cuh"

namespace keju::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

// The heads of one row in shared memory, head after head.
struct RowHeads {
  float* data;
  int64_t heads;
  int64_t size;
};

__device__ void apply_norm(const RowHeads& row,
                           const HeadNormArgs& spec,
                           int64_t head,
                           int64_t e,
                           float mean,
                           float inverse) {
  const NormArgs& norm = spec.norm;
  const int64_t at = spec.shared_weight ? e : head * row.size + e;
  float weight = 1.0f;
  if (norm.weight != nullptr)
    weight = norm.one_plus_weight ? 1.0f + norm.weight[at] : norm.weight[at];
  float& value = row.data[head * row.size + e];
  value = (value - mean) * inverse * weight;
  if (norm.bias != nullptr) value += norm.bias[at];
}

// Statistics over each head by a warp of its own.
__device__ void norm_each_head(const RowHeads& row, const HeadNormArgs& spec) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const float size = static_cast<float>(row.size);
  for (int64_t head = threadIdx.x / 32; head < row.heads; head += kWarps) {
    const float* const own = row.data + head * row.size;
    float mean = 0;
    if (spec.norm.layer) {
      float sum = 0;
      for (int64_t e = lane; e < row.size; e += 32) sum += own[e];
      mean = warp_sum(sum) / size;
    }
    float squares = 0;
    for (int64_t e = lane; e < row.size; e += 32)
      squares = fmaf(own[e] - mean, own[e] - mean, squares);
    const float inverse = 1.0f / sqrtf(warp_sum(squares) / size + spec.norm.eps);
    for (int64_t e = lane; e < row.size; e += 32) apply_norm(row, spec, head, e, mean, inverse);
  }
}

// Statistics over all heads of the row.
__device__ void norm_whole_row(const RowHeads& row, const HeadNormArgs& spec) {
  const int64_t n = row.heads * row.size;
  float mean = 0;
  if (spec.norm.layer) {
    float sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += kThreads) sum += row.data[i];
    mean = block_sum<kWarps>(sum) / static_cast<float>(n);
  }
  float squares = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    squares = fmaf(row.data[i] - mean, row.data[i] - mean, squares);
  }
  const float inverse =
      1.0f / sqrtf(block_sum<kWarps>(squares) / static_cast<float>(n) + spec.norm.eps);
  for (int64_t i = threadIdx.x; i < n; i += kThreads) {
    apply_norm(row, spec, i / row.size, i % row.size, mean, inverse);
  }
}

__device__ void norm_heads(const RowHeads& row, const HeadNormArgs& spec) {
  if (spec.scope == HeadNormSpec::Scope::kNone) return;
  __syncthreads();
  if (spec.scope == HeadNormSpec::Scope::kHead) {
    norm_each_head(row, spec);
  } else {
    norm_whole_row(row, spec);
  }
}

__device__ void rotate(const RowHeads& row, const QkvArgs& args, int64_t position) {
  const int64_t half = args.rope_dim / 2;
  if (half == 0) return;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < row.heads * half; i += kThreads) {
    float* const head = row.data + i / half * row.size + args.rope_offset;
    const int64_t pair = i % half;
    const float c = args.rope_cos[position * half + pair];
    const float s = args.rope_sin[position * half + pair];
    float& first = head[args.interleaved ? 2 * pair : pair];
    float& second = head[args.interleaved ? 2 * pair + 1 : pair + half];
    const float a = first;
    const float b = second;
    first = fmaf(a, c, -(b * s));
    second = fmaf(b, c, a * s);
  }
}

__device__ void norm_and_rotate(const RowHeads& row,
                                const HeadNormArgs& norm,
                                const QkvArgs& args,
                                int64_t position) {
  if (!args.norm_after_rope) norm_heads(row, norm);
  rotate(row, args, position);
  if (args.norm_after_rope) norm_heads(row, norm);
  __syncthreads();
}

template <typename T>
__global__ void __launch_bounds__(kThreads) qkv_kernel(QkvArgs args, PageView to) {
  KEJU_DYNAMIC_SHARED(float, heads);
  const RowPlace place = args.rows[blockIdx.x];
  if (place.position < 0) return;  // the whole block
  const int64_t t = place.row;
  const int64_t position = place.position;

  const RowHeads queries{heads, args.q.heads, args.q.size};
  float* const q = args.q.data + t * args.q.row_stride;
  for (int64_t i = threadIdx.x; i < queries.heads * queries.size; i += kThreads) {
    heads[i] = q[i / queries.size * args.q.head_stride + i % queries.size];
  }
  norm_and_rotate(queries, args.q_norm, args, position);
  const float scale = args.q_scale != nullptr ? args.q_scale[position] : 1.0f;
  for (int64_t i = threadIdx.x; i < queries.heads * queries.size; i += kThreads) {
    q[i / queries.size * args.q.head_stride + i % queries.size] = heads[i] * scale;
  }

  // No barrier: element i of the queries is read and overwritten by the same thread.
  const int64_t shared = args.k_shared.data != nullptr ? args.k_shared.size : 0;
  const RowHeads keys{heads, args.k.heads, args.k.size + shared};
  for (int64_t i = threadIdx.x; i < keys.heads * keys.size; i += kThreads) {
    const int64_t head = i / keys.size;
    const int64_t e = i % keys.size;
    heads[i] = e < args.k.size ? args.k.data[t * args.k.row_stride + head * args.k.head_stride + e]
                               : args.k_shared.data[t * args.k_shared.row_stride + e - args.k.size];
  }
  norm_and_rotate(keys, args.k_norm, args, position);
  T* const page = static_cast<T*>(to.pages[args.page_ids[place.pages + position / kPage]]);
  const int64_t slot = position % kPage;
  for (int64_t i = threadIdx.x; i < keys.heads * keys.size; i += kThreads) {
    page[key_at(to.at, i / keys.size, slot) + i % keys.size] = from_float<T>(heads[i]);
  }
  for (int64_t i = threadIdx.x; i < args.v.heads * args.v.size; i += kThreads) {
    const int64_t head = i / args.v.size;
    const int64_t e = i % args.v.size;
    page[value_at(to.at, head, slot) + e] =
        from_float<T>(args.v.data[t * args.v.row_stride + head * args.v.head_stride + e]);
  }
}

// In the order given: a thread owns its elements in every copy, so a copy of a copy is in order.
template <typename T>
__global__ void copy_kernel(PageCopyArgs args, PageView view) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= layer_elements(view.at)) return;
  const int64_t keys = static_cast<int64_t>(view.at.kv_heads) * kPage * view.at.k_size;
  const bool is_key = i < keys;
  const int64_t slot = is_key ? i / view.at.k_size % kPage : (i - keys) / view.at.v_size % kPage;
  const int64_t at = is_key ? view.at.keys + i : view.at.values + i - keys;
  for (int64_t c = 0; c < args.count; ++c) {
    const PageCopy copy = args.copies[c];
    if (slot >= copy.positions) continue;
    static_cast<T*>(view.pages[copy.to])[at] = static_cast<const T*>(view.pages[copy.from])[at];
  }
}

template <typename T>
void launch_qkv(void* stream, const QkvArgs& args, const PageView& to) {
  const int64_t k_size = args.k.size + (args.k_shared.data != nullptr ? args.k_shared.size : 0);
  const int64_t elements = std::max(args.q.heads * args.q.size, args.k.heads * k_size);
  launch({.grid_x = args.count,
          .block = kThreads,
          .shared = static_cast<size_t>(elements) * sizeof(float),
          .stream = stream},
         qkv_kernel<T>,
         args,
         to);
}

template <typename T>
void launch_copy(void* stream, const PageCopyArgs& copies, const PageView& view) {
  launch({.grid_x = (layer_elements(view.at) + kThreads - 1) / kThreads,
          .block = kThreads,
          .stream = stream},
         copy_kernel<T>,
         copies,
         view);
}

}  // namespace

void qkv_post(void* stream, const QkvArgs& args, const PageView& to) {
  if (to.type == DType::kBF16) return launch_qkv<Bf16>(stream, args, to);
  if (to.type == DType::kF16) return launch_qkv<F16>(stream, args, to);
  launch_qkv<float>(stream, args, to);
}

void copy_pages(void* stream, const PageCopyArgs& copies, const PageView& view) {
  if (view.type == DType::kF32) return launch_copy<uint32_t>(stream, copies, view);
  launch_copy<uint16_t>(stream, copies, view);
}

}  // namespace keju::cuda
