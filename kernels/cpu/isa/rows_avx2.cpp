// SPDX-License-Identifier: MIT
#include "kernels/cpu/isa/lanes_avx2.h"
// The lanes come first: what follows is written in terms of them.
#include "kernels/cpu/isa/page_body.h"
#include "kernels/cpu/isa/rows_body.h"

namespace keju {

void fill_linear_avx2(CpuKernels& table);

const CpuKernels& avx2_kernels() {
  static const CpuKernels table = [] {
    CpuKernels t;
    fill_linear_avx2(t);
    fill_rows(t);
    fill_pages(t);
    return t;
  }();
  return table;
}

}  // namespace keju
