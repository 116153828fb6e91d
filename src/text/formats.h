// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>

#include "text/folder_config.h"
#include "text/tokenizer.h"

namespace keju {

// The file formats behind tokenizer_from_path; `config` is what lies beside the file.
std::unique_ptr<Tokenizer> read_hf_tokenizer(const std::filesystem::path& path,
                                             const FolderConfig& config);
std::unique_ptr<Tokenizer> read_sentencepiece(const std::filesystem::path& path,
                                              const std::string& content,
                                              const FolderConfig& config);
std::unique_ptr<Tokenizer> read_tiktoken(const std::filesystem::path& path,
                                         const std::string& content,
                                         const FolderConfig& config);
std::unique_ptr<Tokenizer> read_tekken(const std::filesystem::path& path,
                                       const FolderConfig& config);
std::unique_ptr<Tokenizer> read_vocab_and_merges(const std::filesystem::path& vocab,
                                                 const std::filesystem::path& merges,
                                                 const FolderConfig& config);

}  // namespace keju
