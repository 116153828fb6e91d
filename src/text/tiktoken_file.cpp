// SPDX-License-Identifier: MIT
#include <charconv>

#include "base/error.h"
#include "base/sha256.h"
#include "text/bpe.h"
#include "text/formats.h"
#include "text/hf_steps.h"
#include "text/patterns.h"

namespace keju {
namespace {

// A rank file says neither its pattern nor its special tokens, so it is known by what it holds.
struct KnownRanks {
  std::string_view name;
  size_t count;
  std::string_view sha256;  // over every token's size and bytes, in order
  std::string_view pattern;
  bool nfc;
  std::vector<std::string> (*specials)();  // ids from `count` on
  std::string_view bos, eos, pad;
  bool prefix;
};

std::vector<std::string> qwen_specials() {
  std::vector<std::string> out{"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  for (int i = 0; i < 205; ++i) out.push_back(fmt::format("<|extra_{}|>", i));
  return out;
}

std::vector<std::string> llama3_specials() {
  std::vector<std::string> out{"<|begin_of_text|>",
                               "<|end_of_text|>",
                               "<|reserved_special_token_0|>",
                               "<|reserved_special_token_1|>",
                               "<|finetune_right_pad_id|>",
                               "<|step_id|>",
                               "<|start_header_id|>",
                               "<|end_header_id|>",
                               "<|eom_id|>",
                               "<|eot_id|>",
                               "<|python_tag|>"};
  for (int i = 2; out.size() < 256; ++i)
    out.push_back(fmt::format("<|reserved_special_token_{}|>", i));
  return out;
}

const KnownRanks kKnown[] = {
    {"qwen",
     151643,
     "936eb2d46a8f8f8d2860265a5c4346092caa9c5198d4d8f44cf99a86775fa555",
     kQwen2Pattern,
     true,
     qwen_specials,
     "",
     "<|endoftext|>",
     "",
     false},
    {"llama3",
     128000,
     "350d88675e8fcd827021491c120e78949746440e80215af9291ced959938f504",
     kLlama3Pattern,
     false,
     llama3_specials,
     "<|begin_of_text|>",
     "<|end_of_text|>",
     "<|finetune_right_pad_id|>",
     true},
};

std::vector<std::string> read_ranks(std::string_view content, const std::string& where) {
  std::vector<std::string> tokens;
  size_t line = 0;
  while (!content.empty()) {
    ++line;
    const size_t end = std::min(content.find('\n'), content.size());
    std::string_view text = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty()) continue;
    const std::string place = fmt::format("{}:{}", where, line);
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view digits = text.substr(std::min(space + 1, text.size()));
    size_t rank = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    if (error != std::errc() || stop != digits.data() + digits.size() || rank != tokens.size()) {
      throw fail(Code::kInput,
                 "{}: found \"{}\", need base64, a space and rank {}",
                 place,
                 text.substr(0, 80),
                 tokens.size());
    }
    tokens.push_back(decode_base64(text.substr(0, space), place));
    if (tokens.back().empty()) throw fail(Code::kInput, "{}: found an empty token", place);
  }
  return tokens;
}

const KnownRanks& recognise(const std::vector<std::string>& tokens, const std::string& where) {
  Sha256 hash;
  for (const std::string& token : tokens) {
    hash.update(fmt::format("{}:", token.size()));
    hash.update(token);
  }
  const std::string digest = hash.finish_hex();
  for (const KnownRanks& known : kKnown) {
    if (known.count == tokens.size() && known.sha256 == digest) return known;
  }
  throw fail(
      Code::kUnsupported,
      "{}: rank file: found {} ranks with digest {}, need the ranks of qwen (151643) or llama3 "
      "(128000). A rank file does not say its pattern; use the tokenizer.json of this model",
      where,
      tokens.size(),
      digest.substr(0, 16));
}

// The merge of lowest rank is that of the pair whose joined bytes have the lowest rank, so every
// split of a token into two others is a merge of the token's own rank.
void add_merges(const std::vector<std::string>& tokens, PairBpe& model) {
  StringTable ids;
  ids.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) ids.insert(tokens[i], static_cast<TokenId>(i));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view token = tokens[i];
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const TokenId left = ids.find(token.substr(0, cut));
      const TokenId right = left < 0 ? -1 : ids.find(token.substr(cut));
      if (right < 0) continue;
      model.add_merge_ids(left, right, {static_cast<uint32_t>(i), static_cast<TokenId>(i)});
    }
  }
  model.finish();
}

}  // namespace

std::unique_ptr<Tokenizer> read_tiktoken(const std::filesystem::path& path,
                                         const std::string& content,
                                         const FolderConfig& config) {
  const std::string where = path.string();
  const std::vector<std::string> tokens = read_ranks(content, where);
  const KnownRanks& known = recognise(tokens, where);
  TokenizerParts parts;
  parts.kind = fmt::format("bpe (tiktoken, {})", known.name);
  parts.digest = sha256_hex(content);
  for (size_t i = 0; i < tokens.size(); ++i) {
    parts.vocab->add(stand_ins_from_bytes(tokens[i]), static_cast<TokenId>(i), where);
  }
  auto id = static_cast<TokenId>(tokens.size());
  for (const std::string& special : known.specials()) {
    parts.vocab->add(special, id, where);
    parts.added.push_back({special, id++, true});
  }
  const auto named = [&](std::string_view spelling) -> std::optional<TokenId> {
    const TokenId found = spelling.empty() ? -1 : parts.vocab->find(spelling);
    return found < 0 ? std::nullopt : std::optional<TokenId>(found);
  };
  parts.special.bos = named(known.bos);
  parts.special.eos = named(known.eos);
  parts.special.pad = named(known.pad);
  if (known.prefix && parts.special.bos) parts.special.prefix = {*parts.special.bos};
  if (known.nfc) parts.normalizers.push_back(normal_form(NormalForm::kNfc, NormalTables::kCurrent));
  parts.pre_tokenizers.push_back(split_by_regex(std::string(known.pattern), {}, where));
  auto model = std::make_unique<PairBpe>(
      *parts.vocab, BpeOptions{.byte_level = true, .ignore_merges = true}, tokens.size() * 3);
  add_merges(tokens, *model);
  parts.model = std::move(model);
  parts.raw_added = true;
  parts.decode.push_back(decode_byte_level());
  apply_folder_config(config, PrefixKnown::kYes, parts, where);
  return make_tokenizer(std::move(parts), where);
}

}  // namespace keju
