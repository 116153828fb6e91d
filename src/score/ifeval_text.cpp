// SPDX-License-Identifier: MIT
#include "score/ifeval_text.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/utf8.h"
#include "suite/pattern.h"

namespace keju {
namespace {

std::string joined(const std::vector<std::string_view>& lines, size_t begin, size_t end) {
  std::string out;
  for (size_t i = begin; i < end; ++i) {
    if (i > begin) out += '\n';
    out += lines[i];
  }
  return std::string(python_strip(out));
}

template <typename Use>
void each_match(const std::string& pattern, std::string_view text, Use use) {
  const Pattern expression(pattern, "ifeval");
  for (size_t at = 0; at <= text.size();) {
    const auto match = expression.find(text, at);
    if (!match.has_value()) return;
    use(match->whole_begin, match->whole_end);
    at = match->whole_end > match->whole_begin ? match->whole_end : match->whole_end + 1;
  }
}

}  // namespace

// U+0130 alone becomes two code points; a final sigma is left as it is.
std::string python_lower(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (code == 0x130) {
      out += "i\u0307";
    } else {
      append_utf8(out,
                  static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code))));
    }
  }
  return out;
}

std::string_view stripped_of(std::string_view text, char mark) {
  const size_t begin = text.find_first_not_of(mark);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(mark) + 1 - begin);
}

std::vector<std::string_view> all_matches(const std::string& pattern, std::string_view text) {
  std::vector<std::string_view> out;
  each_match(pattern, text, [&](size_t begin, size_t end) {
    out.push_back(text.substr(begin, end - begin));
  });
  return out;
}

int64_t matches(const std::string& pattern, std::string_view text) {
  return static_cast<int64_t>(all_matches(pattern, text).size());
}

std::vector<std::string_view> split_by(const std::string& pattern, std::string_view text) {
  std::vector<std::string_view> out;
  size_t from = 0;
  each_match(pattern, text, [&](size_t begin, size_t end) {
    out.push_back(text.substr(from, begin - from));
    from = end;
  });
  out.push_back(text.substr(from));
  return out;
}

std::vector<std::string> loose_readings(std::string_view response) {
  const std::vector<std::string_view> lines = split_by("\\n", response);
  const size_t count = lines.size();
  std::vector<std::string> out = {std::string(response),
                                  joined(lines, 1, count),
                                  joined(lines, 0, count - 1),
                                  joined(lines, 1, std::max<size_t>(count - 1, 1))};
  for (size_t i = 0; i < 4; ++i) {
    std::string plain = out[i];
    std::erase(plain, '*');
    out.push_back(std::move(plain));
  }
  return out;
}

}  // namespace keju
