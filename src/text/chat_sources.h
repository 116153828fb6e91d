// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/key_values.h"

namespace keju {

// The chat templates that a checkpoint carries, by name: "default", and perhaps "tool_use", "rag" …
struct ChatSources {
  std::map<std::string, std::string> by_name;
  std::string where;  // the file (and its member) that they come from

  bool empty() const { return by_name.empty(); }
  // "" if there is none.
  const std::string& named(const std::string& name) const;
};

// Of a folder, as transformers 5.23 looks for them: chat_template.jinja with
// additional_chat_templates/NAME.jinja; else "chat_template" of tokenizer_config.json, a string or
// a list of named ones; else that of chat_template.json, where processors used to keep it. None
// found is no error. Errors: Error(kInput) for a value of another kind, or templates without a
// default.
ChatSources chat_sources_of_folder(const std::filesystem::path& folder);

// Of GGUF metadata: tokenizer.chat_template and tokenizer.chat_template.NAME.
ChatSources chat_sources_of_gguf(const KeyValues& metadata);

}  // namespace keju
