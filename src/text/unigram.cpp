// SPDX-License-Identifier: MIT
#include "text/unigram.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "text/segments.h"

namespace keju {
namespace {

constexpr double kUnknownPenalty = 10;

std::vector<std::string_view> texts_of(const std::vector<UnigramCandidate>& candidates) {
  std::vector<std::string_view> texts;
  for (const UnigramCandidate& candidate : candidates) texts.push_back(candidate.text);
  return texts;
}

// SentencePiece weighs pieces in float.
float least_score(const PieceSet& pieces) {
  float least = std::numeric_limits<float>::max();
  for (const Piece& piece : pieces.pieces()) {
    if (piece.type == PieceType::kNormal) least = std::min(least, piece.score);
  }
  return least;
}

std::vector<UnigramCandidate> candidates_of(const PieceSet& pieces) {
  std::vector<UnigramCandidate> out;
  for (TokenId id = 0; id < static_cast<TokenId>(pieces.pieces().size()); ++id) {
    const Piece& piece = pieces[id];
    if (piece.type == PieceType::kNormal) out.push_back({piece.text, id, piece.score});
    // A bonus that makes a user-defined piece the choice wherever it fits: since sentencepiece
    // 0.2.3 a tenth for each byte but one (until 0.2.1 a tenth was taken off whatever the length).
    if (piece.type == PieceType::kUserDefined) out.push_back({piece.text, id, -0.1, 0.1});
  }
  return out;
}

std::vector<UnigramCandidate> candidates_of(const Vocab& vocab, const std::vector<double>& scores) {
  std::vector<UnigramCandidate> out;
  for (TokenId id = 0; id < static_cast<TokenId>(scores.size()); ++id) {
    out.push_back({vocab.spelling(id), id, scores[static_cast<size_t>(id)]});
  }
  return out;
}

}  // namespace

BestPath::BestPath(const std::vector<UnigramCandidate>& candidates, UnigramOptions options)
    : options_(options), trie_(texts_of(candidates)) {
  for (const UnigramCandidate& candidate : candidates) {
    values_.push_back({candidate.id, candidate.score, candidate.per_byte});
  }
}

void BestPath::find(std::string_view text, std::vector<Part>& parts) const {
  struct Node {
    double score = 0;
    size_t begin = SIZE_MAX;
    TokenId id = -1;
  };
  std::vector<Node> nodes(text.size() + 1);
  const auto offer = [&](size_t begin, size_t end, TokenId id, double score) {
    Node& node = nodes[end];
    if (options_.single_precision) score = static_cast<float>(score);
    if (node.begin == SIZE_MAX || score > node.score) node = {score, begin, id};
  };
  for (const char* at = text.data(); at < text.data() + text.size();) {
    const auto begin = static_cast<size_t>(at - text.data());
    next_valid(at);
    const auto after = static_cast<size_t>(at - text.data());
    const double before = nodes[begin].score;
    bool single = false;
    int64_t node = 0;
    for (size_t end = begin; end < text.size();) {
      node = trie_.step(node, static_cast<uint8_t>(text[end]));
      if (node < 0) break;
      ++end;
      if (trie_.value(node) < 0) continue;
      const Value& value = values_[static_cast<size_t>(trie_.value(node))];
      const double score = value.score + static_cast<double>(end - begin) * value.per_byte;
      offer(begin, end, value.id, score + before);
      single = single || end == after;
    }
    if (!single) offer(begin, after, -1, options_.unknown_score + before);
  }
  parts.clear();
  for (size_t end = text.size(); end > 0; end = nodes[end].begin) {
    parts.push_back({nodes[end].begin, end, nodes[end].id});
  }
  std::reverse(parts.begin(), parts.end());
}

SpmUnigram::SpmUnigram(std::shared_ptr<const PieceSet> pieces)
    : pieces_(std::move(pieces)),
      path_(candidates_of(*pieces_),
            {.single_precision = true,
             .unknown_score = least_score(*pieces_) - static_cast<float>(kUnknownPenalty)}) {}

void SpmUnigram::encode(std::string_view word, std::vector<TokenId>& out) const {
  std::vector<BestPath::Part> parts;
  path_.find(word, parts);
  for (const BestPath::Part& part : parts) {
    if (part.id >= 0) {
      out.push_back(part.id);
    } else {
      pieces_->append_unknown(word.substr(part.begin, part.end - part.begin), out);
    }
  }
}

HfUnigram::HfUnigram(const Vocab& vocab,
                     const std::vector<double>& scores,
                     Options options,
                     std::string where)
    : vocab_(vocab),
      options_(options),
      where_(std::move(where)),
      path_(
          candidates_of(vocab, scores),
          {.unknown_score = (scores.empty() ? 0 : *std::min_element(scores.begin(), scores.end())) -
                            kUnknownPenalty}) {}

void HfUnigram::encode(std::string_view word, std::vector<TokenId>& out) const {
  std::vector<BestPath::Part> parts;
  path_.find(word, parts);
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto unknown = [&](size_t n) {
      return parts[n].id < 0 || (options_.unk && parts[n].id == *options_.unk);
    };
    if (!unknown(i)) {
      append(word.substr(parts[i].begin, parts[i].end - parts[i].begin), out);
      continue;
    }
    const size_t begin = parts[i].begin;
    while (i + 1 < parts.size() && unknown(i + 1)) ++i;
    append(word.substr(begin, parts[i].end - begin), out);
  }
}

void HfUnigram::append(std::string_view text, std::vector<TokenId>& out) const {
  if (const TokenId id = vocab_.find(text); id >= 0) return out.push_back(id);
  if (options_.byte_fallback) {
    const size_t before = out.size();
    bool all = true;
    for (const char byte : text) {
      const TokenId id = vocab_.find(fallback_of_byte(static_cast<uint8_t>(byte)));
      all = all && id >= 0;
      out.push_back(id);
    }
    if (all) return;
    out.resize(before);
  }
  if (!options_.unk) {
    throw fail(Code::kInput,
               "{}: a text: found \"{}\", which no piece covers, need an unk_id",
               where_,
               text);
  }
  out.push_back(*options_.unk);
}

}  // namespace keju
