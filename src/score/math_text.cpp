// SPDX-License-Identifier: MIT
#include "score/math_text.h"

#include <algorithm>

namespace keju {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// \frac12 and \frac1{72}: both arguments get their braces.
std::string braced_fractions(const std::string& text) {
  constexpr std::string_view kFrac = "\\frac";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text.compare(at, kFrac.size(), kFrac) != 0) {
      out += text[at++];
      continue;
    }
    out += kFrac;
    at += kFrac.size();
    if (at >= text.size() || text[at] == '{') continue;
    if (at + 1 >= text.size()) return text;  // a lone argument: as it was
    out += std::string("{") + text[at] + "}";
    ++at;
    if (text[at] != '{') {
      out += std::string("{") + text[at] + "}";
      ++at;
    }
  }
  return out;
}

// \sqrt3: its argument gets braces.
std::string braced_roots(const std::string& text) {
  constexpr std::string_view kRoot = "\\sqrt";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text.compare(at, kRoot.size(), kRoot) != 0) {
      out += text[at++];
      continue;
    }
    out += kRoot;
    at += kRoot.size();
    if (at >= text.size() || text[at] == '{') continue;
    out += std::string("{") + text[at++] + "}";
  }
  return out;
}

}  // namespace

std::string math_form(std::string_view answer) {
  std::string text(answer);
  replace_all(text, "\n", "");
  replace_all(text, "\\!", "");
  replace_all(text, "\\\\", "\\");
  replace_all(text, "tfrac", "frac");
  replace_all(text, "dfrac", "frac");
  for (const char* drop : {"\\left", "\\right", "^{\\circ}", "^\\circ", "\\$"}) {
    replace_all(text, drop, "");
  }
  const size_t unit = text.find("\\text{ ");
  if (unit != std::string::npos) text.resize(unit);
  replace_all(text, "\\%", "");
  replace_all(text, " .", " 0.");
  replace_all(text, "{.", "{0.");
  if (text.starts_with('.')) text.insert(0, "0");
  const size_t equals = text.find('=');
  if (equals != std::string::npos && equals <= 2 &&
      text.find('=', equals + 1) == std::string::npos) {
    text.erase(0, equals + 1);
  }
  text = braced_roots(text);
  std::erase(text, ' ');
  text = braced_fractions(text);
  if (text == "0.5") return "\\frac{1}{2}";
  const size_t slash = text.find('/');
  if (slash != std::string::npos && is_integer(text.substr(0, slash)) &&
      is_integer(text.substr(slash + 1))) {
    return "\\frac{" + text.substr(0, slash) + "}{" + text.substr(slash + 1) + "}";
  }
  return text;
}

}  // namespace keju
