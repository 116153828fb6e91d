// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "text/bpe.h"
#include "text/formats.h"
#include "text/patterns.h"

namespace keju {
namespace {

// What the classes that ship vocab.json and merges.txt do before byte-level BPE.
struct KnownClass {
  std::string_view name;
  std::string_view pattern;
  bool nfc;
};

constexpr KnownClass kClasses[] = {
    {"", kGpt2Pattern, false},
    {"GPT2Tokenizer", kGpt2Pattern, false},
    {"GPT2TokenizerFast", kGpt2Pattern, false},
    {"MossTokenizer", kGpt2Pattern, false},
    {"Qwen2Tokenizer", kQwen2Pattern, true},
    {"Qwen2TokenizerFast", kQwen2Pattern, true},
};

const KnownClass& class_of(const FolderConfig& config, const std::string& where) {
  for (const KnownClass& known : kClasses) {
    if (known.name == config.tokenizer_class) return known;
  }
  throw fail(
      Code::kUnsupported,
      "{}: tokenizer_class: found \"{}\", need GPT2Tokenizer, MossTokenizer or Qwen2Tokenizer. "
      "vocab.json and merges.txt do not say how text is cut; use the tokenizer.json of this model",
      where,
      config.tokenizer_class);
}

void read_merges(std::string_view content, const std::string& where, PairBpe& model) {
  bool first = true;
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool comment = first && line.starts_with("#version");
    first = false;
    if (line.empty() || comment) continue;
    const size_t space = line.find(' ');
    if (space == line.npos) {
      throw fail(Code::kInput, "{}: found \"{}\", need two pieces parted by a space", where, line);
    }
    model.add_merge(line.substr(0, space), line.substr(space + 1), where);
  }
  model.finish();
}

}  // namespace

std::unique_ptr<Tokenizer> read_vocab_and_merges(const std::filesystem::path& vocab,
                                                 const std::filesystem::path& merges,
                                                 const FolderConfig& config) {
  const std::string where = vocab.string();
  const KnownClass& known = class_of(config, where);
  const std::string vocab_text = read_file(vocab);
  const std::string merges_text = read_file(merges);
  TokenizerParts parts;
  parts.kind = "bpe (vocab.json)";
  parts.digest = sha256_hex(fmt::format("{}:{}:{}:{}{}",
                                        known.pattern,
                                        vocab_text.size(),
                                        merges_text.size(),
                                        vocab_text,
                                        merges_text));
  const Json json = parse_json(vocab_text, where);
  for (const auto& [text, id] : json.items()) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > Vocab::kMaxId) {
      throw fail(Code::kInput, "{}: \"{}\": found {}, need an id", where, text, id.dump());
    }
    parts.vocab->add(text, id.get<TokenId>(), where);
  }
  parts.added = config.added;
  // The end-of-text token stands in vocab.json itself, so only its spelling says what it is.
  for (const std::string& spelling :
       {config.bos, config.eos, config.unk, std::string("<|endoftext|>")}) {
    const TokenId id = parts.vocab->find(spelling);
    const auto same = [&](const AddedToken& token) { return token.text == spelling; };
    if (id >= 0 && std::none_of(parts.added.begin(), parts.added.end(), same)) {
      parts.added.push_back({spelling, id, true});
    }
  }
  if (known.nfc) parts.normalizers.push_back(normal_form(NormalForm::kNfc, NormalTables::kCurrent));
  parts.pre_tokenizers.push_back(split_by_regex(std::string(known.pattern), {}, where));
  auto model = std::make_unique<PairBpe>(
      *parts.vocab, BpeOptions{.byte_level = true}, static_cast<size_t>(parts.vocab->size()));
  read_merges(merges_text, merges.string(), *model);
  parts.model = std::move(model);
  parts.raw_added = true;
  parts.decode.push_back(decode_byte_level());
  apply_folder_config(config, PrefixKnown::kYes, parts, where);
  return make_tokenizer(std::move(parts), where);
}

}  // namespace keju
