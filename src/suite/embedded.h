// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

namespace keju {

// A file that the build compiled in: suites/*.yaml, data cards and our own sample data. Paths are
// those of the source tree ("suites/cmmlu.yaml").
struct EmbeddedFile {
  std::string_view path;
  std::string_view content;
};

std::span<const EmbeddedFile> embedded_files();

// The file of that path, or null.
const EmbeddedFile* find_embedded(std::string_view path);

}  // namespace keju
