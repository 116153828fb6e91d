// SPDX-License-Identifier: MIT
#include "score/ifeval.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "score/ifeval_text.h"

namespace keju {
namespace {

constexpr std::string_view kWhere = "ifeval";

using Check = bool (*)(std::string_view text, const Json& args);

bool related(const Json& args, std::string_view key, int64_t count, std::string_view bound) {
  const std::string relation = string_member(args, key, kWhere);
  const int64_t most = int_member(args, bound, kWhere);
  if (relation == "less than") return count < most;
  if (relation == "at least") return count >= most;
  throw fail(Code::kInput,
             "{}: {}: found \"{}\", need \"less than\" or \"at least\"",
             kWhere,
             key,
             relation);
}

std::vector<std::string> words_of(const Json& args, std::string_view key) {
  std::vector<std::string> out;
  for (const Json& each : member(args, key, kWhere)) out.push_back(each.get<std::string>());
  return out;
}

bool keywords_existence(std::string_view text, const Json& args) {
  const std::vector<std::string> words = words_of(args, "keywords");
  return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
    return matches("(?i)" + word, text) > 0;
  });
}

bool keywords_frequency(std::string_view text, const Json& args) {
  const std::string word(python_strip(string_member(args, "keyword", kWhere)));
  return related(args, "relation", matches("(?i)" + word, text), "frequency");
}

bool forbidden_words(std::string_view text, const Json& args) {
  const std::vector<std::string> words = words_of(args, "forbidden_words");
  return std::none_of(words.begin(), words.end(), [&](const std::string& word) {
    return matches("(?i)\\b" + word + "\\b", text) > 0;
  });
}

bool letter_frequency(std::string_view text, const Json& args) {
  const std::string letter = python_lower(python_strip(string_member(args, "letter", kWhere)));
  const std::string lower = python_lower(text);
  int64_t count = 0;
  for (size_t at = lower.find(letter); at != std::string::npos; at = lower.find(letter, at + 1)) {
    ++count;
  }
  return related(args, "let_relation", count, "let_frequency");
}

bool number_paragraphs(std::string_view text, const Json& args) {
  const std::vector<std::string_view> parts = split_by("\\s?\\*\\*\\*\\s?", text);
  int64_t count = static_cast<int64_t>(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!python_strip(parts[i]).empty()) continue;
    if (i != 0 && i + 1 != parts.size()) return false;
    --count;
  }
  return count == int_member(args, "num_paragraphs", kWhere);
}

bool number_words(std::string_view text, const Json& args) {
  return related(args, "relation", matches("\\w+", text), "num_words");
}

// A paragraph's first word in lower case, without quotation marks before it, up to a mark.
std::string first_word(std::string_view paragraph) {
  size_t end = 0;
  for (size_t at = 0; at < paragraph.size(); end = at) {
    if (is_python_space(next_code_point(paragraph, at))) break;
  }
  std::string_view word = paragraph.substr(0, end);
  word.remove_prefix(std::min(word.find_first_not_of('\''), word.size()));
  word.remove_prefix(std::min(word.find_first_not_of('"'), word.size()));
  return python_lower(word.substr(0, word.find_first_of(".,?!'\"")));
}

bool nth_paragraph_first_word(std::string_view text, const Json& args) {
  const std::vector<std::string_view> parts = split_by("\\n\\n", text);
  const int64_t nth = int_member(args, "nth_paragraph", kWhere);
  const int64_t count = std::count_if(parts.begin(), parts.end(), [](std::string_view part) {
    return !python_strip(part).empty();
  });
  if (nth < 1 || nth > count) return false;
  const std::string_view paragraph = python_strip(parts[static_cast<size_t>(nth - 1)]);
  if (paragraph.empty()) return false;
  return count == int_member(args, "num_paragraphs", kWhere) &&
         first_word(paragraph) == python_lower(string_member(args, "first_word", kWhere));
}

bool number_placeholders(std::string_view text, const Json& args) {
  return matches("\\[.*?\\]", text) >= int_member(args, "num_placeholders", kWhere);
}

