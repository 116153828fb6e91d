// SPDX-License-Identifier: MIT
#include "text/template/strings.h"

#include <utf8proc.h>

#include <cstring>
#include <set>

#include "base/utf8.h"

namespace keju::jinja {

size_t byte_offset(Runtime& rt, const StringObject& text, int64_t index) {
  const size_t size = text.text.size();
  if (index >= text.length) return size;
  if (text.ascii) return static_cast<size_t>(index);
  rt.scan(size);
  size_t at = 0;
  for (int64_t i = 0; i < index; ++i) next_code_point(text.text.bytes, at);
  return at;
}

size_t find_text(std::string_view text, std::string_view needle, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* hit = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (!hit) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(hit) - text.data());
}

namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<int32_t>(c)); }

char32_t simple_upper(char32_t c) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<int32_t>(c)));
}
char32_t simple_lower(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<int32_t>(c)));
}
char32_t simple_title(char32_t c) {
  return static_cast<char32_t>(utf8proc_totitle(static_cast<int32_t>(c)));
}

// The full mappings that differ from the simple ones and occur in European text.
const char32_t* special_upper(char32_t c, bool title) {
  switch (c) {
    case 0xDF:
      return title ? U"Ss" : U"SS";
    case 0x149:
      return U"\u02bcN";
    case 0x1F0:
      return U"J\u030c";
    case 0xFB00:
      return title ? U"Ff" : U"FF";
    case 0xFB01:
      return title ? U"Fi" : U"FI";
    case 0xFB02:
      return title ? U"Fl" : U"FL";
    default:
      return nullptr;
  }
}

void append_upper(std::string& out, char32_t c, bool title) {
  if (const char32_t* special = special_upper(c, title)) {
    for (; *special; ++special) append_utf8(out, *special);
  } else {
    append_utf8(out, title ? simple_title(c) : simple_upper(c));
  }
}

// A capital sigma is written as a final one at the end of a word.
bool final_sigma(std::string_view text, bool in_word, size_t end) {
  return in_word && !(end < text.size() && is_cased(next_code_point(text, end)));
}

void append_lower(std::string& out, std::string_view text, bool in_word, size_t end, char32_t c) {
  if (c == 0x130) {
    out += "i\xcc\x87";
  } else if (c == 0x3A3) {
    append_utf8(out, final_sigma(text, in_word, end) ? 0x3C2 : 0x3C3);
  } else {
    append_utf8(out, simple_lower(c));
  }
}

}  // namespace

MarkedText change_case(Runtime& rt, const MarkedText& text, Casing casing) {
  rt.scan(text.size());
  rt.charge(text.size());
  MarkedText out;
  bool first = true;
  bool in_word = false;
  for (size_t at = 0; at < text.size(); first = false) {
    const size_t begin = at;
    const char32_t c = next_code_point(text.bytes, at);
    std::string piece;
    const bool starts = casing == Casing::kTitle ? !in_word : first;
    const bool title = (casing == Casing::kTitle || casing == Casing::kCapital) && starts;
    if (casing == Casing::kFold && (c == 0xDF || c == 0x3A3 || c == 0x3C2)) {
      piece += c == 0xDF ? "ss" : "σ";
    } else if (casing == Casing::kUpper || (casing == Casing::kSwap && is_lower(c))) {
      append_upper(piece, c, false);
    } else if (title) {
      append_upper(piece, c, true);
    } else if (casing == Casing::kSwap && !is_upper(c)) {
      append_utf8(piece, c);
    } else {
      append_lower(piece, text.bytes, in_word, at, c);
    }
    in_word = is_cased(c);
    out.append(piece, text.content_at(begin));
  }
  return out;
}

bool is_alpha(char32_t c) {
  const utf8proc_category_t k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
bool is_digit(char32_t c) {
  return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 ||
         (c >= 0x2070 && c <= 0x2089 && c != 0x2071) || (c >= 0x2460 && c <= 0x2468);
}
bool is_numeric(char32_t c) {
  const utf8proc_category_t k = category(c);
  static constexpr std::u32string_view kHan =
      U"〇一二三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾零兆";
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO ||
         kHan.find(c) != std::u32string_view::npos;
}
bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }
bool is_printable(char32_t c) {
  const utf8proc_category_t k = category(c);
  if (c == ' ') return true;
  return !(k == UTF8PROC_CATEGORY_CN || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF ||
           k == UTF8PROC_CATEGORY_CS || k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_ZL ||
           k == UTF8PROC_CATEGORY_ZP || k == UTF8PROC_CATEGORY_ZS);
}
bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA; }
bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

namespace {

std::set<char32_t> strip_set(const Value& chars) {
  std::set<char32_t> set;
  const std::string& text = chars.bytes();
  for (size_t at = 0; at < text.size();) set.insert(next_code_point(text, at));
  return set;
}

// Moves `end` back over one code point.
char32_t previous_code_point(std::string_view text, size_t begin, size_t& end) {
  size_t start = end - 1;
  while (start > begin && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
  size_t at = start;
  const char32_t c = next_code_point(text, at);
  if (at == end) {
    end = start;
    return c;
  }
  --end;  // bytes that are no UTF-8
  return 0xFFFD;
}

}  // namespace

Span strip_span(const MarkedText& text, Side side, const Value& chars) {
  const bool blank = !chars.is(Kind::kString);
  const std::set<char32_t> set = blank ? std::set<char32_t>() : strip_set(chars);
  const auto drop = [&](char32_t c) { return blank ? is_python_space(c) : set.count(c) > 0; };
  Span span{0, text.size()};
  if (side != Side::kRight) {
    for (size_t at = 0; at < text.size(); span.begin = at) {
      if (!drop(next_code_point(text.bytes, at))) break;
    }
  }
  if (side != Side::kLeft) {
    for (size_t end = span.end; end > span.begin; span.end = end) {
      if (!drop(previous_code_point(text.bytes, span.begin, end))) break;
    }
  }
  return span;
}

std::vector<Span> split_lines(Runtime& rt, std::string_view text, bool keep_ends) {
  std::vector<Span> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t c = next_code_point(text, at);
    const bool breaks = (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
                        c == 0x2028 || c == 0x2029;
    if (!breaks) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    rt.step();
    lines.push_back({begin, keep_ends ? at : end});
    begin = at;
  }
  if (begin < text.size()) lines.push_back({begin, text.size()});
  return lines;
}

}  // namespace keju::jinja
