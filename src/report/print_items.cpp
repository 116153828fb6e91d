// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/print.h"

namespace keju {
namespace {

using Answer = Explorer::Answer;
using Verdict = Answer::Verdict;

constexpr size_t kLong = 2400;     // code points of a text in an item
constexpr size_t kShort = 120;     // of a generated answer before it is folded
constexpr size_t kMostMarks = 12;  // models whose verdicts a collapsed item shows

struct VerdictWords {
  const char* name;  // of its class
  const char* sign;
  Text text;
};

const VerdictWords& words(Verdict verdict) {
  static const VerdictWords kWords[] = {{"right", "✓", {"对", "right"}},
                                        {"wrong", "✗", {"错", "wrong"}},
                                        {"partly", "◐", {"部分", "graded"}},
                                        {"unread", "?", {"读不出答案", "no answer read"}},
                                        {"unlabelled", "–", {"未判", "not scored"}},
                                        {"failed", "!", {"失败", "failed"}},
                                        {"missing", "·", {"未做", "not done"}}};
  return kWords[static_cast<size_t>(verdict)];
}

std::string given_html(const Answer& answer) {
  if (answer.given.empty()) return "—";
  if (count_code_points(answer.given) <= kShort) return html(answer.given);
  return fmt::format("<details><summary>{}</summary><div class=\"long\">{}</div></details>",
                     html(answer.given, 60),
                     html(answer.given, kLong));
}

std::string logprobs_html(const Answer& answer) {
  std::string out;
  for (size_t i = 0; i < answer.logprobs.size(); ++i) {
    const std::string name =
        i < 26 ? std::string(1, static_cast<char>('A' + i)) : fmt::format("#{}", i + 1);
    const bool chosen = name == answer.given;
    out += fmt::format("<span{}>{} {}</span> ",
                       chosen ? " class=\"chosen\"" : "",
                       name,
                       fixed(static_cast<double>(answer.logprobs[i]), 3));
  }
  return out.empty() ? "—" : out;
}

std::string answers_html(const Explorer& explorer, const Explorer::Item& item) {
  std::string out =
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"answers\"><table "
      "class=\"answers\">"
      "<thead><tr>";
  for (const Text& title : {Text{"模型", "Model"},
                            Text{"判定", "Verdict"},
                            Text{"作答", "Given"},
                            Text{"理由", "Why"},
                            Text{"选项对数概率", "Log-probs of the options"}}) {
    out += "<th scope=\"col\">" + both_html(title) + "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (size_t m = 0; m < item.answers.size(); ++m) {
    const Answer& answer = item.answers[m];
    const VerdictWords& verdict = words(answer.verdict);
    out += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"v-{}\">{} {}</td><td>{}</td><td>{}</td>"
        "<td class=\"lp\">{}</td></tr>\n",
        html(explorer.models[m]),
        verdict.name,
        verdict.sign,
        both_html(verdict.text),
        given_html(answer),
        answer.why.empty() ? "—" : both_html(answer.why),
        logprobs_html(answer));
  }
  return out + "</tbody></table></div>\n";
}

std::string item_html(const Explorer& explorer, const Explorer::Item& item) {
  size_t right = 0, judged = 0;
  std::string marks;
  for (const Answer& answer : item.answers) {
    right += answer.verdict == Verdict::kRight ? 1 : 0;
    judged += answer.verdict != Verdict::kMissing && answer.verdict != Verdict::kUnlabelled ? 1 : 0;
    const VerdictWords& verdict = words(answer.verdict);
    if (item.answers.size() <= kMostMarks) {
      marks += fmt::format("<span class=\"v-{}\">{}</span>", verdict.name, verdict.sign);
    }
  }
  const std::string& shown = item.question.empty() ? item.prompt_end : item.question;
  std::string out = fmt::format(
      "<details class=\"item\" data-right=\"{0}\" data-judged=\"{1}\"><summary>"
      "<span class=\"marks\" aria-hidden=\"true\">{2}</span> <span class=\"count\">{0}/{1}</span> "
      "<span class=\"sub\">{3}</span> {4}</summary>\n",
      right,
      judged,
      marks,
      html(item.subject),
      html(shown, 90));
  out += "<p class=\"question\">" + html(shown, kLong) + "</p>\n";
  if (item.options.size() > 1) {
    out += "<ul class=\"options\">";
    for (const std::string& option : item.options) {
      const bool gold = !item.gold.empty() && option.substr(0, 1) == item.gold;
      out += fmt::format("<li{}>{}</li>", gold ? " class=\"gold\"" : "", html(option, kLong));
    }
    out += "</ul>\n";
  }
  if (!item.gold.empty()) {
    out +=
        "<p class=\"note\">" + both_html({"答案 " + item.gold, "answer " + item.gold}) + "</p>\n";
  }
  out += answers_html(explorer, item);
  return out + fmt::format(
                   "<p class=\"note\">{}</p><details class=\"prompt\"><summary>{}</summary>"
                   "<div class=\"long\">{}</div></details></details>\n",
                   html(item.id),
                   both_html({"提示词的末尾", "The end of the prompt"}),
                   html(item.prompt_end, kLong));
}

}  // namespace

std::string explorer_html(const Explorer& explorer) {
  std::string out = fmt::format(
      "<details class=\"fold explorer\" id=\"items-{0}\"><summary><h3>{1}</h3> "
      "<span class=\"sub\">{2}</span></summary>\n",
      html(explorer.id),
      both_html(explorer.title),
      both_html({fmt::format("{} 题", explorer.items.size()),
                 fmt::format("{} items", explorer.items.size())}));
  for (const Text& note : explorer.notes) {
    out += "<p class=\"note\">" + both_html(note) + "</p>\n";
  }
  for (const Explorer::Item& item : explorer.items) out += item_html(explorer, item);
  return out + "</details>\n";
}

}  // namespace keju
