// SPDX-License-Identifier: MIT
// Which option a free text commits itself to. Mentions of letters are found first, each with what
// the words around it make of it; then the strongest kind that occurs decides, the last mention of
// it winning. A mention that names several letters, or two kinds of equal strength at odds with no
// order between them, is ambiguous.
#include <algorithm>
#include <array>
#include <string_view>

#include "score/choice_words.h"
#include "score/extract_rules.h"

namespace keju {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

struct Mention {
  // kListed: "B. text" at the head of a line; kAlone: nothing else on the line; kJudged: said to be
  // right, which others may be, too.
  enum class Kind { kPlain, kListed, kAlone, kJudged, kCommitted };
  size_t begin = 0, end = 0;
  std::string letters;  // several for "AC" or "A和C"
  Kind kind = Kind::kPlain;
  bool denied = false;  // "不是A", "A错误", "A?"
};

// Takes marks from the end of `text` that may stand between a cue and its letter.
std::string_view without_wrap_before(std::string_view text) {
  constexpr std::array<std::string_view, 24> kWrap = {
      " ",  "\n", "\t", "*", "(",  "[",  "{",  "\"", "'",  "`", "“", "‘",
      "「", "$",  "_",  "#", "【", "《", "】", "]",  "」", "”", ">", "\\text{"};
  for (bool moved = true; moved;) {
    moved = false;
    for (const std::string_view mark : kWrap) {
      if (!text.ends_with(mark)) continue;
      text.remove_suffix(mark.size());
      moved = true;
    }
  }
  return text;
}

std::string_view without_wrap_after(std::string_view text) {
  constexpr std::array<std::string_view, 14> kWrap = {
      " ", "*", ")", "]", "}", "\"", "'", "`", "”", "’", "」", "$", "】", "》"};
  for (bool moved = true; moved;) {
    moved = false;
    for (const std::string_view mark : kWrap) {
      if (!text.starts_with(mark)) continue;
      text.remove_prefix(mark.size());
      moved = true;
    }
  }
  return text;
}

// Whether the last words before a letter are one of `cues`.
template <size_t Count>
bool ends_with_any(std::string_view text, const std::array<std::string_view, Count>& cues) {
  return std::any_of(cues.begin(), cues.end(), [&](std::string_view cue) {
    if (!text.ends_with(cue)) return false;
    const size_t before = text.size() - cue.size();
    return before == 0 || !is_word(cue.front()) || !is_word(text[before - 1]);
  });
}

template <size_t Count>
bool starts_with_any(std::string_view text, const std::array<std::string_view, Count>& cues) {
  return std::any_of(
      cues.begin(), cues.end(), [&](std::string_view cue) { return text.starts_with(cue); });
}

constexpr std::array<std::string_view, 23> kCommitBefore = {
    "答案",       "故选",           "应选",           "选择",    "我选",  "正确的是",
    "正确的选项", "正确选项",       "正确答案",       "应该是",  "应为",  "应是",
    "综上,选",    "所以选",         "因此选",         "应当选",  "就选",  "选",
    "answer",     "correct option", "correct choice", "\\boxed", "choose"};
// What may stand between a cue and its letter.
constexpr std::array<std::string_view, 39> kLinkWords = {
    "是",     "为",     "选",   ":",      "选项",     "项",         "is",      "option",
    "choice", "应该",   "应当", "应",     "就",       "只能",       "必须",    "一定",
    "肯定",   "显然",   "自然", "便",     "则",       "必定",       "必然",    "确实",
    "还",     "仍然",   "即",   "be",     "must",     "should",     "would",   "has",
    "to",     "indeed", "thus", "likely", "probably", "definitely", "clearly",
};
constexpr std::array<std::string_view, 3> kDoubtAfter = {"?", "吗", "么"};

class LetterReader {
 public:
  LetterReader(const std::string& text, const std::vector<std::string>& choices) : text_(text) {
    for (const std::string& choice : choices) {
      if (choice.size() == 1) letters_ += choice[0];
    }
  }

  std::vector<Mention> read() {
    for (size_t at = 0; at < text_.size();) {
      Mention mention = mention_at(at);
      if (mention.letters.empty()) {
        ++at;
        continue;
      }
      judge(mention);
      at = mention.end;
      mentions_.push_back(std::move(mention));
    }
    return std::move(mentions_);
  }

 private:
  bool is_choice(char c) const { return letters_.find(c) != std::string::npos; }
  char upper(size_t at) const {
    return is_lower(text_[at]) ? static_cast<char>(text_[at] - 'a' + 'A') : text_[at];
  }

