// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace keju {

// General categories of Unicode 16.0, in the order of the generated table. kControlSpace is the
// part of Cc that is White_Space (tab to carriage return, next line).
enum class Category : uint8_t {
  kCn,
  kLu,
  kLl,
  kLt,
  kLm,
  kLo,
  kMn,
  kMc,
  kMe,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPs,  // clang-format off
  kPe, kPi, kPf, kPo, kSm, kSc, kSk, kSo, kZs, kZl, kZp, kCc, kCf, kCs, kCo, kControlSpace,
};  // clang-format on

// What the pre-tokenizers' patterns ask about a code point.
enum ClassBits : uint8_t {
  kLetter = 1,   // \p{L}
  kNumber = 2,   // \p{N}
  kMark = 4,     // \p{M}
  kPunct = 8,    // \p{P}
  kSymbol = 16,  // \p{S}
  kSpace = 32,   // \s, the White_Space property
  kUpper = 64,   // \p{Lu} or \p{Lt}
  kLower = 128,  // \p{Ll}
};

// Two-level tables over all code points, filled once from the generated ranges.
class UnicodeTable {
 public:
  static const UnicodeTable& get();

  Category category(char32_t code) const {
    return code < 0x110000 ? static_cast<Category>(low_[high_[code >> 8] + (code & 0xFF)])
                           : Category::kCn;
  }
  uint8_t bits(char32_t code) const { return bits_of_[static_cast<size_t>(category(code))]; }
  // Whether the code point has combining class 0 and NFC neither changes it nor joins it to what
  // stands before it: text may be cut in front of it and the parts normalized apart.
  bool nfc_inert(char32_t code) const { return (nfc_[code >> 6] >> (code & 63) & 1) == 0; }

 private:
  UnicodeTable();
  std::array<uint32_t, 0x1100> high_{};
  std::vector<uint8_t> low_;
  std::array<uint8_t, 32> bits_of_{};
  std::array<uint64_t, 0x110000 / 64> nfc_{};
};

// \w of Rust's regex crate: Alphabetic, marks, decimal digits, connectors and the joiners.
bool is_word(char32_t code);

// \p{P} of Unicode 8, which is what Hugging Face's Punctuation step goes by.
bool is_unicode8_punctuation(char32_t code);

// Rust's char::to_lowercase for one code point: one or two code points; returns their number.
int to_lower(char32_t code, std::array<char32_t, 2>& out);

}  // namespace keju
