// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "base/json.h"
#include "base/key_values.h"
#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "tensor/shape.h"

namespace keju {

// One tensor as it lies in a mapped file.
struct StoredTensor {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;  // outermost first (GGUF's order is turned round on reading)
  // Row-major, elements(shape) values of dtype, at an address fit for its elements (values that a
  // file holds at odd addresses are copied).
  const std::byte* data = nullptr;
  uint64_t bytes = 0;
  int file = 0;  // index into Checkpoint::files()
};

// A tensor that is in the files but cannot be a weight: a boolean or integer buffer such as an
// attention mask or position ids. Its values are not offered; its name is, so that nothing is
// passed over in silence.
struct LeftOutTensor {
  std::string name;
  std::string type;  // as the file spells it: "BOOL", "torch.LongStorage"
};

// A checkpoint on disk: a directory of tensors over mapped files, with its configuration. Opening
// reads headers only. Every offset, length and count is checked against the files' sizes, and
// tensors may not overlap (PyTorch's may share a storage). Threads: const and safe to share.
class Checkpoint {
 public:
  enum class Format { kGguf, kSafetensors, kTorch };

  // `path`: a folder, a .gguf (or the first part of a split one), a .safetensors file, or
  // hf:ORG/NAME[@REV], modelscope:ORG/NAME, ollama:NAME looked up in caches already on disk.
  // Errors: Error(kIo) not there, Error(kInput) malformed, Error(kUnsupported) names a tensor type
  // or format; each with the file and, where it helps, the byte offset.
  static std::shared_ptr<Checkpoint> open(const std::string& path);

  Format format() const { return format_; }
  const std::filesystem::path& root() const { return root_; }  // the folder, or the GGUF file
  const std::vector<std::shared_ptr<const MappedFile>>& files() const { return files_; }

  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const StoredTensor* find(std::string_view name) const;

  const std::vector<LeftOutTensor>& left_out() const { return left_out_; }

  const KeyValues& metadata() const { return metadata_; }  // GGUF; empty otherwise
  const Json& config() const { return config_; }           // config.json; null for GGUF

  // Frees the metadata's arrays under a prefix ("tokenizer.ggml."), as where what is made of them
  // is all that is needed from now on. Not while another thread uses the checkpoint.
  void forget_arrays(std::string_view prefix) { metadata_.erase_arrays(prefix); }

  uint64_t weight_bytes() const;  // of all tensors

  // MappedFile::drop_pages for a tensor whose values are not needed for now; nothing for a copy.
  void drop_pages(const StoredTensor& tensor) const;

  // sha256 over "name dtype shape sha256(data)\n" of every tensor in name order: the same weights
  // in other files give the same digest. Reads everything once, on all threads of `pool`.
  std::string digest(ThreadPool& pool) const;
  std::vector<std::pair<std::string, std::string>> tensor_digests(ThreadPool& pool) const;

 private:
  friend class CheckpointBuilder;
  Checkpoint() = default;
  Format format_ = Format::kGguf;
  std::filesystem::path root_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<StoredTensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
  KeyValues metadata_;
  Json config_;
  std::vector<LeftOutTensor> left_out_;
  // Tensors that had to be rebuilt (PyTorch files with strides, odd addresses) own their bytes
  // here.
  std::vector<std::vector<std::byte>> owned_;
};

}  // namespace keju
