// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/sha256.h"
#include "text/charsmap.h"
#include "text/formats.h"
#include "text/proto_reader.h"
#include "text/unigram.h"

namespace keju {

float ProtoReader::Field::as_float() const {
  return std::bit_cast<float>(static_cast<uint32_t>(value));
}

uint64_t ProtoReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(take(1)[0]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  throw fail(Code::kInput, "{}: byte {}: found a number of more than 10 bytes", where_, at_);
}

std::string_view ProtoReader::take(uint64_t count) {
  if (count > bytes_.size() - at_) {
    throw fail(Code::kInput,
               "{}: byte {}: found {} bytes left, need {}",
               where_,
               at_,
               bytes_.size() - at_,
               count);
  }
  const std::string_view out = bytes_.substr(at_, count);
  at_ += count;
  return out;
}

bool ProtoReader::next(Field& field) {
  if (at_ == bytes_.size()) return false;
  const uint64_t tag = varint();
  field = {static_cast<uint32_t>(tag >> 3), 0, {}};
  switch (tag & 7) {
    case 0:
      field.value = varint();
      return true;
    case 1:
      std::memcpy(&field.value, take(8).data(), 8);
      return true;
    case 2:
      field.bytes = take(varint());
      return true;
    case 5:
      std::memcpy(&field.value, take(4).data(), 4);
      return true;
    default:
      throw fail(
          Code::kInput, "{}: byte {}: found wire type {}, need 0, 1, 2 or 5", where_, at_, tag & 7);
  }
}

namespace {

enum class SpmKind : uint64_t { kUnigram = 1, kBpe = 2 };

struct SpmFile {
  std::vector<Piece> pieces;
  SpmKind kind = SpmKind::kUnigram;
  bool byte_fallback = false;
  int64_t unk_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;
  std::string unk_surface = " \xE2\x81\x87 ";
  SpmNormalizerOptions normalizer;
  std::string_view charsmap;
};

Piece read_piece(std::string_view bytes, std::string_view where) {
  Piece piece;
  ProtoReader reader(bytes, where);
  for (ProtoReader::Field field; reader.next(field);) {
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2) piece.score = field.as_float();
    if (field.number != 3) continue;
    if (field.value < 1 || field.value > 6) {
      throw fail(Code::kInput,
                 "{}: piece \"{}\": found type {}, need 1 to 6",
                 where,
                 piece.text,
                 field.value);
    }
    piece.type = static_cast<PieceType>(field.value);
  }
  return piece;
}

void read_trainer(std::string_view bytes, std::string_view where, SpmFile& file) {
  ProtoReader reader(bytes, where);
  for (ProtoReader::Field field; reader.next(field);) {
    const auto id = static_cast<int64_t>(static_cast<int32_t>(field.value));
    if (field.number == 3) file.kind = static_cast<SpmKind>(field.value);
    if (field.number == 24) file.normalizer.whitespace_as_suffix = field.value != 0;
    if (field.number == 35) file.byte_fallback = field.value != 0;
    if (field.number == 40) file.unk_id = id;
    if (field.number == 41) file.bos_id = id;
    if (field.number == 42) file.eos_id = id;
    if (field.number == 43) file.pad_id = id;
    if (field.number == 44) file.unk_surface = field.bytes;
  }
}

void read_normalizer(std::string_view bytes, std::string_view where, SpmFile& file) {
  ProtoReader reader(bytes, where);
  for (ProtoReader::Field field; reader.next(field);) {
    if (field.number == 2) file.charsmap = field.bytes;
    if (field.number == 3) file.normalizer.add_dummy_prefix = field.value != 0;
    if (field.number == 4) file.normalizer.remove_extra_whitespaces = field.value != 0;
    if (field.number == 5) file.normalizer.escape_whitespaces = field.value != 0;
  }
}

SpmFile read_file_message(const std::string& content, std::string_view where) {
  SpmFile file;
  ProtoReader reader(content, where);
  for (ProtoReader::Field field; reader.next(field);) {
    if (field.number == 1) file.pieces.push_back(read_piece(field.bytes, where));
    if (field.number == 2) read_trainer(field.bytes, where, file);
    if (field.number == 3) read_normalizer(field.bytes, where, file);
  }
  if (file.pieces.empty()) throw fail(Code::kInput, "{}: pieces: found 0, need at least 1", where);
  if (file.kind != SpmKind::kUnigram && file.kind != SpmKind::kBpe) {
    throw fail(Code::kUnsupported,
               "{}: model_type: found {}, need 1 (unigram) or 2 (bpe)",
               where,
               static_cast<uint64_t>(file.kind));
  }
  return file;
}

std::optional<TokenId> role(const SpmFile& file, int64_t id) {
  if (id < 0 || id >= static_cast<int64_t>(file.pieces.size())) return std::nullopt;
  return static_cast<TokenId>(id);
}

// The tokens that ChatGLM 2 and 3 number after the file's pieces, and the two that stand before
// every text. Source: tokenization_chatglm.py of chatglm2-6b and chatglm3-6b (SPTokenizer,
// get_prefix_tokens); roles are ChatGLM 3's.
void add_chatglm_tokens(const SpmFile& file, const FolderConfig& config, TokenizerParts& parts) {
  std::vector<std::string_view> tokens{"[MASK]", "[gMASK]", "[sMASK]", "sop", "eop"};
  if (config.name_or_path.find("chatglm2") == std::string::npos) {
    for (const char* role : {"<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"})
      tokens.emplace_back(role);
  }
  auto id = static_cast<TokenId>(file.pieces.size());
  for (const std::string_view token : tokens) {
    const auto same = [&](const AddedToken& other) { return other.id == id; };
    if (std::none_of(parts.added.begin(), parts.added.end(), same))
      parts.added.push_back({std::string(token), id, true});
    if (token == "[gMASK]" || token == "sop") parts.special.prefix.push_back(id);
    // A turn ends where the model begins another's (modeling_chatglm.py of chatglm3-6b, chat).
    if (token == "<|user|>" || token == "<|observation|>") parts.special.stops.push_back(id);
    ++id;
  }
}

}  // namespace

