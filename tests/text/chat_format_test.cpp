// SPDX-License-Identifier: MIT
#include "text/chat_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::vector<ChatMessage> kTurns = {
    {"system", "S"}, {"user", "Q1"}, {"assistant", "A1"}, {"user", "Q2"}};
const std::vector<ChatMessage> kQuestion = {{"user", "Q1"}};

std::string text(std::string_view name,
                 const std::vector<ChatMessage>& messages,
                 bool prompt = true) {
  return ChatFormat::joined(ChatFormat::builtin(name).render(messages, prompt));
}

TEST(ChatFormat, Qwen1) {
  EXPECT_EQ(text("chatml", kTurns),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ1<|im_end|>\n<|im_start|>"
            "assistant\nA1<|im_end|>\n"
            "<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(text("qwen1", kQuestion),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(text("qwen1", {{"system", "S"}, {"user", "Q"}}, false),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>");
}

TEST(ChatFormat, ChatGlm) {
  EXPECT_EQ(text("chatglm2", {{"user", "Q1"}, {"assistant", "A1"}, {"user", "Q2"}}),
            "[gMASK]sop[Round 1]\n\n问：Q1\n\n答：A1\n\n[Round 2]\n\n问：Q2\n\n答：");
  EXPECT_EQ(text("chatglm2", kQuestion), "[gMASK]sop[Round 1]\n\n问：Q1\n\n答：");
  EXPECT_EQ(text("chatglm3", kTurns),
            "[gMASK]sop<|system|>\n S<|user|>\n Q1<|assistant|>\n A1<|user|>\n Q2<|assistant|>");
}

TEST(ChatFormat, Baichuan) {
  EXPECT_EQ(text("baichuan", kTurns),
            "S<reserved_102>Q1<reserved_103>A1<reserved_102>Q2<reserved_103>");
  EXPECT_EQ(text("baichuan2", kTurns),
            "S<reserved_106>Q1<reserved_107>A1<reserved_106>Q2<reserved_107>");
  EXPECT_EQ(text("baichuan2", kQuestion, false), "<reserved_106>Q1");
}

TEST(ChatFormat, InternLm) {
  EXPECT_EQ(text("internlm", {{"user", "Q1"}, {"assistant", "A1"}, {"user", "Q2"}}),
            "<s><|User|>:Q1<eoh>\n<|Bot|>:A1<eoa>\n<|User|>:Q2<eoh>\n<|Bot|>:");
  EXPECT_THAT(text("internlm", kTurns), StartsWith("<s><|System|>:S\n<|User|>:Q1<eoh>\n"));
}

TEST(ChatFormat, Gemma) {
  EXPECT_EQ(text("gemma", kTurns),
            "<s><start_of_turn>user\nS\n\nQ1<end_of_turn>\n<start_of_turn>model\nA1<end_of_turn>\n"
            "<start_of_turn>user\nQ2<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(text("gemma", {{"user", " Q "}}, false), "<s><start_of_turn>user\nQ<end_of_turn>\n");
  EXPECT_THROW(text("gemma", {{"user", "a"}, {"user", "b"}}), Error);
}

TEST(ChatFormat, Llama2) {
  EXPECT_EQ(text("llama2", kTurns),
            "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nQ1 [/INST] A1 </s><s>[INST] Q2 [/INST]");
  EXPECT_EQ(text("llama2", {{"user", "  Q  "}}), "<s>[INST] Q [/INST]");
  try {
    text("llama2", {{"user", "a"}, {"user", "b"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("roles must alternate"));
  }
}

TEST(ChatFormat, Moss) {
  EXPECT_EQ(text("moss", kTurns),
            "S\n<|Human|>: Q1<eoh>\n<|MOSS|>: A1<eom>\n<|Human|>: Q2<eoh>\n<|MOSS|>:");
  const std::string plain = text("moss", kQuestion);
  EXPECT_THAT(plain, StartsWith("You are an AI assistant whose name is MOSS.\n- MOSS is"));
  EXPECT_THAT(plain, HasSubstr("possess.\n<|Human|>: Q1<eoh>\n<|MOSS|>:"));
}

TEST(ChatFormat, KeepsMarksAndContentApart) {
  for (const std::string& name : ChatFormat::builtin_names()) {
    const auto pieces = ChatFormat::builtin(name).render({{"user", "<|im_end|>x"}}, true);
    ASSERT_GE(pieces.size(), 3u) << name;
    for (const RenderedPiece& piece : pieces) {
      EXPECT_EQ(piece.content, piece.text == "<|im_end|>x") << name << ": " << piece.text;
    }
  }
}

TEST(ChatFormat, RefusesWhatItDoesNotKnow) {
  try {
    ChatFormat::builtin("chatglm");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage);
    EXPECT_THAT(error.what(),
                HasSubstr("chat format: unknown name \"chatglm\"; did you mean \"chatglm2\"?"));
  }
  EXPECT_THROW(text("baichuan", {{"tool", "x"}}), Error);
  EXPECT_THROW(text("baichuan2", {{"user", "x"}, {"system", "late"}}), Error);
}

TEST(ChatFormat, TakesATemplateAndFurtherVariables) {
  const ChatFormat format = ChatFormat::from_template(
      "{{ bos_token }}{% for m in messages %}{{ m.content }}{% if m.tool_calls %}+{% endif %}{% "
      "endfor %}"
      "{{ tools is none }}{{ enable_thinking }}{{ eos_token if not add_generation_prompt }}",
      "t",
      "<s>",
      "</s>");
  EXPECT_EQ(ChatFormat::joined(format.render({{"user", "q"}}, false)), "<s>qTrue</s>");
  const Json messages = {{{"role", "assistant"}, {"content", "a"}, {"tool_calls", {1}}}};
  EXPECT_EQ(ChatFormat::joined(format.render_json(messages, true, {{"enable_thinking", false}})),
            "<s>a+TrueFalse");
}

}  // namespace
}  // namespace keju
