// SPDX-License-Identifier: MIT
#include "cli/chat.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "cli/talk.h"
#include "model/family.h"
#include "text/folder_config.h"

namespace keju {
namespace {

constexpr std::string_view kBuiltin = "builtin:";

bool at_id(const Tokenizer& tokenizer, std::string_view spelling, TokenId id) {
  return tokenizer.find(spelling) == std::optional<TokenId>(id);
}

// What the checkpoint was published as, where its files still say so.
std::string published_name(const Checkpoint& checkpoint) {
  if (checkpoint.format() == Checkpoint::Format::kGguf) {
    return checkpoint.metadata().maybe_string("general.name").value_or("");
  }
  const Json& config = checkpoint.config();
  const auto at = config.is_object() ? config.find("_name_or_path") : config.end();
  if (config.is_object() && at != config.end() && at->is_string() &&
      !at->get<std::string>().empty())
    return at->get<std::string>();
  return read_folder_config(checkpoint.root()).name_or_path;
}

// The built-in format of a family whose checkpoints carry no template; "" if there is none. The
// vocabulary must have the format's marks where the released code has them.
std::string builtin_of(const Checkpoint& checkpoint, const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) return "";
  const Family& family = family_of(checkpoint);
  const auto has = [&](std::string_view mark) { return tokenizer->find(mark).has_value(); };
  if (family.name == "qwen") return has("<|im_start|>") ? "qwen1" : "";
  if (family.name == "baichuan") {  // user_token_id is 195 in both
    if (at_id(*tokenizer, "<reserved_106>", 195)) return "baichuan2";
    return at_id(*tokenizer, "<reserved_102>", 195) ? "baichuan" : "";
  }
  if (family.name == "chatglm") {
    const std::string name = published_name(checkpoint);
    if (name.find("chatglm2") != std::string::npos && has("[gMASK]")) return "chatglm2";
    if (name.find("chatglm3") != std::string::npos && has("<|user|>")) return "chatglm3";
    return "";
  }
  if (family.name == "internlm") return has("<eoh>") && has("<eoa>") ? "internlm" : "";
  if (family.name == "codegen") return has("<eoh>") && has("<eom>") ? "moss" : "";
  if (family.name != "llama") return "";
  // LLaMA 2, told from LLaMA 1 by its context and from all others by its vocabulary.
  const bool llama2 = tokenizer->vocab_size() == 32000 && at_id(*tokenizer, "<s>", 1) &&
                      describe(family, checkpoint).context_length == 4096;
  return llama2 ? "llama2" : "";
}

// Chat turns through a format that is made when it is first needed: a checkpoint whose template is
// broken can still be examined without chat.
class ModelChat : public ChatRenderer {
 public:
  ModelChat(ChatChoice choice, std::shared_ptr<const Tokenizer> tokenizer)
      : choice_(std::move(choice)), tokenizer_(std::move(tokenizer)) {
    hash_ = choice_.builtin.empty() ? sha256_hex(choice_.sources.named("default"))
                                    : ChatFormat::builtin(choice_.builtin).hash();
  }

  const ChatFormat& format() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!format_) {
      format_.emplace(chat_format_of(choice_, chat_tokens(tokenizer_.get())));
      if (tokenizer_ != nullptr) (void)chat_pieces(*format_, {}, *tokenizer_);
      talk("chat: " + choice_.said);
    }
    return *format_;
  }

  std::vector<PromptPiece> render(const std::vector<ChatTurn>& turns) const override {
    std::vector<ChatMessage> messages;
    for (const ChatTurn& turn : turns) messages.push_back({turn.role, turn.content});
    const ChatFormat& chat = format();
    std::vector<RenderedPiece> rendered = chat.render(messages, /*add_generation_prompt=*/true);
    if (tokenizer_ == nullptr) {
      throw fail(Code::kUnsupported, "chat: found a model without a tokenizer, need one");
    }
    return chat_pieces(chat, std::move(rendered), *tokenizer_);
  }

  std::string hash() const override { return hash_; }

 private:
  ChatChoice choice_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::string hash_;
  mutable std::mutex mutex_;
  mutable std::optional<ChatFormat> format_;
};

struct Mark {
  std::string text;
  TokenId id;
};