bool postscript(std::string_view text, const Json& args) {
  const std::string marker(python_strip(string_member(args, "postscript_marker", kWhere)));
  std::string pattern = "(?m)\\s*" + python_lower(marker) + ".*$";
  if (marker == "P.P.S") pattern = "(?m)\\s*p\\.\\s?p\\.\\s?s.*$";
  if (marker == "P.S.") pattern = "(?m)\\s*p\\.\\s?s\\..*$";
  return matches(pattern, python_lower(text)) > 0;
}

bool number_bullet_lists(std::string_view text, const Json& args) {
  const int64_t count = matches("(?m)^\\s*\\*[^\\*].*$", text) + matches("(?m)^\\s*-.*$", text);
  return count == int_member(args, "num_bullets", kWhere);
}

bool constrained_response(std::string_view text, const Json&) {
  constexpr std::array<std::string_view, 3> kAnswers = {
      "My answer is yes.", "My answer is no.", "My answer is maybe."};
  return std::any_of(kAnswers.begin(), kAnswers.end(), [&](std::string_view answer) {
    return text.find(answer) != std::string_view::npos;
  });
}

bool highlighted_sections(std::string_view text, const Json& args) {
  int64_t count = 0;
  for (const std::string_view each : all_matches("\\*[^\\n\\*]*\\*", text)) {
    count += python_strip(stripped_of(each, '*')).empty() ? 0 : 1;
  }
  for (const std::string_view each : all_matches("\\*\\*[^\\n\\*]*\\*\\*", text)) {
    count += python_strip(each.substr(2, each.size() - 4)).empty() ? 0 : 1;
  }
  return count >= int_member(args, "num_highlights", kWhere);
}

bool multiple_sections(std::string_view text, const Json& args) {
  const std::string mark(python_strip(string_member(args, "section_spliter", kWhere)));
  const int64_t sections =
      static_cast<int64_t>(split_by("\\s?" + mark + "\\s?\\d+\\s?", text).size()) - 1;
  return sections >= int_member(args, "num_sections", kWhere);
}

bool json_format(std::string_view text, const Json&) {
  text = python_strip(text);
  for (const std::string_view fence : {"```json", "```Json", "```JSON", "```"}) {
    if (text.starts_with(fence)) text.remove_prefix(fence.size());
  }
  if (text.ends_with("```")) text.remove_suffix(3);
  return Json::accept(python_strip(text));
}

bool title(std::string_view text, const Json&) {
  const std::vector<std::string_view> titles = all_matches("<<[^\\n]+>>", text);
  return std::any_of(titles.begin(), titles.end(), [](std::string_view each) {
    each.remove_prefix(std::min(each.find_first_not_of('<'), each.size()));
    const size_t last = each.find_last_not_of('>');
    return last != std::string_view::npos && !python_strip(each.substr(0, last + 1)).empty();
  });
}

bool two_responses(std::string_view text, const Json&) {
  const std::vector<std::string_view> parts = split_by("\\*\\*\\*\\*\\*\\*", text);
  std::vector<std::string_view> answers;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string_view part = python_strip(parts[i]);
    if (!part.empty()) {
      answers.push_back(part);
    } else if (i != 0 && i + 1 != parts.size()) {
      return false;
    }
  }
  return answers.size() == 2 && answers[0] != answers[1];
}

bool repeat_prompt(std::string_view text, const Json& args) {
  const std::string prompt =
      python_lower(python_strip(string_member(args, "prompt_to_repeat", kWhere)));
  return python_lower(python_strip(text)).starts_with(prompt);
}

bool end_checker(std::string_view text, const Json& args) {
  const std::string end = python_lower(python_strip(string_member(args, "end_phrase", kWhere)));
  return python_lower(stripped_of(python_strip(text), '"')).ends_with(end);
}

bool quotation(std::string_view text, const Json&) {
  text = python_strip(text);
  return text.size() > 1 && text.front() == '"' && text.back() == '"';
}

