// SPDX-License-Identifier: MIT
#include "report/escape.h"

#include <map>

#include "base/sha256.h"
#include "run/csv_cell.h"

namespace keju {
namespace {

bool ends_in_www(std::string_view text) {
  if (text.size() < 3) return false;
  for (const char c : text.substr(text.size() - 3)) {
    if (c != 'w' && c != 'W') return false;
  }
  return true;
}

}  // namespace

std::string html(std::string_view text, size_t most) {
  std::string out;
  for (const char c : visible(text, most)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string markdown(std::string_view text, size_t most) {
  const std::string shown = visible(text, most);
  std::string out;
  for (size_t i = 0; i < shown.size(); ++i) {
    const char c = shown[i];
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      // The last two would let bare addresses become links.
      const bool special = std::string_view("\\`*_{}[]#|~$@").find(c) != std::string_view::npos ||
                           (c == ':' && shown.compare(i, 3, "://") == 0) ||
                           (c == '.' && ends_in_www(std::string_view(shown).substr(0, i)));
      if (special) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string latex(std::string_view text, size_t most) {
  static const std::map<char, const char*> kEscapes = {{'\\', "\\textbackslash{}"},
                                                       {'{', "\\{"},
                                                       {'}', "\\}"},
                                                       {'$', "\\$"},
                                                       {'&', "\\&"},
                                                       {'#', "\\#"},
                                                       {'%', "\\%"},
                                                       {'_', "\\_"},
                                                       {'^', "\\textasciicircum{}"},
                                                       {'~', "\\textasciitilde{}"},
                                                       {'<', "\\textless{}"},
                                                       {'>', "\\textgreater{}"},
                                                       {'|', "\\textbar{}"},
                                                       {'"', "\\textquotedbl{}"},
                                                       {'[', "{[}"},
                                                       {']', "{]}"}};
  std::string out;
  for (const char c : visible(text, most)) {
    const auto escape = kEscapes.find(c);
    if (escape == kEscapes.end()) {
      out += c;
    } else {
      out += escape->second;
    }
  }
  return out;
}

std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter || (c >= 'A' && c <= 'Z')) {
      out += letter ? c : static_cast<char>(c - 'A' + 'a');
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "x" : out;
}

std::string csp_hash(std::string_view content) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Sha256 hash;
  hash.update(content);
  std::string out = "sha256-";
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : hash.finish()) {
    bits = (bits << 8) | byte;
    count += 8;
    for (; count >= 6; count -= 6) out += kDigits[(bits >> (count - 6)) & 63];
  }
  // 32 bytes leave four bits over: one more digit and one sign of padding.
  out += kDigits[(bits << (6 - count)) & 63];
  return out + "=";
}

}  // namespace keju
