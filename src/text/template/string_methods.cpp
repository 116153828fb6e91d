// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/callables.h"
#include "text/template/format.h"
#include "text/template/ops.h"
#include "text/template/string_search.h"
#include "text/template/strings.h"

namespace keju::jinja {

namespace {

Value like(const Value& self, MarkedText text) {
  return Value::string(std::move(text), self.str().markup);
}

const MarkedText& string_argument(const Value& value, const char* where) {
  if (!value.is(Kind::kString)) {
    raise("TypeError", fmt::format("{} must be str, not {}", where, type_name(value)));
  }
  return value.text();
}

template <Casing casing>
Value cased(Runtime& rt, const Value& self, Bound&) {
  return like(self, change_case(rt, self.text(), casing));
}

template <Side side>
Value strip(Runtime& rt, const Value& self, Bound& args) {
  if (!args[0].missing() && !args[0].is(Kind::kNone)) string_argument(args[0], "strip arg");
  rt.scan(self.text().size());
  const Span span = strip_span(self.text(), side, args[0]);
  Builder out(rt);
  out.append(self.text(), span.begin, span.end);
  return out.value(self.str().markup);
}

template <bool front>
Value remove_affix(Runtime& rt, const Value& self, Bound& args) {
  const MarkedText& text = self.text();
  const std::string& affix = string_argument(args[0], "removeprefix() argument").bytes;
  const bool found = front ? text.bytes.starts_with(affix) : text.bytes.ends_with(affix);
  if (!found) return self;
  Builder out(rt);
  const size_t rest = text.size() - affix.size();
  if (front) {
    out.append(text, affix.size(), text.size());
  } else {
    out.append(text, 0, rest);
  }
  return out.value(self.str().markup);
}

template <bool left, bool right>
Value pad(Runtime& rt, const Value& self, Bound& args) {
  FormatSpec spec;
  spec.width = integer_argument(args[0], 0);
  if (!args[1].missing()) spec.fill = string_argument(args[1], "The fill character").bytes;
  if (count_code_points(spec.fill) != 1) {
    raise("TypeError", "The fill character must be exactly one character long");
  }
  Builder out(rt);
  if (left && right) {  // CPython puts the odd blank left when the width is odd
    const int64_t gap = std::max<int64_t>(spec.width - self.str().length, 0);
    const int64_t before = gap / 2 + (gap & spec.width & 1);
    out.repeat(spec.fill, before);
    out.append(self.text());
    out.repeat(spec.fill, gap - before);
  } else {
    append_padded(out, self.text(), spec, left ? '>' : '<');
  }
  return out.value(self.str().markup);
}

Value zfill(Runtime& rt, const Value& self, Bound& args) {
  const MarkedText& text = self.text();
  const int64_t gap = integer_argument(args[0], 0) - self.str().length;
  const bool sign = text.size() > 0 && (text.bytes[0] == '+' || text.bytes[0] == '-');
  Builder out(rt);
  if (sign) out.append(text, 0, 1);
  out.repeat("0", gap);
  out.append(text, sign ? 1 : 0, text.size());
  return out.value(self.str().markup);
}

Value replace(Runtime& rt, const Value& self, Bound& args) {
  const MarkedText& old = string_argument(args[0], "replace() argument 1");
  const MarkedText& fresh = string_argument(args[1], "replace() argument 2");
  Builder out(rt);
  replace_text(out, self.text(), old, fresh, integer_argument(args[2], -1));
  return out.value(self.str().markup);
}

Value join(Runtime& rt, const Value& self, Bound& args) {
  Builder out(rt);
  const bool markup = self.str().markup;
  const Next next = iterate(rt, args[0]);
  int64_t i = 0;
  for (Value item; next(item); ++i) {
    rt.step();
    if (i) out.append(self.text());
    if (markup) {
      out.append(escape_html(rt, item).text());
      continue;
    }
    if (!item.is(Kind::kString)) {
      raise("TypeError",
            fmt::format("sequence item {}: expected str instance, {} found", i, type_name(item)));
    }
    out.append(item.text());
  }
  return out.value(markup);
}

Value split_lines_method(Runtime& rt, const Value& self, Bound& args) {
  rt.scan(self.text().size());
  std::vector<Value> lines;
  for (const Span& line : split_lines(rt, self.bytes(), flag(rt, args[0], false))) {
    rt.step();
    Builder out(rt);
    out.append(self.text(), line.begin, line.end);
    lines.push_back(out.value(self.str().markup));
  }
  return make_list(rt, std::move(lines));
}

Value expand_tabs(Runtime& rt, const Value& self, Bound& args) {
  const int64_t size = integer_argument(args[0], 8);
  const MarkedText& text = self.text();
  Builder out(rt);
  int64_t column = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text.bytes, at);
    if (c == '\t') {
      const int64_t gap = size > 0 ? size - column % size : 0;
      out.repeat(" ", gap);
      column += gap;
      continue;
    }
    column = c == '\n' || c == '\r' ? 0 : column + 1;
    out.append(text, begin, at);
  }
  return out.value(self.str().markup);
}

Value format(Runtime& rt, const Value& self, Bound& args) {
  return brace_format(rt, self, *args.raw);
}

