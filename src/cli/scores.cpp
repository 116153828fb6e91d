// SPDX-License-Identifier: MIT
#include "cli/scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace keju {
namespace {

std::string number(const Json& value, bool bits) {
  if (!value.is_number()) return "-";
  return bits ? fmt::format("{:.4f}", value.get<double>())
              : fmt::format("{:.2f}", 100 * value.get<double>());
}

std::string interval(const Json& estimate, bool bits) {
  if (!estimate["low"].is_number() || !estimate["high"].is_number()) return "";
  return fmt::format("{} to {}", number(estimate["low"], bits), number(estimate["high"], bits));
}

std::string threshold_line(const Json& t) {
  const bool least = t["at_least"].is_number();
  const bool known = t["value"].is_number();
  const char* verdict = !known                   ? "nothing measured"
                        : !t["sure"].get<bool>() ? "not established"
                        : t["met"].get<bool>()   ? "met"
                                                 : "not met";
  return fmt::format("    {}: {} ({}), need at {} {}: {}\n",
                     t["en"].get<std::string>(),
                     number(t["value"], false),
                     interval(t, false),
                     least ? "least" : "most",
                     number(least ? t["at_least"] : t["at_most"], false),
                     verdict);
}

// What --limit left of the items: a score of a part is none of the whole.
std::string limit_words(const Json& exam) {
  if (!exam.contains("limit") || !exam["limit"].is_number()) return "";
  std::string text =
      fmt::format(", LIMITED to the first {} of each subject", exam["limit"].get<int64_t>());
  if (exam.contains("items_unlimited")) {
    text += fmt::format(
        ": {} of {} items", exam["items"].get<int64_t>(), exam["items_unlimited"].get<int64_t>());
  }
  return text;
}

std::string exam_lines(const Json& exam, const std::string& limited, size_t width) {
  const bool bits = exam["metric"] == "bits_per_byte";
  const Json& score = exam["score"];
  const Json& items = exam["items"];
  std::string line = fmt::format("{:<{}}  {:>7}  {:>16}  {}, {} items",
                                 exam["key"].get<std::string>(),
                                 width,
                                 number(score["value"], bits),
                                 interval(score, bits),
                                 bits ? "bits per byte" : exam["average"].get<std::string>(),
                                 items["scored"].get<int64_t>());
  if (!score["value"].is_number()) line += ", no score: unlabelled or not yet judged";
  if (exam["at_chance"].get<bool>())
    line += fmt::format(", no better than guessing ({})", number(exam["chance"], false));
  line += limited + "\n";
  if (const auto t = exam.find("thresholds"); t != exam.end() && t->is_array()) {
    for (const Json& threshold : *t) line += threshold_line(threshold);
  }
  if (exam["pass_at_k"].is_array()) {
    for (const Json& row : exam["pass_at_k"])
      line += fmt::format("    pass@{} {}\n", row["k"].get<int64_t>(), number(row["value"], false));
  }
  if (const auto r = exam.find("robustness"); r != exam.end() && r->is_object()) {
    line += fmt::format("    over option orders: mean {}, worst {}, right in all {}\n",
                        number((*r)["mean"], false),
                        number((*r)["worst"], false),
                        number((*r)["all_right"], false));
  }
  return line;
}

}  // namespace

std::string scores_text(const Json& results, const Json& manifest) {
  std::map<std::string, std::string> limited;  // by exam
  for (const Json& exam : manifest["exams"])
    limited[exam["key"].get<std::string>()] = limit_words(exam);
  size_t width = 0;
  for (const Json& exam : results["exams"])
    width = std::max(width, exam["key"].get<std::string>().size());
  std::string text;
  for (const Json& exam : results["exams"])
    text += exam_lines(exam, limited[exam["key"].get<std::string>()], width);
  return text;
}

}  // namespace keju
