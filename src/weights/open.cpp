// SPDX-License-Identifier: MIT
#include <algorithm>
#include <system_error>

#include "base/error.h"
#include "weights/files.h"

namespace keju {

namespace fs = std::filesystem;

namespace {

// The one GGUF model of a folder: a single file, or the first part of a single split.
fs::path only_gguf(const fs::path& folder) {
  const std::vector<std::string> names = names_with(folder, ".gguf");
  if (names.empty()) {
    throw fail(
        Code::kIo,
        "{}: found no checkpoint, need model.safetensors, pytorch_model.bin (or their index) "
        "or a .gguf file",
        folder.string());
  }
  const PartName first = part_name(names.front(), ".gguf");
  const bool related = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const PartName part = part_name(name, ".gguf");
    return part.count > 1 && part.stem == first.stem && part.count == first.count;
  });
  if (names.size() == 1 || related) return folder / names.front();
  throw fail(Code::kInput,
             "{}: found {} GGUF files, need one model. Name the file: {}",
             folder.string(),
             names.size(),
             listed(names));
}

std::shared_ptr<Checkpoint> open_file(const fs::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".gguf") return open_gguf(path);
  if (extension == ".safetensors") return open_plain_file(path, Checkpoint::Format::kSafetensors);
  if (extension == ".bin" || extension == ".pt" || extension == ".pth") {
    return open_plain_file(path, Checkpoint::Format::kTorch);
  }
  // Caches name files by their hash, so the content decides.
  const auto file = map_file(path);
  const auto bytes = file->bytes();
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<size_t>(bytes.size(), 4));
  if (start == "GGUF" || start == "FUGG") return open_gguf(path);
  if (start == "PK\x03\x04") return open_plain_file(path, Checkpoint::Format::kTorch);
  throw fail(Code::kInput,
             "{}: found neither a .gguf, .safetensors or .bin name nor GGUF's or PyTorch's first "
             "bytes, need a checkpoint",
             path.string());
}

}  // namespace

std::shared_ptr<Checkpoint> Checkpoint::open(const std::string& path) {
  const fs::path found = locate_checkpoint(path);
  std::error_code error;
  const fs::file_status status = fs::status(found, error);
  if (status.type() == fs::file_type::not_found) {
    throw fail(Code::kIo, "{}: found no such file or folder, need a checkpoint", found.string());
  }
  if (!fs::exists(status)) throw fail(Code::kIo, "{}: {}", found.string(), error.message());
  if (!fs::is_directory(status)) return open_file(found);
  if (auto checkpoint = open_plain_folder(found)) return checkpoint;
  return open_gguf(only_gguf(found));
}

}  // namespace keju
