// SPDX-License-Identifier: MIT
#include "weights/builder.h"

#include <cstring>

#include "base/error.h"
#include "weights/bytes.h"

namespace keju {
namespace {

// What a kernel needs to read the elements in place. Blocks begin with a 16-bit scale.
size_t element_alignment(DType type) { return type == DType::kF32 ? 4 : 2; }

}  // namespace

CheckpointBuilder::CheckpointBuilder(Checkpoint::Format format, std::filesystem::path root)
    : checkpoint_(new Checkpoint()) {
  checkpoint_->format_ = format;
  checkpoint_->root_ = std::move(root);
}

void CheckpointBuilder::add(std::shared_ptr<const MappedFile> file, TensorFile content) {
  Checkpoint& to = *checkpoint_;
  const int number = static_cast<int>(to.files_.size());
  for (StoredTensor& tensor : content.tensors) {
    const auto [known, fresh] = to.index_.emplace(tensor.name, to.tensors_.size());
    if (!fresh) {
      const StoredTensor& other = to.tensors_[known->second];
      throw fail(Code::kInput,
                 "{}: tensor {}: found it in {} too, need it in one file",
                 file->path().string(),
                 in_quotes(tensor.name),
                 to.files_[static_cast<size_t>(other.file)]->path().string());
    }
    tensor.file = number;
    if (reinterpret_cast<uintptr_t>(tensor.data) % element_alignment(tensor.dtype) != 0) {
      content.owned.emplace_back(tensor.data, tensor.data + tensor.bytes);
      tensor.data = content.owned.back().data();
    }
    to.tensors_.push_back(std::move(tensor));
  }
  for (LeftOutTensor& left : content.left_out) to.left_out_.push_back(std::move(left));
  for (std::vector<std::byte>& bytes : content.owned) to.owned_.push_back(std::move(bytes));
  to.files_.push_back(std::move(file));
}

}  // namespace keju
