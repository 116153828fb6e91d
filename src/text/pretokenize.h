// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

using Spans = std::vector<std::string_view>;
using TextArena = std::deque<std::string>;  // keeps texts that a step has changed

// One pre-tokenization step: cuts a text (valid UTF-8) into parts, in order. Parts are views into
// the text or into `arena`; empty parts are left out. Threads: const, safe to share.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // `first`: the text begins where the caller's whole text begins.
  virtual void split(std::string_view text, bool first, TextArena& arena, Spans& out) const = 0;
};

// What becomes of the text that a pattern matches.
enum class SplitBehavior { kIsolated, kRemoved, kContiguous, kMergedWithPrevious, kMergedWithNext };

// `invert` swaps matching and other text.
struct SplitRule {
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
};

// A regular expression. The patterns of well-known vocabularies have scanners of their own; others
// run on PCRE2 with Unicode classes. Errors: Error(kUnsupported) names a pattern that does not
// compile.
std::unique_ptr<PreTokenizer> split_by_regex(const std::string& pattern,
                                             SplitRule rule,
                                             std::string_view where);
// The same, always on PCRE2: what the scanners are compared with.
std::unique_ptr<PreTokenizer> split_by_pcre(const std::string& pattern,
                                            SplitRule rule,
                                            std::string_view where);
std::unique_ptr<PreTokenizer> split_by_string(std::string needle, SplitRule rule);

// Splits at single characters of a class.
enum class CharClass { kNumber, kWhitespace, kPunctuation };
std::unique_ptr<PreTokenizer> split_by_class(CharClass characters, SplitRule rule);
// \w+|[^\w\s]+ with what is between removed.
std::unique_ptr<PreTokenizer> split_words();

enum class PrependScheme { kFirst, kAlways, kNever };
std::unique_ptr<PreTokenizer> metaspace(std::string replacement, PrependScheme scheme, bool split);
// Puts a space before a text that begins with none.
std::unique_ptr<PreTokenizer> prepend_space();
std::unique_ptr<PreTokenizer> fixed_length(size_t code_points);
// Spells every byte by its stand-in, for steps that look at the text behind ByteLevel.
std::unique_ptr<PreTokenizer> stand_in_text();

// Adds the part text[begin, end) for every match of a whole-text scanner.
using Scanner = void (*)(std::string_view text, Spans& out);
// The scanner for exactly this pattern with kIsolated, or null.
Scanner scanner_for(std::string_view pattern);

}  // namespace keju
