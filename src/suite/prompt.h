// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "suite/card.h"
#include "suite/pattern.h"
#include "suite/rows.h"
#include "suite/suite_file.h"
#include "text/template.h"

namespace keju {

// A suite's template. Line breaks at its end are kept whatever the engine does with a file's last
// one.
class PromptTemplate {
 public:
  PromptTemplate() = default;
  // Errors: Error(kInput) for syntax.
  explicit PromptTemplate(const TemplateSource& source);

  bool empty() const { return !template_.has_value() && tail_.empty(); }
  // `strict`: what the context does not have is an error, not empty.
  std::string render(const Json& context, bool strict = false) const;
  std::vector<std::string> variables() const;
  const std::string& at() const { return at_; }

 private:
  std::optional<Template> template_;  // none where the source is plain text
  std::string tail_;
  std::string at_;
};

// Builds prompts by a protocol's rules. What a template may name: the data set's columns, `subject`
// (id, zh, en, name in the subject's own language, language), `nth` (the question's place in the
// prompt, from 1) and, where the data set has choices, `options` and `letters`; in the answer of a
// worked example also its `letter` and `option`. Threads: const and safe to share.
class Prompter {
 public:
  // Errors: Error(kInput) with file and line for a template that is wrong or names an unknown
  // variable, for rules that do not fit the data set.
  Prompter(const SuiteVariant& variant, const DataCard& card);

  std::string header(const CardSubject& subject) const;
  std::string question(const DataRow& row, const CardSubject& subject, size_t nth = 1) const;
  // The item that is asked; its question where the protocol has no other words for it.
  std::string item(const DataRow& row, const CardSubject& subject, size_t nth = 1) const;
  // What the item counts in averages. Errors: Error(kInput) for a template that gives no number.
  double weight(const DataRow& row, const CardSubject& subject) const;
  // What stands before a chat, and what begins the model's turn in it.
  std::string system(const CardSubject& subject) const;
  std::string prefill(const DataRow& row, const CardSubject& subject) const;
  std::string conclusion(const DataRow& row,
                         const CardSubject& subject,
                         const std::string& prompt,
                         const std::string& wrote) const;
  // A worked example, without what joins it to the next.
  struct Shot {
    std::string question, answer;
  };
  Shot shot(const DataRow& row, const CardSubject& subject, size_t nth = 1) const;
  Shot fixed_shot(const Json& example, const CardSubject& subject) const;
  std::string joined(const std::string& header,
                     const std::vector<Shot>& shots,
                     const std::string& question) const;

  std::vector<std::string> choices(const DataRow& row) const;  // as shown: letters or texts
  std::vector<std::string> continuations(const DataRow& row, const CardSubject& subject) const;
  std::string gold(const DataRow& row, const CardSubject& subject) const;  // "" if unlabelled
  std::vector<std::string> accepted(const DataRow& row) const;

 private:
  Json context(const DataRow& row, const CardSubject& subject, size_t nth = 1) const;
  std::string replaced(std::string text) const;
  std::vector<std::string> spelt(const PromptTemplate& text, const DataRow& row) const;
  static void add_gold(Json& values, const DataRow& row);
  void check_variables(const PromptTemplate& text, std::vector<std::string> known) const;
  void check_rules() const;
  void check_examples() const;

  const SuiteVariant& variant_;
  const DataCard& card_;
  PromptTemplate header_, question_, item_, answer_, delimiter_, gold_, weight_, option_,
      option_context_, accept_, system_, prefill_, conclude_;
  std::vector<std::pair<Pattern, std::string>> replace_;
  bool any_variable_ = false;
};

}  // namespace keju
