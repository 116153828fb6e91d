// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// A pull reader for the one JSON shape that a safetensors header has: objects, strings and lists of
// non-negative integers. It builds no tree, so that a header of 100 MB costs no memory beyond what
// the caller keeps. `base` is the text's place in the file; messages carry bytes of the file.
// Errors: Error(kInput).
class HeaderJson {
 public:
  HeaderJson(std::string_view text, std::string where, uint64_t base);

  // An object; `member` is called with each name and its place, and must read the value.
  void object(std::string_view what,
              const std::function<void(std::string name, uint64_t at)>& member);
  std::string string(std::string_view what);
  // A list of at most `most` integers from 0 to 2^63 - 1.
  std::vector<uint64_t> integers(std::string_view what, size_t most);
  // Nothing but blanks may follow.
  void end();

 private:
  [[noreturn]] void wrong(std::string_view what, std::string_view need) const;
  void blanks();
  bool accept(char c);
  void need(char c, std::string_view what);
  void escape(std::string& out);
  uint32_t hex4();
  uint64_t integer(std::string_view what);
  uint64_t here() const { return base_ + at_; }

  std::string_view text_;
  std::string where_;
  uint64_t base_;
  size_t at_ = 0;
};

}  // namespace keju
