// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "suite/card.h"
#include "suite/embedded.h"

namespace keju {

DataFolder DataFolder::on_disk(std::filesystem::path root) {
  DataFolder folder;
  folder.root_ = std::move(root);
  return folder;
}

DataFolder DataFolder::embedded(std::string prefix) {
  DataFolder folder;
  folder.embedded_ = true;
  folder.prefix_ = std::move(prefix) + "/";
  return folder;
}

bool DataFolder::exists() const {
  std::error_code ignored;
  return embedded_ || std::filesystem::is_directory(root_, ignored);
}

bool DataFolder::has(const std::string& path) const {
  if (embedded_) return find_embedded(prefix_ + path) != nullptr;
  std::error_code ignored;
  return std::filesystem::is_regular_file(root_ / path, ignored);
}

std::string_view DataText::text() const {
  if (file_ == nullptr) return embedded_;
  const std::span<const std::byte> bytes = file_->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

DataText DataFolder::open(const std::string& path) const {
  if (!embedded_) return DataText(MappedFile::open(root_ / path));
  const EmbeddedFile* file = find_embedded(prefix_ + path);
  if (file == nullptr) throw fail(Code::kIo, "{}: found no such file", where(path));
  return DataText(file->content);
}

std::string DataFolder::read(const std::string& path) const {
  return std::string(open(path).text());
}

std::string DataFolder::where(const std::string& path) const {
  return embedded_ ? prefix_ + path : (root_ / path).string();
}

std::vector<std::string> DataFolder::list(const std::string& folder,
                                          std::string_view suffix) const {
  std::vector<std::string> paths;
  if (embedded_) {
    const std::string begin = prefix_ + folder + "/";
    for (const EmbeddedFile& file : embedded_files()) {
      if (!file.path.starts_with(begin) || !file.path.ends_with(suffix)) continue;
      if (file.path.find('/', begin.size()) != std::string_view::npos) continue;
      paths.emplace_back(file.path.substr(prefix_.size()));
    }
  } else {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(root_ / folder, error)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && name.ends_with(suffix)) paths.push_back(folder + "/" + name);
    }
    if (error) throw fail(Code::kIo, "{}: {}", where(folder), error.message());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace keju
