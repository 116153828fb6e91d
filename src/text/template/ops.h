// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "text/template/value.h"

// The operators of the language, with Python's meaning and its error texts.
namespace keju::jinja {

std::string type_name(const Value& value);         // type(value).__name__
std::string object_type_repr(const Value& value);  // "dict object", "None" …
[[noreturn]] void fail_undefined(const Value& value);

bool truth(Runtime& rt, const Value& value);
bool equal(Runtime& rt, const Value& a, const Value& b);
bool same(const Value& a, const Value& b);  // `is`
// `op` is "<", "<=", ">" or ">=".
bool ordered(Runtime& rt, std::string_view op, const Value& a, const Value& b);
bool contains(Runtime& rt, const Value& container, const Value& item);
bool hashable(const Value& value);
size_t hash_value(Runtime& rt, const Value& value);
size_t hash_text(std::string_view text);

// `op` is "+", "-", "*", "/", "//", "%" or "**".
Value arithmetic(Runtime& rt, std::string_view op, const Value& a, const Value& b);
Value negative(const Value& value);
Value positive(const Value& value);

bool sized(const Value& value);
int64_t length(Runtime& rt, const Value& value);  // len()
Next iterate(Runtime& rt, const Value& value);    // iter()
bool iterable(const Value& value);
std::vector<Value> to_vector(Runtime& rt, const Value& value);  // list()

Value item_at(Runtime& rt, const Value& sequence, int64_t index);  // missing if out of range
Value slice(
    Runtime& rt, const Value& value, const Value& start, const Value& stop, const Value& step);

// str(), repr() and json.dumps().
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::string indent;  // one level
  bool lines = false;
  MarkedText item_separator = MarkedText(", ");
  MarkedText key_separator = MarkedText(": ");
};
void append_str(Builder& out, const Value& value);
void append_repr(Builder& out, const Value& value);
void append_json(Builder& out, const Value& value, const JsonStyle& style, int level = 0);
MarkedText to_text(Runtime& rt, const Value& value);  // str()
std::string show(Runtime& rt, const Value& value);    // repr(), for messages

// "a<b" as "a&lt;b"
void append_escaped(Builder& out, const MarkedText& text);
Value escape_html(Runtime& rt, const Value& value);

// text % value, and str.format.
Value percent_format(Runtime& rt, const Value& format, const Value& args);
Value brace_format(Runtime& rt, const Value& format, const CallArgs& args);

// printf-like formatting of one number after a Python format spec: `[[fill]align][sign][#][0]
// [width][,][.precision][type]`.
void append_formatted(Builder& out, const Value& value, std::string_view spec);

// `obj.name` and `obj[key]`.
Value get_attribute(Runtime& rt, const Value& object, const Value& name);
Value get_item(Runtime& rt, const Value& object, const Value& key);
// The attribute alone, as Python's getattr: missing if there is none.
Value python_attribute(Runtime& rt, const Value& object, std::string_view name);
Value call(Runtime& rt, const Value& callee, CallArgs args);
// Raises SecurityError for a name that no namespace may hold.
void check_attribute_name(std::string_view name);

}  // namespace keju::jinja
