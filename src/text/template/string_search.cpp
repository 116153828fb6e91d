// SPDX-License-Identifier: MIT
#include "text/template/string_search.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/ops.h"
#include "text/template/strings.h"

namespace keju::jinja {

namespace {

constexpr size_t kNone = std::string_view::npos;

// The occurrence that ends last and not after `end`. Linear for the short needles it meets; the
// caller pays for needle × text.
size_t find_last(std::string_view text, std::string_view needle, size_t end) {
  if (needle.size() > end) return kNone;
  return text.substr(0, end).rfind(needle);
}

void pay_reverse(Runtime& rt, std::string_view text, std::string_view needle) {
  rt.step(1 + static_cast<int64_t>(text.size() / 64 * std::max<size_t>(needle.size(), 1)));
}

size_t code_points_before(std::string_view text, size_t at) {
  return count_code_points(text.substr(0, at));
}

size_t char_size(std::string_view text, size_t at) {
  const size_t begin = at;
  if (at < text.size()) next_code_point(text, at);
  return at - begin;
}

// The part of `self` that [start:end] selects, in bytes; `valid` is false if start lies past the
// end.
struct Window {
  Span span;
  bool valid;
};

Window window(Runtime& rt, const Value& self, const Value& start, const Value& end) {
  const int64_t length = self.str().length;
  const auto position = [&](const Value& value, int64_t fallback) {
    if (value.missing() || value.is(Kind::kNone)) return fallback;
    if (!value.is_integer()) {
      raise("TypeError", "slice indices must be integers or None or have an __index__ method");
    }
    return value.as_int() < 0 ? std::max<int64_t>(value.as_int() + length, 0) : value.as_int();
  };
  const int64_t first = position(start, 0);
  const int64_t last = std::min(position(end, length), length);
  const bool valid = first <= last;
  return {{byte_offset(rt, self.str(), first), byte_offset(rt, self.str(), std::max(first, last))},
          valid};
}

const std::string& needle_of(const Value& value) {
  if (!value.is(Kind::kString)) raise("TypeError", "must be str, not " + type_name(value));
  return value.bytes();
}

int64_t locate(Runtime& rt, const Value& self, Bound& args, bool last) {
  const std::string& needle = needle_of(args[0]);
  const Window w = window(rt, self, args[1], args[2]);
  rt.scan(self.bytes().size());
  if (!w.valid) return -1;
  const std::string_view part =
      std::string_view(self.bytes()).substr(w.span.begin, w.span.end - w.span.begin);
  if (last) pay_reverse(rt, part, needle);
  const size_t at = last ? find_last(part, needle, part.size()) : find_text(part, needle, 0);
  if (at == kNone) return -1;
  return static_cast<int64_t>(code_points_before(self.bytes(), w.span.begin + at));
}

Value located(Runtime& rt, const Value& self, Bound& args, bool last) {
  const int64_t at = locate(rt, self, args, last);
  if (at < 0) raise("ValueError", "substring not found");
  return Value::integer(at);
}

Value affix(Runtime& rt, const Value& self, Bound& args, bool front) {
  const Window w = window(rt, self, args[1], args[2]);
  const std::string_view part =
      std::string_view(self.bytes()).substr(w.span.begin, w.span.end - w.span.begin);
  std::vector<Value> candidates{args[0]};
  if (args[0].is(Kind::kTuple)) candidates = args[0].sequence().items;
  for (const Value& candidate : candidates) {
    if (!candidate.is(Kind::kString)) {
      raise("TypeError",
            fmt::format("{} first arg must be str or a tuple of str, not {}",
                        front ? "startswith" : "endswith",
                        type_name(candidate)));
    }
    rt.scan(candidate.bytes().size());
    const bool found =
        front ? part.starts_with(candidate.bytes()) : part.ends_with(candidate.bytes());
    if (w.valid && found) return Value::boolean(true);
  }
  return Value::boolean(false);
}

// Cuts `text` at the spans in `gaps`.
Value pieces_between(Runtime& rt, const Value& self, const std::vector<Span>& parts) {
  std::vector<Value> items;
  for (const Span& part : parts) {
    rt.step();
    Builder out(rt);
    out.append(self.text(), part.begin, part.end);
    items.push_back(out.value(self.str().markup));
  }
  return make_list(rt, std::move(items));
}

std::vector<Span> words(Runtime& rt, std::string_view text, int64_t limit) {
  std::vector<Span> parts;
  size_t begin = kNone;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const bool space = is_python_space(next_code_point(text, at));
    if (!space && begin == kNone) {
      begin = start;
      if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
        parts.push_back({begin, text.size()});  // with the blanks at its end
        return parts;
      }
    } else if (space && begin != kNone) {
      rt.step();
      parts.push_back({begin, start});
      begin = kNone;
    }
  }
  if (begin != kNone) parts.push_back({begin, text.size()});
  return parts;
}

