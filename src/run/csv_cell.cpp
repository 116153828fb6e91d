// SPDX-License-Identifier: MIT
#include "run/csv_cell.h"

#include <charconv>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {
namespace {

// Characters that have no width or change the direction of what follows.
bool is_invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string visible(std::string_view text, size_t most_code_points) {
  std::string out;
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (count == most_code_points) return out + "…";
    const size_t begin = at;
    const char32_t c = next_code_point(text, at);
    if (c == 0xfffd && text.substr(begin, at - begin) != "\xef\xbf\xbd") {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<uint8_t>(text[begin])));
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_invisible(c)) {
      out += c < 0x100 ? fmt::format("\\x{:02x}", static_cast<uint32_t>(c))
                       : fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      out += text.substr(begin, at - begin);
    }
  }
  return out;
}

std::string csv_cell(std::string_view text) {
  std::string cell = visible(text);
  if (!cell.empty() && std::string_view("=+-@").find(cell[0]) != std::string_view::npos &&
      !is_number(cell)) {
    cell.insert(cell.begin(), '\'');
  }
  if (cell.find_first_of(",\"") == std::string::npos && cell.find(' ') != 0) return cell;
  std::string out = "\"";
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace keju
