// SPDX-License-Identifier: MIT
#include "kernels/cpu/isa/lanes_avx512.h"
// The lanes come first: what follows is written in terms of them.
#include "kernels/cpu/isa/linear_body.h"

namespace keju {

void fill_linear_avx512(CpuKernels& table) { fill_linear(table); }

}  // namespace keju
