// SPDX-License-Identifier: MIT
#include "text/normalize.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/utf8.h"
#include "text/pretokenize.h"
#include "text/segments.h"
#include "text/unicode.h"

namespace keju {
namespace {

// clang-format off
// Characters that have a decomposition or combining class in Unicode 16 and that tables of
// Unicode 9 do not know (and marks added since): found by normalizing every code point with
// tokenizers 0.23.3, whose normalizers are built on such tables.
constexpr char32_t kAfterUnicode9[][2] = {
    {0x7FD, 0x7FD}, {0x897, 0x89F}, {0x8CA, 0x8D3}, {0x9FE, 0x9FE}, {0xAFA, 0xAFF}, {0xB55, 0xB55},
    {0xC04, 0xC04}, {0xC3C, 0xC3C}, {0xCF3, 0xCF3}, {0xD00, 0xD00}, {0xD3B, 0xD3C}, {0xD81, 0xD81},
    {0xEBA, 0xEBA}, {0xECE, 0xECE}, {0x1715, 0x1715}, {0x180F, 0x180F}, {0x1ABF, 0x1ACE},
    {0x1CF7, 0x1CF7}, {0x1DF6, 0x1DFA}, {0x32FF, 0x32FF}, {0xA7F2, 0xA7F4}, {0xA82C, 0xA82C},
    {0xA8FF, 0xA8FF}, {0xAB69, 0xAB69}, {0x105C9, 0x105C9}, {0x105E4, 0x105E4}, {0x10781, 0x10785},
    {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D},
    {0x10EAB, 0x10EAC}, {0x10EFC, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x11073, 0x11074}, {0x110C2, 0x110C2}, {0x11145, 0x11146},
    {0x111C9, 0x111C9}, {0x111CE, 0x111CF}, {0x11241, 0x11241}, {0x1133B, 0x1133B},
    {0x11383, 0x11383}, {0x11385, 0x11385}, {0x1138E, 0x1138E}, {0x11391, 0x11391},
    {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA},
    {0x113CC, 0x113D0}, {0x113D2, 0x113D2}, {0x113E1, 0x113E2}, {0x1145E, 0x1145E},
    {0x1182C, 0x1183A}, {0x11930, 0x11935}, {0x11937, 0x11938}, {0x1193B, 0x1193E},
    {0x11940, 0x11940}, {0x11942, 0x11943}, {0x119D1, 0x119D7}, {0x119DA, 0x119E0},
    {0x119E4, 0x119E4}, {0x11A01, 0x11A0A}, {0x11A33, 0x11A39}, {0x11A3B, 0x11A3E},
    {0x11A47, 0x11A47}, {0x11A51, 0x11A5B}, {0x11A8A, 0x11A99}, {0x11D31, 0x11D36},
    {0x11D3A, 0x11D3A}, {0x11D3C, 0x11D3D}, {0x11D3F, 0x11D45}, {0x11D47, 0x11D47},
    {0x11D8A, 0x11D8E}, {0x11D90, 0x11D91}, {0x11D93, 0x11D97}, {0x11EF3, 0x11EF6},
    {0x11F00, 0x11F01}, {0x11F03, 0x11F03}, {0x11F34, 0x11F3A}, {0x11F3E, 0x11F42},
    {0x11F5A, 0x11F5A}, {0x13440, 0x13440}, {0x13447, 0x13455}, {0x1611E, 0x1612F},
    {0x16D68, 0x16D6A}, {0x16F4F, 0x16F4F}, {0x16F7F, 0x16F87}, {0x16FE4, 0x16FE4},
    {0x16FF0, 0x16FF1}, {0x1CCD6, 0x1CCF9}, {0x1CF00, 0x1CF2D}, {0x1CF30, 0x1CF46},
    {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}, {0x1F16C, 0x1F16C},
    {0x1FBF0, 0x1FBF9},
};
// clang-format on

bool after_unicode9(char32_t code) {
  if (code < kAfterUnicode9[0][0]) return false;
  const auto* at =
      std::lower_bound(std::begin(kAfterUnicode9),
                       std::end(kAfterUnicode9),
                       code,
                       [](const char32_t(&range)[2], char32_t c) { return range[1] < c; });
  return at != std::end(kAfterUnicode9) && code >= (*at)[0];
}

utf8proc_option_t options_of(NormalForm form) {
  int options = UTF8PROC_STABLE;
  options |=
      form == NormalForm::kNfc || form == NormalForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

struct Free {
  void operator()(utf8proc_uint8_t* text) const { std::free(text); }
};

void append_normal(std::string_view text, NormalForm form, std::string& out) {
  if (text.empty()) return;
  utf8proc_uint8_t* raw = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()),
                                 &raw,
                                 options_of(form));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(raw);
  KEJU_CHECK(size >= 0, "normalization of valid UTF-8 failed");
  out.append(reinterpret_cast<const char*>(raw), static_cast<size_t>(size));
}

class FormStep : public Normalizer {
 public:
  FormStep(NormalForm form, NormalTables tables) : form_(form), tables_(tables) {}

