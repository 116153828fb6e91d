// SPDX-License-Identifier: MIT
// First prompts of the suites whose data are the user's own, or the program's: golden_layouts.jsonl
// holds small files in the published layouts and the whole texts that the protocols' descriptions
// make of them, written out by hand; for the program's own suites, of the files in datasets/.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/json.h"
#include "base/mapped_file.h"
#include "suite/exam.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

std::vector<Json> lines_of(const char* path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << ": tests run in the source root";
  std::vector<Json> out;
  for (std::string line; std::getline(file, line);) out.push_back(parse_json(line, path));
  return out;
}

TEST(Golden, FirstPromptsOfTheOtherSuites) {
  for (const Json& golden : lines_of("tests/suite/golden_layouts.jsonl")) {
    const TempFolder folder;
    for (const auto& [path, text] : golden["files"].items()) {
      std::filesystem::create_directories((folder / path).parent_path());
      write_file_atomically(folder / path, text.get<std::string>());
    }
    ExamOptions options;
    options.suite = golden["suite"].get<std::string>();
    options.protocol = golden["protocol"].get<std::string>();
    options.subjects = golden["subjects"].get<std::vector<std::string>>();
    if (!golden["files"].empty()) options.data = folder.path();
    if (!golden["shots"].is_null()) options.shots = golden["shots"].get<int>();
    const std::string where = options.suite + "/" + options.protocol;
    const ExamItem item = Exam::open(options)->item(0);
    EXPECT_EQ(item.turns.empty() ? item.prompt : item.turns[0], golden["prompt"].get<std::string>())
        << where;
    if (!golden["continuations"].is_null()) {
      EXPECT_EQ(item.continuations, golden["continuations"].get<std::vector<std::string>>())
          << where;
    }
    if (!golden["answer"].is_null()) {
      EXPECT_EQ(item.answer, golden["answer"].get<std::string>()) << where;
    }
  }
}

// No suite and no variant without a golden prompt: of the real data, or of small files.
TEST(Golden, EverySuiteAndVariantHasItsFirstPrompt) {
  std::set<std::string> seen = {"gsm8k/lm-eval-cot"};  // by its text in golden_test.cpp
  for (const char* file :
       {"tests/suite/golden_prompts.jsonl", "tests/suite/golden_layouts.jsonl"}) {
    for (const Json& golden : lines_of(file)) {
      seen.insert(golden["suite"].get<std::string>() + "/" + golden["protocol"].get<std::string>());
    }
  }
  size_t protocols = 0;
  for (const std::string& suite : suite_names()) {
    for (const Protocol& protocol : suite_protocols(suite)) {
      ++protocols;
      EXPECT_TRUE(seen.contains(protocol.id)) << protocol.id << " has no golden prompt";
    }
  }
  EXPECT_EQ(seen.size(), protocols) << "a golden prompt of a variant that is gone";
}

}  // namespace
}  // namespace keju
