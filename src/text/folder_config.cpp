// SPDX-License-Identifier: MIT
#include "text/folder_config.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/mapped_file.h"

namespace keju {
namespace {

// "…": "<s>" or "…": {"content": "<s>", …}; null and false mean none.
void read_spelling(const Json& object,
                   const char* key,
                   std::string& out,
                   const std::string& where) {
  const auto at = object.find(key);
  if (at == object.end() || at->is_null() || *at == Json(false)) return;
  out = at->is_object() ? string_member(*at, "content", where + ": " + key)
                        : string_member(object, key, where);
}

bool flag(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_boolean() && at->get<bool>();
}

void need_object(const Json& value, const std::string& where) {
  if (!value.is_object())
    throw fail(Code::kInput, "{}: found {}, need an object", where, value.type_name());
}

void read_spellings(const Json& object, const std::string& where, FolderConfig& config) {
  read_spelling(object, "bos_token", config.bos, where);
  read_spelling(object, "eos_token", config.eos, where);
  read_spelling(object, "unk_token", config.unk, where);
  read_spelling(object, "pad_token", config.pad, where);
}

TokenId id_from_text(const std::string& text, const std::string& where) {
  TokenId id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 0) {
    throw fail(Code::kInput, "{}: found \"{}\", need a token id", where, text);
  }
  return id;
}

std::string with_plain_numbers(std::string_view text) {
  constexpr size_t kLongestInteger = 18;
  std::string out;
  bool quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    out += c;
    if (quoted && c == '\\' && at + 1 < text.size()) {
      out += text[++at];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c >= '0' && c <= '9') {
      const size_t end = std::min(text.find_first_not_of("0123456789.eE+-", at), text.size());
      const std::string_view number = text.substr(at, end - at);
      out.append(number.substr(1));
      if (number.size() > kLongestInteger && number.find_first_of(".eE") == number.npos)
        out += ".0";
      at = end - 1;
    }
  }
  return out;
}

void read_tokenizer_config(const std::filesystem::path& path, FolderConfig& config) {
  const std::string where = path.string();
  const Json json = read_python_json(path);
  need_object(json, where);
  read_spellings(json, where, config);
  if (const auto at = json.find("name_or_path"); at != json.end() && at->is_string()) {
    config.name_or_path = at->get<std::string>();
  }
  if (const auto at = json.find("tokenizer_class"); at != json.end() && at->is_string()) {
    config.tokenizer_class = at->get<std::string>();
  }
  if (const auto at = json.find("add_bos_token"); at != json.end() && at->is_boolean()) {
    config.add_bos = at->get<bool>();
  }
  const auto added = json.find("added_tokens_decoder");
  if (added == json.end() || !added->is_object()) return;
  for (const auto& [key, entry] : added->items()) {
    const std::string place = where + ": added_tokens_decoder";
    config.added.push_back(added_token_from_json(entry, id_from_text(key, place), place));
  }
}

void read_added_tokens(const std::filesystem::path& path, FolderConfig& config) {
  const Json json = read_python_json(path);
  need_object(json, path.string());
  for (const auto& [text, id] : json.items()) {
    const int64_t value = int_member(json, text, path.string());
    if (value < 0 || value > Vocab::kMaxId) {
      throw fail(Code::kInput,
                 "{}: \"{}\": found id {}, need 0 to {}",
                 path.string(),
                 text,
                 value,
                 Vocab::kMaxId);
    }
    const auto same = [value](const AddedToken& token) { return token.id == value; };
    if (std::find_if(config.added.begin(), config.added.end(), same) == config.added.end()) {
      config.added.push_back({text, static_cast<TokenId>(value), true});
    }
  }
}

void read_stops(const std::filesystem::path& path, FolderConfig& config) {
  const Json json = read_python_json(path);
  need_object(json, path.string());
  const auto at = json.find("eos_token_id");
  if (at == json.end() || at->is_null()) return;
  const Json list = at->is_array() ? *at : Json::array({*at});
  for (const Json& id : list) {
    if (!id.is_number_integer()) {
      throw fail(
          Code::kInput, "{}: eos_token_id: found {}, need integers", path.string(), id.type_name());
    }
    config.stops.push_back(id.get<TokenId>());
  }
}

}  // namespace

Json read_python_json(const std::filesystem::path& path) {
  return parse_json(with_plain_numbers(read_file(path)), path.string());
}

AddedToken added_token_from_json(const Json& entry, TokenId id, std::string_view where) {
  need_object(entry, std::string(where));
  AddedToken token;
  token.text = string_member(entry, "content", where);
  token.id = id;
  token.special = flag(entry, "special");
  token.normalized = flag(entry, "normalized");
  token.strip_left = flag(entry, "lstrip");
  token.strip_right = flag(entry, "rstrip");
  token.single_word = flag(entry, "single_word");
  return token;
}

FolderConfig read_folder_config(const std::filesystem::path& folder) {
  FolderConfig config;
  const auto file = [&folder](const char* name) { return folder / name; };
  const auto there = [&file](const char* name) {
    return std::filesystem::is_regular_file(file(name));
  };
  if (there("special_tokens_map.json")) {
    const Json json = read_python_json(file("special_tokens_map.json"));
    need_object(json, file("special_tokens_map.json").string());
    read_spellings(json, file("special_tokens_map.json").string(), config);
  }
  if (there("tokenizer_config.json")) read_tokenizer_config(file("tokenizer_config.json"), config);
  if (there("added_tokens.json")) read_added_tokens(file("added_tokens.json"), config);
  if (there("generation_config.json")) read_stops(file("generation_config.json"), config);
  return config;
}

void apply_folder_config(const FolderConfig& config,
                         PrefixKnown prefix,
                         TokenizerParts& parts,
                         std::string_view where) {
  SpecialIds& special = parts.special;
  const auto set = [&](const std::string& spelling, std::optional<TokenId>& id) {
    if (spelling.empty()) return;
    const auto same = [&](const AddedToken& token) { return token.text == spelling; };
    const auto added = std::find_if(parts.added.begin(), parts.added.end(), same);
    const TokenId found = added != parts.added.end() ? added->id : parts.vocab->find(spelling);
    if (found >= 0) id = found;
  };
  set(config.bos, special.bos);
  set(config.eos, special.eos);
  set(config.unk, special.unk);
  set(config.pad, special.pad);
  special.stops.insert(special.stops.end(), config.stops.begin(), config.stops.end());
  const auto last = static_cast<TokenId>(parts.vocab->size());
  for (const TokenId id : config.stops) {
    const auto same = [id](const AddedToken& token) { return token.id == id; };
    if (id < 0 || (id >= last && std::none_of(parts.added.begin(), parts.added.end(), same))) {
      throw fail(Code::kInput,
                 "{}: generation_config.json: eos_token_id: found {}, need an id of the vocabulary",
                 where,
                 id);
    }
  }
  add_known_stops(parts);
  // The Llama and Gemma classes build their own rule from add_bos_token, whatever the file says.
  const bool rebuilds = config.tokenizer_class.find("Llama") != std::string::npos ||
                        config.tokenizer_class.find("Gemma") != std::string::npos;
  if (!config.add_bos || (prefix == PrefixKnown::kYes && !rebuilds)) return;
  special.prefix.clear();
  if (*config.add_bos && special.bos) special.prefix = {*special.bos};
}

}  // namespace keju
