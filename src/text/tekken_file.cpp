// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "text/formats.h"
#include "text/hf_steps.h"
#include "text/rank_model.h"

// Mistral's tekken.json: ranks, pattern and special tokens in one file. The first ids are the
// special tokens, the ranks follow. Source: mistral-common, tokens/tokenizers/tekken.py.
namespace keju {
namespace {

// What files of version 3 and 7 leave unsaid.
constexpr std::string_view kOldSpecials[] = {"<unk>",
                                             "<s>",
                                             "</s>",
                                             "[INST]",
                                             "[/INST]",
                                             "[AVAILABLE_TOOLS]",
                                             "[/AVAILABLE_TOOLS]",
                                             "[TOOL_RESULTS]",
                                             "[/TOOL_RESULTS]",
                                             "[TOOL_CALLS]",
                                             "[IMG]",
                                             "<pad>",
                                             "[IMG_BREAK]",
                                             "[IMG_END]",
                                             "[PREFIX]",
                                             "[MIDDLE]",
                                             "[SUFFIX]",
                                             "[SYSTEM_PROMPT]",
                                             "[/SYSTEM_PROMPT]",
                                             "[TOOL_CONTENT]"};

const Json& list_member(const Json& object, const char* key, const std::string& where) {
  const Json& list = member(object, key, where);
  if (list.is_array()) return list;
  throw fail(Code::kInput, "{}: {}: found {}, need a list", where, key, list.type_name());
}

void need_rank(const Json& entry, size_t rank, const std::string& place) {
  const int64_t found = int_member(entry, "rank", place);
  if (found == static_cast<int64_t>(rank)) return;
  throw fail(Code::kInput, "{}: rank: found {}, need {}", place, found, rank);
}

std::vector<std::string> read_vocab(const Json& list, size_t count, const std::string& where) {
  std::vector<std::string> tokens;
  for (size_t i = 0; i < count; ++i) {
    const std::string place = fmt::format("{}: vocab[{}]", where, i);
    need_rank(list[i], i, place);
    tokens.push_back(decode_base64(string_member(list[i], "token_bytes", place), place));
    if (tokens[i].empty() || (i < 256 && tokens[i] != std::string(1, static_cast<char>(i)))) {
      throw fail(Code::kInput,
                 "{}: token_bytes: found {} bytes, need {}",
                 place,
                 tokens[i].size(),
                 i < 256 ? fmt::format("the byte {}", i) : "one or more");
    }
  }
  return tokens;
}

std::vector<std::string> named_specials(const Json& json,
                                        const std::string& version,
                                        const std::string& where) {
  std::vector<std::string> out;
  const auto at = json.find("special_tokens");
  if (at == json.end() || at->is_null()) {
    if (version != "v3" && version != "v7") {
      throw fail(Code::kInput, "{}: special_tokens: found none, need them in {}", where, version);
    }
    for (const std::string_view special : kOldSpecials) out.emplace_back(special);
    return out;
  }
  const Json& list = list_member(json, "special_tokens", where);
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("{}: special_tokens[{}]", where, i);
    need_rank(list[i], i, place);
    out.push_back(string_member(list[i], "token_str", place));
    if (out[i].empty() || std::find(out.begin(), out.end() - 1, out[i]) != out.end() - 1) {
      throw fail(Code::kInput, "{}: token_str: found \"{}\", need a new one", place, out[i]);
    }
  }
  return out;
}

std::vector<AddedToken> read_specials(const Json& json,
                                      const std::string& version,
                                      size_t count,
                                      const std::string& where) {
  std::vector<std::string> named = named_specials(json, version, where);
  if (named.size() > count) {
    throw fail(Code::kInput,
               "{}: special_tokens: found {}, need at most {} (default_num_special_tokens)",
               where,
               named.size(),
               count);
  }
  while (named.size() < count) named.push_back(fmt::format("<SPECIAL_{}>", named.size()));
  std::vector<AddedToken> added;
  for (const std::string& text : named) {
    added.push_back({text, static_cast<TokenId>(added.size()), true});
  }
  return added;
}

}  // namespace

std::unique_ptr<Tokenizer> read_tekken(const std::filesystem::path& path,
                                       const FolderConfig& config) {
  const std::string where = path.string();
  const std::string content = read_file(path);
  const Json json = parse_json(content, where);
  const std::string place = where + ": config";
  const Json& settings = member(json, "config", where);
  const std::string pattern = string_member(settings, "pattern", place);
  const std::string version = string_member(settings, "version", place);
  const int64_t specials = int_member(settings, "default_num_special_tokens", place);
  const int64_t size = int_member(settings, "default_vocab_size", place);
  const Json& list = list_member(json, "vocab", where);
  if (specials < 0 || size < specials || size > Vocab::kMaxId ||
      size - specials > static_cast<int64_t>(list.size())) {
    throw fail(Code::kInput,
               "{}: found default_vocab_size {} with {} special tokens, need up to {} others, the "
               "length of vocab",
               place,
               size,
               specials,
               list.size());
  }
  TokenizerParts parts;
  parts.kind = fmt::format("bpe (tekken, {})", version);
  parts.digest = sha256_hex(content);
  const std::vector<std::string> tokens =
      read_vocab(list, static_cast<size_t>(size - specials), where);
  parts.model = rank_model(tokens, static_cast<TokenId>(specials), *parts.vocab, where);
  parts.added = read_specials(json, version, static_cast<size_t>(specials), where);
  for (const AddedToken& token : parts.added) parts.vocab->add(token.text, token.id, where);
  const auto named = [&](std::string_view spelling) -> std::optional<TokenId> {
    const auto same = [spelling](const AddedToken& token) { return token.text == spelling; };
    const auto found = std::find_if(parts.added.begin(), parts.added.end(), same);
    return found == parts.added.end() ? std::nullopt : std::optional<TokenId>(found->id);
  };
  parts.special.bos = named("<s>");
  parts.special.eos = named("</s>");
  parts.special.unk = named("<unk>");
  parts.special.pad = named("<pad>");
  if (parts.special.bos) parts.special.prefix = {*parts.special.bos};
  parts.pre_tokenizers.push_back(split_by_regex(pattern, {}, where));
  parts.raw_added = true;
  parts.decode.push_back(decode_byte_level());
  apply_folder_config(config, PrefixKnown::kYes, parts, where);
  return make_tokenizer(std::move(parts), where);
}

}  // namespace keju
