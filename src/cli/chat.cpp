// SPDX-License-Identifier: MIT
#include "cli/chat.h"

#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "text/template.h"

namespace keju {
namespace {

// Turns through a Jinja template: what the template writes may spell special tokens, what the turns
// hold is text.
class TemplateChat : public ChatRenderer {
 public:
  TemplateChat(const std::string& source, std::string where, const Tokenizer* tokenizer)
      : template_(Template::compile(source, std::move(where))), hash_(sha256_hex(source)) {
    if (tokenizer == nullptr) return;
    const SpecialIds& special = tokenizer->special();
    if (special.bos) bos_ = tokenizer->piece(*special.bos);
    if (special.eos) eos_ = tokenizer->piece(*special.eos);
  }

  std::vector<PromptPiece> render(const std::vector<ChatTurn>& turns) const override {
    Json messages = Json::array();
    for (const ChatTurn& turn : turns)
      messages.push_back({{"role", turn.role}, {"content", turn.content}});
    const Json context{{"messages", messages},
                       {"add_generation_prompt", true},
                       {"bos_token", bos_},
                       {"eos_token", eos_}};
    std::vector<PromptPiece> pieces;
    for (RenderedPiece& piece : template_.render_pieces(context)) {
      // bos_token and eos_token come from the caller's values too, and are marks all the same.
      const bool mark = !piece.content || piece.text == bos_ || piece.text == eos_;
      pieces.push_back({std::move(piece.text), mark ? ParseSpecial::kYes : ParseSpecial::kNo, {}});
    }
    return pieces;
  }

  std::string hash() const override { return hash_; }

 private:
  Template template_;
  std::string hash_, bos_, eos_;
};

}  // namespace

std::string template_source(const Checkpoint& checkpoint) {
  if (checkpoint.format() == Checkpoint::Format::kGguf) {
    return checkpoint.metadata().maybe_string("tokenizer.chat_template").value_or("");
  }
  const std::filesystem::path file = checkpoint.root() / "chat_template.jinja";
  if (std::filesystem::exists(file)) return read_file(file);
  const std::filesystem::path config = checkpoint.root() / "tokenizer_config.json";
  if (!std::filesystem::exists(config)) return "";
  const Json json = read_json(config);
  if (!json.contains("chat_template")) return "";
  const Json& value = json["chat_template"];
  if (value.is_string()) return value.get<std::string>();
  // A list of named templates: the one called "default".
  if (value.is_array()) {
    for (const Json& entry : value) {
      if (entry.is_object() && entry.value("name", "") == "default" && entry.contains("template")) {
        return string_member(entry, "template", config.string());
      }
    }
  }
  throw fail(Code::kInput,
             "{}: chat_template: found {}, need a string or a list with one named \"default\"",
             config.string(),
             value.type_name());
}

std::shared_ptr<const ChatRenderer> open_chat(const Checkpoint& checkpoint,
                                              const Tokenizer* tokenizer,
                                              const std::string& choice) {
  const std::string source = choice.empty() ? template_source(checkpoint) : read_file(choice);
  if (source.empty()) return nullptr;
  return std::make_shared<TemplateChat>(
      source, choice.empty() ? checkpoint.root().string() + ": chat template" : choice, tokenizer);
}

}  // namespace keju
