// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "weights/checkpoint.h"

namespace keju {

// The folder or file that the user's word means: a path as it is, hf:, modelscope: and ollama:
// names looked up in the caches of those programs. Errors: Error(kUsage) for a name that no cache
// could hold; Error(kIo) lists the folders that were looked in.
std::filesystem::path locate_checkpoint(const std::string& name);

// A map of `path`, with a plain message if it is not there.
std::shared_ptr<const MappedFile> map_file(const std::filesystem::path& path);

// A JSON file of at most 64 MiB.
Json small_json(const std::filesystem::path& path);

// A GGUF file, with the rest of its parts if it is the first of several.
std::shared_ptr<Checkpoint> open_gguf(const std::filesystem::path& path);

// What a name such as model-00002-of-00003.gguf says; count 0 if it is not of that form.
struct PartName {
  std::string stem;  // "model"
  int number = 0;    // 2
  int count = 0;     // 3
};
PartName part_name(const std::string& file_name, std::string_view extension);

// A folder of safetensors or PyTorch files, sharded or not, with its config.json; null if it holds
// neither.
std::shared_ptr<Checkpoint> open_plain_folder(const std::filesystem::path& folder);

// One such file, with the config.json beside it if there is one.
std::shared_ptr<Checkpoint> open_plain_file(const std::filesystem::path& path,
                                            Checkpoint::Format format);

// Names of the files in `folder` that end with `extension`, sorted.
std::vector<std::string> names_with(const std::filesystem::path& folder,
                                    std::string_view extension);

// "a, b, c", cut after 12 names.
std::string listed(const std::vector<std::string>& names);

}  // namespace keju
