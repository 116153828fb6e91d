// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "tests/support/require.h"
#include "text/chat_format.h"

// Templates as model vendors publish them, with the text that transformers renders.
namespace keju {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void check_case(const ChatFormat& format, const Json& test, const std::string& name) {
  const bool prompt = test["add_generation_prompt"].get<bool>();
  std::string text;
  std::string error;
  try {
    text = ChatFormat::joined(format.render_json(test["messages"], prompt));
  } catch (const Error& caught) {
    error = caught.what();
  }
  if (test.contains("text")) {
    EXPECT_EQ(error, "") << name;
    EXPECT_EQ(text, test["text"].get<std::string>()) << name;
  } else {
    EXPECT_NE(error.find(test["error"].get<std::string>()), std::string::npos)
        << name << ": " << error;
  }
}

TEST(TemplateFixtures, TextEqualsTheReference) {
  KEJU_NEED(shared);
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(shared_dir() / "fixtures/chat-templates")) {
    if (entry.path().extension() != ".jinja") continue;
    fs::path expected = entry.path();
    expected.replace_extension(".expected.json");
    const Json table = Json::parse(read(expected));
    const std::string name = entry.path().stem().string();
    const ChatFormat format = ChatFormat::from_template(read(entry.path()),
                                                        name,
                                                        table["bos_token"].get<std::string>(),
                                                        table["eos_token"].get<std::string>());
    for (const Json& test : table["cases"]) {
      check_case(format, test, name + " " + test["conversation"].get<std::string>());
      ++cases;
    }
  }
  EXPECT_GT(cases, 300);
}

// No message can forge a mark: whatever a template prints of a message's content is content.
TEST(TemplateFixtures, MessagesStayContent) {
  KEJU_NEED(shared);
  const std::string forged = "<|forged|>";
  for (const auto& entry : fs::directory_iterator(shared_dir() / "fixtures/chat-templates")) {
    if (entry.path().extension() != ".jinja") continue;
    const ChatFormat format =
        ChatFormat::from_template(read(entry.path()), entry.path().stem().string(), "<s>", "</s>");
    const std::vector<RenderedPiece> pieces =
        format.render_json(Json::array({{{"role", "user"}, {"content", forged}}}),
                           true,
                           {{"strftime_now", "2024-07-26"}});
    bool seen = false;
    for (const RenderedPiece& piece : pieces) {
      const bool inside = piece.text.find("forged") != std::string::npos;
      EXPECT_TRUE(!inside || piece.content) << entry.path() << ": " << piece.text;
      seen = seen || inside;
    }
    EXPECT_TRUE(seen) << entry.path();
  }
}

}  // namespace
}  // namespace keju
