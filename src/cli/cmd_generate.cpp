// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "cli/command.h"
#include "cli/ids.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"

namespace keju {
namespace {

Prompt prompt_of(const Json& line) {
  Prompt prompt;
  const int given = static_cast<int>(line.contains("prompt")) +
                    static_cast<int>(line.contains("messages")) +
                    static_cast<int>(line.contains("ids"));
  if (given != 1)
    throw fail(Code::kInput, "line: found {} of prompt, messages and ids, need exactly one", given);
  if (line.contains("ids")) {
    prompt.add_prefix = false;  // taken as they are
    prompt.pieces = {{"", ParseSpecial::kNo, ids_member(line)}};
    if (prompt.pieces[0].ids.empty())
      throw fail(Code::kInput, "line: ids: found none, need at least one");
  } else if (line.contains("prompt")) {
    prompt.pieces = {{string_member(line, "prompt", "line"), ParseSpecial::kYes, {}}};
  } else {
    const Json& messages = member(line, "messages", "line");
    if (!messages.is_array() || messages.empty())
      throw fail(Code::kInput, "line: messages: need a list of at least one turn");
    for (const Json& m : messages) {
      prompt.chat.push_back({string_member(m, "role", "line: messages"),
                             string_member(m, "content", "line: messages")});
    }
  }
  return prompt;
}

Request request_of(const Json& line, int64_t number) {
  if (!line.is_object())
    throw fail(Code::kInput, "line: found {}, need an object", line.type_name());
  static const std::vector<std::string> known = {"prompt",
                                                 "messages",
                                                 "ids",
                                                 "max_tokens",
                                                 "stop",
                                                 "temperature",
                                                 "top_p",
                                                 "top_k",
                                                 "min_p",
                                                 "seed",
                                                 "ignore_eos"};
  for (const auto& [key, value] : line.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw fail(Code::kInput, "line: unknown \"{}\"{}", key, suggestion(key, known));
    }
  }
  GenerateRequest generate;
  generate.prompt = prompt_of(line);
  if (line.contains("max_tokens")) generate.max_tokens = int_member(line, "max_tokens", "line");
  if (line.contains("temperature"))
    generate.temperature = number_member(line, "temperature", "line");
  if (line.contains("top_p")) generate.top_p = number_member(line, "top_p", "line");
  if (line.contains("top_k")) generate.top_k = int_member(line, "top_k", "line");
  if (line.contains("min_p")) generate.min_p = number_member(line, "min_p", "line");
  if (line.contains("seed"))
    generate.seed = static_cast<uint64_t>(int_member(line, "seed", "line"));
  if (line.contains("ignore_eos")) {
    if (!line["ignore_eos"].is_boolean())
      throw fail(Code::kInput, "line: ignore_eos: need true or false");
    generate.ignore_eos = line["ignore_eos"].get<bool>();
  }
  if (line.contains("stop")) {
    const Json& stop = line["stop"];
    for (const Json& s : stop.is_array() ? stop : Json::array({stop})) {
      if (!s.is_string())
        throw fail(Code::kInput,
                   "line: stop: found {}, need a string or a list of strings",
                   s.type_name());
      generate.stop.push_back(s.get<std::string>());
    }
  }
  if (generate.temperature < 0)
    throw fail(Code::kInput, "line: temperature: found {}, need 0 or more", generate.temperature);
  Request request;
  request.id = static_cast<uint64_t>(number);
  request.group = "stdin";
  request.key = fmt::format("line {}", number);
  request.what = std::move(generate);
  return request;
}

// Lines that are there together decode together; answers keep the order of the lines.
int answer_batch(LocalModel& model, const std::vector<std::string>& lines, int64_t first_line) {
  std::vector<Json> answers(lines.size());
  std::vector<Request> requests;
  int code = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    const int64_t number = first_line + static_cast<int64_t>(i);
    try {
      Request request = request_of(parse_json(lines[i], fmt::format("stdin:{}", number)), number);
      request.id = i;
      requests.push_back(std::move(request));
    } catch (const Error& error) {
      if (error.code() == Code::kBug) throw;
      answers[i] = {{"error", error.what()}};
      code = exit_code(Code::kInput);
    }
  }
  VectorSource source(std::move(requests));
  const auto session = model.start(source);
  while (const auto response = session->next()) {
    if (!response->error.empty()) {
      answers[response->id] = {{"error", response->error}};
      code = exit_code(Code::kInput);
      continue;
    }
    const auto& result = std::get<GenerateResult>(response->what);
    answers[response->id] = {
        {"text", result.text}, {"ids", result.ids}, {"finish_reason", name(result.finish)}};
  }
  for (const Json& answer : answers) write_json_line(answer);
  return code;
}

}  // namespace

void add_generate(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("generate", "Continue prompts, chats or ids (JSONL in and out)");
  command->footer(
      "Example: echo '{\"prompt\":\"1+1=\",\"max_tokens\":8}' | keju generate --model model.gguf\n"
      "Keys: prompt | messages | ids, max_tokens, stop, temperature, top_p, top_k, min_p, seed, "
      "ignore_eos");
  auto options = std::make_shared<ModelOptions>();
  add_model_options(*command, *options);
  command->add_flag_function(
      "--json", [](int64_t) {}, "Output is JSON lines in any case");
  command->callback([=, &action] {
    action = [=] {
      const OpenedModel opened = open_model(*options);
      LineReader reader;
      int code = 0;
      while (true) {
        const int64_t first = reader.lines_read() + 1;
        const std::vector<std::string> lines = reader.batch(1024);
        if (lines.empty()) return code;
        code = std::max(code, answer_batch(*opened.model, lines, first));
      }
    };
  });
}

}  // namespace keju
