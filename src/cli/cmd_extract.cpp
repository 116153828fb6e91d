// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "score/extract.h"
#include "suite/rules.h"

namespace keju {

void add_extract(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "extract", "What a rule reads out of a text, and where (JSONL in and out)");
  command->footer(
      "Example: echo '{\"text\":\"The answer is 12.\"}' | keju extract --rule last_number");
  auto rule = std::make_shared<std::string>();
  command
      ->add_option("--rule",
                   *rule,
                   fmt::format("One of {}; or first:PATTERN, last:PATTERN",
                               fmt::join(extract_rules(), ", ")))
      ->required();
  command->add_flag_function(
      "--json", [](int64_t) {}, "Output is JSON lines in any case");
  command->callback([=, &action] {
    action = [=] {
      const std::vector<std::string>& known = extract_rules();
      if (pattern_steps(*rule).empty() &&
          std::find(known.begin(), known.end(), *rule) == known.end()) {
        throw fail(Code::kUsage, "--rule: unknown \"{}\"{}", *rule, suggestion(*rule, known));
      }
      return each_json_line([&](const Json& line) {
        std::vector<std::string> choices;
        if (line.contains("choices")) {
          for (const Json& choice : line["choices"]) {
            if (!choice.is_string())
              throw fail(Code::kInput, "line: choices: found {}, need strings", choice.type_name());
            choices.push_back(choice.get<std::string>());
          }
        }
        const Extraction found = extract(*rule, string_member(line, "text", "line"), choices);
        Json answer;
        answer["answer"] = found.answer ? Json(*found.answer) : Json();
        answer["status"] = name(found.status);
        answer["span"] = found.span ? Json::array({found.span->begin, found.span->end}) : Json();
        return answer;
      });
    };
  });
}

}  // namespace keju