bool capital_word_frequency(std::string_view text, const Json& args) {
  return related(args, "capital_relation", capital_words(text), "capital_frequency");
}

bool no_comma(std::string_view text, const Json&) {
  return text.find(',') == std::string_view::npos;
}

// Null: known, but needs a detector.
const std::map<std::string_view, Check>& checks() {
  static const std::map<std::string_view, Check> table = {
      {"keywords:existence", keywords_existence},
      {"keywords:frequency", keywords_frequency},
      {"keywords:forbidden_words", forbidden_words},
      {"keywords:letter_frequency", letter_frequency},
      {"language:response_language", nullptr},
      {"length_constraints:number_sentences", nullptr},
      {"length_constraints:number_paragraphs", number_paragraphs},
      {"length_constraints:number_words", number_words},
      {"length_constraints:nth_paragraph_first_word", nth_paragraph_first_word},
      {"detectable_content:number_placeholders", number_placeholders},
      {"detectable_content:postscript", postscript},
      {"detectable_format:number_bullet_lists", number_bullet_lists},
      {"detectable_format:constrained_response", constrained_response},
      {"detectable_format:number_highlighted_sections", highlighted_sections},
      {"detectable_format:multiple_sections", multiple_sections},
      {"detectable_format:json_format", json_format},
      {"detectable_format:title", title},
      {"combination:two_responses", two_responses},
      {"combination:repeat_prompt", repeat_prompt},
      {"startend:end_checker", end_checker},
      {"startend:quotation", quotation},
      {"change_case:capital_word_frequency", capital_word_frequency},
      {"change_case:english_capital", nullptr},
      {"change_case:english_lowercase", nullptr},
      {"punctuation:no_comma", no_comma},
  };
  return table;
}

std::string detector_of(std::string_view id) {
  if (id.ends_with("sentences")) return "an English sentence splitter";
  return "a language detector";
}

struct Instruction {
  std::string id;
  Json args;
  Check check = nullptr;
};

std::vector<Instruction> instructions(std::string_view gold) {
  const Json rules = parse_json(gold, kWhere);
  const Json& ids = member(rules, "ids", kWhere);
  const Json& args = member(rules, "kwargs", kWhere);
  if (!ids.is_array() || !args.is_array() || ids.size() != args.size() || ids.empty()) {
    throw fail(Code::kInput, "{}: need as many kwargs as instructions, and one at least", kWhere);
  }
  std::vector<Instruction> out;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string id = ids[i].is_string() ? ids[i].get<std::string>() : ids[i].dump();
    const auto known = checks().find(id);
    if (known == checks().end()) {
      throw fail(Code::kInput, "{}: unknown instruction \"{}\"", kWhere, id);
    }
    out.push_back({id, args[i], known->second});
  }
  return out;
}

bool followed(const Instruction& instruction, std::string_view text) {
  return !python_strip(text).empty() && instruction.check(text, instruction.args);
}

}  // namespace

bool is_instruction_rule(std::string_view rule) { return rule.starts_with("ifeval_"); }

std::string undecided(std::string_view gold) {
  for (const Instruction& each : instructions(gold)) {
    if (each.check == nullptr) {
      return fmt::format("ifeval {} needs {}", each.id, detector_of(each.id));
    }
  }
  return "";
}

double instruction_value(std::string_view rule, std::string_view response, std::string_view gold) {
  const bool loose = rule.ends_with("_loose"), whole = rule.starts_with("ifeval_prompt");
  const std::vector<std::string> readings =
      loose ? loose_readings(response) : std::vector<std::string>{std::string(response)};
  const std::vector<Instruction> all = instructions(gold);
  int kept = 0;
  for (const Instruction& each : all) {
    KEJU_CHECK(each.check != nullptr, "an instruction that cannot be checked is graded");
    kept += std::any_of(readings.begin(), readings.end(), [&](const std::string& text) {
      return followed(each, text);
    });
  }
  const int count = static_cast<int>(all.size());
  if (whole) return kept == count ? 1 : 0;
  return static_cast<double>(kept) / count;
}

}  // namespace keju
