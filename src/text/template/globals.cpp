// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <ctime>

#include "base/error.h"
#include "text/template/callables.h"
#include "text/template/ops.h"

namespace keju::jinja {

namespace {

// dict(): from a mapping or from pairs, and keywords.
std::shared_ptr<DictObject> dict_from(Runtime& rt, const CallArgs& args, const char* what) {
  auto dict = std::make_shared<DictObject>();
  if (args.args.size() > 1) {
    raise("TypeError",
          fmt::format("{} expected at most 1 argument, got {}", what, args.args.size()));
  }
  if (!args.args.empty() && args.args[0].undefined()) fail_undefined(args.args[0]);
  if (!args.args.empty() && args.args[0].is(Kind::kDict)) {
    for (const auto& [key, value] : args.args[0].dict().items) dict->set(rt, key, value);
  } else if (!args.args.empty()) {
    const Next next = iterate(rt, args.args[0]);
    int64_t i = 0;
    for (Value pair; next(pair); ++i) {
      if (!iterable(pair)) {
        raise(
            "TypeError",
            fmt::format("cannot convert dictionary update sequence element #{} to a sequence", i));
      }
      const std::vector<Value> parts = to_vector(rt, pair);
      if (parts.size() != 2) {
        raise("ValueError",
              fmt::format("dictionary update sequence element #{} has length {}; 2 is required",
                          i,
                          parts.size()));
      }
      dict->set(rt, parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : args.kwargs) dict->set(name, value);
  return dict;
}

Value range(Runtime& rt, const Value&, Bound& bound) {
  const std::vector<Value>& args = bound.raw->args;
  if (!bound.raw->kwargs.empty()) raise("TypeError", "range() takes no keyword arguments");
  if (args.empty() || args.size() > 3) {
    raise("TypeError",
          args.empty() ? "range expected at least 1 argument, got 0"
                       : "range expected at most 3 arguments");
  }
  std::array<int64_t, 3> n{0, 0, 1};
  for (size_t i = 0; i < args.size(); ++i) n[i] = integer_argument(args[i], 0);
  if (args.size() == 1) std::swap(n[0], n[1]);
  return make_range(rt, n[0], n[1], n[2]);
}

Value dict(Runtime& rt, const Value&, Bound& args) {
  return make_dict(rt, dict_from(rt, *args.raw, "dict"));
}

}  // namespace

// transformers 5.23, chat_template_utils.py (TemplateNamespace): no name reaches Python's
// internals.
void check_attribute_name(std::string_view name) {
  if (!name.starts_with('_')) return;
  raise("SecurityError",
        fmt::format("Chat templates cannot store underscore-prefixed attributes on a namespace, "
                    "but got '{}'. Please rename the attribute.",
                    name));
}

namespace {

Value name_space(Runtime& rt, const Value&, Bound& args) {
  const std::shared_ptr<DictObject> dict = dict_from(rt, *args.raw, "dict");
  auto object = std::make_shared<NamespaceObject>();
  for (const auto& [key, value] : dict->items) {
    if (key.is(Kind::kString)) check_attribute_name(key.bytes());
    object->attributes.set(rt, key, value);
  }
  rt.keep(object);
  return Value(Kind::kNamespace, std::move(object));
}

Value raise_exception(Runtime& rt, const Value&, Bound& args) {
  raise("TemplateError", to_text(rt, args[0]).bytes);
}

Value strftime_now(Runtime& rt, const Value&, Bound& args) {
  if (rt.clock < 0) {
    raise("", "strftime_now: no date was given, and a template may not read the clock");
  }
  if (!args[0].is(Kind::kString)) raise("TypeError", "strftime() argument 1 must be str");
  const std::string text = format_clock(rt.clock, args[0].bytes());
  rt.charge(text.size());
  return Value::string(text);
}

Value lipsum(Runtime&, const Value&, Bound&) { raise("", "lipsum: random text is refused"); }

std::shared_ptr<FunctionObject> function(std::string name) {
  auto made = std::make_shared<FunctionObject>();
  made->shown = fmt::format("<function {}>", name);
  made->name = std::move(name);
  return made;
}

// "" the first time, the separator from then on.
Value joiner(Runtime& rt, const Value&, Bound& args) {
  auto made = function("joiner");
  made->nesting = args[0].nesting() + 1;
  check_nesting(rt, made->nesting);
  const Value separator = args[0].missing() ? Value::string(", ") : args[0];
  made->call = [separator, used = false](Runtime&, CallArgs&) mutable {
    return std::exchange(used, true) ? separator : Value::string("");
  };
  return Value(Kind::kFunction, std::move(made));
}

CyclerObject& cycler_of(const Value& self) {
  CyclerObject* const object = as_cycler(self);
  KEJU_CHECK(object != nullptr, "a method of a cycler on another value");
  return *object;
}

Value cycler_next(Runtime&, const Value& self, Bound&) {
  CyclerObject& cycle = cycler_of(self);
  const Value item = cycle.items[cycle.position];
  cycle.position = (cycle.position + 1) % cycle.items.size();
  return item;
}

Value cycler_reset(Runtime&, const Value& self, Bound&) {
  cycler_of(self).position = 0;
  return Value::none();
}

constexpr Callable kCyclerMethods[] = {
    {"next", "", cycler_next, "Cycler.next"},
    {"reset", "", cycler_reset, "Cycler.reset"},
};

Value cycler(Runtime& rt, const Value&, Bound& args) {
  if (!args.raw->kwargs.empty()) {
    raise("TypeError",
          fmt::format("Cycler.__init__() got an unexpected keyword argument '{}'",
                      args.raw->kwargs[0].first));
  }
  if (args.raw->args.empty()) raise("RuntimeError", "at least one item has to be provided");
  auto made = std::make_shared<CyclerObject>();
  made->type = "Cycler";
  made->shown = "<jinja2.utils.Cycler object>";
  made->items = args.raw->args;
  for (const Value& item : made->items) made->nesting = std::max(made->nesting, item.nesting() + 1);
  check_nesting(rt, made->nesting);
  return Value(Kind::kFunction, std::move(made));
}

constexpr Callable kGlobals[] = {
    {"cycler", "*", cycler},
    {"dict", "*", dict},
    {"joiner", "sep?", joiner},
    {"lipsum", "*", lipsum},
    {"namespace", "*", name_space},
    {"raise_exception", "message", raise_exception, "raise_exception", 0},
    {"range", "*", range},
    {"strftime_now", "format", strftime_now, "strftime_now", 0},
};

}  // namespace

CyclerObject* as_cycler(const Value& value) {
  return value.is(Kind::kFunction) ? dynamic_cast<CyclerObject*>(value.object().get()) : nullptr;
}

std::span<const Callable> cycler_methods() { return kCyclerMethods; }

bool is_global(std::string_view name) { return find_callable(kGlobals, name) != nullptr; }

Value global(std::string_view name) {
  const Callable* callable = find_callable(kGlobals, name);
  if (!callable) return Value();
  auto made = function(callable->name);
  made->call = [callable](Runtime& rt, CallArgs& args) {
    return invoke(rt, *callable, Value(), args);
  };
  return Value(Kind::kFunction, std::move(made));
}

namespace {

constexpr std::string_view kDays[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January",
                                        "February",
                                        "March",
                                        "April",
                                        "May",
                                        "June",
                                        "July",
                                        "August",
                                        "September",
                                        "October",
                                        "November",
                                        "December"};

// The number behind a directive, and its width; -1: not a number.
struct ClockNumber {
  int value;
  int width;
};

ClockNumber clock_number(const std::tm& t, char directive) {
  switch (directive) {
    case 'Y':
      return {t.tm_year + 1900, 4};
    case 'y':
      return {t.tm_year % 100, 2};
    case 'm':
      return {t.tm_mon + 1, 2};
    case 'd':
      return {t.tm_mday, 2};
    case 'j':
      return {t.tm_yday + 1, 3};
    case 'H':
      return {t.tm_hour, 2};
    case 'I':
      return {t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12, 2};
    case 'M':
      return {t.tm_min, 2};
    case 'S':
      return {t.tm_sec, 2};
    case 'f':
      return {0, 6};
    case 'w':
      return {t.tm_wday, 1};
    default:
      return {-1, 0};
  }
}

std::string clock_text(const std::tm& t, int64_t seconds, char directive) {
  switch (directive) {
    case 'A':
      return std::string(kDays[t.tm_wday]);
    case 'a':
      return std::string(kDays[t.tm_wday].substr(0, 3));
    case 'B':
      return std::string(kMonths[t.tm_mon]);
    case 'b':
    case 'h':
      return std::string(kMonths[t.tm_mon].substr(0, 3));
    case 'p':
      return t.tm_hour < 12 ? "AM" : "PM";
    case 'e':
      return fmt::format("{:2}", t.tm_mday);
    case 'F':
      return format_clock(seconds, "%Y-%m-%d");
    case 'T':
      return format_clock(seconds, "%H:%M:%S");
    case 'Z':
    case 'z':
      return "";  // the date has no time zone
    case '%':
      return "%";
    default:
      return {'%', directive};  // as the C library does
  }
}

}  // namespace

std::string format_clock(int64_t seconds, std::string_view format) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const bool bare = format[i + 1] == '-' && i + 2 < format.size();  // %-d: no leading zero
    i += bare ? 2 : 1;
    const ClockNumber number = clock_number(parts, format[i]);
    if (number.value < 0) {
      out += clock_text(parts, seconds, format[i]);
    } else {
      out += fmt::format("{:0{}}", number.value, bare ? 1 : number.width);
    }
  }
  return out;
}

}  // namespace keju::jinja
