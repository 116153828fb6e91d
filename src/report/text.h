// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>

namespace keju {

// A text in both of the report's languages. Strings are raw: whoever prints them escapes them.
struct Text {
  Text() = default;
  Text(std::string both) : zh(both), en(std::move(both)) {}
  Text(const char* both) : zh(both), en(both) {}
  Text(std::string chinese, std::string english) : zh(std::move(chinese)), en(std::move(english)) {}
  std::string zh, en;
  bool same() const { return zh == en; }
  bool empty() const { return zh.empty() && en.empty(); }
};

}  // namespace keju
