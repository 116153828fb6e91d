// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_sources.h"
#include "text/template.h"

namespace keju {

struct ChatMessage {
  std::string role;  // system, user, assistant …
  std::string content;
};

// How one family of models writes a conversation: its own chat template, or a named format for the
// families that ship none. Pieces that are not content are to be read with special tokens parsed
// (`<|im_start|>` is one token), content without: no message can forge a role.
// Threads: const, safe to share. Errors: Error(kInput) where the template refuses the messages.
class ChatFormat {
 public:
  // `bos` and `eos` are what the template sees as bos_token and eos_token; "" leaves them
  // undefined. With tools, the template named "tool_use" is taken if there is one, else "default".
  ChatFormat(const ChatSources& sources, std::string bos, std::string eos);
  static ChatFormat from_template(std::string_view source,
                                  std::string where,
                                  std::string bos,
                                  std::string eos);

  // Names: see builtin_names(). A mark that the released code gives as an id (Baichuan's roles,
  // ChatGLM's prefix) is written as the vocabulary spells it, and is no content.
  // Errors: Error(kUsage) for an unknown name.
  static ChatFormat builtin(std::string_view name,
                            std::string bos = "<s>",
                            std::string eos = "</s>");
  static std::vector<std::string> builtin_names();  // sorted

  std::vector<RenderedPiece> render(const std::vector<ChatMessage>& messages,
                                    bool add_generation_prompt) const;

  // Spellings that must each become one vocabulary entry wherever the format itself writes them.
  const std::vector<std::string>& marks() const { return marks_; }
  const std::string& hash() const { return hash_; }  // sha256 of the default template's text

  // The same from JSON messages, which may have more members than role and content (tool calls …).
  // `extra` is an object of further variables (tools, documents, enable_thinking, strftime_now …).
  std::vector<RenderedPiece> render_json(const Json& messages,
                                         bool add_generation_prompt,
                                         const Json& extra = Json::object()) const;

  // All pieces as one text.
  static std::string joined(const std::vector<RenderedPiece>& pieces);

 private:
  std::shared_ptr<const Template> template_, with_tools_;
  std::vector<std::string> marks_;
  std::string hash_, bos_, eos_;
};

}  // namespace keju
