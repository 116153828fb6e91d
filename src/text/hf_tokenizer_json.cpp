// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "text/bpe.h"
#include "text/formats.h"
#include "text/hf_steps.h"
#include "text/unigram.h"

namespace keju {
namespace {

const Json& or_null(const Json& json, const char* key) {
  static const Json null;
  const auto at = json.find(key);
  return at == json.end() ? null : *at;
}

class HfReader {
 public:
  HfReader(std::string where, const Json& json, const FolderConfig& config)
      : where_(std::move(where)), json_(json), config_(config) {}

  std::unique_ptr<Tokenizer> read(std::string digest) {
    parts_.digest = std::move(digest);
    read_added();
    read_hf_normalizers(or_null(json_, "normalizer"), where_, parts_.normalizers);
    HfPreTokenizers pre;
    read_hf_pre_tokenizers(or_null(json_, "pre_tokenizer"), where_, pre);
    parts_.pre_tokenizers = std::move(pre.steps);
    read_hf_decoders(or_null(json_, "decoder"), where_, parts_.decode);
    parts_.join_with_space = or_null(json_, "decoder").is_null();
    const Json& model = member(json_, "model", where_);
    const std::string type = model_type(model);
    if (type == "BPE") {
      read_bpe(model, pre.byte_level);
    } else if (type == "Unigram" && !pre.byte_level && !pre.stand_ins) {
      read_unigram(model);
    } else {
      throw fail(Code::kUnsupported,
                 "{}: model: found \"{}\"{}, need BPE, or Unigram without ByteLevel",
                 where_,
                 type,
                 pre.byte_level ? " with ByteLevel" : "");
    }
    const bool prefix = read_post_processor(or_null(json_, "post_processor"), 0);
    apply_folder_config(config_, prefix ? PrefixKnown::kYes : PrefixKnown::kNo, parts_, where_);
    return make_tokenizer(std::move(parts_), where_);
  }

 private:
  // Old files leave the type out; what they hold then says it.
  std::string model_type(const Json& model) const {
    if (model.contains("type")) return string_member(model, "type", where_ + ": model");
    return model.contains("merges") ? "BPE" : "unnamed";
  }
  void read_added();
  void read_bpe(const Json& model, bool byte_level);
  BpeOptions bpe_options(const Json& model, bool byte_level);
  void read_unigram(const Json& model);
  bool read_post_processor(const Json& json, int depth);
  bool read_template(const Json& json);

  TokenId checked_id(int64_t id, std::string_view what) const {
    if (id < 0 || id > Vocab::kMaxId) {
      throw fail(
          Code::kInput, "{}: {}: found id {}, need 0 to {}", where_, what, id, Vocab::kMaxId);
    }
    return static_cast<TokenId>(id);
  }
  bool model_flag(const Json& model, const char* key, bool otherwise) const {
    const Json& value = or_null(model, key);
    if (value.is_null()) return otherwise;
    if (!value.is_boolean()) {
      throw fail(Code::kInput,
                 "{}: model: {}: found {}, need true or false",
                 where_,
                 key,
                 value.type_name());
    }
    return value.get<bool>();
  }

  std::string where_;
  const Json& json_;
  const FolderConfig& config_;
  TokenizerParts parts_;
};

void HfReader::read_added() {
  const Json& list = or_null(json_, "added_tokens");
  for (const Json& entry : list.is_array() ? list : Json::array()) {
    const std::string place = where_ + ": added_tokens";
    const TokenId id = checked_id(int_member(entry, "id", place), "added_tokens");
    parts_.added.push_back(added_token_from_json(entry, id, place));
  }
  // Tokens that only tokenizer_config.json adds.
  for (const AddedToken& token : config_.added) {
    const auto same = [&](const AddedToken& other) {
      return other.id == token.id || other.text == token.text;
    };
    if (std::none_of(parts_.added.begin(), parts_.added.end(), same)) parts_.added.push_back(token);
  }
}

BpeOptions HfReader::bpe_options(const Json& model, bool byte_level) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json& value = or_null(model, key);
    if (!value.is_null() && value != Json("")) {
      throw fail(
          Code::kUnsupported, "{}: model: {}: found {}, need none", where_, key, value.dump());
    }
  }
  const Json& dropout = or_null(model, "dropout");
  if (!dropout.is_null() && dropout != Json(0.0)) {
    throw fail(
        Code::kUnsupported, "{}: model: dropout: found {}, need none", where_, dropout.dump());
  }
  BpeOptions options{.byte_level = byte_level,
                     .ignore_merges = model_flag(model, "ignore_merges", false),
                     .byte_fallback = model_flag(model, "byte_fallback", false),
                     .fuse_unk = model_flag(model, "fuse_unk", false)};
  const Json& unk = or_null(model, "unk_token");
  if (unk.is_string()) {
    const TokenId id = parts_.vocab->find(unk.get<std::string>());
    if (id >= 0) options.unk = parts_.special.unk = id;
  }
  return options;
}

