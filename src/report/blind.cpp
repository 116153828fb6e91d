// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/sha256.h"
#include "report/leaderboard.h"

namespace keju {
namespace {

// 甲 to 癸, then 甲2 and so on.
std::string stem(size_t number) {
  static const std::vector<std::string> kStems = {
      "甲", "乙", "丙", "丁", "戊", "己", "庚", "辛", "壬", "癸"};
  const size_t round = number / kStems.size();
  return kStems[number % kStems.size()] + (round > 0 ? std::to_string(round + 1) : "");
}

// A judge or an opponent by the letter that it has, if one of the blinded models bears its name.
std::string blind_name(const std::string& name,
                       const std::vector<std::pair<std::string, std::string>>& key) {
  for (const auto& [letter, own] : key) {
    if (own == name) return letter;
  }
  return name.empty() ? "" : "—";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> make_blind(std::vector<RunView>& runs) {
  // One name for each model: what makes two runs one row. A hash puts them in an order of its own.
  const auto identity = [](const RunView& run) {
    return sha256_hex(fmt::format("blind\n{}\n{}\n{}\n{}\n{}",
                                  run.model,
                                  run.weights_digest,
                                  run.tokenizer_digest,
                                  run.template_hash,
                                  run.numeric_mode));
  };
  std::map<std::string, std::string> names;
  for (const RunView& run : runs) names[identity(run)] = run.model;
  std::vector<std::pair<std::string, std::string>> key;
  std::map<std::string, std::string> blind;
  for (const auto& [hash, name] : names) {
    blind[hash] = stem(key.size());
    key.emplace_back(blind[hash], name);
  }
  for (RunView& run : runs) {
    run.model = blind.at(identity(run));
    run.folder = "";
    run.family = run.template_hash = run.tokenizer_digest = run.digest = run.numeric_mode = "";
    run.weights_digest = "";
    run.parameters = run.weights_bytes = run.promise_bytes = 0;
    for (ExamView& exam : run.exams) {
      exam.digest = "";
      if (!exam.judged) continue;
      exam.judged->judge = blind_name(exam.judged->judge, key);
      exam.judged->against = blind_name(exam.judged->against, key);
    }
  }
  return key;
}

}  // namespace keju
