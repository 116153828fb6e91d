// SPDX-License-Identifier: MIT
// CMATH's own extraction (utils.py of the data set's repository, 2023): candidates line by line
// from four kinds of places, of which the last two of the whole text count. Line by line, so that
// one can be held against the other; no sign is ever read, as there.
#include <algorithm>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "score/extract_rules.h"

namespace keju {
namespace {

using Line = std::u32string;

// \d of Python's re also takes other scripts' digits; the full-width ones are what models write.
bool is_digit(char32_t c) { return (c >= '0' && c <= '9') || (c >= 0xFF10 && c <= 0xFF19); }
bool is_han(char32_t c) { return c >= 0x4E00 && c <= 0x9FA5; }
bool one_of(char32_t c, std::u32string_view set) {
  return set.find(c) != std::u32string_view::npos;
}

struct Run {
  size_t begin = 0, end = 0;
};

// \d+[./]?\d*%? at `at`, as long as it gets; begin == end if there is none.
Run digits_at(const Line& line, size_t at) {
  const auto skip = [&](size_t from) {
    while (from < line.size() && is_digit(line[from])) ++from;
    return from;
  };
  size_t end = skip(at);
  if (end == at) return {at, at};
  if (end < line.size() && one_of(line[end], U"./")) end = skip(end + 1);
  if (end < line.size() && line[end] == '%') ++end;
  return {at, end};
}

// The same without what a following pattern needs for itself: "12." gives its full stop back.
size_t without_stop(const Line& line, const Run& run) {
  return run.end > run.begin && line[run.end - 1] == '.' ? run.end - 1 : run.end;
}

std::string text_of(const Line& line, size_t begin, size_t end) {
  std::string text;
  for (size_t i = begin; i < end; ++i) {
    const char32_t c = line[i];
    append_utf8(text, c >= 0xFF10 && c <= 0xFF19 ? c - 0xFF10 + '0' : c);
  }
  return text;
}

size_t over_space(const Line& line, size_t at) {
  return at < line.size() && line[at] == ' ' ? at + 1 : at;
}

// Length of (?:[一-龥,，。°℃$}（]|\([^\d\s]|\.$) at `at`; 0 if it does not match.
size_t middle_tail(const Line& line, size_t at) {
  if (at >= line.size()) return 0;
  if (is_han(line[at]) || one_of(line[at], U",，。°℃$}（")) return 1;
  if (line[at] == '(' && at + 1 < line.size() && !is_digit(line[at + 1]) &&
      !is_python_space(line[at + 1])) {
    return 2;
  }
  return line[at] == '.' && at + 1 == line.size() ? 1 : 0;
}

void find_begin(const Line& line, std::vector<std::string>& into) {
  const Run run = digits_at(line, 0);
  if (run.begin == run.end) return;
  const size_t next = over_space(line, run.end);
  if (next < line.size() && (is_han(line[next]) || one_of(line[next], U",，。°℃$"))) {
    into.push_back(text_of(line, run.begin, run.end));
  }
}

void find_middle(const Line& line, std::vector<std::string>& into) {
  for (size_t at = 1; at < line.size();) {
    const char32_t before = line[at - 1];
    if (!is_han(before) && !one_of(before, U"$:：，＝≈=>{")) {
      ++at;
      continue;
    }
    size_t next = at + 1;
    for (const size_t start : {over_space(line, at), at}) {
      const Run run = digits_at(line, start);
      if (run.begin == run.end) continue;
      size_t end = run.end;
      size_t tail = middle_tail(line, over_space(line, end));
      size_t tail_at = over_space(line, end);
      if (tail == 0 && without_stop(line, run) != run.end) {
        end = without_stop(line, run);
        tail_at = end;
        tail = middle_tail(line, end);
      }
      if (tail == 0) continue;
      into.push_back(text_of(line, run.begin, end));
      next = tail_at + tail;
      break;
    }
    at = next;
  }
}

void find_chinese_fractions(const Line& line, std::vector<std::string>& into) {
  for (size_t at = 0; at < line.size();) {
    size_t end = at;
    while (end < line.size() && is_digit(line[end])) ++end;
    if (end == at) {
      ++at;
      continue;
    }
    if (line.compare(end, 2, U"分之") != 0) {
      at = end;
      continue;
    }
    size_t top = end + 2;
    while (top < line.size() && is_digit(line[top])) ++top;
    if (top > end + 2) into.push_back(text_of(line, end + 2, top) + "/" + text_of(line, at, end));
    at = top;
  }
}

void find_end(const Line& line, std::vector<std::string>& into) {
  for (size_t at = 1; at < line.size(); ++at) {
    const char32_t before = line[at - 1];
    if (!is_han(before) && !one_of(before, U"$:：＝≈=->")) continue;
    const Run run = digits_at(line, over_space(line, at));
    if (run.begin != run.end && run.end == line.size()) {
      into.push_back(text_of(line, run.begin, run.end));
      return;
    }
  }
}

void find_singleton(const Line& line, std::vector<std::string>& into) {
  const Run run = digits_at(line, 0);
  if (run.begin != run.end && run.end == line.size()) into.push_back(text_of(line, 0, run.end));
}

// Python's str.splitlines.
std::vector<Line> split_lines(const Line& text) {
  std::vector<Line> lines(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (one_of(c, U"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")) {
      lines.emplace_back();
    } else {
      lines.back().push_back(c);
    }
  }
  return lines;
}

// \frac{a}{b} becomes a/b; a comma or space between digits goes.
Line normalised(const Line& text) {
  constexpr std::u32string_view kFrac = U"\\frac{";
  Line flat;
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, kFrac.size(), kFrac) == 0) {
      const size_t top = i + kFrac.size();
      const size_t top_end = text.find(U'}', top);
      if (top_end != Line::npos && top_end > top && text.compare(top_end, 2, U"}{") == 0) {
        const size_t bottom_end = text.find(U'}', top_end + 2);
        if (bottom_end != Line::npos && bottom_end > top_end + 2) {
          flat.append(text, top, top_end - top).push_back('/');
          flat.append(text, top_end + 2, bottom_end - top_end - 2);
          i = bottom_end + 1;
          continue;
        }
      }
    }
    flat.push_back(text[i++]);
  }
  Line out;
  for (size_t i = 0; i < flat.size(); ++i) {
    const bool between =
        i > 0 && i + 1 < flat.size() && is_digit(flat[i - 1]) && is_digit(flat[i + 1]);
    if (between && one_of(flat[i], U", ")) continue;
    out.push_back(flat[i]);
  }
  return out;
}

}  // namespace

Extraction cmath_candidates(std::string_view text) {
  std::vector<std::string> candidates;
  for (const Line& line : split_lines(normalised(to_u32(text)))) {
    std::vector<std::string> found;
    find_begin(line, found);
    find_middle(line, found);
    find_chinese_fractions(line, found);
    find_end(line, found);
    find_singleton(line, found);
    for (std::string& each : found) {
      if (!each.starts_with('/') && !each.ends_with('/')) candidates.push_back(std::move(each));
    }
  }
  if (candidates.empty()) return {};
  Extraction out;
  out.status = Extraction::Status::kExtracted;
  out.answer = candidates.size() == 1
                   ? candidates.back()
                   : candidates[candidates.size() - 2] + " | " + candidates.back();
  return out;
}

}  // namespace keju
