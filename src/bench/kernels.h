// SPDX-License-Identifier: MIT
#pragma once

#include "base/json.h"
#include "kernels/backend.h"

namespace keju {

// What a machine can do, measured on the spot; 0: not known.
struct KernelBounds {
  double product_gflops = 0;  // of the instruction that the backend's products are made of
  double f32_gflops = 0;
  double read_gbytes = 0;
};

// Products with weights, alone and without a model: {"bounds": …, "products": [{"op", "type",
// "rows", "n", "k", "gflops", "gbytes", "of_bound"}, …]}. of_bound is the share of the products'
// bound from 64 rows on, of the read bandwidth below. Best of several runs each; the weights of
// products of few rows do not come from a cache.
Json run_kernels(Backend& backend, const KernelBounds& bounds);

}  // namespace keju
