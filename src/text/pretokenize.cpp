// SPDX-License-Identifier: MIT
#include "text/pretokenize.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/segments.h"
#include "text/unicode.h"
#include "text/vocab.h"

namespace keju {
namespace {

// A stretch of text and whether the pattern matched it.
struct Match {
  size_t begin;
  size_t end;
  bool matched;
};

std::string_view part(std::string_view text, size_t begin, size_t end) {
  return text.substr(begin, end - begin);
}

// Joins the stretches as the behavior says and adds the parts that remain.
void apply_rule(std::string_view text, std::vector<Match>& stretches, SplitRule rule, Spans& out) {
  using enum SplitBehavior;
  if (rule.invert) {
    for (Match& stretch : stretches) stretch.matched = !stretch.matched;
  }
  const size_t base = out.size();
  const auto add = [&](size_t begin, size_t end) {
    if (begin < end) out.push_back(part(text, begin, end));
  };
  if (rule.behavior == kIsolated || rule.behavior == kRemoved) {
    for (const Match& m : stretches) {
      if (!m.matched || rule.behavior == kIsolated) add(m.begin, m.end);
    }
    return;
  }
  const bool backwards = rule.behavior == kMergedWithNext;
  std::vector<Match> merged;
  bool previous = false;
  for (size_t i = 0; i < stretches.size(); ++i) {
    const Match& m = stretches[backwards ? stretches.size() - 1 - i : i];
    const bool join = rule.behavior == kContiguous ? m.matched == previous : m.matched && !previous;
    previous = m.matched;
    if (!join || merged.empty()) {
      merged.push_back(m);
    } else if (backwards) {
      merged.back().begin = m.begin;
    } else {
      merged.back().end = m.end;
    }
  }
  for (const Match& m : merged) add(m.begin, m.end);
  if (backwards) std::reverse(out.begin() + static_cast<int64_t>(base), out.end());
}

class ScannerSplit : public PreTokenizer {
 public:
  explicit ScannerSplit(Scanner scanner) : scanner_(scanner) {}
  void split(std::string_view text, bool, TextArena&, Spans& out) const override {
    scanner_(text, out);
  }

