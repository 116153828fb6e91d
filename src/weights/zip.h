// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace keju {

class ByteReader;

struct ZipEntry {
  std::string_view name;  // both point into the archive
  std::span<const std::byte> data;
};

// The entries of a zip archive whose files are stored uncompressed, as PyTorch writes them. Entries
// may not overlap and no name may occur twice. Checksums are not looked at.
// Source: PKWARE APPNOTE 6.3.10. Errors: Error(kInput) malformed; Error(kUnsupported) names a
// compression, encryption or an archive of several disks.
class ZipArchive {
 public:
  ZipArchive(std::span<const std::byte> bytes, const std::string& where);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;

 private:
  struct Directory {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t entries = 0;
  };
  struct Place {
    uint64_t begin = 0;  // of the local header
    uint64_t end = 0;    // of the data
    size_t entry = 0;
  };
  struct Central;

  Directory directory() const;
  Directory directory64(uint64_t end_record) const;
  Central central(ByteReader& in) const;
  void wide_sizes(Central& entry, std::span<const std::byte> extra) const;
  Place place(const Central& entry, const Directory& directory);
  void check_overlaps(std::vector<Place> places) const;

  std::span<const std::byte> bytes_;
  std::string where_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string_view, size_t> index_;
};

}  // namespace keju
