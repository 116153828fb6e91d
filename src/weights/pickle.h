// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// A tensor as a PyTorch pickle describes it. Views point into the pickle.
struct PickledTensor {
  std::string_view name;
  std::string_view storage_type;  // "FloatStorage"
  std::string_view storage_key;   // its file in the archive is data/<key>
  int64_t storage_elements = 0;
  int64_t offset = 0;  // in elements
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements
  uint64_t at = 0;               // of its making in the pickle
};

// Runs a pickle that may do one thing only: build a dict from names to tensors, by
// collections.OrderedDict, torch._utils._rebuild_tensor_v2 and torch.*Storage. Nothing is imported,
// called or looked up; the machine knows these names and no others. Shapes are checked for signs
// only. Errors: Error(kUnsupported) names any other opcode, global or value with its byte;
// Error(kInput) for a pickle that is no pickle.
std::vector<PickledTensor> read_pickle(std::span<const std::byte> bytes, const std::string& where);

}  // namespace keju
