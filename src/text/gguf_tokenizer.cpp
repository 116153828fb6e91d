// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "text/bpe.h"
#include "text/patterns.h"
#include "text/pipeline.h"

namespace keju {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

// Spellings that llama.cpp takes for control tokens whatever their type says; all but those that
// only mark places to fill in also end a generation.
constexpr std::string_view kEnds[] = {
    "<|eot_id|>",    "<|im_end|>",
    "<|end|>",       "<|return|>",
    "<|call|>",      "<|flush|>",
    "<|calls|>",     "<end_of_turn>",
    "<|endoftext|>", "</s>",
    "<|eom_id|>",    "<EOT>",
    "_<EOT>",        "[EOT]",
    "[EOS]",         "<|end_of_text|>",
    "<eos>",         "<end_of_utterance>",
    "<turn|>",       "<|tool_response>",
    "[e~[",          "<｜end▁of▁sentence｜>",
    "<|fim_pad|>",   "<fim-pad>",
    "<fim_pad>",     "<PAD>",
    "[PAD]",         "<|fim_repo|>",
    "<|repo_name|>", "<fim-repo>",
    "<REPO>",        "<reponame>",
    "<|file_sep|>",
};
constexpr std::string_view kFillIns[] = {
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<MID>",
    "<|code_middle|>",
    "<|middle|>",
};

template <size_t kSize>
bool among(const std::string& text, const std::string_view (&list)[kSize]) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

bool is_space_run(const std::string& text) {
  return text.size() > 1 && text.find_first_not_of(' ') == text.npos;
}

class GgufReader {
 public:
  explicit GgufReader(const KeyValues& metadata)
      : metadata_(metadata),
        where_(metadata.where()),
        tokens_(metadata.strings("tokenizer.ggml.tokens")) {
    if (tokens_.empty() || tokens_.size() > static_cast<size_t>(Vocab::kMaxId)) {
      throw fail(Code::kInput,
                 "{}: tokenizer.ggml.tokens: found {} entries, need 1 to {}",
                 where_,
                 tokens_.size(),
                 Vocab::kMaxId);
    }
    read_types();
  }

  std::unique_ptr<Tokenizer> read() {
    const std::string& model = metadata_.string("tokenizer.ggml.model");
    if (model == "gpt2") {
      read_byte_level();
    } else if (model == "llama") {
      read_sentencepiece();
    } else {
      throw fail(Code::kUnsupported,
                 "{}: tokenizer.ggml.model: found \"{}\", need \"gpt2\" or \"llama\"",
                 where_,
                 model);
    }
    read_special();
    parts_.digest = digest();
    return make_tokenizer(std::move(parts_), where_);
  }

 private:
  void read_types();
  void read_byte_level();
  void read_merges(PairBpe& model);
  void read_sentencepiece();
  void read_special();
  std::string digest() const;

  void same_length(std::string_view key, size_t found) const {
    if (found == tokens_.size()) return;
    throw fail(
        Code::kInput, "{}: {}: found {} entries, need {}", where_, key, found, tokens_.size());
  }
  std::optional<TokenId> id_of(std::string_view key) const {
    const std::optional<int64_t> id = metadata_.maybe_integer(key);
    if (!id) return std::nullopt;
    if (*id < 0 || *id >= static_cast<int64_t>(tokens_.size())) {
      throw fail(
          Code::kInput, "{}: {}: found {}, need 0 to {}", where_, key, *id, tokens_.size() - 1);
    }
    return static_cast<TokenId>(*id);
  }

  const KeyValues& metadata_;
  const std::string& where_;
  const std::vector<std::string>& tokens_;
  std::vector<PieceType> types_;
  TokenizerParts parts_;
  bool bos_by_default_ = false;
};

void GgufReader::read_types() {
  types_.assign(tokens_.size(), PieceType::kNormal);
  if (metadata_.has("tokenizer.ggml.token_type")) {
    const std::vector<int64_t>& types = metadata_.integers("tokenizer.ggml.token_type");
    same_length("tokenizer.ggml.token_type", types.size());
    for (size_t i = 0; i < types.size(); ++i) {
      if (types[i] < 1 || types[i] > 6) {
        throw fail(Code::kInput,
                   "{}: tokenizer.ggml.token_type: found {} for token {}, need 1 to 6",
                   where_,
                   types[i],
                   i);
      }
      types_[i] = static_cast<PieceType>(types[i]);
    }
  }
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    parts_.vocab->add(tokens_[i], id, where_);
    const bool ends = among(tokens_[i], kEnds);
    if (ends || among(tokens_[i], kFillIns)) types_[i] = PieceType::kControl;
    if (ends) parts_.special.stops.push_back(id);
    const bool special = types_[i] == PieceType::kControl || types_[i] == PieceType::kUnknown;
    if ((special || types_[i] == PieceType::kUserDefined) && !tokens_[i].empty()) {
      parts_.added.push_back({tokens_[i], id, special});
    }
  }
}

