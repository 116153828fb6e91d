// SPDX-License-Identifier: MIT
#include <algorithm>
#include <set>
#include <system_error>

#include "base/error.h"
#include "weights/builder.h"
#include "weights/bytes.h"
#include "weights/files.h"

namespace keju {

namespace fs = std::filesystem;

namespace {

struct PlainFormat {
  Checkpoint::Format format;
  std::string_view single;
  std::string_view index;
  std::string_view extension;
  TensorFile (*read)(std::span<const std::byte> bytes, const std::string& where);
};

constexpr PlainFormat kSafetensors = {Checkpoint::Format::kSafetensors,
                                      "model.safetensors",
                                      "model.safetensors.index.json",
                                      ".safetensors",
                                      read_safetensors};
constexpr PlainFormat kTorch = {Checkpoint::Format::kTorch,
                                "pytorch_model.bin",
                                "pytorch_model.bin.index.json",
                                ".bin",
                                read_torch};

// Which file of a sharded checkpoint holds which tensor.
class ShardIndex {
 public:
  ShardIndex(const fs::path& path, std::string_view extension);

  const std::set<std::string>& files() const { return files_; }
  // Holds what a shard contains to the index; every name of the index must be met once.
  void check(const std::string& shard, const TensorFile& content);
  void finish() const;

 private:
  void meet(const std::string& shard, const std::string& tensor);

  std::string where_;
  std::set<std::string> files_;
  std::unordered_map<std::string, std::string> shard_of_;
  std::unordered_map<std::string, bool> met_;
};

ShardIndex::ShardIndex(const fs::path& path, std::string_view extension) : where_(path.string()) {
  const Json index = small_json(path);
  const Json& map = member(index, "weight_map", where_);
  if (!map.is_object() || map.empty()) {
    throw fail(
        Code::kInput, "{}: weight_map: found {}, need names of tensors", where_, map.type_name());
  }
  for (const auto& [tensor, value] : map.items()) {
    const std::string shard = value.is_string() ? value.get<std::string>() : "";
    const bool inside = plausible_name(shard, 255) && shard.find_first_of("/\\") == shard.npos;
    if (!inside || !shard.ends_with(extension)) {
      throw fail(Code::kInput,
                 "{}: weight_map: {}: found {}, need the name of a {} file in the same folder",
                 where_,
                 in_quotes(tensor),
                 value.is_string() ? in_quotes(shard) : value.type_name(),
                 extension);
    }
    files_.insert(shard);
    shard_of_.emplace(tensor, shard);
  }
}

void ShardIndex::check(const std::string& shard, const TensorFile& content) {
  for (const StoredTensor& tensor : content.tensors) meet(shard, tensor.name);
  for (const LeftOutTensor& tensor : content.left_out) meet(shard, tensor.name);
}

void ShardIndex::meet(const std::string& shard, const std::string& tensor) {
  const auto entry = shard_of_.find(tensor);
  if (entry == shard_of_.end() || entry->second != shard) {
    throw fail(Code::kInput,
               "{}: weight_map: {}: found it in {}, need {}",
               where_,
               in_quotes(tensor),
               in_quotes(shard),
               entry == shard_of_.end() ? "it listed" : "it in " + in_quotes(entry->second));
  }
  met_[tensor] = true;
}

void ShardIndex::finish() const {
  for (const auto& [tensor, shard] : shard_of_) {
    if (met_.find(tensor) == met_.end()) {
      throw fail(Code::kInput,
                 "{}: weight_map: {}: found no such tensor in {}, need it there",
                 where_,
                 in_quotes(tensor),
                 in_quotes(shard));
    }
  }
}

std::shared_ptr<Checkpoint> open_sharded(const fs::path& folder, const PlainFormat& format) {
  CheckpointBuilder builder(format.format, folder);
  builder.set_config(small_json(folder / "config.json"));
  ShardIndex index(folder / format.index, format.extension);
  for (const std::string& shard : index.files()) {
    auto file = map_file(folder / shard);
    TensorFile content = format.read(file->bytes(), (folder / shard).string());
    index.check(shard, content);
    builder.add(std::move(file), std::move(content));
  }
  index.finish();
  return builder.finish();
}

std::shared_ptr<Checkpoint> open_single(CheckpointBuilder builder,
                                        const fs::path& path,
                                        const PlainFormat& format) {
  auto file = map_file(path);
  TensorFile content = format.read(file->bytes(), path.string());
  builder.add(std::move(file), std::move(content));
  return builder.finish();
}

// The one file of `folder` that may hold its weights, or "" if there is none.
std::string single_file(const fs::path& folder, const PlainFormat& format) {
  std::error_code ignored;
  if (fs::exists(folder / format.single, ignored)) return std::string(format.single);
  if (format.format == Checkpoint::Format::kTorch) return "";  // other .bin files are not weights
  const std::vector<std::string> names = names_with(folder, format.extension);
  if (names.size() > 1) {
    throw fail(Code::kInput,
               "{}: found {} {} files and no {}, need one file or the index. Files: {}",
               folder.string(),
               names.size(),
               format.extension,
               format.index,
               listed(names));
  }
  return names.empty() ? "" : names.front();
}

}  // namespace

std::shared_ptr<Checkpoint> open_plain_folder(const fs::path& folder) {
  for (const PlainFormat* format : {&kSafetensors, &kTorch}) {
    std::error_code ignored;
    if (!fs::exists(folder / format->single, ignored) &&
        fs::exists(folder / format->index, ignored)) {
      return open_sharded(folder, *format);
    }
    const std::string single = single_file(folder, *format);
    if (single.empty()) continue;
    CheckpointBuilder builder(format->format, folder);
    builder.set_config(small_json(folder / "config.json"));
    return open_single(std::move(builder), folder / single, *format);
  }
  return nullptr;
}

std::shared_ptr<Checkpoint> open_plain_file(const fs::path& path, Checkpoint::Format which) {
  const PlainFormat& format = which == Checkpoint::Format::kTorch ? kTorch : kSafetensors;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (part_name(path.filename().string(), format.extension).count > 1) {
    throw fail(Code::kInput,
               "{}: found one shard of several, need all of them. Open the folder {}",
               path.string(),
               folder.string());
  }
  CheckpointBuilder builder(which, folder);
  std::error_code ignored;
  if (fs::exists(folder / "config.json", ignored)) {
    builder.set_config(small_json(folder / "config.json"));
  }
  return open_single(std::move(builder), path, format);
}

}  // namespace keju
