// SPDX-License-Identifier: MIT
#include "gate/kinship_board.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "gate/likeness.h"
#include "report/escape.h"

namespace keju {
namespace {

// The runs' answers side by side.
struct Bench {
  Questions questions;
  std::vector<int64_t> clusters;
  std::vector<Answers> answers;  // by run
};

bool sat_alike(const std::vector<AnsweredRun>& runs, const std::string& key) {
  for (const AnsweredRun& run : runs) {
    if (run.find(key) == nullptr) return false;
    for (const Unlikeness& unlike : unlike_exams(exam_entry(runs[0], key), exam_entry(run, key))) {
      if (unlike.refuses) return false;
    }
  }
  return true;
}

void add_exam(const std::vector<AnsweredRun>& runs, const std::string& key, Bench& bench) {
  std::vector<std::map<std::string_view, const AnsweredItem*>> by_id(runs.size());
  for (size_t r = 0; r < runs.size(); ++r) {
    for (const AnsweredItem& item : runs[r].find(key)->items) by_id[r].emplace(item.id, &item);
  }
  for (const AnsweredItem& item : runs[0].find(key)->items) {
    const size_t options = item.option_scores.size();
    if (item.gold < 0 || options < 2 || static_cast<size_t>(item.gold) >= options) continue;
    const auto whole = [&](const auto& ids) {
      const auto found = ids.find(item.id);
      return found != ids.end() && found->second->option_scores.size() == options &&
             found->second->choice < static_cast<int>(options);
    };
    if (!std::all_of(by_id.begin(), by_id.end(), whole)) continue;
    bench.questions.gold.push_back(item.gold);
    bench.questions.options.push_back(static_cast<int>(options));
    bench.clusters.push_back(item.cluster);
    for (size_t r = 0; r < runs.size(); ++r) {
      bench.answers[r].choice.push_back(by_id[r].at(item.id)->choice);
      bench.answers[r].option_scores.push_back(by_id[r].at(item.id)->option_scores);
    }
  }
}

Json interval_json(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json();
}

std::string estimate_text(const std::optional<double>& value,
                          const std::optional<Interval>& interval) {
  if (!value) return "n/a | n/a";
  return fmt::format(
      "{:.3f} | {}",
      *value,
      interval ? fmt::format("{:.3f} to {:.3f}", interval->low, interval->high) : "n/a");
}

}  // namespace

KinshipBoard kinship_board(const std::vector<AnsweredRun>& runs, const BootstrapOptions& options) {
  if (runs.size() < 2)
    throw fail(Code::kUsage, "--kinship: found {} runs, need two at least", runs.size());
  KinshipBoard board;
  Bench bench;
  bench.answers.resize(runs.size());
  for (const AnsweredRun& run : runs) {
    board.runs.push_back(run.where);
    board.models.push_back(run.model);
  }
  for (const AnsweredExam& exam : runs[0].exams) {
    if (exam.manifest.protocol.task != Task::kChoose || !sat_alike(runs, exam.manifest.key))
      continue;
    board.exams.push_back(exam.manifest.key);
    add_exam(runs, exam.manifest.key, bench);
  }
  board.items = static_cast<int64_t>(bench.questions.gold.size());
  if (board.items == 0) {
    throw fail(Code::kInput,
               "--kinship: found no exam of choices that all {} runs sat alike, need one",
               runs.size());
  }
  board.pairs = kinship_pairs(bench.questions, bench.answers, bench.clusters, options);
  return board;
}

Json to_json(const KinshipBoard& board) {
  Json pairs = Json::array();
  for (const KinshipPair& pair : board.pairs) {
    const Kinship& k = pair.kinship;
    pairs.push_back({{"a", pair.a},
                     {"b", pair.b},
                     {"witnesses", pair.witnesses},
                     {"both_wrong", k.both_wrong},
                     {"same_wrong", k.same_wrong},
                     {"expected", k.expected},
                     {"excess", k.excess ? Json(*k.excess) : Json()},
                     {"excess_interval", interval_json(k.excess_interval)},
                     {"correlation", k.correlation ? Json(*k.correlation) : Json()},
                     {"correlation_interval", interval_json(k.correlation_interval)}});
  }
  return {{"schema", kKinshipSchema},
          {"runs", board.runs},
          {"models", board.models},
          {"exams", board.exams},
          {"items", board.items},
          {"pairs", std::move(pairs)}};
}

std::string to_markdown(const KinshipBoard& board) {
  std::string out = fmt::format(
      "{} items of {} exams\n\n| A | B | witnesses | both wrong | same wrong answer | expected | "
      "excess | 95 % "
      "| correlation | 95 % |\n"
      "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
      board.items,
      board.exams.size());
  for (const KinshipPair& pair : board.pairs) {
    const Kinship& k = pair.kinship;
    const double share = k.both_wrong > 0
                             ? static_cast<double>(k.same_wrong) / static_cast<double>(k.both_wrong)
                             : 0;
    out += fmt::format("| {} | {} | {} | {} | {} ({:.3f}) | {:.3f} | {} | {} |\n",
                       markdown(board.runs[pair.a]),
                       markdown(board.runs[pair.b]),
                       pair.witnesses,
                       k.both_wrong,
                       k.same_wrong,
                       share,
                       k.expected,
                       estimate_text(k.excess, k.excess_interval),
                       estimate_text(k.correlation, k.correlation_interval));
  }
  return out +
         "\nExpected: how often the two share wrong answers with the witnesses, the other runs "
         "that "
         "are no copies of either, on the same items; without witnesses from each model's habit of "
         "place alone, so that what tempts every model counts as kinship. "
         "Excess: 0 for strangers, 1 for copies. Correlation: of the wrong options' log-probs, "
         "each less its item's mean.\n";
}

}  // namespace keju