  std::string_view apply(std::string_view text, std::string& buffer) const override {
    return form_ == NormalForm::kNfc ? compose(text, buffer) : whole(text, buffer);
  }

 private:
  bool unknown(char32_t code) const {
    return tables_ == NormalTables::kUnicode9 && after_unicode9(code);
  }

  // Normalizes only from the character before each one that NFC may change to the next that it
  // cannot touch: a text that is NFC already, the usual case, is only looked at.
  std::string_view compose(std::string_view text, std::string& buffer) const {
    const UnicodeTable& table = UnicodeTable::get();
    const char* const end = text.data() + text.size();
    const char* done = text.data();
    const char* before = text.data();  // the last inert character
    bool changed = false;
    for (const char* at = text.data(); at < end;) {
      while (at < end && static_cast<uint8_t>(*at) < 0x80) before = at++;
      if (at == end) break;
      const char* const here = at;
      const char32_t code = next_valid(at);
      if (code < 0x300 || (code >= 0x3400 && code < 0xA000) || table.nfc_inert(code)) {
        before = here;
        continue;
      }
      if (!changed) buffer.clear();
      changed = true;
      while (at < end) {
        const char* next = at;
        if (table.nfc_inert(next_valid(next))) break;
        at = next;
      }
      before = std::max(before, done);
      buffer.append(done, static_cast<size_t>(before - done));
      append_pieces({before, static_cast<size_t>(at - before)}, buffer);
      done = before = at;
    }
    if (!changed) return text;
    buffer.append(done, static_cast<size_t>(end - done));
    return buffer;
  }

  std::string_view whole(std::string_view text, std::string& buffer) const {
    if (std::all_of(
            text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; })) {
      return text;
    }
    buffer.clear();
    append_pieces(text, buffer);
    return buffer;
  }

  // Characters that the tables do not know stand as walls between parts.
  void append_pieces(std::string_view text, std::string& buffer) const {
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t here = at;
      if (!unknown(next_code_point(text, at))) continue;
      append_normal(text.substr(begin, here - begin), form_, buffer);
      buffer.append(text.substr(here, at - here));
      begin = at;
    }
    append_normal(text.substr(begin), form_, buffer);
  }

  NormalForm form_;
  NormalTables tables_;
};

class LowercaseStep : public Normalizer {
 public:
  std::string_view apply(std::string_view text, std::string& buffer) const override {
    buffer.clear();
    std::array<char32_t, 2> lower;
    for (size_t at = 0; at < text.size();) {
      const int count = to_lower(next_code_point(text, at), lower);
      for (int i = 0; i < count; ++i) append_utf8(buffer, lower[static_cast<size_t>(i)]);
    }
    return buffer;
  }
};

class PrependStep : public Normalizer {
 public:
  explicit PrependStep(std::string text) : text_(std::move(text)) {}
  std::string_view apply(std::string_view text, std::string& buffer) const override {
    if (text.empty()) return text;
    buffer.assign(text_).append(text);
    return buffer;
  }

