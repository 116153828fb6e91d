// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keju {

// Bounds on what an archive may hold: they come from strangers.
inline constexpr size_t kArchiveBytes = size_t{2} << 30;  // unpacked, all files together
inline constexpr size_t kArchiveFiles = 100'000;

// The content of a gzip file. Errors: Error(kInput) `where: …` for damage and for more than
// kArchiveBytes.
std::string unzipped(std::string_view packed, const std::string& where);

struct ArchivedFile {
  std::string path;  // with "/", relative, without ".."
  std::string content;
};

// The files of a zip archive, in its order, folders left out. Stored and deflated files are read;
// checksums are checked. Errors: Error(kInput) for damage, encryption, another method, a path that
// leads out of the archive, and for more than the bounds.
std::vector<ArchivedFile> read_zip(std::string_view packed, const std::string& where);

}  // namespace keju
