// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/format.h"
#include "text/template/ops.h"

namespace keju::jinja {

namespace {

// `format % args`, one conversion after the other.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& rt, const Value& format, const Value& args)
      : rt_(rt), format_(format.text()), markup_(format.str().markup), args_(args), out_(rt) {}

  Value run() {
    const std::string& bytes = format_.bytes;
    while (at_ < bytes.size()) {
      const size_t percent = std::min(bytes.find('%', at_), bytes.size());
      out_.append(format_, at_, percent);
      at_ = percent + 1;
      if (percent < bytes.size()) conversion();
    }
    if (!by_name_ && !used_all()) {
      raise("TypeError", "not all arguments converted during string formatting");
    }
    return out_.value(markup_);
  }

 private:
  bool is_mapping() const { return args_.is(Kind::kDict) || args_.is(Kind::kUndefined); }

  bool used_all() const {
    if (args_.is(Kind::kTuple)) return next_ >= args_.sequence().items.size();
    return next_ > 0 || is_mapping() || args_.is(Kind::kList) || args_.is(Kind::kRange);
  }

  char peek() const { return at_ < format_.size() ? format_.bytes[at_] : '\0'; }

  Value argument() {
    if (args_.is(Kind::kTuple)) {
      const std::vector<Value>& items = args_.sequence().items;
      if (next_ < items.size()) return items[next_++];
    } else if (next_ == 0) {
      ++next_;
      return args_;
    }
    raise("TypeError", "not enough arguments for format string");
  }

  Value named() {
    const size_t begin = ++at_;
    int depth = 1;
    for (; at_ < format_.size(); ++at_) {
      depth += peek() == '(' ? 1 : peek() == ')' ? -1 : 0;
      if (depth == 0) break;
    }
    if (depth != 0) raise("ValueError", "incomplete format key");
    if (!args_.is(Kind::kDict)) raise("TypeError", "format requires a mapping");
    const std::string key = format_.bytes.substr(begin, at_ - begin);
    ++at_;
    const Value* found = args_.dict().find(key);
    if (!found) raise("KeyError", show(rt_, Value::string(key)));
    by_name_ = true;
    return *found;
  }

  int64_t number(int64_t fallback) {
    if (peek() == '*') {
      ++at_;
      const Value value = argument();
      if (!value.is_integer()) raise("TypeError", "* wants int");
      return value.as_int();
    }
    if (peek() < '0' || peek() > '9') return fallback;
    int64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      if (value > 100'000'000) raise("ValueError", "width too big");
      value = value * 10 + (peek() - '0');
    }
    return value;
  }

  void conversion() {
    Value value;
    if (peek() == '(') value = named();
    FormatSpec spec;
    bool left = false;
    for (; peek() != '\0' && std::string_view("#0- +").find(peek()) != std::string_view::npos;
         ++at_) {
      spec.alternate = spec.alternate || peek() == '#';
      spec.zero = spec.zero || peek() == '0';
      left = left || peek() == '-';
      if (peek() == '+' || (peek() == ' ' && spec.sign != '+')) spec.sign = peek();
    }
    spec.width = number(0);
    if (spec.width < 0) {
      left = true;
      spec.width = spec.width < -1'000'000'000 ? 1'000'000'000 : -spec.width;
    }
    if (peek() == '.') {
      ++at_;
      spec.precision = std::max<int64_t>(number(0), 0);
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    if (at_ >= format_.size()) raise("ValueError", "incomplete format");
    spec.type = format_.bytes[at_++];
    if (spec.type == '%') return out_.append("%");
    if (value.missing()) value = argument();
    convert(value, spec, left);
  }

  void convert(const Value& value, FormatSpec spec, bool left) {
    const char align = left ? '<' : '>';
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a':
        return convert_text(value, spec, align);
      case 'c': {
        if (!value.is_integer()) return convert_text(value, spec, align);
        std::string text;
        append_utf8(text, static_cast<char32_t>(value.as_int()));
        return append_padded(out_, MarkedText(text), spec, align);
      }
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return pad_number(integer_text(value, spec), spec, align);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (value.undefined()) fail_undefined(value);
        if (!value.is_number()) {
          raise("TypeError", fmt::format("must be real number, not {}", type_name(value)));
        }
        return pad_number(
            format_double(
                rt_, value.as_float(), spec.type, spec.precision < 0 ? 6 : spec.precision),
            spec,
            align);
      default:
        raise("ValueError",
              fmt::format("unsupported format character '{}' (0x{:x}) at index {}",
                          spec.type,
                          static_cast<unsigned>(static_cast<unsigned char>(spec.type)),
                          count_code_points(format_.bytes.substr(0, at_ - 1))));
    }
  }

