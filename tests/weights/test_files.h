// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tests/support/temp_folder.h"

namespace keju {

// A folder of the test's own to write files into.
class TestFolder : public TempFolder {
 public:
  // Writes a file, with the folders above it, and says where it is.
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    const std::filesystem::path file = path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    EXPECT_TRUE(out.good()) << file;
    return file;
  }
};

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Runs `job`, which should throw an Error, and returns it as "code: message".
inline std::string error_text(const std::function<void()>& job) {
  try {
    job();
  } catch (const Error& error) {
    const char* name = error.code() == Code::kUsage         ? "usage"
                       : error.code() == Code::kInput       ? "input"
                       : error.code() == Code::kShape       ? "shape"
                       : error.code() == Code::kUnsupported ? "unsupported"
                       : error.code() == Code::kIo          ? "io"
                                                            : "other";
    return std::string(name) + ": " + error.what();
  } catch (const std::exception& error) {
    return std::string("not an Error: ") + error.what();
  }
  return "no error";
}

}  // namespace keju
