// SPDX-License-Identifier: MIT
#include "text/chat_sources.h"

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/folder_config.h"

namespace keju {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGgufKey = "tokenizer.chat_template";

void need_default(const ChatSources& sources) {
  if (sources.empty() || sources.by_name.contains("default")) return;
  std::string names;
  for (const auto& [name, source] : sources.by_name) names += (names.empty() ? "" : ", ") + name;
  throw fail(Code::kInput, "{}: found {}, need one named \"default\"", sources.where, names);
}

ChatSources from_files(const fs::path& folder) {
  ChatSources out;
  const fs::path file = folder / "chat_template.jinja";
  if (fs::is_regular_file(file)) {
    out.by_name["default"] = read_file(file);
    out.where = file.string();
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "additional_chat_templates", error)) {
    if (entry.path().extension() != ".jinja") continue;
    out.by_name[entry.path().stem().string()] = read_file(entry.path());
    if (out.where.empty()) out.where = (folder / "additional_chat_templates").string();
  }
  return out;
}

ChatSources from_config(const fs::path& file) {
  ChatSources out;
  if (!fs::is_regular_file(file)) return out;
  const Json json = read_python_json(file);
  const auto at = json.is_object() ? json.find("chat_template") : json.end();
  if (at == json.end() || at->is_null()) return out;
  out.where = file.string() + ": chat_template";
  if (at->is_string()) {
    out.by_name["default"] = at->get<std::string>();
    return out;
  }
  if (!at->is_array()) {
    throw fail(Code::kInput,
               "{}: found {}, need a string or a list of named templates",
               out.where,
               at->type_name());
  }
  for (const Json& entry : *at) {
    if (!entry.is_object()) {
      throw fail(Code::kInput, "{}: found {}, need an object", out.where, entry.type_name());
    }
    out.by_name[string_member(entry, "name", out.where)] =
        string_member(entry, "template", out.where);
  }
  return out;
}

}  // namespace

const std::string& ChatSources::named(const std::string& name) const {
  static const std::string none;
  const auto at = by_name.find(name);
  return at == by_name.end() ? none : at->second;
}

ChatSources chat_sources_of_folder(const fs::path& folder) {
  ChatSources out = from_files(folder);
  if (out.empty()) out = from_config(folder / "tokenizer_config.json");
  if (out.empty()) out = from_config(folder / "chat_template.json");
  need_default(out);
  return out;
}

ChatSources chat_sources_of_gguf(const KeyValues& metadata) {
  ChatSources out;
  out.where = metadata.where() + ": " + std::string(kGgufKey);
  for (const auto& [key, value] : metadata.all()) {
    const auto* source = std::get_if<std::string>(&value);
    if (source == nullptr || !key.starts_with(kGgufKey)) continue;
    const std::string rest = key.substr(kGgufKey.size());
    if (rest.empty()) {
      out.by_name["default"] = *source;
    } else if (rest[0] == '.') {
      out.by_name[rest.substr(1)] = *source;
    }
  }
  need_default(out);
  return out;
}

}  // namespace keju
