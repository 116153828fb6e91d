// SPDX-License-Identifier: MIT
#include <cmath>

#include "base/error.h"
#include "cli/command.h"
#include "cli/ids.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"

namespace keju {

void add_logprobs(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "logprobs", "Log-probability of every token of given ids (JSONL in and out)");
  command->footer("Example: echo '{\"ids\":[1,2,3]}' | keju logprobs --model model.gguf");
  auto options = std::make_shared<ModelOptions>();
  auto logits = std::make_shared<bool>(false);
  add_model_options(*command, *options);
  command->add_flag("--logits", *logits, "Also write the logits after the last token");
  command->add_flag_function(
      "--json", [](int64_t) {}, "Output is JSON lines in any case");
  command->callback([=, &action] {
    action = [=] {
      const OpenedModel opened = open_model(*options, TokenizerUse::kOptional);
      return each_json_line([&](const Json& line) {
        std::vector<float> last;
        const std::vector<double> logprobs =
            opened.model->token_logprobs(ids_member(line), *logits ? &last : nullptr);
        Json answer;
        answer["token_logprobs"] = Json::array({nullptr});
        for (const double lp : logprobs) answer["token_logprobs"].push_back(lp);
        if (*logits) answer["last_logits"] = last;
        return answer;
      });
    };
  });
}

}  // namespace keju
