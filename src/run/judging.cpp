// SPDX-License-Identifier: MIT
#include "run/judging.h"

#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "run/results.h"
#include "run/store.h"
#include "score/judge.h"

namespace keju {
namespace {

const std::string& output_of(const StoredItem& stored) {
  const auto* generated = std::get_if<GenerateResult>(&stored.record.response.what);
  KEJU_CHECK(generated != nullptr, "a judged item that was not generated");
  return generated->text;
}

// A model's thinking is no part of its answer.
std::string without_thinking(const std::string& text) {
  constexpr std::string_view kClose = "</think>";
  const size_t close = text.rfind(kClose);
  if (close == std::string::npos) return text;
  const size_t begin = text.find_first_not_of(" \t\r\n", close + kClose.size());
  return begin == std::string::npos ? "" : text.substr(begin);
}

Json turns_of(const StoredItem& stored) {
  Json turns = Json::array();
  if (stored.turns.empty()) {
    turns.push_back({{"user", stored.prompt}, {"assistant", without_thinking(output_of(stored))}});
    return turns;
  }
  for (size_t i = 0; i < stored.turns.size(); ++i) {
    const bool last = i + 1 == stored.turns.size();
    turns.push_back(
        {{"user", stored.turns[i]},
         {"assistant", without_thinking(last ? output_of(stored) : stored.answers.at(i))}});
  }
  return turns;
}

Json subject_of(const ExamManifest& exam, const std::string& id) {
  for (const SubjectInfo& subject : exam.subjects) {
    if (subject.id == id) return {{"id", id}, {"zh", subject.name_zh}, {"en", subject.name_en}};
  }
  return {{"id", id}, {"zh", id}, {"en", id}};
}

bool finished(const StoredItem& stored) {
  return stored.record.response.error.empty() &&
         !std::holds_alternative<Failed>(stored.record.outcome);
}

class SheetMaker {
 public:
  explicit SheetMaker(const JudgeOptions& options) : options_(options) {
    if (options.votes < 1) throw fail(Code::kUsage, "--votes: found {}, need 1", options.votes);
    sheet_.pairwise = options.against.has_value();
    sheet_.votes = options.votes;
  }

  JudgeSheet make() {
    sheet_.run_digest = digest_of(options_.run);
    read_exams();
    if (sheet_.pairwise) read_other();
    for_each_item(options_.run, "", [&](const StoredItem& stored) {
      if (sheet_.rules.count(stored.record.exam) == 0 || !finished(stored)) return;
      for (int vote = 0; vote < options_.votes; ++vote) {
        add(stored, false, vote);
        if (sheet_.pairwise) add(stored, true, vote);
      }
    });
    return std::move(sheet_);
  }

 private:
  static std::string digest_of(const std::filesystem::path& run) {
    return string_member(read_results(run), "digest", run.string() + "/results.json");
  }

  void read_exams() {
    const std::string where = (options_.run / "run.json").string();
    for (ExamManifest& exam : manifest_exams(read_manifest(options_.run), where)) {
      if (!exam.protocol.judge.has_value()) continue;
      const JudgeRules& rules = *exam.protocol.judge;
      const std::string& source = sheet_.pairwise ? rules.pairwise : rules.rubric;
      if (source.empty()) {
        throw fail(Code::kUsage,
                   "{}: its suite has no template for {}",
                   exam.key,
                   sheet_.pairwise ? "pairs" : "scores");
      }
      sheet_.rules[exam.key] = rules;
      sheet_.prompts[exam.key] = sha256_hex(source);
      exams_[exam.key] = std::move(exam);
    }
    if (exams_.empty()) {
      throw fail(Code::kUsage,
                 "{}: found no exam that is judged, need a suite with `judge`",
                 options_.run.string());
    }
  }

  void read_other() {
    sheet_.against_digest = digest_of(*options_.against);
    const Json manifest = read_manifest(*options_.against);
    sheet_.against_model = string_member(
        member(manifest, "model", "run.json"), "name", (*options_.against / "run.json").string());
    for_each_item(*options_.against, "", [&](const StoredItem& stored) {
      if (sheet_.rules.count(stored.record.exam) == 0 || !finished(stored)) return;
      other_[verdict_key(stored.record.exam, stored.record.item)] = {stored.prompt,
                                                                     turns_of(stored)};
    });
  }

