// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "gate/answers.h"

namespace keju {

// A field in which two runs are not the same, as a person should read it.
struct Unlikeness {
  std::string exam;      // "" for the run as a whole
  std::string field;     // "data_hash", "protocol.score", "items", …
  std::string a, b;      // the values
  std::string why;       // what follows from it
  bool refuses = false;  // the numbers do not answer the same question
};

// What differs between two runs' exams of one key, or between the runs as wholes. Machine, numeric
// mode, weights and tokenizer are what a comparison may be about: they are told, never refused.
std::vector<Unlikeness> unlike_runs(const AnsweredRun& a, const AnsweredRun& b);
std::vector<Unlikeness> unlike_exams(const Json& exam_a, const Json& exam_b);

// The entry of run.json for an exam.
const Json& exam_entry(const AnsweredRun& run, const std::string& key);

// "cmmlu…: data_hash: \"a\" against \"b\": other questions or answers"
std::string say(const Unlikeness& unlike);

}  // namespace keju