std::vector<Span> last_words(Runtime& rt, std::string_view text, int64_t limit) {
  std::vector<Span> parts = words(rt, text, -1);
  if (limit < 0 || static_cast<int64_t>(parts.size()) <= limit) return parts;
  const size_t merged = parts.size() - static_cast<size_t>(limit);
  const Span head{0, parts[merged - 1].end};
  parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(merged));
  parts.insert(parts.begin(), head);
  return parts;
}

std::vector<Span> fields(Runtime& rt,
                         std::string_view text,
                         std::string_view separator,
                         int64_t limit) {
  std::vector<Span> parts;
  size_t begin = 0;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t at = find_text(text, separator, begin);
    if (at == kNone) break;
    rt.step();
    parts.push_back({begin, at});
    begin = at + separator.size();
  }
  parts.push_back({begin, text.size()});
  return parts;
}

std::vector<Span> last_fields(Runtime& rt,
                              std::string_view text,
                              std::string_view separator,
                              int64_t limit) {
  std::vector<Span> parts;
  size_t end = text.size();
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t at = find_last(text, separator, end);
    if (at == kNone) break;
    rt.step();
    parts.push_back({at + separator.size(), end});
    end = at;
  }
  parts.push_back({0, end});
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Value split(Runtime& rt, const Value& self, Bound& args, bool last) {
  const int64_t limit = integer_argument(args[1], -1);
  const std::string& text = self.bytes();
  rt.scan(text.size());
  if (args[0].missing() || args[0].is(Kind::kNone)) {
    return pieces_between(rt, self, last ? last_words(rt, text, limit) : words(rt, text, limit));
  }
  const std::string& separator = needle_of(args[0]);
  if (separator.empty()) raise("ValueError", "empty separator");
  if (last) pay_reverse(rt, text, separator);
  return pieces_between(
      rt,
      self,
      last ? last_fields(rt, text, separator, limit) : fields(rt, text, separator, limit));
}

Value partition(Runtime& rt, const Value& self, Bound& args, bool last) {
  const std::string& text = self.bytes();
  const std::string& separator = needle_of(args[0]);
  if (separator.empty()) raise("ValueError", "empty separator");
  rt.scan(text.size());
  if (last) pay_reverse(rt, text, separator);
  const size_t at = last ? find_last(text, separator, text.size()) : find_text(text, separator, 0);
  Span middle = at == kNone ? (last ? Span{0, 0} : Span{text.size(), text.size()})
                            : Span{at, at + separator.size()};
  const Value parts =
      pieces_between(rt, self, {{0, middle.begin}, middle, {middle.end, text.size()}});
  return make_tuple(rt, parts.sequence().items);
}

}  // namespace

void replace_text(Builder& out,
                  const MarkedText& text,
                  const MarkedText& old,
                  const MarkedText& fresh,
                  int64_t limit) {
  out.rt().scan(text.size());
  size_t done = 0;
  size_t at = 0;
  for (int64_t count = 0; limit < 0 || count < limit; ++count) {
    const size_t hit = find_text(text.bytes, old.bytes, at);
    if (hit == kNone) break;
    out.rt().step();
    out.append(text, done, hit);
    out.append(fresh);
    done = hit + old.size();
    // An empty needle matches before every character and at the end.
    at = old.size() == 0 ? done + std::max<size_t>(char_size(text.bytes, done), 1) : done;
  }
  out.append(text, std::min(done, text.size()), text.size());
}

Value count_method(Runtime& rt, const Value& self, Bound& args) {
  const std::string& needle = needle_of(args[0]);
  const Window w = window(rt, self, args[1], args[2]);
  rt.scan(self.bytes().size());
  if (!w.valid) return Value::integer(0);
  const std::string_view part =
      std::string_view(self.bytes()).substr(w.span.begin, w.span.end - w.span.begin);
  if (needle.empty()) return Value::integer(static_cast<int64_t>(count_code_points(part)) + 1);
  int64_t count = 0;
  for (size_t at = 0; (at = find_text(part, needle, at)) != kNone; at += needle.size()) ++count;
  return Value::integer(count);
}

Value find_method(Runtime& rt, const Value& self, Bound& args) {
  return Value::integer(locate(rt, self, args, false));
}
Value rfind_method(Runtime& rt, const Value& self, Bound& args) {
  return Value::integer(locate(rt, self, args, true));
}
Value index_method(Runtime& rt, const Value& self, Bound& args) {
  return located(rt, self, args, false);
}
Value rindex_method(Runtime& rt, const Value& self, Bound& args) {
  return located(rt, self, args, true);
}
Value starts_with_method(Runtime& rt, const Value& self, Bound& args) {
  return affix(rt, self, args, true);
}
Value ends_with_method(Runtime& rt, const Value& self, Bound& args) {
  return affix(rt, self, args, false);
}
Value split_method(Runtime& rt, const Value& self, Bound& args) {
  return split(rt, self, args, false);
}
Value rsplit_method(Runtime& rt, const Value& self, Bound& args) {
  return split(rt, self, args, true);
}
Value partition_method(Runtime& rt, const Value& self, Bound& args) {
  return partition(rt, self, args, false);
}
Value rpartition_method(Runtime& rt, const Value& self, Bound& args) {
  return partition(rt, self, args, true);
}

}  // namespace keju::jinja
