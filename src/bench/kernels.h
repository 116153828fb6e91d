// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/json.h"
#include "kernels/backend.h"

namespace keju {

// What a machine can do, measured on the spot; 0: not known.
struct KernelBounds {
  double product_gflops = 0;  // of the instruction that the backend's products are made of
  double f32_gflops = 0;
  double read_gbytes = 0;
};

// Products with weights under Google Benchmark, alone and without a model: {"bounds": …,
// "products": [{"name", "op", "type", "rows", "n", "k", "gflops", "gbytes", "of_bound"}, …]}, those
// whose name matches the regular expression `filter` ("": all). of_bound is the share of the
// products' bound from 64 rows on, of the read bandwidth below. Best of several repetitions each;
// the weights of products of few rows do not come from a cache. Not thread-safe: the library's list
// of benchmarks is the process's.
Json run_kernels(Backend& backend, const KernelBounds& bounds, const std::string& filter = "");

}  // namespace keju
