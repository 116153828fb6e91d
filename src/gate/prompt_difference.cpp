// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "gate/first_cause.h"
#include "run/csv_cell.h"

namespace keju {
namespace {

constexpr std::array<std::string_view, 8> kBeginnings = {"<s>",
                                                         "<bos>",
                                                         "<|begin_of_text|>",
                                                         "<｜begin▁of▁sentence｜>",
                                                         "<|startoftext|>",
                                                         "[CLS]",
                                                         "<|endoftext|>",
                                                         "[gMASK]<sop>"};

// The parts in which two texts differ, cut at code points.
struct Middle {
  size_t prefix = 0;
  std::string_view ours, theirs;
};

bool continuation_byte(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

Middle middle_of(std::string_view a, std::string_view b) {
  const size_t least = std::min(a.size(), b.size());
  Middle out;
  while (out.prefix < least && a[out.prefix] == b[out.prefix]) ++out.prefix;
  while (out.prefix > 0 && ((out.prefix < a.size() && continuation_byte(a[out.prefix])) ||
                            (out.prefix < b.size() && continuation_byte(b[out.prefix]))))
    --out.prefix;
  size_t suffix = 0;
  while (suffix < least - out.prefix && a[a.size() - 1 - suffix] == b[b.size() - 1 - suffix])
    ++suffix;
  while (suffix > 0 && continuation_byte(a[a.size() - suffix])) --suffix;
  out.ours = a.substr(out.prefix, a.size() - suffix - out.prefix);
  out.theirs = b.substr(out.prefix, b.size() - suffix - out.prefix);
  return out;
}

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\xE3\x80") == std::string_view::npos;
}

bool holds_any(std::string_view text, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& n) {
    return !n.empty() && text.find(n) != std::string_view::npos;
  });
}

// The end of an example: a blank line, or a line whose example went with what follows it.
bool at_border(std::string_view ours, const Middle& m) {
  const std::string_view before = ours.substr(0, m.prefix + m.ours.size());
  return before.ends_with("\n\n") || before.ends_with("\n");
}

std::string shown(std::string_view text) {
  return text.empty() ? "nothing" : "\"" + visible(text, 60) + "\"";
}

}  // namespace

PromptDifference classify_prompts(const std::string& ours,
                                  const std::string& theirs,
                                  const std::vector<std::string>& own_names,
                                  const std::vector<std::string>& foreign_names,
                                  int shots) {
  const Middle m = middle_of(ours, theirs);
  const std::string detail =
      fmt::format("after {} characters: ours {}, theirs {}",
                  count_code_points(std::string_view(ours).substr(0, m.prefix)),
                  shown(m.ours),
                  shown(m.theirs));
  for (const std::string_view begin : kBeginnings) {
    if (theirs.starts_with(begin) && !ours.starts_with(begin))
      return {
          "doubled BOS",
          fmt::format(
              "theirs spells {} in the text, and the tokenizer adds its own; {}", begin, detail)};
  }
  if (blank(m.ours) && blank(m.theirs))
    return {m.theirs.size() < m.ours.size() ? "lost space" : "added space", detail};
  if (m.theirs.empty()) {
    const bool cut_left = m.prefix == 0;
    if (cut_left && !(shots > 0 && at_border(ours, m))) return {"left truncation", detail};
    if (shots > 0) return {"dropped shot", detail};
    return {"dropped text", detail};
  }
  if (m.ours.empty())
    return {
        shots > 0 && m.theirs.find('\n') != std::string_view::npos ? "extra shot" : "extra text",
        detail};
  const bool named = holds_any(theirs, foreign_names) && !holds_any(ours, foreign_names);
  if (named && holds_any(ours, own_names)) return {"English subject handle", detail};
  return {"other wording", detail};
}

}  // namespace keju
