// SPDX-License-Identifier: MIT
#include <optional>

#include "base/error.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"
#include "cli/talk.h"

namespace keju {
namespace {

struct RenderCommand {
  std::string model, chat_template, bos, eos;
};

// A rendered line, and its ids where there is a tokenizer to make them.
Json render_line(const ChatFormat& format, const Tokenizer* tokenizer, const Json& line) {
  if (!line.is_object())
    throw fail(Code::kInput, "line: found {}, need an object", line.type_name());
  const Json& messages = member(line, "messages", "line");
  bool prompt = false;
  Json variables = Json::object();  // every further key is a variable of the template
  for (const auto& [key, value] : line.items()) {
    if (key == "messages") continue;
    if (key != "add_generation_prompt") {
      variables[key] = value;
    } else if (value.is_boolean()) {
      prompt = value.get<bool>();
    } else {
      throw fail(Code::kInput, "line: add_generation_prompt: need true or false");
    }
  }
  std::vector<RenderedPiece> pieces = format.render_json(messages, prompt, variables);
  Json answer{{"text", ChatFormat::joined(pieces)}};
  if (tokenizer == nullptr) return answer;
  const PromptEncoder encoder(*tokenizer, nullptr);
  Prompt encoded;
  encoded.add_prefix = false;
  encoded.pieces = chat_pieces(format, std::move(pieces), *tokenizer);
  answer["ids"] = encoder.prompt(encoded);
  return answer;
}

// A template that does not compile is what is wrong with every line.
int answer_with(const Error& error) {
  talk(fmt::format("keju: {}", error.what()));
  (void)each_json_line([&](const Json&) -> Json { throw Error(error); });
  return exit_code(error.code());
}

int render(const RenderCommand& command) {
  if (command.model.empty() && command.chat_template.empty())
    throw fail(Code::kUsage, "render: found neither --model nor --template, need one of them");
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;
  if (!command.model.empty()) {
    if (command.chat_template.empty()) checkpoint = Checkpoint::open(command.model);
    tokenizer = open_tokenizer(command.model, TokenizerUse::kOptional);
  }
  const ChatChoice choice = choose_chat(checkpoint.get(), tokenizer.get(), command.chat_template);
  if (choice.none()) {
    throw fail(Code::kUnsupported,
               "{}: chat template: found none, need one. Give a file or builtin:NAME with "
               "--template; built in are {}",
               command.model,
               fmt::join(ChatFormat::builtin_names(), ", "));
  }
  ChatTokens tokens = chat_tokens(tokenizer.get());
  if (!command.bos.empty()) tokens.bos = command.bos;
  if (!command.eos.empty()) tokens.eos = command.eos;
  std::optional<ChatFormat> format;
  try {
    format.emplace(chat_format_of(choice, tokens));
  } catch (const Error& error) {
    return answer_with(error);
  }
  if (tokenizer != nullptr) (void)chat_pieces(*format, {}, *tokenizer);  // does it fit the model?
  talk("chat: " + choice.said);
  return each_json_line(
      [&](const Json& line) { return render_line(*format, tokenizer.get(), line); });
}

}  // namespace

void add_render(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "render", "Chat turns to text by a template, and to ids with a model (JSONL in and out)");
  command->footer(
      "Example: echo "
      "'{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"add_generation_prompt\":true}' | "
      "keju render --model model.gguf");
  auto options = std::make_shared<RenderCommand>();
  command->add_option("--model,-m", options->model, "Checkpoint whose template is used");
  command->add_option("--template,--chat-template",
                      options->chat_template,
                      "A Jinja file, or builtin:NAME; with --model, instead of the model's own");
  command->add_option("--bos-token", options->bos, "Value of bos_token; default: the model's");
  command->add_option("--eos-token", options->eos, "Value of eos_token; default: the model's");
  command->add_flag_function(
      "--json", [](int64_t) {}, "Output is JSON lines in any case");
  command->callback([=, &action] { action = [=] { return render(*options); }; });
}

}  // namespace keju