  std::string integer_text(const Value& value, const FormatSpec& spec) {
    const bool decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    if (decimal && value.undefined()) fail_undefined(value);
    if (!value.is_integer() && !(decimal && value.is(Kind::kFloat))) {
      raise("TypeError",
            fmt::format("%{} format: {} is required, not {}",
                        spec.type,
                        decimal ? "a real number" : "an integer",
                        type_name(value)));
    }
    double real = value.as_float();
    if (value.is(Kind::kFloat) && !(std::fabs(real) < 9.2e18)) raise("", "number too large");
    const int64_t whole = value.is(Kind::kFloat) ? static_cast<int64_t>(real) : value.as_int();
    std::string digits = format_integer(whole, decimal ? 'd' : spec.type, spec.alternate);
    const size_t sign = digits[0] == '-' ? 1 : 0;
    const int64_t missing = spec.precision - static_cast<int64_t>(digits.size() - sign);
    if (missing > 0) {
      rt_.charge(static_cast<size_t>(missing));
      digits.insert(sign, static_cast<size_t>(missing), '0');
    }
    return digits;
  }

  void pad_number(std::string digits, FormatSpec spec, char align) {
    if (digits[0] != '-' && spec.sign != '-') digits.insert(0, 1, spec.sign);
    if (!spec.zero || align == '<') return append_padded(out_, MarkedText(digits), spec, align);
    const bool sign = digits[0] == '-' || digits[0] == '+' || digits[0] == ' ';
    if (sign) {
      out_.append(digits.substr(0, 1));
      digits.erase(0, 1);
      --spec.width;
    }
    spec.fill = std::string(1, '0');
    append_padded(out_, MarkedText(digits), spec, '>');
  }

  void convert_text(const Value& value, const FormatSpec& spec, char align) {
    Builder made(rt_);
    if (spec.type == 'r' || spec.type == 'a') {
      append_repr(made, value);
    } else if (markup_) {
      made.append(escape_html(rt_, value).text());
    } else {
      append_str(made, value);
    }
    Value text = made.value();
    if (spec.precision >= 0) {
      text = slice(rt_, text, Value(), Value::integer(spec.precision), Value());
    }
    append_padded(out_, text.text(), spec, align);
  }

  Runtime& rt_;
  const MarkedText& format_;
  bool markup_;
  const Value& args_;
  Builder out_;
  size_t at_ = 0;
  size_t next_ = 0;
  bool by_name_ = false;
};

// str.format.
class BraceFormatter {
 public:
  BraceFormatter(Runtime& rt, const CallArgs& args, bool markup)
      : rt_(rt), args_(args), markup_(markup) {}

