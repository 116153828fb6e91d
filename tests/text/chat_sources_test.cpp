// SPDX-License-Identifier: MIT
#include "text/chat_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/text/tokenizer_test_models.h"
#include "text/chat_format.h"
#include "text/folder_config.h"

namespace keju {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ChatSources, AFolderWithoutAnyHasNone) {
  const FileFolder folder;
  EXPECT_TRUE(chat_sources_of_folder(folder.path()).empty());
  folder.write("tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_TRUE(chat_sources_of_folder(folder.path()).empty());
  EXPECT_EQ(chat_sources_of_folder(folder.path()).named("default"), "");
}

// The order of transformers: files of their own, then tokenizer_config.json, then the processors'.
TEST(ChatSources, TheFirstPlaceThatHasOneIsTaken) {
  const FileFolder folder;
  folder.write("chat_template.json", R"({"chat_template": "processor"})");
  EXPECT_EQ(chat_sources_of_folder(folder.path()).named("default"), "processor");
  folder.write(
      "tokenizer_config.json",
      R"({"model_max_length": 1000000000000000019884624838656, "chat_template": "config"})");
  const ChatSources config = chat_sources_of_folder(folder.path());
  EXPECT_EQ(config.named("default"), "config");
  EXPECT_THAT(config.where, EndsWith("tokenizer_config.json: chat_template"));
  folder.write("chat_template.jinja", "file");
  EXPECT_EQ(chat_sources_of_folder(folder.path()).named("default"), "file");
}

TEST(ChatSources, NamedTemplatesStandBesideTheDefault) {
  const FileFolder folder;
  folder.write("tokenizer_config.json",
               R"({"chat_template": [{"name": "tool_use", "template": "T"},
                                     {"name": "default", "template": "D"}]})");
  const ChatSources list = chat_sources_of_folder(folder.path());
  EXPECT_EQ(list.named("default"), "D");
  EXPECT_EQ(list.named("tool_use"), "T");
  std::filesystem::create_directory(folder.path() / "additional_chat_templates");
  folder.write("additional_chat_templates/rag.jinja", "R");
  const auto error = caught([&] { chat_sources_of_folder(folder.path()); });
  EXPECT_EQ(error.code, Code::kInput);
  EXPECT_THAT(error.message, HasSubstr("found rag, need one named \"default\""));
  folder.write("chat_template.jinja", "D2");
  EXPECT_EQ(chat_sources_of_folder(folder.path()).named("rag"), "R");
}

TEST(ChatSources, OtherKindsAreRefused) {
  const FileFolder folder;
  for (const char* bad : {R"({"chat_template": 3})",
                          R"({"chat_template": ["x"]})",
                          R"({"chat_template": [{"name": "default"}]})",
                          R"({"chat_template": {"default": "x"}})"}) {
    folder.write("tokenizer_config.json", bad);
    const auto error = caught([&] { chat_sources_of_folder(folder.path()); });
    EXPECT_EQ(error.code, Code::kInput) << bad;
    EXPECT_THAT(error.message, HasSubstr("chat_template")) << bad;
  }
}

TEST(ChatSources, GgufKeysAreRead) {
  KeyValues metadata("m.gguf");
  EXPECT_TRUE(chat_sources_of_gguf(metadata).empty());
  metadata.set("tokenizer.chat_template", std::string("D"));
  metadata.set("tokenizer.chat_template.tool_use", std::string("T"));
  metadata.set("tokenizer.chat_templates", std::vector<std::string>{"tool_use"});
  const ChatSources sources = chat_sources_of_gguf(metadata);
  EXPECT_EQ(sources.named("default"), "D");
  EXPECT_EQ(sources.named("tool_use"), "T");
  EXPECT_EQ(sources.by_name.size(), 2u);
}

// Integers of any size are read; inside strings nothing is touched.
TEST(PythonJson, NumbersBeyond64BitsAreRead) {
  const FileFolder folder;
  const Json json = read_python_json(folder.write(
      "d.json",
      R"({"a": 1000000000000000019884624838656, "b": [-12345678901234567890123], "c": 12,
          "d": "\"1000000000000000019884624838656", "f": -7})"));
  EXPECT_DOUBLE_EQ(json["a"].get<double>(), 1e30);
  EXPECT_DOUBLE_EQ(json["b"][0].get<double>(), -12345678901234567890123.0);
  EXPECT_EQ(json["c"], 12);
  EXPECT_EQ(json["d"], "\"1000000000000000019884624838656");
  EXPECT_EQ(json["f"], -7);
}

std::string text(const ChatFormat& format, const Json& messages, const Json& extra) {
  return ChatFormat::joined(format.render_json(messages, true, extra));
}

// Facts of transformers 5.23: apply_chat_template and chat_template_utils.py.
TEST(ChatFormat, PreparesMessagesAsTheReferenceDoes) {
  const ChatFormat format = ChatFormat::from_template(
      "{{ messages[0] | tojson }}{{ bos_token is defined }}{{ eos_token }}", "t", "", "E");
  const auto line = [&](const char* message) {
    return text(format, Json::array({Json::parse(message)}), Json::object());
  };
  EXPECT_EQ(line(R"({"role": "assistant", "content": null, "tool_calls": [{"x": null}]})"),
            R"({"role": "assistant", "tool_calls": [{"x": null}]}FalseE)");
  EXPECT_EQ(
      line(R"({"role": "assistant", "content": "c", "reasoning": "r"})"),
      R"({"thinking": "r", "role": "assistant", "content": "c", "reasoning": "r", "reasoning_content": "r"}FalseE)");
  EXPECT_EQ(line(R"({"role": "assistant", "reasoning_content": "a", "thinking": "b"})"),
            R"({"thinking": "b", "role": "assistant", "reasoning_content": "a"}FalseE)");
}

TEST(ChatFormat, ToolsTakeTheTemplateForTools) {
  const ChatFormat format({{{"default", "D"}, {"tool_use", "T{{ tools | length }}"}}, "t"}, "", "");
  const Json messages = Json::array({{{"role", "user"}, {"content", "x"}}});
  EXPECT_EQ(text(format, messages, Json::object()), "D");
  EXPECT_EQ(text(format, messages, {{"tools", nullptr}}), "D");
  EXPECT_EQ(text(format, messages, {{"tools", Json::array({1, 2})}}), "T2");
}

TEST(ChatFormat, NamesTheMarksOfBuiltInFormats) {
  EXPECT_THAT(ChatFormat::builtin("baichuan2").marks(),
              testing::ElementsAre("<reserved_106>", "<reserved_107>"));
  EXPECT_THAT(ChatFormat::builtin("llama2").marks(), IsEmpty());
  EXPECT_EQ(ChatFormat::builtin("qwen1").hash(), ChatFormat::builtin("chatml").hash());
  EXPECT_NE(ChatFormat::builtin("qwen1").hash(), ChatFormat::builtin("moss").hash());
}

}  // namespace
}  // namespace keju
