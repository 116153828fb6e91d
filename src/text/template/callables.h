// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "text/template/value.h"

// Filters, tests, methods and globals: tables of {name, parameters, function}.
namespace keju::jinja {

// Arguments in the order of the parameters; kMissing where one was not given.
struct Bound {
  std::vector<Value> values;
  CallArgs* raw = nullptr;  // for a `*` parameter list
  const Value& operator[](size_t i) const { return values[i]; }
};

using Body = Value (*)(Runtime&, const Value& self, Bound&);

// `parameters`: names parted by commas, `?` after an optional one; `/` before them: positional
// only;
// `*`: the function reads the call itself. `shown` is the reference's function, for error messages;
// `hidden` counts its leading arguments, which the messages include.
struct Callable {
  const char* name;
  const char* parameters;
  Body body;
  const char* shown = nullptr;
  int hidden = 1;
};

const Callable* find_callable(std::span<const Callable> table, std::string_view name);
Value invoke(Runtime& rt, const Callable& callable, const Value& self, CallArgs& args);

std::span<const Callable> string_methods();
std::span<const Callable> list_methods();
std::span<const Callable> tuple_methods();
std::span<const Callable> dict_methods();
std::span<const Callable> loop_methods();
std::span<const Callable> cycler_methods();

const Callable* find_filter(std::string_view name);
const Callable* find_test(std::string_view name);
std::span<const Callable> text_filters();
std::span<const Callable> markup_filters();
std::span<const Callable> sequence_filters();
std::span<const Callable> order_filters();
std::span<const Callable> value_filters();
std::span<const Callable> tests();

// Value of a global name of the language (range, namespace …), or missing.
Value global(std::string_view name);
bool is_global(std::string_view name);

// Helpers for bodies.
bool flag(Runtime& rt, const Value& value, bool fallback);
int64_t integer_argument(const Value& value, int64_t fallback);  // raises TypeError
Value filter_by_name(Runtime& rt, const Value& name, const Value& self, CallArgs args);
bool test_by_name(Runtime& rt, const Value& name, const Value& self, CallArgs args);
// "a.b.0" applied by get_item, part after part; parts that are missing become `fallback` if set.
Value get_path(Runtime& rt, const Value& object, const Value& path, const Value& fallback);
Value parse_integer(const Value& value, int64_t base, bool* valid);
Value parse_number(const Value& value, bool* valid);
std::string format_clock(int64_t seconds, std::string_view format);

}  // namespace keju::jinja
