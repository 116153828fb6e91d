// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: what register tiles are made of. Offsets are in floats; indices in
// floats too, times kScale.
#include <cstdint>

namespace keju {
namespace {

#if defined(KEJU_LANES_AVX512) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// In the order in which they stand: the compiler's own order of a tile's loads needs more registers
// than there are, and costs a tenth of the speed. The sanitizers do not see what these read, and
// take the plain ones, whose bits are the same.
template <int kOffset>
__attribute__((always_inline)) inline V load_at(const float* p) {
  V x;
  asm volatile("vmovups %c2(%1), %0" : "=v"(x.v) : "r"(p), "i"(4 * kOffset));
  return x;
}
template <int kOffset, int kScale>
__attribute__((always_inline)) inline V load_at(const float* p, int64_t index) {
  V x;
  asm volatile("vmovups %c3(%1, %2, %c4), %0"
               : "=v"(x.v)
               : "r"(p), "r"(index), "i"(4 * kOffset), "i"(4 * kScale));
  return x;
}
template <int kOffset>
__attribute__((always_inline)) inline V spread_at(const float* p) {
  V x;
  asm volatile("vbroadcastss %c2(%1), %0" : "=v"(x.v) : "r"(p), "i"(4 * kOffset));
  return x;
}
template <int kOffset, int kScale>
__attribute__((always_inline)) inline V spread_at(const float* p, int64_t index) {
  V x;
  asm volatile("vbroadcastss %c3(%1, %2, %c4), %0"
               : "=v"(x.v)
               : "r"(p), "r"(index), "i"(4 * kOffset), "i"(4 * kScale));
  return x;
}
__attribute__((always_inline)) inline void add_product(V& sum, V x, V w) {
  asm volatile("vfmadd231ps %2, %1, %0" : "+v"(sum.v) : "v"(x.v), "v"(w.v));
}
// The loads above do not say what they read: nothing in memory may be on its way past them.
__attribute__((always_inline)) inline void order_memory() { asm volatile("" ::: "memory"); }
#else
template <int kOffset>
inline V load_at(const float* p) {
  return load(p + kOffset);
}
template <int kOffset, int kScale>
inline V load_at(const float* p, int64_t index) {
  return load(p + kScale * index + kOffset);
}
template <int kOffset>
inline V spread_at(const float* p) {
  return broadcast(p + kOffset);
}
template <int kOffset, int kScale>
inline V spread_at(const float* p, int64_t index) {
  return broadcast(p + kScale * index + kOffset);
}
inline void add_product(V& sum, V x, V w) { sum = mul_add(x, w, sum); }
inline void order_memory() {}
#endif

}  // namespace
}  // namespace keju
