// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keju {

// Patterns of well-known vocabularies, as their files spell them; each has a scanner.
inline constexpr std::string_view kGpt2Pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

inline constexpr std::string_view kLlama3Pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

inline constexpr std::string_view kQwen2Pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

inline constexpr std::string_view kMarksPattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
    "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

#define KEJU_WORD_HEAD "[^\\r\\n\\p{L}\\p{N}]?"
#define KEJU_UPPERS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define KEJU_LOWERS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define KEJU_TAIL "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

inline constexpr std::string_view kO200kPattern = KEJU_WORD_HEAD KEJU_UPPERS
    "*" KEJU_LOWERS "+" KEJU_TAIL "|" KEJU_WORD_HEAD KEJU_UPPERS "+" KEJU_LOWERS "*" KEJU_TAIL
    "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

inline constexpr std::string_view kTekkenPattern = KEJU_WORD_HEAD KEJU_UPPERS
    "*" KEJU_LOWERS
    "+"
    "|" KEJU_WORD_HEAD KEJU_UPPERS "+" KEJU_LOWERS
    "*"
    "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

inline constexpr std::string_view kDeepSeekPattern =
    "[!\"#$%&'()*+,\\-./"
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

#undef KEJU_WORD_HEAD
#undef KEJU_UPPERS
#undef KEJU_LOWERS
#undef KEJU_TAIL

inline constexpr std::string_view kCjkPattern = "[一-龥぀-ゟ゠-ヿ]+";

// How a GGUF file's tokenizer.ggml.pre cuts text before byte-level BPE.
struct GgufPre {
  std::string_view name;
  std::vector<std::string_view> patterns;  // applied one after the other, each match isolated
  bool ignore_merges = false;
  bool add_bos = false;  // where the file does not say
  bool nfc = false;      // the checkpoint's own tokenizer normalizes
};

// Null for a name that is not known.
const GgufPre* find_gguf_pre(std::string_view name);
std::vector<std::string> gguf_pre_names();

}  // namespace keju
