// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/key_values.h"
#include "weights/checkpoint.h"

namespace keju {

// What one file holds. The tensors point into the bytes that were read, or into `owned`.
struct TensorFile {
  std::vector<StoredTensor> tensors;
  std::vector<LeftOutTensor> left_out;
  std::vector<std::vector<std::byte>> owned;
  KeyValues metadata;  // GGUF only
};

// The readers. `where` is the file's path and begins every message. They touch headers only
// (read_torch also copies strided tensors) and hold every offset, length and count to the size of
// `bytes` before using it. Errors: as Checkpoint::open.

// GGUF 2 and 3. Source: the format's specification, ggml/docs/gguf.md.
TensorFile read_gguf(std::span<const std::byte> bytes, const std::string& where);

// Safetensors. Source: huggingface/safetensors, README "Format" and tensor.rs 0.4.
TensorFile read_safetensors(std::span<const std::byte> bytes, const std::string& where);

// PyTorch's zip format (torch.save since 1.6) with a pickle machine that can only build a dict of
// tensors. Source: torch/serialization.py and caffe2/serialize 2.4; PKWARE APPNOTE 6.3.10; CPython
// 3.11 Lib/pickletools.py.
TensorFile read_torch(std::span<const std::byte> bytes, const std::string& where);

// Integer and boolean tensors that old exporters wrote beside the weights (attention masks,
// position ids) and no model reads. They are left out and listed; any other integer tensor is
// refused.
bool is_known_buffer(std::string_view name);

// The DType of a plain (unblocked) type, by safetensors' spelling: F32, F16, BF16.
std::optional<DType> plain_dtype(std::string_view spelling);

}  // namespace keju
