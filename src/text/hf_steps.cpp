// SPDX-License-Identifier: MIT
#include "text/hf_steps.h"

#include "base/error.h"
#include "text/charsmap.h"
#include "text/patterns.h"

namespace keju {
namespace {

bool flag(const Json& json, const char* key, bool otherwise, const std::string& where) {
  const auto at = json.find(key);
  if (at == json.end() || at->is_null()) return otherwise;
  if (!at->is_boolean()) {
    throw fail(Code::kInput, "{}: {}: found {}, need true or false", where, key, at->type_name());
  }
  return at->get<bool>();
}

const Json& list_member(const Json& json, const char* key, const std::string& where) {
  const Json& list = member(json, key, where);
  if (!list.is_array()) {
    throw fail(Code::kInput, "{}: {}: found {}, need an array", where, key, list.type_name());
  }
  return list;
}

size_t size_member(const Json& json, const char* key, const std::string& where) {
  const int64_t value = int_member(json, key, where);
  if (value < 0) throw fail(Code::kInput, "{}: {}: found {}, need 0 or more", where, key, value);
  return static_cast<size_t>(value);
}

struct Pattern {
  std::string text;
  bool regex = false;
};

Pattern pattern_member(const Json& json, const std::string& where) {
  const Json& pattern = member(json, "pattern", where);
  if (pattern.is_object() && pattern.contains("String")) {
    return {string_member(pattern, "String", where), false};
  }
  return {string_member(pattern, "Regex", where), true};
}

SplitBehavior behavior_of(const std::string& name, const std::string& where) {
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  throw fail(
      Code::kUnsupported,
      "{}: behavior: found \"{}\", need Isolated, Removed, Contiguous, MergedWithPrevious or "
      "MergedWithNext",
      where,
      name);
}

PrependScheme scheme_of(const Json& json, const std::string& where) {
  if (!json.contains("prepend_scheme")) {
    return flag(json, "add_prefix_space", true, where) ? PrependScheme::kAlways
                                                       : PrependScheme::kNever;
  }
  const std::string name = string_member(json, "prepend_scheme", where);
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  throw fail(Code::kUnsupported,
             "{}: prepend_scheme: found \"{}\", need always, first or never",
             where,
             name);
}

[[noreturn]] void refuse(const std::string& where,
                         const std::string& type,
                         std::string_view known) {
  throw fail(Code::kUnsupported, "{}: type: found \"{}\", need one of {}", where, type, known);
}

std::unique_ptr<Normalizer> normalizer_from(const Json& json,
                                            const std::string& type,
                                            const std::string& where) {
  const auto form = [](NormalForm f) { return normal_form(f, NormalTables::kUnicode9); };
  if (type == "NFC") return form(NormalForm::kNfc);
  if (type == "NFD") return form(NormalForm::kNfd);
  if (type == "NFKC") return form(NormalForm::kNfkc);
  if (type == "NFKD") return form(NormalForm::kNfkd);
  if (type == "Lowercase") return lowercase();
  if (type == "StripAccents") return strip_accents();
  if (type == "Prepend") return prepend(string_member(json, "prepend", where));
  if (type == "Replace") {
    const Pattern pattern = pattern_member(json, where);
    const std::string content = string_member(json, "content", where);
    return pattern.regex ? replace_regex(pattern.text, content, where)
                         : replace(pattern.text, content);
  }
  if (type == "Strip") {
    const bool left = flag(json, "strip_left", true, where);
    const bool right = flag(json, "strip_right", true, where);
    if (!left && !right) return nullptr;
    return strip(left && right ? StripSide::kBoth : left ? StripSide::kLeft : StripSide::kRight);
  }
  if (type == "Precompiled") {
    return precompiled(
        CharsMap(decode_base64(string_member(json, "precompiled_charsmap", where), where), where));
  }
  refuse(where,
         type,
         "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Prepend, Replace, Strip, Precompiled, "
         "Sequence");
}

std::unique_ptr<PreTokenizer> split_from(const Json& json, const std::string& where) {
  const Pattern pattern = pattern_member(json, where);
  const SplitRule rule{behavior_of(string_member(json, "behavior", where), where),
                       flag(json, "invert", false, where)};
  return pattern.regex ? split_by_regex(pattern.text, rule, where)
                       : split_by_string(pattern.text, rule);
}

std::unique_ptr<PreTokenizer> pre_tokenizer_from(const Json& json,
                                                 const std::string& type,
                                                 const std::string& where) {
  if (type == "Split") return split_from(json, where);
  if (type == "Digits") {
    const bool each = flag(json, "individual_digits", false, where);
    return split_by_class(CharClass::kNumber,
                          {each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous});
  }
  if (type == "Punctuation") {
    const std::string name =
        json.contains("behavior") ? string_member(json, "behavior", where) : "Isolated";
    return split_by_class(CharClass::kPunctuation, {behavior_of(name, where)});
  }
  if (type == "Whitespace") return split_words();
  if (type == "WhitespaceSplit") {
    return split_by_class(CharClass::kWhitespace, {SplitBehavior::kRemoved});
  }
  if (type == "CharDelimiterSplit") {
    return split_by_string(string_member(json, "delimiter", where), {SplitBehavior::kRemoved});
  }
  if (type == "FixedLength") return fixed_length(size_member(json, "length", where));
  if (type == "Metaspace") {
    return metaspace(string_member(json, "replacement", where),
                     scheme_of(json, where),
                     flag(json, "split", true, where));
  }
  refuse(where,
         type,
         "ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, "
         "FixedLength, Metaspace, BertPreTokenizer, Sequence");
}

std::unique_ptr<DecodeStep> decoder_from(const Json& json,
                                         const std::string& type,
                                         const std::string& where) {
  if (type == "ByteLevel") return decode_byte_level();
  if (type == "ByteFallback") return decode_byte_fallback();
  if (type == "Fuse") return decode_fuse();
  if (type == "Replace") {
    const Pattern pattern = pattern_member(json, where);
    if (pattern.regex) {
      throw fail(Code::kUnsupported, "{}: pattern: found a Regex, need a String", where);
    }
    return decode_replace(pattern.text, string_member(json, "content", where));
  }
  if (type == "Strip") {
    return decode_strip(string_member(json, "content", where),
                        size_member(json, "start", where),
                        size_member(json, "stop", where));
  }
  if (type == "Metaspace") {
    return decode_metaspace(string_member(json, "replacement", where),
                            scheme_of(json, where) != PrependScheme::kNever);
  }
  refuse(where, type, "ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, Sequence");
}

constexpr int kDeepest = 16;

void normalizers_at(const Json& json,
                    const std::string& where,
                    int depth,
                    std::vector<std::unique_ptr<Normalizer>>& out) {
  const std::string type = string_member(json, "type", where);
  if (type == "Sequence" && depth < kDeepest) {
    for (const Json& step : list_member(json, "normalizers", where)) {
      normalizers_at(step, where, depth + 1, out);
    }
    return;
  }
  if (auto step = normalizer_from(json, type, where)) out.push_back(std::move(step));
}

void pre_tokenizers_at(const Json& json,
                       const std::string& where,
                       int depth,
                       HfPreTokenizers& out) {
  const std::string type = string_member(json, "type", where);
  if (type == "Sequence" && depth < kDeepest) {
    for (const Json& step : list_member(json, "pretokenizers", where)) {
      pre_tokenizers_at(step, where, depth + 1, out);
    }
    return;
  }
  if ((out.stand_ins || out.byte_level) && type == "ByteLevel") {
    throw fail(Code::kUnsupported, "{}: found ByteLevel twice, need it once", where);
  }
  if (out.byte_level) {  // Falcon's steps look at what ByteLevel made of the text
    out.byte_level = false;
    out.stand_ins = true;
    out.steps.push_back(stand_in_text());
  }
  if (type == "ByteLevel") {
    out.byte_level = true;
    if (flag(json, "add_prefix_space", true, where)) out.steps.push_back(prepend_space());
    if (flag(json, "use_regex", true, where)) {
      out.steps.push_back(split_by_regex(std::string(kGpt2Pattern), {}, where));
    }
  } else if (type == "BertPreTokenizer") {
    out.steps.push_back(split_by_class(CharClass::kWhitespace, {SplitBehavior::kRemoved}));
    out.steps.push_back(split_by_class(CharClass::kPunctuation, {SplitBehavior::kIsolated}));
  } else {
    out.steps.push_back(pre_tokenizer_from(json, type, where));
  }
}

void decoders_at(const Json& json,
                 const std::string& where,
                 int depth,
                 std::vector<std::unique_ptr<DecodeStep>>& out) {
  const std::string type = string_member(json, "type", where);
  if (type == "Sequence" && depth < kDeepest) {
    for (const Json& step : list_member(json, "decoders", where)) {
      decoders_at(step, where, depth + 1, out);
    }
    return;
  }
  out.push_back(decoder_from(json, type, where));
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

void read_hf_normalizers(const Json& json,
                         const std::string& where,
                         std::vector<std::unique_ptr<Normalizer>>& out) {
  if (!json.is_null()) normalizers_at(json, where + ": normalizer", 0, out);
}

void read_hf_pre_tokenizers(const Json& json, const std::string& where, HfPreTokenizers& out) {
  if (!json.is_null()) pre_tokenizers_at(json, where + ": pre_tokenizer", 0, out);
}

void read_hf_decoders(const Json& json,
                      const std::string& where,
                      std::vector<std::unique_ptr<DecodeStep>>& out) {
  if (!json.is_null()) decoders_at(json, where + ": decoder", 0, out);
}

std::string decode_base64(std::string_view text, std::string_view where) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0)
      throw fail(Code::kInput,
                 "{}: base64: found byte {}, need A-Z a-z 0-9 + /",
                 where,
                 static_cast<int>(c));
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xFF);
  }
  if (text.size() % 4 == 1)
    throw fail(Code::kInput, "{}: base64: found a cut text of {} characters", where, text.size());
  return out;
}

}  // namespace keju