  void run(Builder& out, const MarkedText& format, int level) {
    if (level > 2) raise("ValueError", "Max string recursion exceeded");
    const std::string& bytes = format.bytes;
    for (size_t at = 0; at < bytes.size();) {
      const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
      out.append(format, at, brace);
      if (brace == bytes.size()) return;
      const bool doubled = brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace];
      if (doubled) {
        out.append(format, brace, brace + 1);
        at = brace + 2;
        continue;
      }
      if (bytes[brace] == '}') raise("ValueError", "Single '}' encountered in format string");
      at = field(out, format, brace + 1, level);
    }
  }

 private:
  // One replacement field that begins at `at`; returns what follows its closing brace.
  size_t field(Builder& out, const MarkedText& format, size_t at, int level) {
    const std::string& bytes = format.bytes;
    if (at >= bytes.size()) raise("ValueError", "Single '{' encountered in format string");
    size_t end = at;
    for (int depth = 1; end < bytes.size(); ++end) {
      depth += bytes[end] == '{' ? 1 : bytes[end] == '}' ? -1 : 0;
      if (depth == 0) break;
    }
    if (end >= bytes.size()) raise("ValueError", "expected '}' before end of string");
    size_t name_end = at;
    while (name_end < end && bytes[name_end] != '!' && bytes[name_end] != ':') {
      if (bytes[name_end] == '[') name_end = std::min(bytes.find(']', name_end), end - 1);
      ++name_end;
    }
    Value value = lookup(bytes.substr(at, name_end - at));
    if (name_end < end && bytes[name_end] == '!') {
      value = converted(value, name_end + 1 < end ? bytes[name_end + 1] : '\0');
      name_end += 2;
      if (name_end < end && bytes[name_end] != ':') {
        raise("ValueError", "expected ':' after conversion specifier");
      }
    }
    Builder spec(rt_);
    if (name_end < end) run(spec, format.slice(name_end + 1, end), level + 1);
    if (markup_) value = escape_html(rt_, value);
    append_formatted(out, value, spec.text().bytes);
    return end + 1;
  }

  Value converted(const Value& value, char kind) {
    if (kind == 's') return Value::string(to_text(rt_, value));
    if (kind == 'r') return Value::string(show(rt_, value));
    raise("ValueError", fmt::format("Unknown conversion specifier {}", kind));
  }

  static bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 10 &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
  }

  Value first(const std::string& name) {
    std::string index = name;
    if (name.empty()) {
      if (numbered_) {
        raise("ValueError",
              "cannot switch from manual field specification to automatic field numbering");
      }
      automatic_ = true;
      index = std::to_string(next_++);
    } else if (is_number(name)) {
      if (automatic_) {
        raise("ValueError",
              "cannot switch from manual field specification to automatic field numbering");
      }
      numbered_ = true;
    }
    if (is_number(index)) {
      const size_t at = static_cast<size_t>(std::stol(index));
      if (at >= args_.args.size()) {
        raise("IndexError",
              fmt::format("Replacement index {} out of range for positional args tuple", at));
      }
      return args_.args[at];
    }
    for (const auto& [key, value] : args_.kwargs) {
      if (key == name) return value;
    }
    raise("KeyError", show(rt_, Value::string(name)));
  }

  Value lookup(const std::string& path) {
    size_t at = std::min(path.find_first_of(".["), path.size());
    Value value = first(path.substr(0, at));
    while (at < path.size()) {
      const bool index = path[at] == '[';
      const size_t end =
          index ? path.find(']', at) : std::min(path.find_first_of(".[", at + 1), path.size());
      if (end == std::string::npos) raise("ValueError", "Missing ']' in format string");
      const std::string key = path.substr(at + 1, end - at - 1);
      if (key.empty()) raise("ValueError", "Empty attribute in format string");
      if (!index) {
        value = get_attribute(rt_, value, Value::string(key));
      } else {
        value = get_item(
            rt_, value, is_number(key) ? Value::integer(std::stol(key)) : Value::string(key));
      }
      at = end + (index ? 1 : 0);
    }
    return value;
  }

  Runtime& rt_;
  const CallArgs& args_;
  bool markup_;
  bool automatic_ = false;
  bool numbered_ = false;
  int64_t next_ = 0;
};

}  // namespace

Value percent_format(Runtime& rt, const Value& format, const Value& args) {
  return PercentFormatter(rt, format, args).run();
}

Value brace_format(Runtime& rt, const Value& format, const CallArgs& args) {
  Builder out(rt);
  BraceFormatter(rt, args, format.str().markup).run(out, format.text(), 0);
  return out.value(format.str().markup);
}

}  // namespace keju::jinja
