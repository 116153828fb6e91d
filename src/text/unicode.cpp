// SPDX-License-Identifier: MIT
#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "text/unicode_data.h"

namespace keju {
namespace {

constexpr char32_t kLimit = 0x110000;

uint8_t class_bits(Category category) {
  using enum Category;
  if (category == kLu || category == kLt) return kLetter | kUpper;
  if (category == kLl) return kLetter | kLower;
  if (category == kLm || category == kLo) return kLetter;
  if (category >= kMn && category <= kMe) return kMark;
  if (category >= kNd && category <= kNo) return kNumber;
  if (category >= kPc && category <= kPo) return kPunct;
  if (category >= kSm && category <= kSo) return kSymbol;
  if (category >= kZs && category <= kZp) return kSpace;
  return category == kControlSpace ? kSpace : 0;
}

}  // namespace

UnicodeTable::UnicodeTable() {
  for (size_t i = 0; i <= static_cast<size_t>(Category::kControlSpace); ++i) {
    bits_of_[i] = class_bits(static_cast<Category>(i));
  }
  std::unordered_map<std::string, uint32_t> blocks;
  std::string block(256, '\0');
  size_t row = 0;
  for (char32_t code = 0; code < kLimit; ++code) {
    while (row + 1 < kCategoryRangesSize && kCategoryRanges[row + 1] >> 5 <= code) ++row;
    block[code & 0xFF] = static_cast<char>(kCategoryRanges[row] & 31);
    if ((code & 0xFF) != 0xFF) continue;
    const auto [found, added] = blocks.try_emplace(block, static_cast<uint32_t>(low_.size()));
    if (added) low_.insert(low_.end(), block.begin(), block.end());
    high_[code >> 8] = found->second;
  }
  for (size_t i = 0; i < kNotNfcRangesSize; ++i) {
    if ((kNotNfcRanges[i] & 1) == 0) continue;
    const char32_t end = i + 1 < kNotNfcRangesSize ? kNotNfcRanges[i + 1] >> 5 : kLimit;
    for (char32_t code = kNotNfcRanges[i] >> 5; code < end; ++code) {
      nfc_[code >> 6] |= uint64_t{1} << (code & 63);
    }
  }
}

const UnicodeTable& UnicodeTable::get() {
  static const UnicodeTable table;
  return table;
}

bool is_word(char32_t code) {
  using enum Category;
  const Category category = UnicodeTable::get().category(code);
  if (category >= kLu && category <= kNl) return true;
  if (category == kPc || code == 0x200C || code == 0x200D) return true;
  // Other_Alphabetic outside the categories above: circled and squared Latin letters.
  return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
         (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
}

bool is_unicode8_punctuation(char32_t code) {
  // Punctuation that came after Unicode 8 (found with tokenizers 0.23.3, as for normalization).
  constexpr char32_t kLater[][2] = {
      // clang-format off
      {0x61D, 0x61D}, {0x9FD, 0x9FD}, {0xA76, 0xA76}, {0xC77, 0xC77}, {0xC84, 0xC84},
      {0x1B4E, 0x1B4F}, {0x1B7D, 0x1B7F}, {0x2E43, 0x2E4F}, {0x2E52, 0x2E5D}, {0x10D6E, 0x10D6E},
      {0x10EAD, 0x10EAD}, {0x10F55, 0x10F59}, {0x10F86, 0x10F89}, {0x113D4, 0x113D5},
      {0x113D7, 0x113D8}, {0x1144B, 0x1144F}, {0x1145A, 0x1145B}, {0x1145D, 0x1145D},
      {0x11660, 0x1166C}, {0x116B9, 0x116B9}, {0x1183B, 0x1183B}, {0x11944, 0x11946},
      {0x119E2, 0x119E2}, {0x11A3F, 0x11A46}, {0x11A9A, 0x11A9C}, {0x11A9E, 0x11AA2},
      {0x11B00, 0x11B09}, {0x11BE1, 0x11BE1}, {0x11C41, 0x11C45}, {0x11C70, 0x11C71},
      {0x11EF7, 0x11EF8}, {0x11F43, 0x11F4F}, {0x11FFF, 0x11FFF}, {0x12FF1, 0x12FF2},
      {0x16D6D, 0x16D6F}, {0x16E97, 0x16E9A}, {0x16FE2, 0x16FE2}, {0x1E5FF, 0x1E5FF},
      {0x1E95E, 0x1E95F},
      // clang-format on
  };
  if (code == 0x166D || code == 0x111C9) return true;  // punctuation then, not any more
  if ((UnicodeTable::get().bits(code) & kPunct) == 0) return false;
  return std::none_of(std::begin(kLater), std::end(kLater), [code](const char32_t(&range)[2]) {
    return code >= range[0] && code <= range[1];
  });
}

int to_lower(char32_t code, std::array<char32_t, 2>& out) {
  if (code == 0x130) {
    out = {U'i', 0x307};
    return 2;
  }
  struct Pair {
    char32_t upper, lower;
  };
  // Pairs of Unicode 16 and 17 that utf8proc 2.8 (Unicode 15) does not have yet.
  constexpr Pair kNew[] = {{0x1C89, 0x1C8A},
                           {0xA7CB, 0x264},
                           {0xA7CC, 0xA7CD},
                           {0xA7CE, 0xA7CF},
                           {0xA7D2, 0xA7D3},
                           {0xA7D4, 0xA7D5},
                           {0xA7DA, 0xA7DB},
                           {0xA7DC, 0x19B}};
  out[0] = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code)));
  if (out[0] == code && code >= 0x1C89) {
    const auto* pair = std::find_if(std::begin(kNew), std::end(kNew), [code](const Pair& entry) {
      return entry.upper == code;
    });
    if (pair != std::end(kNew)) out[0] = pair->lower;
    if (code >= 0x10D50 && code <= 0x10D65) out[0] = code + 0x20;
    if (code >= 0x16EA0 && code <= 0x16EB8) out[0] = code + 0x1B;
  }
  return 1;
}

}  // namespace keju
