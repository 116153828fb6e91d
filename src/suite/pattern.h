// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace keju {

// A regular expression as Python's re reads most of them (PCRE2, Unicode classes), with a bound on
// the work of a match: patterns come from suite files. Threads: const, safe to share.
class Pattern {
 public:
  // Errors: Error(kInput) `where: pattern: …` for syntax, Error(kUnsupported) for over 63 groups.
  Pattern(std::string_view pattern, std::string where);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  struct Match {
    size_t begin = 0, end = 0;  // bytes: of the first group that took part, or of the whole match
    size_t whole_end = 0, whole_begin = 0;
  };
  // The first match at or behind byte `from`. Errors: Error(kInput) where the bound is passed.
  std::optional<Match> find(std::string_view text, size_t from = 0) const;

  // `text` with every match replaced by `with`, as it stands.
  std::string replace(std::string_view text, std::string_view with) const;
  // The same with groups in `with`: $0 the match, $1 its first group …; $$ is a dollar.
  std::string substitute(std::string_view text, std::string_view with) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
  std::string where_;
};

}  // namespace keju
