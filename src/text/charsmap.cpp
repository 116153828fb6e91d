// SPDX-License-Identifier: MIT
#include "text/charsmap.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "text/hash.h"

namespace keju {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

// The fields of a double-array unit.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t label(uint32_t unit) { return unit & (1u << 31 | 0xFFu); }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
uint32_t value(uint32_t unit) { return unit & ((1u << 31) - 1); }

bool inside_character(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80;
}

class SpmStep : public Normalizer {
 public:
  SpmStep(CharsMap map, SpmNormalizerOptions options, std::shared_ptr<const PieceSet> pieces)
      : map_(std::move(map)), options_(options), pieces_(std::move(pieces)) {
    for (size_t byte = 0; byte < plain_.size(); ++byte) {
      const char text = static_cast<char>(byte);
      plain_[byte] = text != ' ' && !pieces_->starts_user_defined(text) && !map_.starts(text);
    }
    // A run of plain bytes must end between characters.
    if (!std::all_of(plain_.begin() + 0x80, plain_.begin() + 0xC0, [](bool p) { return p; }))
      plain_.fill(false);
  }

  std::string_view apply(std::string_view text, std::string& buffer) const override {
    const std::string_view space = options_.escape_whitespaces ? kSpaceSymbol : " ";
    buffer.clear();
    while (options_.remove_extra_whitespaces && !text.empty()) {
      const CharsMap::Rule head = next(text);
      if (head.by != " ") break;
      text.remove_prefix(head.size);
    }
    if (text.empty()) return buffer;
    const bool dummy = options_.add_dummy_prefix;
    if (dummy && !options_.whitespace_as_suffix) buffer += space;
    bool after_space = options_.remove_extra_whitespaces;
    while (!text.empty()) {
      if (const size_t size = plain_run(text); size > 0) {
        buffer += text.substr(0, size);
        text.remove_prefix(size);
        after_space = false;
        continue;
      }
      const CharsMap::Rule rule = next(text);
      std::string_view by = rule.by;
      while (after_space && by.starts_with(' ')) by.remove_prefix(1);
      for (const char c : by) {
        if (c == ' ') {
          buffer += space;
        } else {
          buffer += c;
        }
      }
      if (!by.empty()) after_space = by.ends_with(' ');
      after_space = after_space && options_.remove_extra_whitespaces;
      text.remove_prefix(rule.size);
    }
    while (options_.remove_extra_whitespaces && buffer.ends_with(space)) {
      buffer.resize(buffer.size() - space.size());
    }
    if (dummy && options_.whitespace_as_suffix) buffer += space;
    return buffer;
  }

 private:
  // Bytes in front that no rule, user-defined piece or space begins in: they stay as they are.
  size_t plain_run(std::string_view text) const {
    size_t size = 0;
    while (size < text.size() && plain_[static_cast<uint8_t>(text[size])]) ++size;
    return size;
  }

  CharsMap::Rule next(std::string_view text) const {
    if (const size_t size = pieces_->user_defined_prefix(text); size > 0) {
      return {size, text.substr(0, size)};
    }
    if (const CharsMap::Rule rule = map_.longest(text); rule.size > 0) return rule;
    size_t at = 0;
    next_code_point(text, at);
    return {at, text.substr(0, at)};
  }

  CharsMap map_;
  SpmNormalizerOptions options_;
  std::shared_ptr<const PieceSet> pieces_;
  std::array<bool, 256> plain_{};  // by byte
};

class PrecompiledStep : public Normalizer {
 public:
  explicit PrecompiledStep(CharsMap map) : map_(std::move(map)) {}

  std::string_view apply(std::string_view text, std::string& buffer) const override {
    if (map_.empty()) return text;
    buffer.clear();
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = grapheme_end(text, begin);
      append_grapheme(text.substr(begin, end - begin), buffer);
      begin = end;
    }
    return buffer;
  }

 private:
  static size_t grapheme_end(std::string_view text, size_t begin) {
    size_t at = begin;
    utf8proc_int32_t state = 0;
    auto left = static_cast<utf8proc_int32_t>(next_code_point(text, at));
    while (at < text.size()) {
      size_t after = at;
      const auto right = static_cast<utf8proc_int32_t>(next_code_point(text, after));
      if (utf8proc_grapheme_break_stateful(left, right, &state)) break;
      left = right;
      at = after;
    }
    return at;
  }

  void append_grapheme(std::string_view grapheme, std::string& out) const {
    constexpr size_t kLongestWhole = 5;
    if (grapheme.size() <= kLongestWhole) {
      if (const CharsMap::Rule rule = map_.shortest(grapheme); rule.size > 0) {
        out += rule.by;
        return;
      }
    }
    for (size_t at = 0; at < grapheme.size();) {
      const size_t begin = at;
      next_code_point(grapheme, at);
      const std::string_view character = grapheme.substr(begin, at - begin);
      const CharsMap::Rule rule = map_.shortest(character);
      out += rule.size > 0 ? rule.by : character;
    }
  }

  CharsMap map_;
};

}  // namespace

CharsMap::CharsMap(std::string_view blob, std::string_view where) {
  if (blob.empty()) return;
  const uint64_t bytes = blob.size() < 4 ? 0 : load32(blob.data());
  if (bytes == 0 || bytes % 4 != 0 || bytes > blob.size() - 4) {
    throw fail(Code::kInput,
               "{}: precompiled_charsmap: found a trie of {} bytes in {}, need one that fits",
               where,
               bytes,
               blob.size());
  }
  units_.resize(bytes / 4);
  std::memcpy(units_.data(), blob.data() + 4, bytes);
  replacements_ = blob.substr(4 + bytes);
  if (!valid_utf8(replacements_)) {
    throw fail(
        Code::kInput, "{}: precompiled_charsmap: found replacements that are not UTF-8", where);
  }
}

bool CharsMap::starts(char byte) const {
  if (units_.empty()) return false;
  const size_t node = offset(units_[0]) ^ static_cast<uint8_t>(byte);
  return node < units_.size() && label(units_[node]) == static_cast<uint8_t>(byte);
}

CharsMap::Rule CharsMap::find(std::string_view text, bool first) const {
  Rule rule;
  if (units_.empty()) return rule;
  size_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) break;
    const size_t at = value(units_[node]);
    if (at >= replacements_.size()) continue;
    const size_t end = std::min(replacements_.find('\0', at), replacements_.size());
    // Rules are about whole characters on both sides.
    if (inside_character(replacements_, at) || inside_character(text, i + 1)) continue;
    rule = {i + 1, std::string_view(replacements_).substr(at, end - at)};
    if (first) break;
  }
  return rule;
}

CharsMap::Rule CharsMap::longest(std::string_view text) const { return find(text, false); }
CharsMap::Rule CharsMap::shortest(std::string_view text) const { return find(text, true); }

std::unique_ptr<Normalizer> spm_normalizer(CharsMap map,
                                           SpmNormalizerOptions options,
                                           std::shared_ptr<const PieceSet> pieces) {
  return std::make_unique<SpmStep>(std::move(map), options, std::move(pieces));
}

std::unique_ptr<Normalizer> precompiled(CharsMap map) {
  return std::make_unique<PrecompiledStep>(std::move(map));
}

}  // namespace keju
