// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace keju {

// The longest string that a table shows, and the longest paragraph, in code points; a longer one is
// cut and ends in "…".
inline constexpr size_t kMostShown = 200;
inline constexpr size_t kLongestNote = 2000;

// For element content and for double-quoted attributes alike: & < > " ' become references, and
// what is invisible or turns the text around becomes a visible escape.
std::string html(std::string_view text, size_t most = kMostShown);

// For a cell of a Markdown table or a paragraph: no character of it formats, links or ends the
// cell.
std::string markdown(std::string_view text, size_t most = kMostShown);

// For LaTeX text: every character that means something to TeX is written as what it looks like.
std::string latex(std::string_view text, size_t most = kMostShown);

// Lower-case ASCII letters, digits and single dashes, for ids and file names; "x" if none is left.
std::string slug(std::string_view text);

// "sha256-…" of an inline script or style, as a content security policy wants it.
std::string csp_hash(std::string_view content);

}  // namespace keju