 private:
  Scanner scanner_;
};

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatchData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

// What Oniguruma takes for \w, as a part of a PCRE2 class.
constexpr std::string_view kWordClass =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";

// The escapes that PCRE2 understands otherwise: its \s also takes U+180E, its \w no marks.
std::string translate_escape(char escaped, bool in_class) {
  if (escaped == 's') return "\\p{White_Space}";
  if (escaped == 'S') return "\\P{White_Space}";
  if (escaped == 'w') return in_class ? std::string(kWordClass) : fmt::format("[{}]", kWordClass);
  if (escaped == 'W' && !in_class) return fmt::format("[^{}]", kWordClass);
  return {'\\', escaped};
}

// A class inside a class is a part of the outer one (BLOOM's pattern has such a one), which PCRE2
// 10.42 cannot say: its brackets are left out. What cannot be said without them is refused.
std::string translate(const std::string& pattern, std::string_view where) {
  std::string out;
  int classes = 0;  // open brackets
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    const std::string_view rest = std::string_view(pattern).substr(at);
    if (c == '\\' && at + 1 < pattern.size()) {
      out += translate_escape(pattern[++at], classes > 0);
    } else if (classes > 0 && rest.starts_with("[:")) {
      const size_t end = std::min(rest.find(":]"), rest.size() - 2) + 2;
      out += rest.substr(0, end);
      at += end - 1;
    } else if (classes > 0 && (rest.starts_with("[^") || rest.starts_with("&&"))) {
      throw fail(Code::kUnsupported,
                 "{}: pattern \"{}\": found {} inside a class, need plain classes",
                 where,
                 pattern,
                 rest.substr(0, 2));
    } else if (c == '[') {
      if (classes++ == 0) out += c;
    } else if (c == ']' && classes > 0) {
      if (--classes == 0) out += c;
    } else {
      out += c;
    }
  }
  return out;
}

struct FreeCompileContext {
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

// Oniguruma's Ruby dialect, for which the patterns are written: ^ and $ stand at every line.
class RegexSplit : public PreTokenizer {
 public:
  RegexSplit(const std::string& pattern, SplitRule rule, std::string_view where) : rule_(rule) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    const std::string text = translate(pattern, where);
    const std::unique_ptr<pcre2_compile_context, FreeCompileContext> context(
        pcre2_compile_context_create(nullptr));
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()),
                              text.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                              &error,
                              &offset,
                              context.get()));
    if (!code_) {
      char reason[128] = "";
      pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(reason), sizeof reason);
      throw fail(Code::kUnsupported,
                 "{}: pattern \"{}\": found {} at byte {}, need an expression that PCRE2 reads",
                 where,
                 pattern,
                 reason,
                 offset);
    }
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
  }

  void split(std::string_view text, bool, TextArena&, Spans& out) const override {
    const std::unique_ptr<pcre2_match_data, FreeMatchData> data(
        pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    const std::unique_ptr<pcre2_match_context, FreeContext> context(
        pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(context.get(), 50'000'000);
    std::vector<Match> stretches;
    size_t at = 0;
    size_t last = 0;
    while (at <= text.size()) {
      const int found = pcre2_match(code_.get(),
                                    reinterpret_cast<PCRE2_SPTR>(text.data()),
                                    text.size(),
                                    at,
                                    PCRE2_NO_UTF_CHECK,
                                    data.get(),
                                    context.get());
      if (found == PCRE2_ERROR_NOMATCH) break;
      if (found < 0)
        throw fail(Code::kInput,
                   "pre-tokenizer: a text: found PCRE2 error {}, need a match within its limits",
                   found);
      const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
      const size_t begin = span[0];
      const size_t end = span[1];
      if (begin > last) stretches.push_back({last, begin, false});
      if (end > begin) stretches.push_back({begin, end, true});
      last = std::max(last, end);
      at = end;
      if (end == begin) {  // an empty match: go on behind the next character
        if (at == text.size()) break;
        next_code_point(text, at);
      }
    }
    if (last < text.size()) stretches.push_back({last, text.size(), false});
    apply_rule(text, stretches, rule_, out);
  }

 private:
  SplitRule rule_;
  std::unique_ptr<pcre2_code, FreeCode> code_;
};

class StringSplit : public PreTokenizer {
 public:
  StringSplit(std::string needle, SplitRule rule) : needle_(std::move(needle)), rule_(rule) {}
  void split(std::string_view text, bool, TextArena&, Spans& out) const override {
    std::vector<Match> stretches;
    size_t last = 0;
    for (size_t at = needle_.empty() ? text.npos : text.find(needle_); at != text.npos;
         at = text.find(needle_, last)) {
      if (at > last) stretches.push_back({last, at, false});
      last = at + needle_.size();
      stretches.push_back({at, last, true});
    }
    if (last < text.size()) stretches.push_back({last, text.size(), false});
    apply_rule(text, stretches, rule_, out);
  }

 private:
  std::string needle_;
  SplitRule rule_;
};

bool in_class(CharClass characters, char32_t code) {
  const uint8_t bits = UnicodeTable::get().bits(code);
  switch (characters) {
    case CharClass::kNumber:
      return (bits & kNumber) != 0;
    case CharClass::kWhitespace:
      return (bits & kSpace) != 0;
    case CharClass::kPunctuation:
      return code < 0x80 ? (bits & (kPunct | kSymbol)) != 0 : is_unicode8_punctuation(code);
  }
  return false;
}

class ClassSplit : public PreTokenizer {
 public:
  ClassSplit(CharClass characters, SplitRule rule) : characters_(characters), rule_(rule) {}
  void split(std::string_view text, bool, TextArena&, Spans& out) const override {
    std::vector<Match> stretches;
    size_t last = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      if (!in_class(characters_, next_code_point(text, at))) continue;
      if (begin > last) stretches.push_back({last, begin, false});
      stretches.push_back({begin, at, true});
      last = at;
    }
    if (last < text.size()) stretches.push_back({last, text.size(), false});
    apply_rule(text, stretches, rule_, out);
  }

 private:
  CharClass characters_;
  SplitRule rule_;
};