std::unique_ptr<Tokenizer> read_sentencepiece(const std::filesystem::path& path,
                                              const std::string& content,
                                              const FolderConfig& config) {
  const std::string where = path.string();
  SpmFile file = read_file_message(content, where);
  TokenizerParts parts;
  parts.digest = sha256_hex(content);
  parts.special.unk = role(file, file.unk_id);
  parts.special.bos = role(file, file.bos_id);
  parts.special.eos = role(file, file.eos_id);
  parts.special.pad = role(file, file.pad_id);
  for (TokenId id = 0; id < static_cast<TokenId>(file.pieces.size()); ++id) {
    Piece& piece = file.pieces[static_cast<size_t>(id)];
    parts.vocab->add(piece.text, id, where);
    piece.text = parts.vocab->spelling(id);  // not the file's
    const bool special = piece.type == PieceType::kControl || piece.type == PieceType::kUnknown;
    if (special && !piece.text.empty()) parts.added.push_back({std::string(piece.text), id, true});
  }
  for (const AddedToken& token : config.added) {
    if (!parts.vocab->has(token.id)) parts.added.push_back(token);
  }
  if (config.tokenizer_class == "ChatGLMTokenizer") add_chatglm_tokens(file, config, parts);
  parts.pieces = std::make_unique<std::vector<Piece>>(std::move(file.pieces));
  const PieceOptions options{.byte_fallback = file.byte_fallback};
  const auto set = std::make_shared<const PieceSet>(*parts.pieces, options, where);
  parts.normalizers.push_back(spm_normalizer(CharsMap(file.charsmap, where), file.normalizer, set));
  parts.unknown_surface = file.unk_surface;
  const bool extra = file.normalizer.remove_extra_whitespaces;
  parts.decode.push_back(decode_sentencepiece(file.normalizer.add_dummy_prefix || extra, extra));
  if (file.kind == SpmKind::kBpe) {
    parts.model = std::make_unique<SpmBpe>(set);
    parts.kind = "sentencepiece bpe (tokenizer.model)";
  } else {
    parts.model = std::make_unique<SpmUnigram>(set);
    parts.kind = "unigram (tokenizer.model)";
  }
  // The Llama class, which most of these files belong to, puts BOS first unless told not to.
  if (parts.special.bos && parts.special.prefix.empty())
    parts.special.prefix = {*parts.special.bos};
  apply_folder_config(config, PrefixKnown::kNo, parts, where);
  return make_tokenizer(std::move(parts), where);
}

}  // namespace keju