void GgufReader::read_merges(PairBpe& model) {
  const std::string place = where_ + ": tokenizer.ggml.merges";
  for (const std::string& merge : metadata_.strings("tokenizer.ggml.merges")) {
    const size_t space = merge.find(' ', 1);
    if (space == merge.npos || space + 1 == merge.size()) {
      throw fail(Code::kInput, "{}: found \"{}\", need two pieces parted by a space", place, merge);
    }
    model.add_merge(
        std::string_view(merge).substr(0, space), std::string_view(merge).substr(space + 1), place);
  }
  model.finish();
}

void GgufReader::read_byte_level() {
  const std::string name = metadata_.maybe_string("tokenizer.ggml.pre").value_or("");
  const GgufPre* pre = find_gguf_pre(name);
  if (pre == nullptr) {
    throw fail(Code::kUnsupported,
               "{}: tokenizer.ggml.pre: found \"{}\", need a known pre-tokenizer{}",
               where_,
               name,
               suggestion(name, gguf_pre_names()));
  }
  parts_.kind = fmt::format("bpe (gguf, {})", name);
  bos_by_default_ = pre->add_bos;
  if (pre->nfc)
    parts_.normalizers.push_back(normal_form(NormalForm::kNfc, NormalTables::kUnicode9));
  for (const std::string_view pattern : pre->patterns) {
    parts_.pre_tokenizers.push_back(split_by_regex(std::string(pattern), {}, where_));
  }
  auto model = std::make_unique<PairBpe>(
      *parts_.vocab,
      BpeOptions{.byte_level = true, .ignore_merges = pre->ignore_merges, .unknown_parts = true},
      metadata_.strings("tokenizer.ggml.merges").size());
  read_merges(*model);
  parts_.model = std::move(model);
  parts_.raw_added = true;
  parts_.decode.push_back(decode_byte_level());
}

void GgufReader::read_sentencepiece() {
  parts_.kind = "sentencepiece bpe (gguf)";
  bos_by_default_ = true;
  const std::vector<double>& scores = metadata_.numbers("tokenizer.ggml.scores");
  same_length("tokenizer.ggml.scores", scores.size());
  parts_.pieces = std::make_unique<std::vector<Piece>>();
  parts_.pieces->reserve(tokens_.size());
  int space_runs = 0;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    parts_.pieces->push_back({parts_.vocab->spelling(static_cast<TokenId>(i)),
                              static_cast<float>(scores[i]),
                              types_[i]});
    if (types_[i] != PieceType::kUserDefined || !is_space_run(tokens_[i])) continue;
    // Runs of spaces are looked for in the text as the model sees it, and joined before all else.
    Piece& run = parts_.pieces->back();
    std::string symbols;
    for (size_t n = 0; n < tokens_[i].size(); ++n) symbols += kSpaceSymbol;
    run.text = parts_.vocab->keep(symbols);
    run.score = 1e6f - static_cast<float>(space_runs++);
  }
  std::erase_if(parts_.added, [](const AddedToken& token) { return is_space_run(token.text); });
  const bool prefix = metadata_.maybe_boolean("tokenizer.ggml.add_space_prefix").value_or(true);
  if (prefix) parts_.normalizers.push_back(prepend(std::string(kSpaceSymbol)));
  parts_.normalizers.push_back(replace(" ", std::string(kSpaceSymbol)));
  const PieceOptions options{.match_user_defined = false};
  parts_.model =
      std::make_unique<SpmBpe>(std::make_shared<const PieceSet>(*parts_.pieces, options, where_));
  parts_.decode.push_back(decode_sentencepiece(prefix, false));
}

void GgufReader::read_special() {
  SpecialIds& special = parts_.special;
  special.bos = id_of("tokenizer.ggml.bos_token_id");
  special.eos = id_of("tokenizer.ggml.eos_token_id");
  special.unk = id_of("tokenizer.ggml.unknown_token_id");
  special.pad = id_of("tokenizer.ggml.padding_token_id");
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const std::optional<TokenId> id = id_of(key)) special.stops.push_back(*id);
  }
  add_known_stops(parts_);
  const bool add =
      metadata_.maybe_boolean("tokenizer.ggml.add_bos_token").value_or(bos_by_default_);
  if (add && special.bos) special.prefix = {*special.bos};
}

std::string GgufReader::digest() const {
  Sha256 hash;
  const auto text = [&hash](std::string_view value) {
    hash.update(fmt::format("{}:", value.size()));
    hash.update(value);
  };
  for (const auto& [key, value] : metadata_.all()) {
    if (!key.starts_with("tokenizer.ggml.")) continue;
    text(key);
    std::visit(
        [&](const auto& held) {
          using Held = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<Held, std::string>) {
            text(held);
          } else if constexpr (std::is_arithmetic_v<Held>) {
            text(fmt::format("{}", held));
          } else if constexpr (std::is_same_v<Held, std::vector<std::string>>) {
            for (const std::string& item : held) text(item);
          } else {
            for (const auto item : held) text(fmt::format("{}", item));
          }
        },
        value);
  }
  return hash.finish_hex();
}

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_gguf(const KeyValues& metadata) {
  return GgufReader(metadata).read();
}

}  // namespace keju
