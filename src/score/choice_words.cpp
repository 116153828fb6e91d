// SPDX-License-Identifier: MIT
#include "score/choice_words.h"

#include "base/utf8.h"
#include "suite/pattern.h"

namespace keju {
namespace {

constexpr const char* kWhere = "choice_letter";

// "选项", "项的说法": what may stand between a letter and its verdict.
#define KEJU_OF \
  "(?:选?项)?(?:的?(?:说法|表述|描述|观点|叙述|理解|分析|内容|做法|判断|推断|选项|结论))?"
// "应该", "最", "也是" …
#define KEJU_SO \
  "(?:应该?|应当|才|最|更|也|均|都|皆|全|则|便|就|确实|显然|明显|完全|比较|较|是|为|属于)*"
// "对" before a word means "towards".
#define KEJU_PAIR "对(?:的)?(?=$|[,，。;；!！、)\\s])"
#define KEJU_MARK "(?:选?项)?\\s?[:\\-–—]\\s?"

const Pattern& answer() {
  static const Pattern pattern(
      "^" KEJU_OF
      "(?:应该?|应当|才|就|便|则)*(?:当选|是?符合题意)"
      "|^(?:选?项)?才" KEJU_SO "(?:正确|" KEJU_PAIR
      ")"
      "|^(?:选?项)?[^,，。\\n]{0,8}?(?:是|为)(?:本题|该题|此题|这道题|我们?)?的?"
      "(?:最佳|最终|正确|标准|唯一)?的?(?:答案|选择|选项)(?!吗|么|\\?)"
      "|^(?i:(?:is|must be|should be|would be|has to be) (?:indeed |clearly |definitely |therefore "
      "|"
      "thus )?(?:the|our|my) (?:(?:only|most|best|correct|right|likely|accurate|appropriate|"
      "suitable|final) )*(?:answer|choice|option|one|correct|right|best)\\b)",
      kWhere);
  return pattern;
}

const Pattern& right() {
  static const Pattern pattern("^" KEJU_OF KEJU_SO "(?:正确|" KEJU_PAIR
                               "|准确|恰当|合适|妥当|合理|符合|成立|贴切)"
                               "|^" KEJU_OF
                               "[:\\-]?\\s?[√✓✔✅]"
                               "|^" KEJU_MARK "(?:正确|" KEJU_PAIR
                               "|(?i:(?:yes|true|correct|right)\\b))"
                               "|^(?i:(?:(?:is|are|was|seems|looks|appears) )(?:to be )?(?:also "
                               "|indeed |clearly |definitely |"
                               "more |most |the most )*(?:correct|right|true|accurate|valid)\\b)",
                               kWhere);
  return pattern;
}

const Pattern& wrong() {
  static const Pattern pattern(
      "^" KEJU_OF KEJU_SO
      "(?:错|不|误|有误|无关|与题[干意]无关|被?排除|没有|片面|过于|太)"
      "|^" KEJU_OF
      "[:\\-]?\\s?[×✗✘❌✕]"
      "|^" KEJU_MARK
      "(?:错|不|误|(?i:(?:no|not|false|incorrect|wrong)\\b))"
      // "A的", "选项A的": of the option something is said, not that it is the answer.
      "|^(?:选?项)?的"
      "|^(?i:(?:(?:is|are|was|were|both|all|would be|must be|can be|could be|should "
      "be|seems|looks) )+"
      "(?:also |both |all |clearly |definitely |obviously )*(?:wrong|incorrect|false|not|untrue|"
      "inaccurate|irrelevant|eliminated|ruled out|excluded|unsupported|impossible|too|out)\\b)"
      "|^(?i:(?:isn't|aren't|cannot be|can't be|does not|doesn't|do not|don't|contradicts?)\\b)",
      kWhere);
  return pattern;
}

#undef KEJU_OF
#undef KEJU_SO
#undef KEJU_PAIR
#undef KEJU_MARK

}  // namespace

Verdict verdict_behind(std::string_view after) {
  constexpr size_t kNear = 120;
  after = after.substr(0, complete_utf8_prefix(after.substr(0, kNear)));
  if (answer().find(after).has_value()) return Verdict::kAnswer;
  if (right().find(after).has_value()) return Verdict::kRight;
  if (wrong().find(after).has_value()) return Verdict::kWrong;
  return Verdict::kNone;
}

bool denied_before(std::string_view before) {
  static const Pattern pattern(
      "(?:不|并非|绝非|而非)(?:应该?|应当|可能|可以|会|能|该|必)*(?:选择|选|是|为)?(?:选项)?$"
      "|(?:误|错)选(?:了|成)?(?:选项)?$"
      "|排除(?:了|掉)?(?:选项)?$"
      "|(?:错误|不正确|有误|不对)的(?:选项)?是$"
      "|(?:如果|若|假如|假设|假定|要是|倘若)(?:我们|答案)?(?:选择|选|是|为)?(?:选项)?$"
      "|\\b(?:not|isn't|than|neither|nor|eliminate[sd]?|excludes?|excluding|reject|instead of|"
      "rule out|ruling out|wrong answer is|unlike)(?: (?:the )?(?:option|choice|answer))?$"
      "|\\bif (?:we (?:choose|chose|pick|select) |the answer (?:is|were|was) )?(?:option )?$",
      kWhere);
  return pattern.find(before).has_value();
}

}  // namespace keju
