// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "weights/checkpoint.h"
#include "weights/tensor_file.h"

namespace keju {

// Puts a Checkpoint together from the files that hold it.
class CheckpointBuilder {
 public:
  CheckpointBuilder(Checkpoint::Format format, std::filesystem::path root);

  // Adds a file and its tensors; tensors at addresses unfit for their elements are copied.
  // Errors: Error(kInput) for a tensor that an earlier file holds as well.
  void add(std::shared_ptr<const MappedFile> file, TensorFile content);

  void set_metadata(KeyValues metadata) { checkpoint_->metadata_ = std::move(metadata); }
  void set_config(Json config) { checkpoint_->config_ = std::move(config); }

  std::shared_ptr<Checkpoint> finish() { return std::move(checkpoint_); }

 private:
  std::shared_ptr<Checkpoint> checkpoint_;
};

}  // namespace keju
