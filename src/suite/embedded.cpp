// SPDX-License-Identifier: MIT
#include "suite/embedded.h"

namespace keju {

const EmbeddedFile* find_embedded(std::string_view path) {
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

}  // namespace keju