  Json values_of(const StoredItem& stored, bool swapped) const {
    Json values = stored.doc;
    const ExamManifest& exam = exams_.at(stored.record.exam);
    values["subject"] = subject_of(exam, stored.record.subject);
    Json turns = turns_of(stored);
    if (!sheet_.pairwise) {
      values["answer"] = turns.back()["assistant"];
      values["turns"] = std::move(turns);
      return values;
    }
    const auto other = other_.find(verdict_key(stored.record.exam, stored.record.item));
    if (other == other_.end() || other->second.prompt != stored.prompt) {
      throw fail(Code::kUsage,
                 "{}: {} {} {}, need two runs of the same items",
                 options_.against->string(),
                 other == other_.end() ? "lacks" : "asks something else in",
                 stored.record.exam,
                 stored.record.item);
    }
    const Json& theirs = other->second.turns;
    values["a"] = swapped ? theirs : turns;
    values["b"] = swapped ? turns : theirs;
    values["a_answer"] = values["a"].back()["assistant"];
    values["b_answer"] = values["b"].back()["assistant"];
    return values;
  }

  void add(const StoredItem& stored, bool swapped, int vote) {
    const ItemRecord& record = stored.record;
    const JudgeRules& rules = sheet_.rules.at(record.exam);
    JudgeTask task;
    task.exam = record.exam;
    task.item = record.item;
    task.swapped = swapped;
    task.vote = vote;
    task.prompt = judge_prompt(sheet_.pairwise ? rules.pairwise : rules.rubric,
                               record.exam + ": judge",
                               values_of(stored, swapped));
    task.id = sha256_hex(fmt::format("{}\n{}\n{}\n{}\n{}\n{}",
                                     sheet_.run_digest,
                                     sheet_.against_digest,
                                     record.exam,
                                     record.item,
                                     swapped,
                                     vote))
                  .substr(0, 20);
    sheet_.tasks.push_back(std::move(task));
  }

  struct Other {
    std::string prompt;
    Json turns;
  };

  const JudgeOptions& options_;
  JudgeSheet sheet_;
  std::map<std::string, ExamManifest> exams_;
  std::map<std::string, Other> other_;
};

// The verdicts of one item.
struct Ballot {
  std::vector<Judgement> scores;
  std::vector<Winner> first, second;  // as named by the judge; `second` with sides swapped
  int64_t missing = 0, unreadable = 0;
};

Unscored unscored(const Ballot& ballot) {
  return {ballot.unreadable > 0 ? "verdict could not be read" : "no verdict", false, 1};
}

Outcome pair_outcome(const Ballot& ballot) {
  if (ballot.first.empty() || ballot.second.empty()) return unscored(ballot);
  Scored scored;
  switch (of_both_orders(majority(ballot.first), majority(ballot.second))) {
    case Winner::kA:
      scored.value = 1;
      scored.extracted = "win";
      return scored;
    case Winner::kB:
      scored.extracted = "loss";
      return scored;
    case Winner::kTie:
      scored.value = 0.5;
      scored.extracted = "tie";
      return scored;
  }
  KEJU_CHECK(false, "a winner that nobody knows");
}

Outcome score_outcome(const Ballot& ballot, const JudgeRules& rules) {
  if (ballot.scores.empty()) return unscored(ballot);
  double sum = 0;
  for (const Judgement& one : ballot.scores) sum += one.score;
  const double mean = sum / static_cast<double>(ballot.scores.size());
  Scored scored;
  scored.value = mean / rules.highest;
  scored.extracted = fmt::format("{:g}", mean);
  return scored;
}

struct Tally {
  int64_t asked = 0, read = 0, missing = 0, unreadable = 0, judged = 0;
  int64_t wins = 0, ties = 0, losses = 0;
  std::vector<std::pair<std::string, std::pair<double, int64_t>>> parts;  // sum and count

  void add(const Ballot& ballot, const Outcome& outcome) {
    missing += ballot.missing;
    unreadable += ballot.unreadable;
    const auto got = ballot.scores.size() + ballot.first.size() + ballot.second.size();
    read += static_cast<int64_t>(got);
    asked += static_cast<int64_t>(got) + ballot.missing + ballot.unreadable;
    for (const Judgement& one : ballot.scores) {
      for (const auto& [name, value] : one.parts) add_part(name, value);
    }
    const auto* scored = std::get_if<Scored>(&outcome);
    if (scored == nullptr) return;
    ++judged;
    wins += scored->extracted == "win" ? 1 : 0;
    ties += scored->extracted == "tie" ? 1 : 0;
    losses += scored->extracted == "loss" ? 1 : 0;
  }

