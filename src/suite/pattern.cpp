// SPDX-License-Identifier: MIT
#include "suite/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {
namespace {

constexpr uint32_t kMatchLimit = 1'000'000;
constexpr uint32_t kDepthLimit = 100'000;

std::string message_of(int error) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(error, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

// What a match writes to, kept by each thread: taking it anew costs more than most matches.
constexpr uint32_t kKeptGroups = 64;
struct MatchRoom {
  std::unique_ptr<pcre2_match_context, FreeContext> context{pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_match_data, FreeData> data{pcre2_match_data_create(kKeptGroups, nullptr)};
  MatchRoom() {
    if (context == nullptr || data == nullptr) throw std::bad_alloc();
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_depth_limit(context.get(), kDepthLimit);
  }
};

}  // namespace

struct Pattern::Code {
  pcre2_code* code = nullptr;
  uint32_t groups = 0;  // the whole match among them
  ~Code() { pcre2_code_free(code); }
};

Pattern::Pattern(std::string_view pattern, std::string where)
    : code_(std::make_unique<Code>()), where_(std::move(where)) {
  int error = 0;
  PCRE2_SIZE at = 0;
  code_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                    pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_INVALID_UTF,
                    &error,
                    &at,
                    nullptr);
  if (code_->code == nullptr) {
    throw fail(keju::Code::kInput, "{}: pattern: {} at byte {}", where_, message_of(error), at);
  }
  pcre2_pattern_info(code_->code, PCRE2_INFO_CAPTURECOUNT, &code_->groups);
  if (++code_->groups > kKeptGroups)
    throw fail(keju::Code::kUnsupported,
               "{}: pattern: found {} groups, need at most {}",
               where_,
               code_->groups - 1,
               kKeptGroups - 1);
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

std::optional<Pattern::Match> Pattern::find(std::string_view text, size_t from) const {
  thread_local const MatchRoom room;
  const int count = pcre2_match(code_->code,
                                reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(),
                                from,
                                0,
                                room.data.get(),
                                room.context.get());
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0) throw fail(keju::Code::kInput, "{}: pattern: {}", where_, message_of(count));
  const PCRE2_SIZE* spans = pcre2_get_ovector_pointer(room.data.get());
  Match match{spans[0], spans[1], spans[1], spans[0]};
  for (uint32_t group = 1; group < code_->groups; ++group) {
    // lm-evaluation-harness takes the first group that holds something.
    if (spans[2 * group] == PCRE2_UNSET || spans[2 * group] == spans[2 * group + 1]) continue;
    match.begin = spans[2 * group];
    match.end = spans[2 * group + 1];
    break;
  }
  return match;
}

std::string Pattern::replace(std::string_view text, std::string_view with) const {
  std::string out;
  size_t at = 0;
  while (at <= text.size()) {
    const std::optional<Match> match = find(text, at);
    if (!match.has_value()) break;
    out += text.substr(at, match->whole_begin - at);
    out += with;
    at = match->whole_end;
    if (match->whole_begin != match->whole_end) continue;
    if (at == text.size()) return out;
    const size_t begin = at;  // an empty match: on by one character
    next_code_point(text, at);
    out += text.substr(begin, at - begin);
  }
  return out + std::string(text.substr(std::min(at, text.size())));
}

std::string Pattern::substitute(std::string_view text, std::string_view with) const {
  const std::unique_ptr<pcre2_match_context, FreeContext> context(
      pcre2_match_context_create(nullptr));
  if (context == nullptr) throw std::bad_alloc();
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_depth_limit(context.get(), kDepthLimit);
  std::string out(2 * text.size() + 64, '\0');
  while (true) {
    PCRE2_SIZE length = out.size();
    const int count = pcre2_substitute(
        code_->code,
        reinterpret_cast<PCRE2_SPTR>(text.data()),
        text.size(),
        0,
        PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_UNSET_EMPTY | PCRE2_SUBSTITUTE_OVERFLOW_LENGTH,
        nullptr,
        context.get(),
        reinterpret_cast<PCRE2_SPTR>(with.data()),
        with.size(),
        reinterpret_cast<PCRE2_UCHAR*>(out.data()),
        &length);
    if (count >= 0) {
      out.resize(length);
      return out;
    }
    if (count != PCRE2_ERROR_NOMEMORY) {
      throw fail(keju::Code::kInput, "{}: pattern: {}", where_, message_of(count));
    }
    out.resize(length);  // what it needs
  }
}

}  // namespace keju
