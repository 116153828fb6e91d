// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/callables.h"
#include "text/template/ops.h"
#include "text/template/string_search.h"
#include "text/template/strings.h"

// Filters that make text of text.
namespace keju::jinja {

namespace {

Value soft_string(Runtime& rt, const Value& value) {
  return value.is(Kind::kString) ? value : Value::string(to_text(rt, value));
}

// The method of str with the same arguments.
Value by_method(Runtime& rt, const char* method, const Value& self, std::vector<Value> args) {
  CallArgs call_args{std::move(args), {}};
  return invoke(rt, *find_callable(string_methods(), method), soft_string(rt, self), call_args);
}

Value upper(Runtime& rt, const Value& self, Bound&) { return by_method(rt, "upper", self, {}); }
Value lower(Runtime& rt, const Value& self, Bound&) { return by_method(rt, "lower", self, {}); }
Value capitalize(Runtime& rt, const Value& self, Bound&) {
  return by_method(rt, "capitalize", self, {});
}

Value center(Runtime& rt, const Value& self, Bound& args) {
  return by_method(rt, "center", self, {args[0].missing() ? Value::integer(80) : args[0]});
}

Value trim(Runtime& rt, const Value& self, Bound& args) {
  return by_method(rt, "strip", self, {args[0].missing() ? Value::none() : args[0]});
}

bool separates(char32_t c) {
  return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_python_space(c);
}

Value title(Runtime& rt, const Value& self, Bound&) {
  const Value value = soft_string(rt, self);
  const MarkedText& text = value.text();
  Builder out(rt);
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const bool separator = separates(next_code_point(text.bytes, at));
    const size_t first = at;
    for (size_t next = at; next < text.size(); at = next) {
      if (separates(next_code_point(text.bytes, next)) != separator) break;
    }
    out.append(change_case(rt, text.slice(begin, first), Casing::kUpper));
    out.append(change_case(rt, text.slice(first, at), Casing::kLower));
  }
  return out.value(value.str().markup);
}

Value replace(Runtime& rt, const Value& self, Bound& args) {
  const bool all = args[2].missing() || args[2].is(Kind::kNone);
  Builder out(rt);
  replace_text(out,
               to_text(rt, self),
               to_text(rt, args[0]),
               to_text(rt, args[1]),
               all ? -1 : integer_argument(args[2], -1));
  return out.value();
}

Value format(Runtime& rt, const Value& self, Bound& args) {
  CallArgs& given = *args.raw;
  if (!given.args.empty() && !given.kwargs.empty()) {
    raise("FilterArgumentError", "can't handle positional and keyword arguments at the same time");
  }
  const Value value = soft_string(rt, self);
  if (given.kwargs.empty()) return percent_format(rt, value, make_tuple(rt, given.args));
  auto dict = std::make_shared<DictObject>();
  for (const auto& [name, item] : given.kwargs) dict->set(name, item);
  return percent_format(rt, value, make_dict(rt, std::move(dict)));
}

Value indent(Runtime& rt, const Value& self, Bound& args) {
  if (self.undefined()) fail_undefined(self);
  if (!self.is(Kind::kString)) {
    raise("TypeError",
          fmt::format("unsupported operand type(s) for +=: '{}' and 'str'", type_name(self)));
  }
  Builder margin(rt);
  if (args[0].is(Kind::kString)) {
    margin.append(args[0].text());
  } else {
    margin.repeat(" ", integer_argument(args[0], 4));
  }
  const bool first = flag(rt, args[1], false);
  const bool blank = flag(rt, args[2], false);
  Builder text(rt);
  text.append(self.text());
  text.append("\n");  // so that a final line break is kept
  const std::vector<Span> lines = split_lines(rt, text.text().bytes, false);
  Builder out(rt);
  for (size_t i = 0; i < lines.size(); ++i) {
    const Span& line = lines[i];
    if (i) out.append("\n");
    const bool pushed = i == 0 ? first : blank || line.end > line.begin;
    if (pushed) out.append(margin.text());
    out.append(text.text(), line.begin, line.end);
  }
  return out.value(self.str().markup);
}

Value truncate(Runtime& rt, const Value& self, Bound& args) {
  const int64_t size = integer_argument(args[0], 255);
  const Value end = args[2].missing() ? Value::string("...") : args[2];
  const bool has_leeway = !args[3].missing() && !args[3].is(Kind::kNone);
  const int64_t leeway = has_leeway ? integer_argument(args[3], 5) : 5;
  const int64_t end_size = length(rt, end);
  if (size < end_size) {
    raise("AssertionError", fmt::format("expected length >= {}, got {}", end_size, size));
  }
  if (leeway < 0) raise("AssertionError", fmt::format("expected leeway >= 0, got {}", leeway));
  if (length(rt, self) <= size + leeway) return self;
  Value head = slice(rt, self, Value(), Value::integer(size - end_size), Value());
  if (!flag(rt, args[1], false)) {
    const Value words = by_method(rt, "rsplit", head, {Value::string(" "), Value::integer(1)});
    head = words.sequence().items[0];
  }
  return arithmetic(rt, "+", head, end);
}

Value word_count(Runtime& rt, const Value& self, Bound&) {
  const MarkedText text = to_text(rt, self);
  rt.scan(text.size());
  int64_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text.bytes, at);
    const bool word = c == '_' || is_alnum(c);
    count += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::integer(count);
}

constexpr Callable kFilters[] = {
    {"capitalize", "", capitalize, "do_capitalize"},
    {"center", "width?", center, "do_center"},
    {"format", "*", format, "do_format"},
    {"indent", "width?,first?,blank?", indent, "do_indent"},
    {"lower", "", lower, "do_lower"},
    {"replace", "old,new,count?", replace, "do_replace", 2},
    {"title", "", title, "do_title"},
    {"trim", "chars?", trim, "do_trim"},
    {"truncate", "length?,killwords?,end?,leeway?", truncate, "do_truncate", 2},
    {"upper", "", upper, "do_upper"},
    {"wordcount", "", word_count, "do_wordcount"},
};

}  // namespace

std::span<const Callable> text_filters() { return kFilters; }

}  // namespace keju::jinja