 private:
  std::string text_;
};

class ReplaceStep : public Normalizer {
 public:
  ReplaceStep(std::string needle, std::string by)
      : needle_(std::move(needle)), by_(std::move(by)) {}
  std::string_view apply(std::string_view text, std::string& buffer) const override {
    size_t at = needle_.empty() ? text.npos : text.find(needle_);
    if (at == text.npos) return text;
    buffer.clear();
    size_t last = 0;
    for (; at != text.npos; at = text.find(needle_, last)) {
      buffer.append(text.substr(last, at - last)).append(by_);
      last = at + needle_.size();
    }
    buffer.append(text.substr(last));
    return buffer;
  }

 private:
  std::string needle_;
  std::string by_;
};

class ReplaceRegexStep : public Normalizer {
 public:
  ReplaceRegexStep(const std::string& pattern, std::string by, std::string_view where)
      : pieces_(split_by_pcre(pattern, {}, where)),
        kept_(split_by_pcre(pattern, {SplitBehavior::kRemoved}, where)),
        by_(std::move(by)) {}
  std::string_view apply(std::string_view text, std::string& buffer) const override {
    TextArena arena;
    Spans all;
    Spans kept;
    pieces_->split(text, true, arena, all);
    kept_->split(text, true, arena, kept);
    if (all.size() == kept.size()) return text;
    buffer.clear();
    size_t next = 0;
    for (const std::string_view piece : all) {
      const bool keep = next < kept.size() && kept[next].data() == piece.data();
      next += keep ? 1 : 0;
      buffer.append(keep ? piece : std::string_view(by_));
    }
    return buffer;
  }

 private:
  std::unique_ptr<PreTokenizer> pieces_;
  std::unique_ptr<PreTokenizer> kept_;
  std::string by_;
};

class StripStep : public Normalizer {
 public:
  explicit StripStep(StripSide side) : side_(side) {}
  std::string_view apply(std::string_view text, std::string&) const override {
    const UnicodeTable& table = UnicodeTable::get();
    while (side_ != StripSide::kRight && !text.empty()) {
      size_t at = 0;
      if ((table.bits(next_code_point(text, at)) & kSpace) == 0) break;
      text.remove_prefix(at);
    }
    while (side_ != StripSide::kLeft && !text.empty()) {
      size_t begin = text.size() - 1;
      while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
      size_t at = begin;
      if ((table.bits(next_code_point(text, at)) & kSpace) == 0) break;
      text.remove_suffix(text.size() - begin);
    }
    return text;
  }

 private:
  StripSide side_;
};

class StripAccentsStep : public Normalizer {
 public:
  std::string_view apply(std::string_view text, std::string& buffer) const override {
    buffer.clear();
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      const char32_t code = next_code_point(text, at);
      const bool mark = (UnicodeTable::get().bits(code) & kMark) != 0 && !after_unicode9(code);
      if (!mark) buffer.append(text.substr(begin, at - begin));
    }
    return buffer;
  }
};

}  // namespace

std::unique_ptr<Normalizer> normal_form(NormalForm form, NormalTables tables) {
  return std::make_unique<FormStep>(form, tables);
}

std::unique_ptr<Normalizer> lowercase() { return std::make_unique<LowercaseStep>(); }

std::unique_ptr<Normalizer> prepend(std::string text) {
  return std::make_unique<PrependStep>(std::move(text));
}

std::unique_ptr<Normalizer> replace(std::string needle, std::string by) {
  return std::make_unique<ReplaceStep>(std::move(needle), std::move(by));
}

std::unique_ptr<Normalizer> replace_regex(const std::string& pattern,
                                          std::string by,
                                          std::string_view where) {
  return std::make_unique<ReplaceRegexStep>(pattern, std::move(by), where);
}

std::unique_ptr<Normalizer> strip(StripSide side) { return std::make_unique<StripStep>(side); }

std::unique_ptr<Normalizer> strip_accents() { return std::make_unique<StripAccentsStep>(); }

}  // namespace keju
