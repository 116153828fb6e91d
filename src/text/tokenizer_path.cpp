// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "text/formats.h"

namespace keju {
namespace {

namespace fs = std::filesystem;

// A rank file is lines of base64, a space and a number; a SentencePiece model begins with the
// tag of its first piece.
bool is_rank_file(std::string_view content) {
  const std::string_view line = content.substr(0, std::min(content.find('\n'), content.size()));
  const size_t space = line.find(' ');
  return space != line.npos && space > 0 && line[space - 1] >= '+' && line[0] != '\x0A' &&
         line.find_first_not_of("0123456789\r", space + 1) == line.npos;
}

// Published names carry a date: tekken_240911.json.
bool is_tekken(const fs::path& path) {
  return path.extension() == ".json" && path.stem().string().starts_with("tekken");
}

std::unique_ptr<Tokenizer> read_model_file(const fs::path& path, const FolderConfig& config) {
  const std::string content = read_file(path);
  return is_rank_file(content) ? read_tiktoken(path, content, config)
                               : read_sentencepiece(path, content, config);
}

std::unique_ptr<Tokenizer> read_one_file(const fs::path& path) {
  const FolderConfig config = read_folder_config(path.parent_path());
  const std::string name = path.filename().string();
  if (name == "vocab.json" || name == "merges.txt") {
    return read_vocab_and_merges(
        path.parent_path() / "vocab.json", path.parent_path() / "merges.txt", config);
  }
  if (is_tekken(path)) return read_tekken(path, config);
  if (path.extension() == ".json") return read_hf_tokenizer(path, config);
  return read_model_file(path, config);
}

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_path(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return read_one_file(path);
  const FolderConfig config = read_folder_config(path);
  if (fs::is_regular_file(path / "tokenizer.json")) {
    return read_hf_tokenizer(path / "tokenizer.json", config);
  }
  if (fs::is_regular_file(path / "tekken.json")) return read_tekken(path / "tekken.json", config);
  std::vector<fs::path> candidates;
  if (fs::is_regular_file(path / "tokenizer.model")) candidates.push_back(path / "tokenizer.model");
  std::vector<fs::path> ranks;
  fs::directory_iterator entries(path, error);
  if (error) throw fail(Code::kIo, "{}: tokenizer: found {}", path.string(), error.message());
  for (const fs::directory_entry& entry : entries) {
    if (entry.path().extension() == ".tiktoken") ranks.push_back(entry.path());
  }
  std::sort(ranks.begin(), ranks.end());
  candidates.insert(candidates.end(), ranks.begin(), ranks.end());
  if (!candidates.empty()) return read_model_file(candidates.front(), config);
  if (fs::is_regular_file(path / "vocab.json") && fs::is_regular_file(path / "merges.txt")) {
    return read_vocab_and_merges(path / "vocab.json", path / "merges.txt", config);
  }
  throw fail(Code::kIo,
             "{}: tokenizer: found no file, need tokenizer.json, tekken.json, tokenizer.model, "
             "*.tiktoken, or vocab.json with merges.txt",
             path.string());
}

}  // namespace keju
