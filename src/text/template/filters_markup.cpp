// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "text/template/callables.h"
#include "text/template/ops.h"

// Filters about other notations: HTML, URLs, JSON.
namespace keju::jinja {

namespace {

Value escape(Runtime& rt, const Value& self, Bound&) { return escape_html(rt, self); }

Value force_escape(Runtime& rt, const Value& self, Bound&) {
  Builder out(rt);
  append_escaped(out, to_text(rt, self));
  return out.value(true);
}

Value safe(Runtime& rt, const Value& self, Bound&) {
  return Value::string(to_text(rt, self), true);
}

void append_quoted(Builder& out, const MarkedText& text, bool query) {
  out.rt().scan(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text.bytes[i];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query);
    if (plain) {
      out.append(text, i, i + 1);
    } else if (c == ' ' && query) {
      out.append("+");
    } else {
      out.append(fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c))),
                 text.content_at(i));
    }
  }
}

Value url_encode(Runtime& rt, const Value& self, Bound&) {
  Builder out(rt);
  if (self.is(Kind::kString) || !iterable(self)) {
    append_quoted(out, to_text(rt, self), false);
    return out.value();
  }
  const Value pairs =
      self.is(Kind::kDict) ? call(rt, get_attribute(rt, self, Value::string("items")), {}) : self;
  const Next next = iterate(rt, pairs);
  bool first = true;
  for (Value pair; next(pair); first = false) {
    const std::vector<Value> parts = to_vector(rt, pair);
    if (parts.size() != 2) raise("ValueError", "urlencode needs pairs");
    if (!first) out.append("&");
    append_quoted(out, to_text(rt, parts[0]), true);
    out.append("=");
    append_quoted(out, to_text(rt, parts[1]), true);
  }
  return out.value();
}

MarkedText separator(const Value& value) {
  if (!value.is(Kind::kString)) raise("TypeError", "separators must be two strings");
  return value.text();
}

Value to_json(Runtime& rt, const Value& self, Bound& args) {
  JsonStyle style;
  style.ensure_ascii = flag(rt, args[0], false);
  style.sort_keys = flag(rt, args[3], false);
  const Value& indent = args[1];
  if (indent.is(Kind::kString)) {
    style.lines = true;
    style.indent = indent.bytes();
  } else if (!indent.missing() && !indent.is(Kind::kNone)) {
    style.lines = true;
    const int64_t width = std::max<int64_t>(integer_argument(indent, 0), 0);
    rt.charge(static_cast<size_t>(width));
    style.indent = std::string(static_cast<size_t>(width), ' ');
  }
  if (style.lines) style.item_separator = MarkedText(",");
  if (!args[2].missing() && !args[2].is(Kind::kNone)) {
    const std::vector<Value> parts = to_vector(rt, args[2]);
    if (parts.size() != 2) {
      raise("ValueError",
            parts.size() > 2
                ? "too many values to unpack (expected 2)"
                : fmt::format("not enough values to unpack (expected 2, got {})", parts.size()));
    }
    style.item_separator = separator(parts[0]);
    style.key_separator = separator(parts[1]);
  }
  Builder out(rt);
  append_json(out, self, style);
  return out.value();
}

constexpr Callable kFilters[] = {
    {"e", "", escape, "escape"},
    {"escape", "", escape, "escape"},
    {"forceescape", "", force_escape, "do_forceescape"},
    {"safe", "", safe, "do_mark_safe"},
    {"tojson", "ensure_ascii?,indent?,separators?,sort_keys?", to_json, "tojson"},
    {"urlencode", "", url_encode, "do_urlencode"},
};

}  // namespace

std::span<const Callable> markup_filters() { return kFilters; }

}  // namespace keju::jinja
