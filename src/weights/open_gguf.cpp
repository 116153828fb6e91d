// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "weights/builder.h"
#include "weights/files.h"

namespace keju {

namespace fs = std::filesystem;

namespace {

// Checks one split.* key of a part.
void need_key(const KeyValues& metadata, std::string_view key, int64_t need) {
  const auto found = metadata.maybe_integer(key);
  if (found == need) return;
  throw fail(Code::kInput,
             "{}: key \"{}\": found {}, need {}. The parts must come from one split",
             metadata.where(),
             key,
             found ? std::to_string(*found) : "none",
             need);
}

// What the first part says about the others: the number of parts, checked against its name.
int part_count(const fs::path& first, const KeyValues& metadata, const PartName& name) {
  const int64_t count = metadata.maybe_integer("split.count").value_or(0);
  if (count <= 1 && name.count <= 1) return 1;
  if (count != name.count) {
    throw fail(Code::kInput,
               "{}: key \"split.count\": found {}, need {}, as the file's name says. Parts are "
               "named NAME-00001-of-0000N.gguf",
               first.string(),
               count,
               name.count);
  }
  if (name.number != 1) {
    throw fail(Code::kInput,
               "{}: found part {} of {}, need the first. Open {}-00001-of-{:05}.gguf",
               first.string(),
               name.number,
               name.count,
               name.stem,
               name.count);
  }
  need_key(metadata, "split.no", 0);
  return name.count;
}

// Its values are copies: the pages of the header, megabytes of vocabulary, need not stay resident.
TensorFile read_part(const MappedFile& file, const fs::path& path) {
  TensorFile content = read_gguf(file.bytes(), path.string());
  file.drop_pages(file.bytes().data(), file.bytes().size());
  return content;
}

}  // namespace

std::shared_ptr<Checkpoint> open_gguf(const fs::path& path) {
  CheckpointBuilder builder(Checkpoint::Format::kGguf, path);
  auto file = map_file(path);
  TensorFile content = read_part(*file, path);
  KeyValues metadata = std::move(content.metadata);
  const PartName name = part_name(path.filename().string(), ".gguf");
  const int parts = part_count(path, metadata, name);
  size_t tensors = content.tensors.size();
  builder.add(std::move(file), std::move(content));
  for (int part = 2; part <= parts; ++part) {
    const fs::path next =
        path.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", name.stem, part, parts);
    file = map_file(next);
    content = read_part(*file, next);
    need_key(content.metadata, "split.no", part - 1);
    need_key(content.metadata, "split.count", parts);
    if (metadata.has("split.tensors.count")) {
      need_key(content.metadata, "split.tensors.count", metadata.integer("split.tensors.count"));
    }
    tensors += content.tensors.size();
    builder.add(std::move(file), std::move(content));
  }
  if (metadata.has("split.tensors.count")) {
    need_key(metadata, "split.tensors.count", static_cast<int64_t>(tensors));
  }
  builder.set_metadata(std::move(metadata));
  return builder.finish();
}

}  // namespace keju
