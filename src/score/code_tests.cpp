// SPDX-License-Identifier: MIT
#include "score/code_tests.h"

#include "base/error.h"
#include "base/json.h"

namespace keju {

CodeTask code_task(std::string_view gold, std::string_view generated, const std::string& where) {
  const Json rules = parse_json(gold, where);
  CodeTask task;
  task.program = rules.contains("before") ? string_member(rules, "before", where) : "";
  task.program += generated;
  task.prelude = rules.contains("prelude") ? string_member(rules, "prelude", where) : "";
  task.tests = string_member(rules, "tests", where);
  if (rules.contains("reference")) task.reference = string_member(rules, "reference", where);
  const Json& own = member(rules, "own", where);
  if (!own.is_array()) throw fail(Code::kInput, "{}: own: need a list of names", where);
  for (const Json& each : own) {
    if (!each.is_string()) throw fail(Code::kInput, "{}: own: need names", where);
    task.own.push_back(each.get<std::string>());
  }
  return task;
}

std::string code_outcome(const CodeVerdict& verdict) {
  std::string out(name(verdict.kind));
  if (verdict.kind != CodeVerdict::Kind::kError) return out;
  return out + ": " + verdict.detail.substr(0, verdict.detail.find(':'));
}

const CodeSandbox& shared_sandbox() {
  static const std::unique_ptr<CodeSandbox> sandbox = CodeSandbox::open();
  return *sandbox;
}

}  // namespace keju
