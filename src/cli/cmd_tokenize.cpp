// SPDX-License-Identifier: MIT
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"

namespace keju {

void add_tokenize(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "tokenize", "Text to token ids (JSONL in and out); adds no BOS, EOS or prefix");
  command->footer("Example: echo '{\"text\":\"你好\"}' | keju tokenize --model model.gguf");
  auto model = std::make_shared<std::string>();
  auto special = std::make_shared<bool>(false);
  command->add_option("--model,-m", *model, "A checkpoint, a GGUF file or a lone tokenizer file")
      ->required();
  command->add_flag(
      "--parse-special", *special, "Text that spells a special token becomes that token");
  command->add_flag_function(
      "--json", [](int64_t) {}, "Output is JSON lines in any case");
  command->callback([=, &action] {
    action = [=] {
      const auto tokenizer = open_tokenizer(*model, TokenizerUse::kRequired);
      return each_json_line([&](const Json& line) {
        const std::string text = string_member(line, "text", "line");
        Json answer;
        answer["ids"] = tokenizer->encode(text, *special ? ParseSpecial::kYes : ParseSpecial::kNo);
        return answer;
      });
    };
  });
}

}  // namespace keju
