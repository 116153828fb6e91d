// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"
#include "text/template.h"

namespace keju {
namespace {

struct RenderCommand {
  std::string model, file, bos, eos;
};

// BOS and EOS of the command line come first, then those of the checkpoint's tokenizer.
void tokens_of_model(RenderCommand& command) {
  const auto tokenizer = open_tokenizer(command.model, TokenizerUse::kOptional);
  if (tokenizer == nullptr) return;
  const SpecialIds& special = tokenizer->special();
  if (command.bos.empty() && special.bos) command.bos = tokenizer->piece(*special.bos);
  if (command.eos.empty() && special.eos) command.eos = tokenizer->piece(*special.eos);
}

int render(RenderCommand command) {
  if (command.model.empty() == command.file.empty()) {
    throw fail(Code::kUsage,
               "render: found {} of --model and --template, need exactly one",
               command.model.empty() ? 0 : 2);
  }
  std::string source, where = command.file;
  if (command.file.empty()) {
    const auto checkpoint = Checkpoint::open(command.model);
    source = template_source(*checkpoint);
    where = command.model + ": chat template";
    if (source.empty())
      throw fail(Code::kUnsupported,
                 "{}: chat template: found none, need one. Give a file with --template",
                 command.model);
    tokens_of_model(command);
  } else {
    source = read_file(command.file);
  }
  const Template compiled = Template::compile(source, where);
  return each_json_line([&](const Json& line) {
    Json context = line;  // every further key is a variable of the template
    if (!context.is_object())
      throw fail(Code::kInput, "line: found {}, need an object", context.type_name());
    (void)member(context, "messages", "line");
    if (!context.contains("add_generation_prompt")) context["add_generation_prompt"] = false;
    if (!context.contains("bos_token")) context["bos_token"] = command.bos;
    if (!context.contains("eos_token")) context["eos_token"] = command.eos;
    return Json{{"text", compiled.render(context)}};
  });
}

}  // namespace

void add_render(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("render", "Chat turns to text by a template (JSONL in and out)");
  command->footer(
      "Example: echo "
      "'{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"add_generation_prompt\":true}' | "
      "keju render --model model.gguf");
  auto options = std::make_shared<RenderCommand>();
  command->add_option("--model,-m", options->model, "Checkpoint whose template is used");
  command->add_option("--template", options->file, "A Jinja file");
  command->add_option("--bos-token", options->bos, "Value of bos_token");
  command->add_option("--eos-token", options->eos, "Value of eos_token");
  command->add_flag_function(
      "--json", [](int64_t) {}, "Output is JSON lines in any case");
  command->callback([=, &action] { action = [=] { return render(*options); }; });
}

}  // namespace keju
