// SPDX-License-Identifier: MIT
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/sha256.h"
#include "text/formats.h"
#include "text/hf_steps.h"
#include "text/patterns.h"
#include "text/rank_model.h"

namespace keju {
namespace {

// A rank file says neither its pattern nor its special tokens, so it is known by what it holds, or
// by the class that tokenizer_config.json names.
struct KnownRanks {
  std::string_view name;
  std::string_view tokenizer_class;  // empty: known by what it holds
  size_t count;
  std::string_view sha256;  // over every token's size and bytes, in order
  std::string_view pattern;
  bool nfc;
  std::vector<std::string> (*specials)();  // ids from `count` on; null: tokenizer_config.json's
  std::string_view bos, eos, pad;
  std::vector<std::string_view> prefix;
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
     "",
     151643,
     "936eb2d46a8f8f8d2860265a5c4346092caa9c5198d4d8f44cf99a86775fa555",
     kQwen2Pattern,
     true,
     qwen_specials,
     "",
     "<|endoftext|>",
     "",
     {}},
    {"llama3",
     "",
     128000,
     "350d88675e8fcd827021491c120e78949746440e80215af9291ced959938f504",
     kLlama3Pattern,
     false,
     llama3_specials,
     "<|begin_of_text|>",
     "<|end_of_text|>",
     "<|finetune_right_pad_id|>",
     {"<|begin_of_text|>"}},
    {"glm4",
     "ChatGLM4Tokenizer",
     0,
     "",
     kLlama3Pattern,
     false,
     nullptr,
     "",
     "<|endoftext|>",
     "<|endoftext|>",
     {"[gMASK]", "<sop>"}},
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

const KnownRanks& recognise(const std::vector<std::string>& tokens,
                            const FolderConfig& config,
                            const std::string& where) {
  for (const KnownRanks& known : kKnown) {
    if (!known.tokenizer_class.empty() && known.tokenizer_class == config.tokenizer_class) {
      return known;
    }
  }
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
      "{}: rank file: found {} ranks with digest {} and tokenizer_class \"{}\", need the ranks of "
      "qwen (151643) or llama3 (128000), or ChatGLM4Tokenizer. A rank file does not say its "
      "pattern; use the tokenizer.json of this model",
      where,
      tokens.size(),
      digest.substr(0, 16),
      config.tokenizer_class);
}

// What lies beside the file, where its class says the rest.
std::vector<AddedToken> specials_of(const KnownRanks& known,
                                    size_t count,
                                    const FolderConfig& config,
                                    const std::string& where) {
  std::vector<AddedToken> added;
  if (known.specials != nullptr) {
    auto id = static_cast<TokenId>(count);
    for (const std::string& special : known.specials()) added.push_back({special, id++, true});
    return added;
  }
  for (const std::string_view need : known.prefix) {
    const auto same = [need](const AddedToken& token) { return token.text == need; };
    if (std::any_of(config.added.begin(), config.added.end(), same)) continue;
    throw fail(
        Code::kInput,
        "{}: rank file: found no \"{}\" among the added tokens, need it for {}. They stand in "
        "tokenizer_config.json: added_tokens_decoder",
        where,
        need,
        known.tokenizer_class);
  }
  return config.added;
}

std::string digest_of(const KnownRanks& known,
                      const std::string& content,
                      const std::vector<AddedToken>& added) {
  if (known.specials != nullptr) return sha256_hex(content);
  std::string all = fmt::format("{}:{}:", known.name, content.size()) + content;
  for (const AddedToken& token : added) {
    all += fmt::format("{}:{}:{}", token.id, token.text.size(), token.text);
  }
  return sha256_hex(all);
}

}  // namespace

std::unique_ptr<Tokenizer> read_tiktoken(const std::filesystem::path& path,
                                         const std::string& content,
                                         const FolderConfig& config) {
  const std::string where = path.string();
  const std::vector<std::string> tokens = read_ranks(content, where);
  const KnownRanks& known = recognise(tokens, config, where);
  TokenizerParts parts;
  parts.kind = fmt::format("bpe (tiktoken, {})", known.name);
  parts.model = rank_model(tokens, 0, *parts.vocab, where);
  parts.added = specials_of(known, tokens.size(), config, where);
  parts.digest = digest_of(known, content, parts.added);
  for (const AddedToken& token : parts.added) parts.vocab->add(token.text, token.id, where);
  const auto named = [&](std::string_view spelling) -> std::optional<TokenId> {
    const auto same = [spelling](const AddedToken& token) { return token.text == spelling; };
    const auto found = std::find_if(parts.added.begin(), parts.added.end(), same);
    return found == parts.added.end() ? std::nullopt : std::optional<TokenId>(found->id);
  };
  parts.special.bos = named(known.bos);
  parts.special.eos = named(known.eos);
  parts.special.pad = named(known.pad);
  for (const std::string_view spelling : known.prefix) {
    parts.special.prefix.push_back(*named(spelling));
  }
  if (known.nfc) parts.normalizers.push_back(normal_form(NormalForm::kNfc, NormalTables::kCurrent));
  parts.pre_tokenizers.push_back(split_by_regex(std::string(known.pattern), {}, where));
  parts.raw_added = true;
  parts.decode.push_back(decode_byte_level());
  apply_folder_config(config, PrefixKnown::kYes, parts, where);
  return make_tokenizer(std::move(parts), where);
}

}  // namespace keju
