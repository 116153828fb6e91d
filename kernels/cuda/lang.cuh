// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

// What a kernel source needs of the CUDA language beyond the standard's own words. nvcc compiles
// the same sources for the card that a host compiler reads for tests/simt, where <keju_simt.h>
// stands in for the language. Two habits make that possible: launches go through launch() alone,
// and shared arrays are declared by these macros alone.
namespace keju::cuda {

struct LaunchShape {
  int64_t grid_x = 1;
  int64_t grid_y = 1;
  int64_t grid_z = 1;
  int block = 256;    // threads, a multiple of 32
  size_t shared = 0;  // bytes of dynamic shared memory
  void* stream = nullptr;
};

}  // namespace keju::cuda

#ifdef __CUDACC__

#include <cuda_runtime.h>

// An array of shared memory, uninitialised, aligned for 16-byte accesses.
#define KEJU_SHARED(type, name, count) __shared__ __align__(16) type name[count]
// The dynamic shared memory of the launch as `type* name`.
#define KEJU_DYNAMIC_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char keju_dynamic_shared[]; \
  type* const name = reinterpret_cast<type*>(keju_dynamic_shared)

namespace keju::cuda {

// Errors stay in the CUDA runtime until Runtime::check asks for them.
template <typename... Parameters, typename... Arguments>
void launch(const LaunchShape& shape,
            void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  if (shape.grid_x <= 0 || shape.grid_y <= 0 || shape.grid_z <= 0) return;
  if (shape.shared > 48 * 1024) {
    cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                         cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(shape.shared));
  }
  const dim3 grid(static_cast<unsigned>(shape.grid_x),
                  static_cast<unsigned>(shape.grid_y),
                  static_cast<unsigned>(shape.grid_z));
  kernel<<<grid,
           static_cast<unsigned>(shape.block),
           shape.shared,
           static_cast<cudaStream_t>(shape.stream)>>>(arguments...);
}

}  // namespace keju::cuda

#else

#include <keju_simt.h>

#define KEJU_SHARED(type, name, count)   \
  type* const name = static_cast<type*>( \
      ::keju::simt::shared_array(__FILE__, __LINE__, sizeof(type), static_cast<size_t>(count)))
#define KEJU_DYNAMIC_SHARED(type, name) \
  type* const name = static_cast<type*>(::keju::simt::dynamic_shared())

namespace keju::cuda {

template <typename... Parameters, typename... Arguments>
void launch(const LaunchShape& shape,
            void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  // Arguments by value, as a card has them: a launch that is noted down keeps its own.
  ::keju::simt::launch(
      {shape.grid_x, shape.grid_y, shape.grid_z, shape.block, shape.shared},
      [kernel, ... values = static_cast<Parameters>(arguments)] { kernel(values...); });
}

}  // namespace keju::cuda

#endif

#define KEJU_HD __host__ __device__