void HfReader::read_bpe(const Json& model, bool byte_level) {
  const std::string place = where_ + ": model";
  const Json& vocab = member(model, "vocab", place);
  if (!vocab.is_object()) {
    throw fail(Code::kInput, "{}: vocab: found {}, need an object", place, vocab.type_name());
  }
  for (const auto& [text, id] : vocab.items()) {
    if (!id.is_number_integer()) {
      throw fail(
          Code::kInput, "{}: vocab: \"{}\": found {}, need an id", place, text, id.type_name());
    }
    parts_.vocab->add(text, checked_id(id.get<int64_t>(), "vocab"), where_);
  }
  const Json& merges = member(model, "merges", place);
  if (!merges.is_array()) {
    throw fail(Code::kInput, "{}: merges: found {}, need an array", place, merges.type_name());
  }
  auto bpe =
      std::make_unique<PairBpe>(*parts_.vocab, bpe_options(model, byte_level), merges.size());
  const std::string merge_place = place + ": merges";
  for (const Json& merge : merges) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      bpe->add_merge(merge[0].get_ref<const std::string&>(),
                     merge[1].get_ref<const std::string&>(),
                     merge_place);
      continue;
    }
    const std::string_view text =
        merge.is_string() ? std::string_view(merge.get_ref<const std::string&>()) : "";
    const size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos) {
      throw fail(Code::kInput, "{}: found {}, need two pieces", merge_place, merge.dump());
    }
    bpe->add_merge(text.substr(0, space), text.substr(space + 1), merge_place);
  }
  bpe->finish();
  parts_.model = std::move(bpe);
  parts_.kind = byte_level ? "bpe (tokenizer.json, byte level)" : "bpe (tokenizer.json)";
}

void HfReader::read_unigram(const Json& model) {
  const std::string place = where_ + ": model: vocab";
  std::vector<double> scores;
  const Json& vocab = member(model, "vocab", where_ + ": model");
  for (const Json& entry : vocab) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      throw fail(Code::kInput, "{}: found {}, need [piece, score]", place, entry.dump());
    }
    const std::string& text = entry[0].get_ref<const std::string&>();
    parts_.vocab->add(text, checked_id(static_cast<int64_t>(scores.size()), "vocab"), where_);
    scores.push_back(entry[1].get<double>());
  }
  HfUnigram::Options options{.byte_fallback = model_flag(model, "byte_fallback", false)};
  const Json& unk = or_null(model, "unk_id");
  if (unk.is_number_integer()) {
    const auto id = unk.get<int64_t>();
    if (id < 0 || id >= static_cast<int64_t>(scores.size())) {
      throw fail(Code::kInput,
                 "{}: model: unk_id: found {}, need 0 to {}",
                 where_,
                 id,
                 static_cast<int64_t>(scores.size()) - 1);
    }
    options.unk = parts_.special.unk = static_cast<TokenId>(id);
  }
  parts_.model = std::make_unique<HfUnigram>(*parts_.vocab, scores, options, where_);
  parts_.kind = "unigram (tokenizer.json)";
}

// Whether the file says what goes before a text.
bool HfReader::read_post_processor(const Json& json, int depth) {
  if (json.is_null()) return false;
  const std::string place = where_ + ": post_processor";
  const std::string type = string_member(json, "type", place);
  if (type == "ByteLevel") return false;
  if (type == "TemplateProcessing") return read_template(json);
  if (type == "Sequence" && depth < 4) {
    bool known = false;
    const Json& steps = member(json, "processors", place);
    for (const Json& step : steps) known = read_post_processor(step, depth + 1) || known;
    return known;
  }
  if (type == "RobertaProcessing" || type == "BertProcessing") {
    const Json& cls = member(json, "cls", place);
    if (cls.is_array() && cls.size() == 2 && cls[1].is_number_integer()) {
      parts_.special.prefix.push_back(checked_id(cls[1].get<int64_t>(), "post_processor"));
      return true;
    }
  }
  throw fail(Code::kUnsupported,
             "{}: type: found \"{}\", need ByteLevel, TemplateProcessing, RobertaProcessing, "
             "BertProcessing or Sequence",
             place,
             type);
}

bool HfReader::read_template(const Json& json) {
  const std::string place = where_ + ": post_processor";
  const Json& single = member(json, "single", place);
  const Json& tokens = or_null(json, "special_tokens");
  for (const Json& item : single) {
    if (!item.is_object() || !item.contains("SpecialToken")) break;
    const std::string name = string_member(item["SpecialToken"], "id", place);
    const Json& ids = member(member(tokens, name, place), "ids", place);
    for (const Json& id : ids) {
      if (!id.is_number_integer())
        throw fail(Code::kInput, "{}: ids: found {}, need ids", place, id.dump());
      parts_.special.prefix.push_back(checked_id(id.get<int64_t>(), "post_processor"));
    }
  }
  return true;
}

}  // namespace

std::unique_ptr<Tokenizer> read_hf_tokenizer(const std::filesystem::path& path,
                                             const FolderConfig& config) {
  const std::string content = read_file(path);
  const std::string digest = sha256_hex(content);
  const Json json = parse_json(content, path.string());
  return HfReader(path.string(), json, config).read(digest);
}

}  // namespace keju
