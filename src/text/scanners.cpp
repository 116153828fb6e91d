// SPDX-License-Identifier: MIT
#include "text/patterns.h"
#include "text/pretokenize.h"
#include "text/segments.h"
#include "text/unicode.h"

namespace keju {
namespace {

// Reads code points of valid UTF-8 and their classes. Past the end the class is 0 and the code 0.
class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {
    next();
  }
  bool done() const { return begin_ == end_; }
  const char* begin() const { return begin_; }  // of the current code point
  const char* after() const { return at_; }
  char32_t code() const { return code_; }
  uint8_t bits() const { return bits_; }
  bool is(uint8_t classes) const { return (bits_ & classes) != 0; }
  // Neither \s nor one of `classes`, and not the end.
  bool is_none(uint8_t classes) const { return !done() && (bits_ & classes) == 0; }
  bool newline() const { return code_ == '\n' || code_ == '\r'; }

  void next() {
    begin_ = at_;
    if (at_ == end_) {
      code_ = 0;
      bits_ = 0;
      return;
    }
    code_ = next_valid(at_);
    bits_ = code_ >= 0x4E00 && code_ < 0x9FFD ? uint8_t{kLetter} : table_.bits(code_);
  }
  void skip(uint8_t classes) {
    while (is(classes)) next();
  }
  void move_to(const char* at) {
    at_ = at;
    next();
  }

