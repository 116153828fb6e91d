// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cuda/lang.cuh"

#ifndef __CUDACC__
#include "base/dtype.h"
#endif

// Every PTX instruction that the kernels use by hand, and nowhere else: the body for the card and,
// beside it, the body for the interpreter. PTX ISA 9.0 names each.
namespace keju::cuda {

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

// -- numbers --------------------------------------------------------------------------------------

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(Bf16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}
// cvt.f32.f16
__device__ __forceinline__ float to_float(F16 value) {
#ifdef __CUDACC__
  float out;
  asm("cvt.f32.f16 %0, %1;" : "=f"(out) : "h"(value.bits));
  return out;
#else
  return f16_to_f32(value.bits);
#endif
}

template <typename T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
  return value;
}
// cvt.rn.bf16.f32
template <>
__device__ __forceinline__ Bf16 from_float<Bf16>(float value) {
#ifdef __CUDACC__
  Bf16 out;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(out.bits) : "f"(value));
  return out;
#else
  return {f32_to_bf16(value)};
#endif
}
// cvt.rn.f16.f32
template <>
__device__ __forceinline__ F16 from_float<F16>(float value) {
#ifdef __CUDACC__
  F16 out;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out.bits) : "f"(value));
  return out;
#else
  return {f32_to_f16(value)};
#endif
}

// Two neighbours in one register, the first in the low half.
template <typename T>
__device__ __forceinline__ uint32_t pack2(float low, float high) {
  return static_cast<uint32_t>(from_float<T>(low).bits) |
         static_cast<uint32_t>(from_float<T>(high).bits) << 16;
}

// 2^x to 2 ulp; 0 for -infinity. ex2.approx.ftz.f32
__device__ __forceinline__ float exp2_fast(float x) {
#ifdef __CUDACC__
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
#else
  return std::exp2(x);
#endif
}

// -- copies ---------------------------------------------------------------------------------------

// cp.async.cg.shared.global, 16 bytes; the bytes from `valid` (0 or 16) on are zeros. Both
// addresses are multiples of 16. With valid 0 nothing is read.
__device__ __forceinline__ void copy16_async(void* shared, const void* global, int valid) {
#ifdef __CUDACC__
  const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid)
               : "memory");
#else
  simt::async_copy(shared, global, 16, static_cast<size_t>(valid));
#endif
}

// cp.async.commit_group
__device__ __forceinline__ void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  simt::async_commit();
#endif
}

// cp.async.wait_group: at most `groups` of this thread's groups are still on their way.
template <int groups>
__device__ __forceinline__ void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
#else
  simt::async_wait(groups);
#endif
}

// -- matrices -------------------------------------------------------------------------------------

// ldmatrix.sync.aligned.m8n8.x4.shared.b16: thread i of the warp names row i % 8 of matrix i / 8
// (8 values of 16 bits, 16-byte aligned); out[m] has elements 2·(i % 4) and the next of row i / 4
// of matrix m.
__device__ __forceinline__ void load_matrices(uint32_t (&out)[4], const void* row) {
#ifdef __CUDACC__
  const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(from)
               : "memory");
#else
  struct Row {
    uint32_t pairs[4];
  } own;
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
    simt::fault("ldmatrix: a row that is not 16-byte aligned");
  std::memcpy(&own, row, sizeof own);
  const auto* all = simt::exchange(
      &own, sizeof own, "ldmatrix", simt::Ordering::kNone, std::source_location::current());
  const int i = simt::lane();
  for (int m = 0; m < 4; ++m) out[m] = simt::deposited<Row>(all, 8 * m + i / 4).pairs[i % 4];
#endif
}

// The same with .trans: out[m] has elements of column i / 4, rows 2·(i % 4) and the next.
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&out)[4], const void* row) {
#ifdef __CUDACC__
  const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(from)
               : "memory");
#else
  struct Row {
    uint16_t values[8];
  } own;
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
    simt::fault("ldmatrix: a row that is not 16-byte aligned");
  std::memcpy(&own, row, sizeof own);
  const auto* all = simt::exchange(
      &own, sizeof own, "ldmatrix.trans", simt::Ordering::kNone, std::source_location::current());
  const int i = simt::lane();
  for (int m = 0; m < 4; ++m) {
    const Row low = simt::deposited<Row>(all, 8 * m + 2 * (i % 4));
    const Row high = simt::deposited<Row>(all, 8 * m + 2 * (i % 4) + 1);
    out[m] = static_cast<uint32_t>(low.values[i / 4]) | static_cast<uint32_t>(high.values[i / 4])
                                                            << 16;
  }
#endif
}

#ifndef __CUDACC__
// d += A·B as exact products with float32 sums in ascending k. What a card's own rounding does
// differently is within the tests' tolerances.
template <typename T>
void multiply_on_host(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Own {
    uint32_t a[4];
    uint32_t b[2];
  };
  const Own own{{a[0], a[1], a[2], a[3]}, {b0, b1}};
  const auto* all = simt::exchange(
      &own, sizeof own, "mma.sync", simt::Ordering::kNone, std::source_location::current());
  const int i = simt::lane();
  const auto half = [](uint32_t pair, int which) {
    return to_float(T{static_cast<uint16_t>(which == 0 ? pair : pair >> 16)});
  };
  for (int e = 0; e < 4; ++e) {
    const int row = i / 4 + (e / 2) * 8;
    const int column = 2 * (i % 4) + e % 2;
    float sum = d[e];
    for (int k = 0; k < 16; ++k) {
      const Own of_row = simt::deposited<Own>(all, (row % 8) * 4 + (k % 8) / 2);
      const Own of_column = simt::deposited<Own>(all, column * 4 + (k % 8) / 2);
      const float x = half(of_row.a[row / 8 + 2 * (k / 8)], k % 2);
      const float y = half(of_column.b[k / 8], k % 2);
      sum += x * y;
    }
    d[e] = sum;
  }
}
#endif

// mma.sync.aligned.m16n8k16.row.col.f32: d (16 x 8) += a (16 x 16) · b (16 x 8). Thread i holds
//   d[e]  row i/4 + 8·(e/2), column 2·(i%4) + e%2
//   a[r]  row i/4 + 8·(r%2), columns 2·(i%4) + 8·(r/2) and the next
//   b[r]  rows 2·(i%4) + 8·r and the next, column i/4
template <typename T>
__device__ __forceinline__ void multiply(float (&d)[4],
                                         const uint32_t (&a)[4],
                                         uint32_t b0,
                                         uint32_t b1);

template <>
__device__ __forceinline__ void multiply<Bf16>(float (&d)[4],
                                               const uint32_t (&a)[4],
                                               uint32_t b0,
                                               uint32_t b1) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  multiply_on_host<Bf16>(d, a, b0, b1);
#endif
}

template <>
__device__ __forceinline__ void multiply<F16>(float (&d)[4],
                                              const uint32_t (&a)[4],
                                              uint32_t b0,
                                              uint32_t b1) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  multiply_on_host<F16>(d, a, b0, b1);
#endif
}

}  // namespace keju::cuda