// The marks that special-token parsing does not find by itself.
std::vector<Mark> marks_by_id(const ChatFormat& format, const Tokenizer& tokenizer) {
  std::vector<Mark> out;
  for (const std::string& mark : format.marks()) {
    const std::optional<TokenId> id = tokenizer.find(mark);
    if (!id) {
      throw fail(Code::kUnsupported,
                 "chat format: mark \"{}\": found no such entry in the vocabulary, need one. The "
                 "format does not fit the model",
                 mark);
    }
    if (tokenizer.encode(mark, ParseSpecial::kYes) != std::vector<TokenId>{*id})
      out.push_back({mark, *id});
  }
  return out;
}

// `text` with the marks in it as ids.
void cut_marks(std::string_view text,
               const std::vector<Mark>& marks,
               std::vector<PromptPiece>& out) {
  while (!text.empty()) {
    size_t begin = text.size();
    const Mark* first = nullptr;
    for (const Mark& mark : marks) {
      const size_t at = text.find(mark.text);
      if (at >= begin) continue;  // npos, too
      begin = at;
      first = &mark;
    }
    if (begin > 0) out.push_back({std::string(text.substr(0, begin)), ParseSpecial::kYes, {}});
    if (first == nullptr) return;
    out.push_back({"", ParseSpecial::kNo, {first->id}});
    text.remove_prefix(begin + first->text.size());
  }
}

}  // namespace

ChatChoice choose_chat(const Checkpoint* checkpoint,
                       const Tokenizer* tokenizer,
                       const std::string& choice) {
  ChatChoice out;
  if (choice.starts_with(kBuiltin)) {
    out.builtin = choice.substr(kBuiltin.size());
    const std::vector<std::string> names = ChatFormat::builtin_names();
    if (std::find(names.begin(), names.end(), out.builtin) == names.end()) {
      throw fail(Code::kUsage,
                 "--chat-template: unknown built-in format \"{}\"{}",
                 out.builtin,
                 suggestion(out.builtin, names));
    }
    out.said = fmt::format("built-in format {}, as asked", out.builtin);
    return out;
  }
  if (!choice.empty()) {
    out.sources = {{{"default", read_file(choice)}}, choice};
    out.said = fmt::format("template {}, as asked", choice);
    return out;
  }
  if (checkpoint == nullptr) return out;
  out.sources = checkpoint->format() == Checkpoint::Format::kGguf
                    ? chat_sources_of_gguf(checkpoint->metadata())
                    : chat_sources_of_folder(checkpoint->root());
  if (!out.sources.empty()) {
    out.said = fmt::format("the checkpoint's own template ({})", out.sources.where);
    return out;
  }
  out.builtin = builtin_of(*checkpoint, tokenizer);
  out.said =
      fmt::format("built-in format {}: the checkpoint has no template of its own", out.builtin);
  return out;
}

ChatTokens chat_tokens(const Tokenizer* tokenizer) {
  ChatTokens out;
  if (tokenizer == nullptr) return out;
  const SpecialIds& special = tokenizer->special();
  if (special.bos) out.bos = tokenizer->piece(*special.bos);
  if (special.eos) out.eos = tokenizer->piece(*special.eos);
  return out;
}

ChatFormat chat_format_of(const ChatChoice& choice, const ChatTokens& tokens) {
  if (!choice.builtin.empty()) return ChatFormat::builtin(choice.builtin, tokens.bos, tokens.eos);
  return {choice.sources, tokens.bos, tokens.eos};
}

std::vector<PromptPiece> chat_pieces(const ChatFormat& format,
                                     std::vector<RenderedPiece> rendered,
                                     const Tokenizer& tokenizer) {
  const std::vector<Mark> marks = marks_by_id(format, tokenizer);
  std::vector<PromptPiece> out;
  for (RenderedPiece& piece : rendered) {
    if (piece.content) {
      out.push_back({std::move(piece.text), ParseSpecial::kNo, {}});
    } else {
      cut_marks(piece.text, marks, out);
    }
  }
  return out;
}

std::shared_ptr<const ChatRenderer> open_chat(const Checkpoint& checkpoint,
                                              std::shared_ptr<const Tokenizer> tokenizer,
                                              const std::string& choice) {
  ChatChoice chosen = choose_chat(&checkpoint, tokenizer.get(), choice);
  if (chosen.none()) return nullptr;
  auto chat = std::make_shared<ModelChat>(std::move(chosen), std::move(tokenizer));
  if (!choice.empty()) (void)chat->format();
  return chat;
}

}  // namespace keju