  void add_part(const std::string& part, double value) {
    auto found =
        std::find_if(parts.begin(), parts.end(), [&](const auto& p) { return p.first == part; });
    if (found == parts.end()) {
      parts.push_back({part, {0, 0}});
      found = std::prev(parts.end());
    }
    found->second.first += value;
    ++found->second.second;
  }
};

Json record_of(const JudgeSheet& sheet,
               const std::string& exam,
               const Tally& tally,
               const Judge& judge) {
  Json parts = Json::array();
  for (const auto& [name, sum] : tally.parts) {
    parts.push_back(
        {{"name", name}, {"mean", sum.first / static_cast<double>(sum.second)}, {"n", sum.second}});
  }
  const auto share = [&](double points) {
    return tally.judged == 0 ? Json() : Json(points / static_cast<double>(tally.judged));
  };
  Json out = {{"kind", sheet.pairwise ? "pairwise" : "rubric"},
              {"judge", judge.name},
              {"judge_digest", judge.digest},
              {"judge_details", judge.details},
              {"prompt_sha256", sheet.prompts.at(exam)},
              {"votes", sheet.votes},
              {"against", nullptr},
              {"verdicts",
               {{"asked", tally.asked},
                {"read", tally.read},
                {"unreadable", tally.unreadable},
                {"missing", tally.missing}}},
              {"items_judged", tally.judged},
              {"parts", std::move(parts)},
              {"pairs", nullptr}};
  if (!sheet.pairwise) return out;
  const auto wins = static_cast<double>(tally.wins), ties = static_cast<double>(tally.ties);
  out["against"] = {{"model", sheet.against_model}, {"digest", sheet.against_digest}};
  out["pairs"] = {{"wins", tally.wins},
                  {"ties", tally.ties},
                  {"losses", tally.losses},
                  {"not_lost", share(wins + ties)},  // SuperCLUE, July and August 2023
                  {"three_one_none", share((3 * wins + ties) / 3)}};  // since September 2023
  return out;
}

}  // namespace

std::string verdict_key(const std::string& exam, const std::string& item) {
  return exam + "\n" + item;
}

JudgeSheet judge_sheet(const JudgeOptions& options) { return SheetMaker(options).make(); }

Verdicts weigh(const JudgeSheet& sheet, const JudgeAnswers& answers, const Judge& judge) {
  std::map<std::string, Ballot> ballots;
  std::map<std::string, std::vector<std::string>> keys;  // by exam
  for (const JudgeTask& task : sheet.tasks) {
    const std::string key = verdict_key(task.exam, task.item);
    if (ballots.count(key) == 0) keys[task.exam].push_back(key);
    Ballot& ballot = ballots[key];
    const auto answer = answers.find(task.id);
    if (answer == answers.end() || answer->second.empty()) {
      ++ballot.missing;
    } else if (sheet.pairwise) {
      const std::optional<Winner> winner = read_winner(answer->second);
      if (winner.has_value()) {
        (task.swapped ? ballot.second : ballot.first).push_back(*winner);
      } else {
        ++ballot.unreadable;
      }
    } else if (auto judgement = read_judgement(sheet.rules.at(task.exam), answer->second)) {
      ballot.scores.push_back(std::move(*judgement));
    } else {
      ++ballot.unreadable;
    }
  }
  Verdicts out;
  for (const auto& [exam, rules] : sheet.rules) {
    Tally tally;
    for (const std::string& key : keys[exam]) {
      const Ballot& ballot = ballots.at(key);
      Outcome outcome = sheet.pairwise ? pair_outcome(ballot) : score_outcome(ballot, rules);
      tally.add(ballot, outcome);
      out.outcomes[key] = std::move(outcome);
    }
    out.records[exam] = record_of(sheet, exam, tally, judge);
  }
  return out;
}

JudgeAnswers ask_judge(LanguageModel& judge, const JudgeSheet& sheet, const AskOptions& options) {
  std::vector<Request> requests;
  for (size_t i = 0; i < sheet.tasks.size(); ++i) {
    const JudgeTask& task = sheet.tasks[i];
    if (options.known.count(task.id) > 0) continue;
    GenerateRequest generate;
    if (options.chat) {
      generate.prompt.chat.push_back({"user", task.prompt});
    } else {
      generate.prompt.pieces.push_back({task.prompt, ParseSpecial::kNo, {}});
    }
    generate.max_tokens = sheet.rules.at(task.exam).max_tokens;
    generate.temperature = sheet.votes > 1 ? options.temperature : 0;
    generate.sample = task.vote;
    Request request;
    request.id = i;
    request.group = task.exam;
    request.key = task.item + (task.swapped ? "/ba" : "");
    request.what = std::move(generate);
    requests.push_back(std::move(request));
  }
  const auto asked = static_cast<int64_t>(requests.size());
  VectorSource source(std::move(requests));
  const auto session = judge.start(source);
  JudgeAnswers answers = options.known;
  const auto total = static_cast<int64_t>(sheet.tasks.size());
  int64_t done = total - asked;
  while (options.cancel == nullptr || !options.cancel->load()) {
    const auto response = session->next();
    if (!response) break;
    if (options.progress) options.progress(++done, total);
    if (!response->error.empty()) continue;  // a missing verdict
    const JudgeTask& task = sheet.tasks[response->id];
    const std::string& text = std::get<GenerateResult>(response->what).text;
    if (options.keep) options.keep(task, text);
    answers[task.id] = text;
  }
  return answers;
}

}  // namespace keju
