// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "text/pipeline.h"

namespace keju {

// What the files beside a tokenizer file say about its special tokens: tokenizer_config.json,
// special_tokens_map.json, added_tokens.json and generation_config.json, each if present.
struct FolderConfig {
  std::string tokenizer_class;
  std::string name_or_path;  // what the checkpoint was published as, if it says so
  std::optional<bool> add_bos;
  std::string bos, eos, unk, pad;  // spellings; empty: not given
  std::vector<AddedToken> added;
  std::vector<TokenId> stops;  // generation_config.json: eos_token_id
};

// Errors: Error(kInput) for a file that does not parse or a value of the wrong type.
FolderConfig read_folder_config(const std::filesystem::path& folder);

// A JSON file as Python writes it, in which "model_max_length" is 1000000000000000019884624838656:
// integers beyond 64 bits become fractions. Errors: Error(kInput), Error(kIo).
Json read_python_json(const std::filesystem::path& path);

// One entry of an added-token list. Errors: Error(kInput).
AddedToken added_token_from_json(const Json& entry, TokenId id, std::string_view where);

// Fills parts.special from the configuration where the tokenizer file itself left it open, adds the
// known stops. `prefix_known`: the file said what goes before a text.
enum class PrefixKnown { kNo, kYes };
void apply_folder_config(const FolderConfig& config,
                         PrefixKnown prefix,
                         TokenizerParts& parts,
                         std::string_view where);

}  // namespace keju