class WordSplit : public PreTokenizer {
 public:
  void split(std::string_view text, bool, TextArena&, Spans& out) const override {
    enum class Kind { kGap, kWord, kOther };
    Kind kind = Kind::kGap;
    size_t begin = 0;
    const auto close = [&](size_t end) {
      if (kind != Kind::kGap && end > begin) out.push_back(part(text, begin, end));
    };
    for (size_t at = 0; at < text.size();) {
      const size_t here = at;
      const char32_t code = next_code_point(text, at);
      const Kind now = in_class(CharClass::kWhitespace, code) ? Kind::kGap
                       : is_word(code)                        ? Kind::kWord
                                                              : Kind::kOther;
      if (now == kind) continue;
      close(here);
      kind = now;
      begin = here;
    }
    close(text.size());
  }
};

class Metaspace : public PreTokenizer {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(replacement),
        scheme_(scheme),
        splitter_(split ? split_by_string(replacement, {SplitBehavior::kMergedWithNext})
                        : nullptr) {}

  void split(std::string_view text, bool first, TextArena& arena, Spans& out) const override {
    const bool may_prepend =
        scheme_ == PrependScheme::kAlways || (scheme_ == PrependScheme::kFirst && first);
    std::string& changed = arena.emplace_back();
    changed.reserve(text.size() + text.size() / 4 + replacement_.size());
    const bool begins = text.starts_with(' ') || text.starts_with(replacement_);
    if (may_prepend && !begins) changed = replacement_;
    for (const char c : text) {
      if (c == ' ') {
        changed += replacement_;
      } else {
        changed += c;
      }
    }
    if (splitter_) {
      splitter_->split(changed, first, arena, out);
    } else if (!changed.empty()) {
      out.push_back(changed);
    }
  }

 private:
  std::string replacement_;
  PrependScheme scheme_;
  std::unique_ptr<PreTokenizer> splitter_;
};

class PrependSpace : public PreTokenizer {
 public:
  void split(std::string_view text, bool, TextArena& arena, Spans& out) const override {
    if (text.starts_with(' ')) return out.push_back(text);
    out.push_back(arena.emplace_back(" " + std::string(text)));
  }
};

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(size_t length) : length_(length) {}
  void split(std::string_view text, bool, TextArena&, Spans& out) const override {
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      for (size_t n = 0; n < length_ && at < text.size(); ++n) next_code_point(text, at);
      out.push_back(part(text, begin, at));
    }
  }

 private:
  size_t length_;
};

class StandInText : public PreTokenizer {
 public:
  void split(std::string_view text, bool, TextArena& arena, Spans& out) const override {
    out.push_back(arena.emplace_back(stand_ins_from_bytes(text)));
  }
};

}  // namespace

std::unique_ptr<PreTokenizer> stand_in_text() { return std::make_unique<StandInText>(); }

std::unique_ptr<PreTokenizer> split_by_regex(const std::string& pattern,
                                             SplitRule rule,
                                             std::string_view where) {
  const Scanner scanner = scanner_for(pattern);
  if (scanner != nullptr && rule.behavior == SplitBehavior::kIsolated) {
    return std::make_unique<ScannerSplit>(scanner);
  }
  return split_by_pcre(pattern, rule, where);
}

std::unique_ptr<PreTokenizer> split_by_pcre(const std::string& pattern,
                                            SplitRule rule,
                                            std::string_view where) {
  return std::make_unique<RegexSplit>(pattern, rule, where);
}

std::unique_ptr<PreTokenizer> split_by_string(std::string needle, SplitRule rule) {
  return std::make_unique<StringSplit>(std::move(needle), rule);
}

std::unique_ptr<PreTokenizer> split_by_class(CharClass characters, SplitRule rule) {
  if (characters == CharClass::kNumber && !rule.invert) {
    using enum SplitBehavior;
    if (rule.behavior == kIsolated) return std::make_unique<ScannerSplit>(scanner_for("\\p{N}"));
    if (rule.behavior == kContiguous) return std::make_unique<ScannerSplit>(scanner_for("\\p{N}+"));
  }
  return std::make_unique<ClassSplit>(characters, rule);
}

std::unique_ptr<PreTokenizer> split_words() { return std::make_unique<WordSplit>(); }

std::unique_ptr<PreTokenizer> metaspace(std::string replacement, PrependScheme scheme, bool split) {
  return std::make_unique<Metaspace>(std::move(replacement), scheme, split);
}

std::unique_ptr<PreTokenizer> prepend_space() { return std::make_unique<PrependSpace>(); }

std::unique_ptr<PreTokenizer> fixed_length(size_t code_points) {
  return std::make_unique<FixedLength>(code_points);
}

}  // namespace keju
