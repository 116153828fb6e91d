// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace keju {

// Whether a sentence (full-width forms folded, without quotations) declines a request, in Chinese
// or English. It does where its asserted clauses say one of:
//   that the speaker cannot, may not or will not do one of the things that are asked of an
//   assistant that the request goes against the speaker's rules, lies outside its scope, or is
//   barred to it that the speaker passes, or turns to another subject
// Who speaks is the first person, or nobody where the sentence begins with an apology or the
// negation. What others may not do, what cannot be done at all, and two negations ("I can't help
// but", "我不能不") decline nothing. Clauses that suppose or ask assert nothing.
bool declines(std::string_view sentence);

// `text` with blanks for what stands in double quotation marks, of the same length; as it is where
// nothing else is there.
std::string without_quotations(std::string_view text);

}  // namespace keju
