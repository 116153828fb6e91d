// SPDX-License-Identifier: MIT
#include "suite/python_literal.h"

#include <charconv>
#include <string>
#include <utility>

#include "base/utf8.h"

namespace keju {
namespace {

constexpr int kMaxDepth = 64;

class Reader {
 public:
  explicit Reader(std::string_view text) : left_(python_strip(text)) {}

  std::optional<Json> read_all() {
    std::optional<Json> out = value(0);
    return left_.empty() ? out : std::nullopt;
  }

 private:
  bool take(std::string_view what) {
    if (!left_.starts_with(what)) return false;
    left_ = python_strip(left_.substr(what.size()));
    return true;
  }

  std::optional<Json> value(int depth) {
    if (depth > kMaxDepth || left_.empty()) return std::nullopt;
    if (take("[")) return items(depth, "]", false);
    if (take("(")) return items(depth, ")", true);
    if (take("{")) return dict(depth);
    const char c = left_[0];
    if (c == '\'' || c == '"') return texts();
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    if (take("None")) return Json();
    if (take("True")) return Json(true);
    if (take("False")) return Json(false);
    return std::nullopt;
  }

  // A tuple of one has a comma: "(1)" is a number in brackets.
  std::optional<Json> items(int depth, std::string_view end, bool tuple) {
    Json out = Json::array();
    bool comma = false;
    while (!take(end)) {
      std::optional<Json> each = value(depth + 1);
      if (!each.has_value()) return std::nullopt;
      out.push_back(std::move(*each));
      const bool more = take(",");
      comma = comma || more;
      if (!more && !left_.starts_with(end)) return std::nullopt;
    }
    if (tuple && out.size() == 1 && !comma) return Json(out[0]);
    return out;
  }

  std::optional<Json> dict(int depth) {
    Json out = Json::object();
    while (!take("}")) {
      const std::optional<Json> key = texts();
      if (!key.has_value() || !take(":")) return std::nullopt;
      std::optional<Json> each = value(depth + 1);
      if (!each.has_value()) return std::nullopt;
      out[key->get<std::string>()] = std::move(*each);
      if (!take(",") && !left_.starts_with("}")) return std::nullopt;
    }
    return out;
  }

  std::optional<Json> number() {
    const size_t size = std::min(left_.find_first_not_of("+-.0123456789eE"), left_.size());
    const std::string_view digits = left_.substr(0, size);
    int64_t whole = 0;
    double decimal = 0;
    const char* end = digits.data() + digits.size();
    std::optional<Json> out;
    if (auto [at, error] = std::from_chars(digits.data(), end, whole);
        error == std::errc() && at == end) {
      out = whole;
    } else if (auto [stop, fault] = std::from_chars(digits.data(), end, decimal);
               fault == std::errc() && stop == end) {
      out = decimal;
    }
    left_ = python_strip(left_.substr(size));
    return out;
  }

  // Texts side by side are one.
  std::optional<Json> texts() {
    std::string all;
    bool any = false;
    while (!left_.empty() && (left_[0] == '\'' || left_[0] == '"')) {
      const std::optional<std::string> each = one_text();
      if (!each.has_value()) return std::nullopt;
      all += *each;
      any = true;
    }
    return any ? std::optional<Json>(std::move(all)) : std::nullopt;
  }

  std::optional<std::string> one_text() {
    const char quote = left_[0];
    if (left_.substr(1).starts_with(std::string(2, quote))) return std::nullopt;  // """
    std::string out;
    for (size_t at = 1; at < left_.size();) {
      const char c = left_[at++];
      if (c == '\n') return std::nullopt;
      if (c == quote) {
        left_ = python_strip(left_.substr(at));
        return out;
      }
      if (c != '\\') {
        out += c;
      } else if (!escape(at, out)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  // What stands behind a backslash. One before another character stays.
  bool escape(size_t& at, std::string& out) {
    if (at == left_.size()) return false;
    const char c = left_[at++];
    constexpr std::string_view kNames = "\\'\"abfnrtv", kMeant = "\\'\"\a\b\f\n\r\t\v";
    if (const size_t place = kNames.find(c); place != std::string_view::npos) {
      out += kMeant[place];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      return code_point(at, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, out);
    } else if (c >= '0' && c <= '7') {
      size_t digits = 1;
      while (digits < 3 && at - 1 + digits < left_.size() && left_[at - 1 + digits] >= '0' &&
             left_[at - 1 + digits] <= '7') {
        ++digits;
      }
      --at;
      return code_point(at, digits, 8, out);
    } else if (c == 'N') {
      return false;  // by its name
    } else if (c != '\n') {
      out += '\\';
      out += c;
    }
    return true;
  }

  bool code_point(size_t& at, size_t digits, int base, std::string& out) {
    const std::string_view text = left_.substr(at, digits);
    uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (text.size() != digits || error != std::errc() || stop != end || value > 0x10FFFF ||
        surrogate) {
      return false;
    }
    at += digits;
    out += to_utf8(std::u32string(1, static_cast<char32_t>(value)));
    return true;
  }

  std::string_view left_;
};

}  // namespace

std::optional<Json> python_literal(std::string_view text) { return Reader(text).read_all(); }

}  // namespace keju