  // A letter, or several: "AC", "A、C", "A和C", "A or C".
  Mention mention_at(size_t at) {
    Mention mention;
    if (at > 0 && is_word(text_[at - 1])) return mention;
    size_t end = at;
    while (end < text_.size() && is_choice(text_[end])) ++end;
    if (end == at) return lower_case(at);
    if (end - at > letters_.size()) return mention;
    if (end < text_.size() && (is_word(text_[end]) || is_apostrophe(end))) return mention;
    mention = {at, end, text_.substr(at, end - at), Mention::Kind::kPlain, false};
    // "ABBA" names no options.
    for (const char c : mention.letters) {
      if (std::count(mention.letters.begin(), mention.letters.end(), c) > 1) return {};
    }
    while (join(mention)) {
    }
    return mention;
  }

  bool is_apostrophe(size_t at) const {
    return text_[at] == '\'' && at + 1 < text_.size() && is_lower(text_[at + 1]);
  }

  // Small letters count only in brackets, "(b)", or as the whole answer behind a cue, "answer: b":
  // "a" is a word.
  Mention lower_case(size_t at) {
    if (at == 0 || !is_lower(text_[at]) || !is_choice(upper(at))) return {};
    const std::string_view whole = text_;
    const bool bracketed = text_[at - 1] == '(' && at + 1 < text_.size() && text_[at + 1] == ')';
    if (!bracketed && (!ends_clause(whole.substr(at + 1)) ||
                       !has_cue(without_wrap_before(whole.substr(0, at))))) {
      return {};
    }
    return {at, at + 1, std::string(1, upper(at)), Mention::Kind::kPlain, false};
  }

  static bool ends_clause(std::string_view rest) {
    rest = without_wrap_after(rest);
    constexpr std::array<std::string_view, 7> kEnds = {"\n", ".", ",", ";", "。", "，", "!"};
    return rest.empty() || starts_with_any(rest, kEnds);
  }

  static void skip_option_word(std::string_view& rest) {
    for (const std::string_view word : {"选项", "项", "option "}) {
      if (!rest.starts_with(word)) continue;
      rest.remove_prefix(word.size());
      return;
    }
  }

  bool join(Mention& mention) {
    std::string_view rest = without_wrap_after(std::string_view(text_).substr(mention.end));
    skip_option_word(rest);
    bool joined = false;
    for (const std::string_view word :
         {"、", "或者", "/", "和", "或", "与", "及", "or ", "and ", "&", ", and ", ", or ", ","}) {
      if (!rest.starts_with(word)) continue;
      rest.remove_prefix(word.size());
      joined = true;
      break;
    }
    if (!joined) return false;
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '(' || rest[0] == '*'))
      rest.remove_prefix(1);
    skip_option_word(rest);
    if (rest.empty() || !is_choice(rest[0])) return false;
    if (rest.size() > 1 && is_word(rest[1])) return false;
    // "B, A is wrong because" goes on to something else.
    if (mention.letters.size() == 1 &&
        verdict_behind(without_wrap_after(rest.substr(1))) == Verdict::kWrong) {
      return false;
    }
    mention.letters += rest[0];
    mention.end = static_cast<size_t>(rest.data() - text_.data()) + 1;
    return true;
  }

  // "A" before a small word is the article, unless a verb of judgement follows.
  bool is_article(const Mention& mention, std::string_view after) const {
    if (mention.letters != "A" && mention.letters != "I") return false;
    if (after.size() < 2 || after[0] != ' ' || !is_lower(after[1])) return false;
    constexpr std::array<std::string_view, 9> kGoesOn = {
        " is ", " because", " since", " as ", " and ", " or ", " for ", " isn't", " cannot be"};
    return !starts_with_any(after, kGoesOn);
  }

  void judge(Mention& mention) {
    const std::string_view whole = text_;
    const std::string_view raw_after = whole.substr(mention.end);
    if (is_article(mention, raw_after)) {
      mention.denied = true;
      return;
    }
    const std::string_view after = without_wrap_after(raw_after);
    std::string_view before = without_wrap_before(whole.substr(0, mention.begin));
    const Verdict verdict = verdict_behind(after);
    mention.denied = verdict == Verdict::kWrong || starts_with_any(after, kDoubtAfter) ||
                     denied_before(lowered(before)) ||
                     denied_before(lowered(without_links(before)));
    if (verdict == Verdict::kRight) mention.kind = Mention::Kind::kJudged;
    if (verdict == Verdict::kAnswer) mention.kind = Mention::Kind::kCommitted;
    if (mention.kind == Mention::Kind::kPlain) mention.kind = place(mention);
    if (has_cue(before)) mention.kind = Mention::Kind::kCommitted;
  }

  // Takes one of "是", ":", "选项" … off the end.
  static bool drop_link(std::string_view& before) {
    for (const std::string_view word : kLinkWords) {
      if (!before.ends_with(word)) continue;
      const size_t rest = before.size() - word.size();
      if (is_word(word.front()) && rest > 0 && is_word(before[rest - 1])) continue;
      before = without_wrap_before(before.substr(0, rest));
      return true;
    }
    return false;
  }

  static std::string_view without_links(std::string_view before) {
    before = without_wrap_before(before);
    while (drop_link(before)) {
    }
    return before;
  }

  static std::string lowered(std::string_view text) {
    constexpr size_t kNear = 48;
    std::string out(text.substr(text.size() - std::min(kNear, text.size())));
    for (char& c : out) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
  }

  // A cue at the end, or before words that link it to its letter.
  static bool has_cue(std::string_view before) {
    before = without_wrap_before(before);
    do {
      if (ends_with_any(lowered(before), kCommitBefore)) return true;
    } while (drop_link(before));
    return false;
  }

  // Whether the letter has a line to itself ("(C)", "**C**.") or heads one ("C. 北京").
  Mention::Kind place(const Mention& mention) const {
    const std::string_view whole = text_;
    constexpr std::string_view kLead = " \t*([#`>$\"'-";
    size_t begin = mention.begin;
    while (begin > 0 && kLead.find(whole[begin - 1]) != std::string_view::npos) --begin;
    if (begin > 0 && whole[begin - 1] != '\n') return Mention::Kind::kPlain;
    std::string_view after = without_wrap_after(whole.substr(mention.end));
    after = after.substr(0, after.find('\n'));
    std::string_view rest = after;
    while (rest.starts_with("。") || rest.starts_with(".") || rest.starts_with(" ") ||
           rest.starts_with("*") || rest.starts_with("\r")) {
      rest.remove_prefix(rest.starts_with("。") ? 3 : 1);
    }
    if (rest.empty()) return Mention::Kind::kAlone;
    for (const std::string_view mark : {".", ":", ",", "、", "。", "，"}) {
      if (after.starts_with(mark)) return Mention::Kind::kListed;
    }
    // "A) one": the bracket went with the wrapping.
    return mention.end < whole.size() && whole[mention.end] == ')' ? Mention::Kind::kListed
                                                                   : Mention::Kind::kPlain;
  }

  const std::string& text_;
  std::string letters_;
  std::vector<Mention> mentions_;
};

