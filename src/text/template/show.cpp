// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/template/ops.h"
#include "text/template/strings.h"

namespace keju::jinja {

namespace {

void append_repr_text(Builder& out, const MarkedText& text) {
  out.rt().scan(text.size());
  const bool single = text.bytes.find('\'') != std::string::npos;
  const char quote = single && text.bytes.find('"') == std::string::npos ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text.bytes, at);
    std::string piece = text.bytes.substr(begin, at - begin);
    if (c == '\\' || c == static_cast<char32_t>(quote)) {
      piece.insert(0, 1, '\\');
    } else if (c == '\n' || c == '\r' || c == '\t') {
      piece = c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (!is_printable(c)) {
      const uint32_t code = c;
      piece = c < 0x100     ? fmt::format("\\x{:02x}", code)
              : c < 0x10000 ? fmt::format("\\u{:04x}", code)
                            : fmt::format("\\U{:08x}", code);
    }
    out.append(piece, text.content_at(begin));
  }
  out.append(std::string_view(&quote, 1));
}

void append_items(Builder& out, const std::vector<Value>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) out.append(", ");
    append_repr(out, items[i]);
  }
}

void append_dict(Builder& out, const DictObject& dict) {
  out.append("{");
  for (size_t i = 0; i < dict.items.size(); ++i) {
    if (i) out.append(", ");
    append_repr(out, dict.items[i].first);
    out.append(": ");
    append_repr(out, dict.items[i].second);
  }
  out.append("}");
}

std::string range_text(const RangeObject& range) {
  if (range.step == 1) return fmt::format("range({}, {})", range.start, range.stop);
  return fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
}

void append_container(Builder& out, const Value& value) {
  switch (value.kind()) {
    case Kind::kList:
      out.append("[");
      append_items(out, value.sequence().items);
      return out.append("]");
    case Kind::kTuple:
      out.append("(");
      append_items(out, value.sequence().items);
      return out.append(value.sequence().items.size() == 1 ? ",)" : ")");
    case Kind::kDict:
      return append_dict(out, value.dict());
    case Kind::kView:
      out.append(fmt::format("{}([", value.view().type));
      append_items(out, value.view().items);
      return out.append("])");
    default:
      out.append("<Namespace ");
      append_dict(out, value.name_space().attributes);
      return out.append(">");
  }
}

}  // namespace

void append_repr(Builder& out, const Value& value) {
  out.rt().step();
  Nest nest(out.rt());
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return out.append("Undefined");
    case Kind::kNone:
      return out.append("None");
    case Kind::kBool:
      return out.append(value.as_bool() ? "True" : "False");
    case Kind::kInt:
      return out.append(std::to_string(value.as_int()));
    case Kind::kFloat:
      return out.append(python_float(value.as_float()));
    case Kind::kString:
      if (!value.str().markup) return append_repr_text(out, value.text());
      out.append("Markup(");
      append_repr_text(out, value.text());
      return out.append(")");
    case Kind::kRange:
      return out.append(range_text(value.range()));
    case Kind::kIterator:
      return out.append(fmt::format("<{} object>", value.iterator().type));
    case Kind::kFunction:
      return out.append(value.function().shown);
    case Kind::kLoop: {
      LoopObject& loop = value.loop();
      return out.append(fmt::format("<LoopContext {}/{}>", loop.index0 + 1, loop.length(out.rt())));
    }
    default:
      append_container(out, value);
  }
}

void append_str(Builder& out, const Value& value) {
  if (value.is(Kind::kString)) return out.append(value.text());
  if (value.undefined()) {
    if (out.rt().strict()) fail_undefined(value);
    return;
  }
  append_repr(out, value);
}

MarkedText to_text(Runtime& rt, const Value& value) {
  if (value.is(Kind::kString)) return value.text();
  Builder out(rt);
  append_str(out, value);
  return out.take();
}

std::string show(Runtime& rt, const Value& value) {
  Builder out(rt);
  append_repr(out, value);
  return out.take().bytes;
}

void append_escaped(Builder& out, const MarkedText& text) {
  out.rt().scan(text.size());
  size_t done = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char* entity = nullptr;
    switch (text.bytes[at]) {
      case '&':
        entity = "&amp;";
        break;
      case '<':
        entity = "&lt;";
        break;
      case '>':
        entity = "&gt;";
        break;
      case '\'':
        entity = "&#39;";
        break;
      case '"':
        entity = "&#34;";
        break;
      default:
        continue;
    }
    out.append(text, done, at);
    out.append(entity, text.content_at(at));
    done = at + 1;
  }
  out.append(text, done, text.size());
}

