// SPDX-License-Identifier: MIT
#include "tests/support/require.h"

#include <cstdlib>

namespace keju {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// KEJU_NEED(shared) and KEJU_NEED("shared") mean the same.
std::string_view unquoted(std::string_view what) {
  if (what.size() >= 2 && what.front() == '"' && what.back() == '"') {
    what = what.substr(1, what.size() - 2);
  }
  return what;
}

}  // namespace

fs::path shared_dir() {
  const std::string folder = environment("KEJU_SHARED");
  return folder.empty() ? fs::path("../shared") : fs::path(folder);
}

fs::path model_file(std::string_view name) {
  const std::string cache = environment("KEJU_CACHE");
  const fs::path root =
      cache.empty() ? fs::path(environment("HOME")) / ".cache" / "keju" : fs::path(cache);
  return root / "models" / name;
}

std::string missing(std::string_view what) {
  what = unquoted(what);
  std::error_code ignored;
  if (what == "shared") {
    const fs::path folder = shared_dir() / "fixtures";
    return fs::is_directory(folder, ignored) ? "" : "shared: no folder " + folder.string();
  }
  if (what == "models") {
    for (const char* name : {"SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"}) {
      const fs::path file = model_file(name);
      if (!fs::is_regular_file(file, ignored)) return "models: no file " + file.string();
    }
    return "";
  }
  if (what == "cuda") {
    return fs::exists("/dev/nvidiactl", ignored) ? "" : "cuda: no device /dev/nvidiactl";
  }
  return std::string(what) + ": tests/support/require.cpp does not know how to look for it";
}

bool required(std::string_view what) {
  const std::string list = "," + environment("KEJU_REQUIRE") + ",";
  return list.find("," + std::string(unquoted(what)) + ",") != std::string::npos;
}

}  // namespace keju