 private:
  const UnicodeTable& table_ = UnicodeTable::get();
  const char* at_;
  const char* begin_ = nullptr;
  const char* end_;
  char32_t code_ = 0;
  uint8_t bits_ = 0;
};

// The bytes of an English contraction ('s 't 're 've 'm 'll 'd) at `text`, or 0. Folded: in either
// case, where the long s (U+017F) folds to s.
size_t contraction(std::string_view text, bool fold) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto lower = [fold](char c) {
    return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  const char first = lower(text[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (fold && text.substr(1).starts_with("\xC5\xBF")) return 3;
  if (text.size() < 3) return 0;
  const char second = lower(text[2]);
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  return first == 'l' && second == 'l' ? 3 : 0;
}

// Emits the parts of one text.
class Emitter {
 public:
  Emitter(std::string_view text, Spans& out) : end_(text.data() + text.size()), out_(out) {}
  void emit(const char* begin, const char* end) {
    out_.emplace_back(begin, static_cast<size_t>(end - begin));
  }
  std::string_view rest(const char* at) const { return {at, static_cast<size_t>(end_ - at)}; }

 private:
  const char* end_;
  Spans& out_;
};

// \s+(?!\S)|\s+ at a whitespace character; with `newlines`, \s*[\r\n]+ before it.
void scan_space(Reader& reader, Emitter& emitter, bool newlines) {
  const char* const begin = reader.begin();
  const char* last = begin;             // where the last whitespace character begins
  const char* after_newline = nullptr;  // behind the last line break of the run
  while (reader.is(kSpace)) {
    last = reader.begin();
    if (reader.newline()) after_newline = reader.after();
    reader.next();
  }
  const char* end = reader.begin();
  if (newlines && after_newline != nullptr) {
    end = after_newline;
  } else if (!reader.done() && last != begin) {
    end = last;
  }
  if (end != reader.begin()) reader.move_to(end);
  emitter.emit(begin, end);
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
void scan_gpt2(std::string_view text, Spans& out) {
  Reader reader(text);
  Emitter emitter(text, out);
  while (!reader.done()) {
    const char* const begin = reader.begin();
    if (reader.code() == '\'') {
      if (const size_t size = contraction(emitter.rest(begin), false); size > 0) {
        reader.move_to(begin + size);
        emitter.emit(begin, begin + size);
        continue;
      }
    }
    if (reader.code() == ' ') reader.next();
    if (reader.is(kLetter)) {
      reader.skip(kLetter);
    } else if (reader.is(kNumber)) {
      reader.skip(kNumber);
    } else if (reader.is_none(kSpace)) {
      while (reader.is_none(kSpace | kLetter | kNumber)) reader.next();
    } else {
      reader.move_to(begin);
      scan_space(reader, emitter, false);
      continue;
    }
    emitter.emit(begin, reader.begin());
  }
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?LETTERS+|\p{N}{1,DIGITS}| ?[^\s
// LETTERS\p{N}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+ where LETTERS is \p{L}, or \p{L} and \p{M}.
template <int kDigits, uint8_t kLetters>
void scan_cl100k(std::string_view text, Spans& out) {
  constexpr uint8_t kNotOther = kSpace | kLetters | kNumber;
  Reader reader(text);
  Emitter emitter(text, out);
  while (!reader.done()) {
    const char* const begin = reader.begin();
    if (reader.code() == '\'') {
      if (const size_t size = contraction(emitter.rest(begin), true); size > 0) {
        reader.move_to(begin + size);
        emitter.emit(begin, begin + size);
        continue;
      }
    }
    if (reader.is(kNumber)) {
      for (int n = 0; reader.is(kNumber) && n < kDigits; ++n) reader.next();
    } else {
      const bool other = !reader.is(kNotOther);
      const bool blank = reader.code() == ' ';
      if (!reader.is(kLetters) && !reader.newline()) reader.next();
      if (reader.is(kLetters)) {
        reader.skip(kLetters);
      } else if (other || (blank && reader.is_none(kNotOther))) {
        while (reader.is_none(kNotOther)) reader.next();
        while (reader.newline()) reader.next();
      } else {
        reader.move_to(begin);
        scan_space(reader, emitter, true);
        continue;
      }
    }
    emitter.emit(begin, reader.begin());
  }
}

// [^\r\n\p{L}\p{N}]?U*L+C?|[^\r\n\p{L}\p{N}]?U+L*C?|\p{N}{1,DIGITS}| ?[^\s\p{L}\p{N}]+[\r\n/]*
// |\s*[\r\n]+|\s+(?!\S)|\s+ with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], L = [\p{Ll}\p{Lm}\p{Lo}\p{M}]
// and C the contractions where kContractions, nothing where not (o200k and Tekken).
bool in_upper(const Reader& r) { return r.is(kLetter | kMark) && !r.is(kLower); }
bool in_lower(const Reader& r) { return r.is(kLetter | kMark) && !r.is(kUpper); }

// U*L+ from the reader's place; false with the reader unmoved if it does not fit.
bool scan_to_lower(Reader& reader) {
  const char* const begin = reader.begin();
  const char* last_both = nullptr;  // the last character of the U run that is in L too
  while (in_upper(reader)) {
    if (in_lower(reader)) last_both = reader.begin();
    reader.next();
  }
  if (!in_lower(reader)) {
    reader.move_to(last_both != nullptr ? last_both : begin);  // U* gives back until L+ can begin
    if (last_both == nullptr) return false;
  }
  while (in_lower(reader)) reader.next();
  return true;
}

// U+L* from the reader's place; false with the reader unmoved if it does not fit.
bool scan_from_upper(Reader& reader) {
  if (!in_upper(reader)) return false;
  while (in_upper(reader)) reader.next();
  while (in_lower(reader)) reader.next();
  return true;
}

// One word with its optional leading character; false with the reader unmoved if there is none.
bool scan_cased_word(Reader& reader) {
  const char* const begin = reader.begin();
  const bool may_lead = !reader.is(kLetter | kNumber) && !reader.newline();
  for (const auto scan : {scan_to_lower, scan_from_upper}) {
    if (may_lead) {
      reader.next();
      if (scan(reader)) return true;
      reader.move_to(begin);
    }
    if (scan(reader)) return true;
  }
  return false;
}

template <int kDigits, bool kContractions>
void scan_o200k(std::string_view text, Spans& out) {
  constexpr uint8_t kNotOther = kSpace | kLetter | kNumber;
  Reader reader(text);
  Emitter emitter(text, out);
  while (!reader.done()) {
    const char* const begin = reader.begin();
    if (reader.is(kNumber)) {
      for (int n = 0; reader.is(kNumber) && n < kDigits; ++n) reader.next();
    } else if (scan_cased_word(reader)) {
      const size_t size = kContractions ? contraction(emitter.rest(reader.begin()), true) : 0;
      if (size > 0) reader.move_to(reader.begin() + size);
    } else {
      if (reader.code() == ' ') reader.next();
      if (!reader.is_none(kNotOther)) {
        reader.move_to(begin);
        scan_space(reader, emitter, true);
        continue;
      }
      while (reader.is_none(kNotOther)) reader.next();
      while (reader.newline() || reader.code() == '/') reader.next();
    }
    emitter.emit(begin, reader.begin());
  }
}

// The third pattern of DeepSeek-V3:
// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+ ; what no alternative matches stays together.
bool ascii_letter(char32_t code) {
  return (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
}

// One match at the reader's place, emitted; false with the reader unmoved if there is none.
bool scan_deepseek_match(Reader& reader, Emitter& emitter) {
  const char* const begin = reader.begin();
  const bool marked = reader.is(kPunct | kSymbol);
  if (marked && reader.code() < 0x80) {
    reader.next();
    if (ascii_letter(reader.code())) {
      while (ascii_letter(reader.code())) reader.next();
      emitter.emit(begin, reader.begin());
      return true;
    }
    reader.move_to(begin);
  }
  if (!reader.is(kLetter | kPunct | kSymbol) && !reader.newline()) {
    reader.next();
    if (!reader.is(kLetter | kMark)) reader.move_to(begin);
  }
  if (reader.is(kLetter | kMark)) {
    reader.skip(kLetter | kMark);
    emitter.emit(begin, reader.begin());
    return true;
  }
  if (reader.code() == ' ') reader.next();
  if (reader.is(kPunct | kSymbol)) {
    reader.skip(kPunct | kSymbol);
    while (reader.newline()) reader.next();
    emitter.emit(begin, reader.begin());
    return true;
  }
  reader.move_to(begin);
  if (!reader.is(kSpace)) return false;
  scan_space(reader, emitter, true);
  return true;
}

void scan_deepseek(std::string_view text, Spans& out) {
  Reader reader(text);
  Emitter emitter(text, out);
  while (!reader.done()) {
    if (scan_deepseek_match(reader, emitter)) continue;
    // Numbers, controls and unassigned characters. The character before a match may belong to it,
    // so every place is tried; the gap goes before the match.
    const char* const begin = reader.begin();
    Spans match;
    Emitter held(text, match);
    while (!reader.done() && !scan_deepseek_match(reader, held)) reader.next();
    const char* const end = match.empty() ? reader.begin() : match.front().data();
    emitter.emit(begin, end);
    out.insert(out.end(), match.begin(), match.end());
  }
}

// Runs of characters for which `inside` holds, cut every kMost characters; the rest between them.
template <typename Inside>
void scan_runs(std::string_view text, Spans& out, int most, const Inside& inside) {
  Reader reader(text);
  Emitter emitter(text, out);
  while (!reader.done()) {
    const char* const begin = reader.begin();
    if (inside(reader)) {
      for (int n = 0; n != most && !reader.done() && inside(reader); ++n) reader.next();
    } else {
      while (!reader.done() && !inside(reader)) reader.next();
    }
    emitter.emit(begin, reader.begin());
  }
}

bool in_number(const Reader& reader) { return reader.is(kNumber); }
bool in_cjk(const Reader& reader) {
  const char32_t code = reader.code();
  return (code >= 0x4E00 && code <= 0x9FA5) || (code >= 0x3040 && code <= 0x30FF);
}

void scan_digit(std::string_view text, Spans& out) { scan_runs(text, out, 1, in_number); }
void scan_three_digits(std::string_view text, Spans& out) { scan_runs(text, out, 3, in_number); }
void scan_digit_run(std::string_view text, Spans& out) { scan_runs(text, out, -1, in_number); }
void scan_cjk(std::string_view text, Spans& out) { scan_runs(text, out, -1, in_cjk); }

struct Known {
  std::string_view pattern;
  Scanner scanner;
};

constexpr Known kKnown[] = {
    {kGpt2Pattern, scan_gpt2},
    {kLlama3Pattern, scan_cl100k<3, kLetter>},
    {kQwen2Pattern, scan_cl100k<1, kLetter>},
    {kMarksPattern, scan_cl100k<1, kLetter | kMark>},
    {kO200kPattern, scan_o200k<3, true>},
    {kTekkenPattern, scan_o200k<1, false>},
    {kDeepSeekPattern, scan_deepseek},
    {"\\p{N}", scan_digit},
    {"\\p{N}{1,3}", scan_three_digits},
    {"\\p{N}+", scan_digit_run},
    {kCjkPattern, scan_cjk},
};

}  // namespace

Scanner scanner_for(std::string_view pattern) {
  for (const Known& known : kKnown) {
    if (known.pattern == pattern) return known.scanner;
  }
  return nullptr;
}

}  // namespace keju