Value escape_html(Runtime& rt, const Value& value) {
  if (value.is(Kind::kString) && value.str().markup) return value;
  Builder out(rt);
  append_escaped(out, to_text(rt, value));
  return out.value(true);
}

namespace {

void append_unicode_escape(std::string& out, char32_t c) {
  const uint32_t code = c;
  if (code >= 0x10000) {
    const uint32_t rest = code - 0x10000;
    out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
  } else {
    out += fmt::format("\\u{:04x}", code);
  }
}

std::string json_char(char32_t c, std::string_view same, bool ensure_ascii) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\f':
      return "\\f";
    case '\b':
      return "\\b";
    default:
      break;
  }
  std::string out;
  if (c < 0x20 || (ensure_ascii && c >= 0x7F)) {
    append_unicode_escape(out, c);
    return out;
  }
  return std::string(same);
}

void append_json_text(Builder& out, const MarkedText& text, bool ensure_ascii) {
  out.rt().scan(text.size());
  out.append("\"");
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text.bytes, at);
    const std::string_view same(text.bytes.data() + begin, at - begin);
    out.append(json_char(c, same, ensure_ascii), text.content_at(begin));
  }
  out.append("\"");
}

void append_json_float(Builder& out, double value) {
  if (std::isnan(value)) return out.append("NaN");
  if (std::isinf(value)) return out.append(value > 0 ? "Infinity" : "-Infinity");
  out.append(python_float(value));
}

void append_json_key(Builder& out, const Value& key, const JsonStyle& style) {
  switch (key.kind()) {
    case Kind::kString:
      return append_json_text(out, key.text(), style.ensure_ascii);
    case Kind::kNone:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      out.append("\"");
      append_json(out, key, style);
      return out.append("\"");
    default:
      raise("TypeError",
            fmt::format("keys must be str, int, float, bool or None, not {}", type_name(key)));
  }
}

void append_break(Builder& out, const JsonStyle& style, int level) {
  if (!style.lines) return;
  out.append("\n");
  out.repeat(style.indent, level);
}

void append_json_list(Builder& out,
                      const std::vector<Value>& items,
                      const JsonStyle& style,
                      int level) {
  if (items.empty()) return out.append("[]");
  out.append("[");
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) out.append(style.item_separator);
    append_break(out, style, level + 1);
    append_json(out, items[i], style, level + 1);
  }
  append_break(out, style, level);
  out.append("]");
}

void append_json_dict(Builder& out, const DictObject& dict, const JsonStyle& style, int level) {
  if (dict.items.empty()) return out.append("{}");
  std::vector<std::pair<Value, Value>> items = dict.items;
  if (style.sort_keys) {
    std::stable_sort(items.begin(), items.end(), [&](const auto& a, const auto& b) {
      return ordered(out.rt(), "<", a.first, b.first);
    });
  }
  out.append("{");
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) out.append(style.item_separator);
    append_break(out, style, level + 1);
    append_json_key(out, items[i].first, style);
    out.append(style.key_separator);
    append_json(out, items[i].second, style, level + 1);
  }
  append_break(out, style, level);
  out.append("}");
}

}  // namespace

void append_json(Builder& out, const Value& value, const JsonStyle& style, int level) {
  out.rt().step();
  Nest nest(out.rt());
  switch (value.kind()) {
    case Kind::kNone:
      return out.append("null");
    case Kind::kBool:
      return out.append(value.as_bool() ? "true" : "false");
    case Kind::kInt:
      return out.append(std::to_string(value.as_int()));
    case Kind::kFloat:
      return append_json_float(out, value.as_float());
    case Kind::kString:
      return append_json_text(out, value.text(), style.ensure_ascii);
    case Kind::kList:
    case Kind::kTuple:
      return append_json_list(out, value.sequence().items, style, level);
    case Kind::kDict:
      return append_json_dict(out, value.dict(), style, level);
    default:
      raise("TypeError",
            fmt::format("Object of type {} is not JSON serializable", type_name(value)));
  }
}

}  // namespace keju::jinja
