// SPDX-License-Identifier: MIT
#include <map>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "score/extract_rules.h"
#include "suite/pattern.h"
#include "suite/rules.h"

namespace keju {
namespace {

// Compiled once for each thread: a suite has a handful, its items are many.
const Pattern& compiled(const std::string& pattern) {
  thread_local std::map<std::string, Pattern> known;
  const auto found = known.find(pattern);
  if (found != known.end()) return found->second;
  return known.emplace(pattern, Pattern(pattern, "extract")).first->second;
}

std::optional<Pattern::Match> pick(const Pattern& pattern, std::string_view text, bool last) {
  std::optional<Pattern::Match> best = pattern.find(text);
  if (!last) return best;
  for (std::optional<Pattern::Match> next = best; next.has_value();) {
    best = next;
    // As re.findall goes on: behind the match, one character further where it was empty.
    size_t from = next->whole_end;
    if (next->whole_begin == next->whole_end) {
      if (from >= text.size()) break;
      next_code_point(text, from);
    }
    next = pattern.find(text, from);
  }
  return best;
}

}  // namespace

Extraction by_patterns(std::string_view rule, std::string_view text) {
  for (const PatternStep& step : pattern_steps(rule)) {
    const auto match = pick(compiled(step.pattern), text, step.last);
    if (!match.has_value()) continue;
    Extraction out;
    out.status = Extraction::Status::kExtracted;
    std::string_view found = text.substr(match->begin, match->end - match->begin);
    if (step.stripped) found = python_strip(found);
    const auto begin = static_cast<size_t>(found.data() - text.data());
    out.answer = std::string(found);
    out.span = Extraction::Span{
        static_cast<int64_t>(count_code_points(text.substr(0, begin))),
        static_cast<int64_t>(count_code_points(text.substr(0, begin + found.size())))};
    return out;
  }
  return {};
}

}  // namespace keju
