// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace keju {

// A read-only memory map of a whole file. Empty files map to an empty span.
// Errors: Error(kIo) names the path and the system's reason. Threads: const, safe to share.
class MappedFile {
 public:
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

  // Tells the system that [begin, begin + count) of the map is not needed for now; its pages stop
  // counting as resident and are read again from the file if touched.
  void drop_pages(const std::byte* begin, size_t count) const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole file as text. Errors: Error(kIo).
std::string read_file(const std::filesystem::path& path);

// Writes aside, syncs, renames over `path`: readers see the old content or the new, never a mix.
// Errors: Error(kIo); `path` is then untouched.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace keju
