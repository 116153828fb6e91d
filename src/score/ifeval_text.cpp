// SPDX-License-Identifier: MIT
#include "score/ifeval_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

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

// What NLTKWordTokenizer puts spaces around, in its order. Left out is what parts no letters from
// letters.
const std::vector<std::pair<Pattern, std::string>>& word_borders() {
  static const std::vector<std::pair<Pattern, std::string>> borders = [] {
    std::vector<std::pair<Pattern, std::string>> all;
    for (const auto& [pattern, with] : std::initializer_list<std::pair<const char*, const char*>>{
             {"[«“‘„]|`+", " $0 "},
             {"([ ([{<])(\"|'{2})", "$1 `` "},
             {"(?i)(?<!\\w)(')(?!(?:re|ve|ll|m|t|s|d|n)\\b)(?=\\w)", "$1 "},
             {"([^.])\\.([\\])}>\"'»”’]*)(?=\\s|$)", "$1 . $2 "},  // a sentence's last
             {"([:,])([^\\d])", " $1 $2"},
             {"([:,])$", " $1 "},
             {"\\.{2,}", " $0 "},
             {"[;@#$%&]", " $0 "},
             {"[\\x{2012}-\\x{2015}]", " $0 "},
             {"[?!]", " $0 "},
             {"([^'])' ", "$1 ' "},
             {"[*]", " $0 "},
             {"[\\]\\[(){}<>]", " $0 "},
             {"--", " -- "},
             {"[»”’]", " $0 "},
             {"''", " '' "},
             {"\"", " '' "},
             {"\\s+", " "},
             {"([^' ])('[sS]|'[mM]|'[dD]|') ", "$1 $2 "},
             {"([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "$1 $2 "},
             {"(?i)\\b(can)(not)\\b", " $1 $2 "},
             {"(?i)\\b(d)('ye)\\b", " $1 $2 "},
             {"(?i)\\b(gim)(me)\\b", " $1 $2 "},
             {"(?i)\\b(gon)(na)\\b", " $1 $2 "},
             {"(?i)\\b(got)(ta)\\b", " $1 $2 "},
             {"(?i)\\b(lem)(me)\\b", " $1 $2 "},
             {"(?i)\\b(more)('n)\\b", " $1 $2 "},
             {"(?i)\\b(wan)(na)(?=\\s)", " $1 $2 "},
             {"(?i) ('t)(is|was)\\b", " $1 $2 "},
         }) {
      all.emplace_back(Pattern(pattern, "ifeval"), with);
    }
    return all;
  }();
  return borders;
}

// str.isupper: some letter has a case, and none is lower or title case.
bool is_upper(std::string_view word) {
  bool upper = false;
  for (size_t at = 0; at < word.size();) {
    const auto category =
        utf8proc_category(static_cast<utf8proc_int32_t>(next_code_point(word, at)));
    if (category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT) return false;
    upper = upper || category == UTF8PROC_CATEGORY_LU;
  }
  return upper;
}

}  // namespace

int64_t capital_words(std::string_view text) {
  std::string spaced(text);
  for (const auto& [pattern, with] : word_borders()) {
    // The tokenizer's own blanks, which its rules for clitics look for.
    if (with == " ") spaced = " " + spaced + " ";
    spaced = pattern.substitute(spaced, with);
  }
  int64_t count = 0;
  for (size_t at = 0, end = 0; at < spaced.size(); at = end + 1) {
    end = std::min(spaced.find(' ', at), spaced.size());
    count += is_upper(std::string_view(spaced).substr(at, end - at)) ? 1 : 0;
  }
  return count;
}

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
