// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/yaml.h"
#include "suite/exam.h"

namespace keju {

// A template as a suite file spells it, and where.
struct TemplateSource {
  std::string text;
  std::string at;  // "suites/cmmlu.yaml:14"
};

// Which worked examples stand before an item.
struct ShotRules {
  enum class Pick {
    kFirst,         // the first rows of the split, without the item itself
    kPythonRandom,  // lm-evaluation-harness's default sampler (protocols §1.5)
    kFixed,         // those written in the suite file
  };
  std::string split;
  int count = 0;
  bool fewer = false;  // a subject with fewer rows than `count` shows those that it has
  int skip = 0;        // of kFirst: rows of the split that come before
  Pick pick = Pick::kFirst;
  uint64_t seed = 1234;
  std::vector<Json> examples;  // of kFixed: values of the template's variables
  std::string examples_of;     // of kFixed: the protocol above whose examples these are
  std::string at;
};

// How prompts are put together:
//   header · (question · answer · join) for each shot, the last time with join_item · item
// where item is the question in other words, or the question itself.
// For Task::kChoose the answer of a shot is its gold continuation, delimiter · choice.
struct PromptRules {
  enum class Choice { kLetter, kText };
  TemplateSource header, question, item, answer, delimiter, gold, weight;
  TemplateSource option;  // how a choice is spelt where neither letter nor text is enough
  // What stands before the scored part of each option (Protocol::own_contexts).
  TemplateSource option_context;
  Choice choice = Choice::kLetter;
  std::string join = "\n\n";
  std::optional<std::string> join_item;
  // Patterns and what takes their places, in order, in the rendered question and in each choice.
  std::vector<std::pair<std::string, std::string>> replace;
  // Further right answers: the column that lists them, or a template that gives them with U+001F
  // between; "" if there are none.
  std::string accept;
  std::string turns;  // column that lists the user's turns of a conversation; "": one question
  ShotRules shots;
};

// A protocol with all that a suite file says about it.
struct SuiteVariant {
  Protocol protocol;
  std::vector<std::string> aliases;  // "oc-ppl-8b9c76"
  std::string split;
  std::vector<std::string> subjects;  // empty: all of the data set
  // Subjects that are asked or read in another way: each is the variant with what differs, and its
  // `subjects` say for whom.
  std::vector<SuiteVariant> kinds;
  PromptRules prompt;
  std::string at;
};

// One suites/<name>.yaml.
struct SuiteFile {
  std::string name, title_zh, title_en, about, source;
  int64_t version = 0;
  std::string dataset;
  std::vector<std::string> parts;      // not empty: a group of suites, and nothing else
  std::vector<SuiteVariant> variants;  // in the file's order, `official` first
  std::string where, sha256;
  std::optional<std::filesystem::path> path;  // unless embedded

  // Errors: Error(kInput) with file and line, for anything that the schema does not know.
  static SuiteFile parse(std::string_view text, const std::string& where);

  // An embedded suite's name, or the path of a file. Errors: Error(kUsage) for an unknown name.
  static SuiteFile load(const std::string& name_or_path);

  // By name ("lm-eval"), alias or full id ("cmmlu/oc-ppl-041cbf"). Errors: Error(kUsage).
  const SuiteVariant& variant(const std::string& protocol) const;
};

}  // namespace keju
