// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// One normalization step on valid UTF-8. Threads: const, safe to share.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // Returns `text` itself where nothing changes; else a view of `buffer`, which the step fills.
  virtual std::string_view apply(std::string_view text, std::string& buffer) const = 0;
};

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// Which Unicode version's characters are known: Hugging Face tokenizers normalizes with tables of
// Unicode 9 (later characters pass unchanged), Python and SentencePiece with their own.
enum class NormalTables { kCurrent, kUnicode9 };

std::unique_ptr<Normalizer> normal_form(NormalForm form, NormalTables tables);
std::unique_ptr<Normalizer> lowercase();
std::unique_ptr<Normalizer> prepend(std::string text);  // to texts that are not empty
std::unique_ptr<Normalizer> replace(std::string needle, std::string by);
std::unique_ptr<Normalizer> replace_regex(const std::string& pattern,
                                          std::string by,
                                          std::string_view where);
enum class StripSide { kLeft, kRight, kBoth };
std::unique_ptr<Normalizer> strip(StripSide side);
std::unique_ptr<Normalizer> strip_accents();  // drops marks

}  // namespace keju
