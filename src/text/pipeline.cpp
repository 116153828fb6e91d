// SPDX-License-Identifier: MIT
#include "text/pipeline.h"

#include <simdjson.h>

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {
namespace {

std::string_view normalize(const std::vector<std::unique_ptr<Normalizer>>& steps,
                           std::string_view text,
                           std::string (&buffers)[2]) {
  size_t next = 0;
  for (const auto& step : steps) {
    const std::string_view result = step->apply(text, buffers[next]);
    // A step that wrote its buffer owns it until the next but one.
    if (!result.empty() && result.data() == buffers[next].data()) next ^= 1;
    text = result;
  }
  return text;
}

class PipelineTokenizer : public Tokenizer {
 public:
  explicit PipelineTokenizer(TokenizerParts parts)
      : parts_(std::move(parts)),
        raw_(select(parts_.added, false)),
        normalized_(select(parts_.added, true)) {
    for (const AddedToken& token : parts_.added) added_[token.id] = token.special;
  }

  void encode(std::string_view text, ParseSpecial parse, std::vector<TokenId>& out) const override {
    std::string repaired;
    if (!simdjson::validate_utf8(text.data(), text.size())) {
      repaired = to_utf8(to_u32(text));
      text = repaired;
    }
    std::vector<PlainSpan> plain;
    if (parse == ParseSpecial::kNo) plain.push_back({0, text.size()});
    encode_valid(text, plain, out);
  }
  using Tokenizer::encode;

  void encode_parts(const std::vector<TextPart>& parts, std::vector<TokenId>& out) const override {
    std::string text;
    std::vector<PlainSpan> plain;
    for (const TextPart& part : parts) {
      const size_t begin = text.size();
      if (simdjson::validate_utf8(part.text.data(), part.text.size())) {
        text += part.text;
      } else {
        text += to_utf8(to_u32(part.text));
      }
      if (part.parse == ParseSpecial::kYes || text.size() == begin) continue;
      if (!plain.empty() && plain.back().end == begin) {
        plain.back().end = text.size();
      } else {
        plain.push_back({begin, text.size()});
      }
    }
    encode_valid(text, plain, out);
  }

  std::string piece(TokenId id) const override {
    check(id);
    std::string token(spelling(id));
    if (const auto added = added_.find(id); added != added_.end()) {
      if (added->second || parts_.raw_added) return token;
    }
    for (const auto& step : parts_.decode) token = step->piece(std::move(token));
    return token;
  }

  bool is_special(TokenId id) const override {
    check(id);
    const auto added = added_.find(id);
    return added != added_.end() && added->second;
  }

  std::string decode(const std::vector<TokenId>& ids, bool keep_special) const override;

  std::optional<TokenId> find(std::string_view text) const override {
    const TokenId id = parts_.vocab->find(text);
    return id < 0 ? std::nullopt : std::optional<TokenId>(id);
  }
  int64_t vocab_size() const override { return parts_.vocab->size(); }
  const SpecialIds& special() const override { return parts_.special; }
  std::string kind() const override { return parts_.kind; }
  std::string digest() const override { return parts_.digest; }

 private:
  AddedTokens select(const std::vector<AddedToken>& tokens, bool normalized) const;
  void encode_valid(std::string_view text,
                    const std::vector<PlainSpan>& plain,
                    std::vector<TokenId>& out) const;
  void encode_text(std::string_view text,
                   bool first,
                   const std::vector<PlainSpan>& plain,
                   std::vector<TokenId>& out) const;
  std::vector<PlainSpan> normalized_spans(std::string_view text,
                                          size_t size,
                                          const std::vector<PlainSpan>& plain) const;
  void encode_plain(std::string_view text, bool first, std::vector<TokenId>& out) const;

  void check(TokenId id) const {
    if (id < 0 || id >= parts_.vocab->size()) {
      throw fail(
          Code::kUsage, "tokenizer: id: found {}, need 0 to {}", id, parts_.vocab->size() - 1);
    }
  }
  std::string_view spelling(TokenId id) const { return parts_.vocab->spelling(id); }

  TokenizerParts parts_;
  AddedTokens raw_;
  AddedTokens normalized_;
  std::unordered_map<TokenId, bool> added_;  // id to special
};

AddedTokens PipelineTokenizer::select(const std::vector<AddedToken>& tokens,
                                      bool normalized) const {
  std::vector<AddedToken> chosen;
  std::vector<std::string> contents;
  std::string buffers[2];
  for (const AddedToken& token : tokens) {
    if (token.normalized != normalized) continue;
    chosen.push_back(token);
    contents.emplace_back(normalized ? normalize(parts_.normalizers, token.text, buffers)
                                     : std::string_view(token.text));
  }
  return {std::move(chosen), contents};
}

// The spans that lie in text[begin, begin + size), counted from there.
std::vector<PlainSpan> spans_within(const std::vector<PlainSpan>& spans,
                                    size_t begin,
                                    size_t size) {
  std::vector<PlainSpan> out;
  for (const PlainSpan& span : spans) {
    const size_t from = std::max(span.begin, begin);
    const size_t to = std::min(span.end, begin + size);
    if (from < to) out.push_back({from - begin, to - begin});
  }
  return out;
}

// `text` is valid UTF-8.
void PipelineTokenizer::encode_valid(std::string_view text,
                                     const std::vector<PlainSpan>& plain,
                                     std::vector<TokenId>& out) const {
  std::vector<CutPart> cuts;
  if (raw_.empty()) {
    if (!text.empty()) cuts.push_back({-1, text});
  } else {
    raw_.cut(text, plain, cuts);
  }
  for (const CutPart& cut : cuts) {
    if (cut.token >= 0) {
      out.push_back(cut.token);
      continue;
    }
    const auto begin = static_cast<size_t>(cut.text.data() - text.data());
    encode_text(cut.text, begin == 0, spans_within(plain, begin, cut.text.size()), out);
  }
}

// Where the spans lie in the normalized text of `size` bytes: a border lies where the normalized
// text before it ends.
std::vector<PlainSpan> PipelineTokenizer::normalized_spans(
    std::string_view text, size_t size, const std::vector<PlainSpan>& plain) const {
  const auto moved = [&](size_t border) {
    if (border == 0 || border == text.size()) return border == 0 ? size_t{0} : size;
    std::string buffers[2];
    return std::min(size, normalize(parts_.normalizers, text.substr(0, border), buffers).size());
  };
  std::vector<PlainSpan> out;
  for (const PlainSpan& span : plain) out.push_back({moved(span.begin), moved(span.end)});
  return out;
}

void PipelineTokenizer::encode_text(std::string_view text,
                                    bool first,
                                    const std::vector<PlainSpan>& plain,
                                    std::vector<TokenId>& out) const {
  std::string buffers[2];
  const std::string_view raw = text;
  text = normalize(parts_.normalizers, text, buffers);
  if (normalized_.empty()) return encode_plain(text, first, out);
  std::vector<CutPart> cuts;
  normalized_.cut(text, normalized_spans(raw, text.size(), plain), cuts);
  for (const CutPart& cut : cuts) {
    if (cut.token >= 0) {
      out.push_back(cut.token);
    } else {
      encode_plain(cut.text, first && cut.text.data() == text.data(), out);
    }
  }
}

void PipelineTokenizer::encode_plain(std::string_view text,
                                     bool first,
                                     std::vector<TokenId>& out) const {
  if (text.empty()) return;
  if (parts_.pre_tokenizers.empty()) return parts_.model->encode(text, out);
  TextArena arena;
  Spans spans{text};
  Spans cut;
  for (const auto& step : parts_.pre_tokenizers) {
    cut.clear();
    for (size_t i = 0; i < spans.size(); ++i) step->split(spans[i], first && i == 0, arena, cut);
    spans.swap(cut);
  }
  for (const std::string_view word : spans) parts_.model->encode(word, out);
}

std::string PipelineTokenizer::decode(const std::vector<TokenId>& ids, bool keep_special) const {
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    if (is_special(id) && !keep_special) continue;
    const bool unknown = parts_.special.unk == id && !parts_.unknown_surface.empty();
    tokens.emplace_back(unknown ? std::string_view(parts_.unknown_surface) : spelling(id));
  }
  if (parts_.join_with_space) {
    std::string out;
    for (size_t i = 0; i < tokens.size(); ++i) out.append(i == 0 ? "" : " ").append(tokens[i]);
    return out;
  }
  for (const auto& step : parts_.decode) step->apply(tokens);
  std::string out;
  for (const std::string& token : tokens) out += token;
  return out;
}

// Spellings that end a turn or a text, by the chat formats that use them.
constexpr std::string_view kStops[] = {
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<turn|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|eot|>",
    "<|eom|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
    "<|EOT|>",
    "<end_of_utterance>",
    "[e~[",
    "<|end_of_turn|>",
    "<eoa>",
    "<eom>",
};

bool is_known_stop(std::string_view spelling) {
  return std::find(std::begin(kStops), std::end(kStops), spelling) != std::end(kStops);
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(TokenizerParts parts, std::string_view where) {
  for (const AddedToken& token : parts.added) {
    if (!valid_utf8(token.text)) {
      throw fail(
          Code::kInput, "{}: added token {}: found bytes that are not UTF-8", where, token.id);
    }
    parts.vocab->add(token.text, token.id, where);
  }
  const auto check = [&](std::string_view role, const std::optional<TokenId>& id) {
    if (id && (*id < 0 || *id >= parts.vocab->size())) {
      throw fail(Code::kInput,
                 "{}: {} id: found {}, need 0 to {}",
                 where,
                 role,
                 *id,
                 parts.vocab->size() - 1);
    }
  };
  check("bos", parts.special.bos);
  check("eos", parts.special.eos);
  check("unk", parts.special.unk);
  check("pad", parts.special.pad);
  for (const TokenId id : parts.special.stops) check("stop", id);
  for (const TokenId id : parts.special.prefix) check("prefix", id);
  return std::make_unique<PipelineTokenizer>(std::move(parts));
}

void add_known_stops(TokenizerParts& parts) {
  std::vector<TokenId>& stops = parts.special.stops;
  if (parts.special.eos) stops.push_back(*parts.special.eos);
  for (const AddedToken& token : parts.added) {
    if (is_known_stop(token.text)) stops.push_back(token.id);
  }
  for (size_t i = 0; parts.pieces != nullptr && i < parts.pieces->size(); ++i) {
    const Piece& piece = (*parts.pieces)[i];
    if (piece.type == PieceType::kUserDefined && is_known_stop(piece.text))
      stops.push_back(static_cast<TokenId>(i));
  }
  std::sort(stops.begin(), stops.end());
  stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
}

}  // namespace keju
