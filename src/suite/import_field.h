// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace keju {

// A doc_to_text, doc_to_target or doc_to_choice of lm-evaluation-harness's task files, read over a
// document as the harness (0.4.13) does. Threads: const and safe to share.
class TaskField {
 public:
  TaskField() = default;  // not given
  // `at` is the file and line.
  TaskField(std::string key, Json value, std::string at);

  bool given() const { return !value_.is_null(); }
  const std::string& at() const { return at_; }

  struct Value {
    Json json;
    bool column = false;  // as it stands in the document, and not what a template gave

    // A number, or digits that a template gave: the harness makes a number of those alone.
    bool is_index() const;
    // The place of the right choice: the number, or that of the choice that reads so. Errors:
    // Error(kInput) with `where` for what is no choice.
    int64_t place_in(const std::vector<std::string>& choices, const std::string& where) const;
  };
  // A column, or what the template gives; what is no text stands for itself.
  Value value(const Json& doc) const;

  // The choices: written out (a map by its values), a column, one Jinja expression, or a template
  // that renders to a list of Python. Errors: Error(kUnsupported) for anything else.
  std::vector<std::string> list(const Json& doc) const;

 private:
  Json rendered_list(const Json& doc) const;
  [[noreturn]] void no_list(const std::string& found) const;

  std::string key_;
  Json value_;
  std::string at_;
};

}  // namespace keju
