// SPDX-License-Identifier: MIT
#include "report/format.h"

#include <fmt/format.h>

#include <cmath>

namespace keju {

std::string fixed(double value, int decimals) {
  const std::string text = fmt::format("{:.{}f}", value, decimals);
  // A tiny negative number is printed as what it is rounded to.
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos) {
    return text.substr(1);
  }
  return text;
}

std::string grouped(int64_t value) {
  std::string text = fmt::format("{}", value);
  const size_t sign = value < 0 ? 1 : 0;
  for (size_t at = text.size(); at > sign + 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string per_second(double rate) {
  if (std::abs(rate) >= 1e15) return fmt::format("{:.3g}", rate);
  if (std::abs(rate) >= 100) return grouped(std::llround(rate));
  return fixed(rate, std::abs(rate) >= 10 ? 1 : 2);
}

std::string seconds(double value) {
  if (std::abs(value) >= 1e12) return fmt::format("{:.3g} s", value);
  if (std::abs(value) < 0.001) return fixed(value * 1e6, 0) + " µs";
  if (std::abs(value) < 1) return fixed(value * 1e3, std::abs(value) < 0.1 ? 1 : 0) + " ms";
  if (std::abs(value) < 120) return fixed(value, 2) + " s";
  const int64_t whole = std::llround(value);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string bytes(int64_t value) {
  const auto size = static_cast<double>(value);
  if (std::abs(size) >= 1e9) return fixed(size / 1e9, 2) + " GB";
  if (std::abs(size) >= 1e6) return fixed(size / 1e6, 0) + " MB";
  return fixed(size / 1e3, 0) + " kB";
}

std::string count_short(int64_t value) {
  const auto size = static_cast<double>(value);
  if (size >= 1e9) return fixed(size / 1e9, 1) + "B";
  if (size >= 1e6) return fixed(size / 1e6, 0) + "M";
  return grouped(value);
}

std::string hash_short(const std::string& hash) { return hash.substr(0, 12); }

}  // namespace keju