Extraction settled(const FoldedText& text, const Mention& mention) {
  const bool one = std::all_of(mention.letters.begin(), mention.letters.end(), [&](char c) {
    return c == mention.letters[0];
  });
  if (!one) return {Extraction::Status::kAmbiguous, std::nullopt, std::nullopt};
  return found(text, mention.begin, mention.end, mention.letters.substr(0, 1));
}

// Whether all mentions of a kind name the same.
bool agree(const std::vector<Mention>& mentions, Mention::Kind kind) {
  const Mention* first = nullptr;
  return std::all_of(mentions.begin(), mentions.end(), [&](const Mention& each) {
    if (each.kind != kind) return true;
    if (first == nullptr) first = &each;
    return each.letters == first->letters;
  });
}

}  // namespace

Extraction choice_letter(const FoldedText& text, const std::vector<std::string>& choices) {
  std::vector<Mention> mentions = LetterReader(text.text(), choices).read();
  std::erase_if(mentions, [](const Mention& mention) { return mention.denied; });
  if (mentions.empty()) return {};

  // The last one that is committed to, or judged right as no other is.
  const bool judged = agree(mentions, Mention::Kind::kJudged);
  for (auto mention = mentions.rbegin(); mention != mentions.rend(); ++mention) {
    if (mention->kind == Mention::Kind::kCommitted ||
        (judged && mention->kind == Mention::Kind::kJudged)) {
      return settled(text, *mention);
    }
  }
  // Without a commitment all letters of the strongest kind must agree: a list of options looks just
  // like several answers.
  for (const Mention::Kind kind :
       {Mention::Kind::kJudged, Mention::Kind::kAlone, Mention::Kind::kListed}) {
    const auto first = std::find_if(
        mentions.begin(), mentions.end(), [&](const Mention& each) { return each.kind == kind; });
    if (first == mentions.end()) continue;
    if (agree(mentions, kind)) return settled(text, *first);
    return {Extraction::Status::kAmbiguous, std::nullopt, std::nullopt};
  }
  const bool one = std::all_of(mentions.begin(), mentions.end(), [&](const Mention& mention) {
    return mention.letters == mentions[0].letters;
  });
  if (one) return settled(text, mentions.back());
  return {Extraction::Status::kAmbiguous, std::nullopt, std::nullopt};
}

}  // namespace keju