Value format_map(Runtime& rt, const Value& self, Bound& args) {
  CallArgs named;
  if (!args[0].is(Kind::kDict)) raise("TypeError", "format_map() needs a mapping");
  for (const auto& [key, value] : args[0].dict().items) {
    if (key.is(Kind::kString)) named.kwargs.emplace_back(key.bytes(), value);
  }
  return brace_format(rt, self, named);
}

// Every code point satisfies `test`, and there is one.
template <bool (*test)(char32_t), bool of_empty = false>
Value all_of(Runtime& rt, const Value& self, Bound&) {
  rt.scan(self.bytes().size());
  const std::string& text = self.bytes();
  for (size_t at = 0; at < text.size();) {
    if (!test(next_code_point(text, at))) return Value::boolean(false);
  }
  return Value::boolean(of_empty || !text.empty());
}

bool is_ascii(char32_t c) { return c < 128; }

// Some cased character, and none of the other case.
template <bool (*wanted)(char32_t), bool (*other)(char32_t)>
Value all_cased(Runtime& rt, const Value& self, Bound&) {
  rt.scan(self.bytes().size());
  bool any = false;
  for (size_t at = 0; at < self.bytes().size();) {
    const char32_t c = next_code_point(self.bytes(), at);
    if (other(c) || is_title(c)) return Value::boolean(false);
    any = any || wanted(c);
  }
  return Value::boolean(any);
}

Value title_cased(Runtime& rt, const Value& self, Bound&) {
  rt.scan(self.bytes().size());
  bool any = false;
  bool in_word = false;
  for (size_t at = 0; at < self.bytes().size();) {
    const char32_t c = next_code_point(self.bytes(), at);
    const bool starts = is_upper(c) || is_title(c);
    if ((starts && in_word) || (is_lower(c) && !in_word)) return Value::boolean(false);
    in_word = is_cased(c);
    any = any || in_word;
  }
  return Value::boolean(any);
}

Value is_identifier(Runtime& rt, const Value& self, Bound&) {
  rt.scan(self.bytes().size());
  const std::string& text = self.bytes();
  bool valid = !text.empty() && !(text[0] >= '0' && text[0] <= '9');
  for (size_t at = 0; valid && at < text.size();) {
    const char32_t c = next_code_point(text, at);
    valid = c == '_' || is_alnum(c);
  }
  return Value::boolean(valid);
}

Value refuse_encode(Runtime&, const Value&, Bound&) {
  raise("", "str.encode: templates have no bytes");
}

constexpr Callable kMethods[] = {
    {"capitalize", "/", cased<Casing::kCapital>},
    {"casefold", "/", cased<Casing::kFold>},
    {"center", "/width,fillchar?", pad<true, true>},
    {"count", "/sub,start?,end?", count_method},
    {"encode", "*", refuse_encode},
    {"endswith", "/suffix,start?,end?", ends_with_method},
    {"expandtabs", "tabsize?", expand_tabs},
    {"find", "/sub,start?,end?", find_method},
    {"format", "*", format},
    {"format_map", "/mapping", format_map},
    {"index", "/sub,start?,end?", index_method},
    {"isalnum", "/", all_of<is_alnum>},
    {"isalpha", "/", all_of<is_alpha>},
    {"isascii", "/", all_of<is_ascii, true>},
    {"isdecimal", "/", all_of<is_decimal>},
    {"isdigit", "/", all_of<is_digit>},
    {"isidentifier", "/", is_identifier},
    {"islower", "/", all_cased<is_lower, is_upper>},
    {"isnumeric", "/", all_of<is_numeric>},
    {"isprintable", "/", all_of<is_printable, true>},
    {"isspace", "/", all_of<is_python_space>},
    {"istitle", "/", title_cased},
    {"isupper", "/", all_cased<is_upper, is_lower>},
    {"join", "/iterable", join},
    {"ljust", "/width,fillchar?", pad<false, true>},
    {"lower", "/", cased<Casing::kLower>},
    {"lstrip", "/chars?", strip<Side::kLeft>},
    {"partition", "/sep", partition_method},
    {"removeprefix", "/prefix", remove_affix<true>},
    {"removesuffix", "/suffix", remove_affix<false>},
    {"replace", "/old,new,count?", replace},
    {"rfind", "/sub,start?,end?", rfind_method},
    {"rindex", "/sub,start?,end?", rindex_method},
    {"rjust", "/width,fillchar?", pad<true, false>},
    {"rpartition", "/sep", rpartition_method},
    {"rsplit", "sep?,maxsplit?", rsplit_method},
    {"rstrip", "/chars?", strip<Side::kRight>},
    {"split", "sep?,maxsplit?", split_method},
    {"splitlines", "keepends?", split_lines_method},
    {"startswith", "/prefix,start?,end?", starts_with_method},
    {"strip", "/chars?", strip<Side::kBoth>},
    {"swapcase", "/", cased<Casing::kSwap>},
    {"title", "/", cased<Casing::kTitle>},
    {"upper", "/", cased<Casing::kUpper>},
    {"zfill", "/width", zfill},
};

}  // namespace

std::span<const Callable> string_methods() { return kMethods; }

}  // namespace keju::jinja
