// SPDX-License-Identifier: MIT
#include "run/averages.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "run/robustness.h"
#include "run/samples.h"
#include "score/code_tests.h"
#include "score/metrics.h"

namespace keju {
namespace {

bool hit_cap(const ItemRecord& record) {
  const auto* generated = std::get_if<GenerateResult>(&record.response.what);
  return record.response.error.empty() && generated != nullptr &&
         generated->finish == FinishReason::kLength;
}

int64_t truncated_tokens(const ItemRecord& record) {
  if (!record.response.error.empty()) return 0;
  if (const auto* score = std::get_if<ScoreResult>(&record.response.what)) {
    return score->truncated_tokens;
  }
  const auto* generated = std::get_if<GenerateResult>(&record.response.what);
  return generated == nullptr ? 0 : generated->truncated_tokens;
}

Json estimate_json(const std::optional<MeanEstimate>& estimate) {
  Json out = {{"value", nullptr}, {"se", nullptr}, {"low", nullptr}, {"high", nullptr}, {"n", 0}};
  if (!estimate) return out;
  out["value"] = estimate->value;
  out["n"] = estimate->count;
  if (estimate->stderr_) out["se"] = *estimate->stderr_;
  if (estimate->interval) {
    out["low"] = estimate->interval->low;
    out["high"] = estimate->interval->high;
  }
  return out;
}

// `total`: how many were asked; what is neither counted nor failed is unfinished.
Json counts_json(const OutcomeCounts& counts, int64_t total) {
  return to_json(ItemCounts{total, counts.scored, counts.unscored, counts.failed});
}

Json subject_rows(const ExamManifest& exam, const ExamScore& score) {
  Json rows = Json::array();
  for (size_t i = 0; i < exam.subjects.size(); ++i) {
    const SubjectInfo& subject = exam.subjects[i];
    Json row = {{"id", subject.id},
                {"zh", subject.name_zh},
                {"en", subject.name_en},
                {"categories", subject.categories},
                {"items", counts_json(score.subjects[i].counts, subject.items)}};
    row.update(estimate_json(score.subjects[i].score));
    rows.push_back(std::move(row));
  }
  return rows;
}

Json category_rows(const ExamManifest& exam, const ExamScore& score) {
  Json rows = Json::array();
  for (const auto& [category, averages] : score.categories) {
    int64_t subjects = 0, total = 0;
    for (const SubjectInfo& subject : exam.subjects) {
      const auto& own = subject.categories;
      if (std::find(own.begin(), own.end(), category) == own.end()) continue;
      ++subjects;
      total += subject.items;
    }
    rows.push_back({{"id", category},
                    {"subjects", subjects},
                    {"items", counts_json(averages.counts, total)},
                    {"micro", estimate_json(averages.micro)},
                    {"macro", estimate_json(averages.macro)}});
  }
  return rows;
}

// The averages under the other rules that the protocol names: scores of options, or extractions.
Json also_rows(const ExamManifest& exam, const Averages& averages) {
  std::vector<std::string> rules = exam.protocol.also_extract;
  if (exam.protocol.task == Task::kChoose) {
    rules.clear();
    for (const ChoiceScore score : exam.protocol.also) rules.emplace_back(name(score));
  }
  const auto at = [](const std::vector<double>& values, size_t i) {
    return i < values.size() ? Json(values[i]) : Json();
  };
  Json rows = Json::array();
  for (size_t i = 0; i < rules.size(); ++i) {
    rows.push_back({{"rule", rules[i]},
                    {"micro", at(averages.also_micro, i)},
                    {"macro", at(averages.also_macro, i)}});
  }
  return rows;
}

Json extraction_counts(const OutcomeCounts& counts) {
  int64_t ambiguous = 0;
  for (const auto& [reason, count] : counts.reasons) {
    if (reason.starts_with("ambiguous")) ambiguous += count;
  }
  return {
      {"extracted", counts.scored}, {"ambiguous", ambiguous}, {"none", counts.unread - ambiguous}};
}

// What became of the programs: passed, failed, timed out, error.
Json program_counts(const std::vector<const ItemRecord*>& records) {
  std::map<std::string, int64_t> counts;
  for (const char* kind : {"passed", "failed", "timed out", "error"}) counts[kind] = 0;
  for (const ItemRecord* record : records) {
    const auto* scored = std::get_if<Scored>(&record->outcome);
    if (scored != nullptr) ++counts[scored->extracted.substr(0, scored->extracted.find(':'))];
  }
  return counts;
}

using SubjectIndex = std::map<std::string, size_t>;

// Ids of the options of the first item in the suite's order.
Json option_token_ids(const SubjectIndex& subjects, const std::vector<const ItemRecord*>& records) {
  const auto first = std::min_element(
      records.begin(), records.end(), [&](const ItemRecord* a, const ItemRecord* b) {
        return std::make_pair(subjects.at(a->subject), a->row) <
               std::make_pair(subjects.at(b->subject), b->row);
      });
  Json out = Json::array();
  if (first == records.end() || !(*first)->response.error.empty()) return out;
  const auto* score = std::get_if<ScoreResult>(&(*first)->response.what);
  if (score == nullptr) return out;
  for (const ContinuationScore& one : score->continuations) out.push_back(one.ids);
  return out;
}

SubjectIndex check_records(const ExamManifest& exam,
                           const std::vector<const ItemRecord*>& records,
                           const std::string& where) {
  SubjectIndex subjects;
  for (size_t i = 0; i < exam.subjects.size(); ++i) subjects[exam.subjects[i].id] = i;
  for (const ItemRecord* record : records) {
    if (subjects.count(record->subject) == 0) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": its subject \"{}\" is not in run.json",
                 where,
                 record->item,
                 record->subject);
    }
  }
  if (static_cast<int64_t>(records.size()) > exam.items) {
    throw fail(Code::kInput,
               "{}: {}: found {} items, need {} at most",
               where,
               exam.key,
               records.size(),
               exam.items);
  }
  return subjects;
}

template <typename Keep>
ExamScore scores_of(const ExamManifest& exam,
                    const std::vector<const ItemRecord*>& records,
                    Keep keep) {
  std::vector<ScoredItem> items;
  for (const ItemRecord* record : records) {
    if (keep(*record)) items.push_back({record->subject, &record->outcome});
  }
  return aggregate(exam.subjects, exam.categories, exam.protocol, exam.chance, items);
}

// Every value again without the items that the errata name; null where there are no errata.
void add_without_errata(const ExamManifest& exam,
                        const std::vector<const ItemRecord*>& records,
                        const std::set<std::string>& errata,
                        Json& out) {
  out["without_errata"] = nullptr;
  for (Json& row : out["categories"]) row["without_errata"] = nullptr;
  for (Json& row : out["subjects"]) row["without_errata"] = nullptr;
  if (errata.empty()) return;
  const auto listed = [&](const ItemRecord& record) { return errata.count(record.item) > 0; };
  const auto count = std::count_if(
      records.begin(), records.end(), [&](const ItemRecord* record) { return listed(*record); });
  const ExamScore score =
      scores_of(exam, records, [&](const ItemRecord& record) { return !listed(record); });
  const bool macro = exam.protocol.average == Average::kMacro;
  out["without_errata"] = {
      {"items_left_out", count},
      {"score", estimate_json(macro ? score.overall.macro : score.overall.micro)},
      {"micro", estimate_json(score.overall.micro)},
      {"macro", estimate_json(score.overall.macro)}};
  for (size_t i = 0; i < score.categories.size(); ++i) {
    out["categories"][i]["without_errata"] = {
        {"micro", estimate_json(score.categories[i].second.micro)},
        {"macro", estimate_json(score.categories[i].second.macro)}};
  }
  for (size_t i = 0; i < score.subjects.size(); ++i) {
    out["subjects"][i]["without_errata"] = estimate_json(score.subjects[i].score);
  }
}

// Shares against the bounds that the suite asks for. `met` goes by the share itself; `sure` says
// whether the whole interval lies on one side of the bound.
Json threshold_rows(const ExamManifest& exam, const ExamScore& score) {
  Json rows = Json::array();
  for (const Threshold& threshold : exam.protocol.thresholds) {
    const auto subject =
        std::find_if(score.subjects.begin(), score.subjects.end(), [&](const SubjectScore& each) {
          return each.subject == threshold.subject;
        });
    if (subject == score.subjects.end()) continue;  // not asked in this run
    std::optional<MeanEstimate> share = subject->score;
    if (share && threshold.of == Threshold::Of::kWrong) {
      share->value = 1 - share->value;
      if (share->interval)
        share->interval = Interval{1 - share->interval->high, 1 - share->interval->low};
    }
    const auto meets = [&](double value) {
      return threshold.at_least ? value >= threshold.bound : value <= threshold.bound;
    };
    Json row = {{"subject", threshold.subject},
                {"zh", threshold.name_zh},
                {"en", threshold.name_en},
                {"of", threshold.of == Threshold::Of::kRight ? "right" : "wrong"},
                {"at_least", threshold.at_least ? Json(threshold.bound) : Json()},
                {"at_most", threshold.at_least ? Json() : Json(threshold.bound)},
                {"unread", subject->counts.unread},
                {"met", share ? Json(meets(share->value)) : Json()},
                {"sure", nullptr}};
    if (share && share->interval) {
      row["sure"] = meets(share->interval->low) == meets(share->interval->high);
    }
    row.update(estimate_json(share));
    rows.push_back(std::move(row));
  }
  return rows;
}

// AlignBench's total is the mean of its two categories, each the mean of its subjects.
void add_judged(const ExamManifest& exam, const ExamScore& score, Json& out) {
  out["judged"] = exam.judged;
  if (exam.judged.is_null()) return;
  double sum = 0;
  bool all = !score.categories.empty();
  for (const auto& [category, averages] : score.categories) {
    all = all && averages.macro.has_value();
    if (all) sum += averages.macro->value;
  }
  out["judged"]["mean_of_categories"] =
      all ? Json(sum / static_cast<double>(score.categories.size())) : Json();
}

void describe_exam(const ExamManifest& exam, Json& out) {
  const Protocol& protocol = exam.protocol;
  out["key"] = exam.key;
  out["suite"] = exam.suite;
  out["title"] = {{"zh", exam.title_zh}, {"en", exam.title_en}};
  out["version"] = exam.version;
  out["protocol"] = protocol.id;
  out["about"] = protocol.about;
  out["task"] = name(protocol.task);
  out["metric"] = protocol.task == Task::kPerplexity ? "bits_per_byte" : "accuracy";
  out["score_rule"] = name(protocol.score);
  out["option_token"] = name(protocol.option_token);
  out["extract"] = protocol.extract;
  out["compare"] = protocol.compare;
  out["generate"] = nullptr;
  if (protocol.task == Task::kGenerate) {
    out["generate"] = {{"max_tokens", protocol.generate.max_tokens},
                       {"temperature", protocol.generate.temperature},
                       {"top_p", protocol.generate.top_p},
                       {"chat", protocol.generate.chat},
                       {"stop", protocol.generate.stop}};
  }
  out["split"] = exam.split;
  out["shots"] = exam.shots;
  out["limit"] = exam.limit ? Json(*exam.limit) : Json();
  out["subjects_total"] = exam.subjects.size();
  out["suite_hash"] = exam.suite_hash;
  out["data_hash"] = exam.data_hash;
  out["data_hash_matches_card"] = exam.data_hash_matches_card;
  out["item_set"] = exam.item_set;
  out["first_prompt_sha256"] = exam.first_prompt_sha256;
}

}  // namespace

Json to_json(const ItemCounts& counts) {
  return {{"total", counts.total},
          {"scored", counts.scored},
          {"unscored", counts.unscored},
          {"failed", counts.failed},
          {"unfinished", counts.unfinished()}};
}

Json exam_results(const ExamManifest& exam,
                  const std::vector<const ItemRecord*>& records,
                  const std::set<std::string>& errata,
                  const std::string& where) {
  const SubjectIndex subjects = check_records(exam, records, where);
  const int64_t samples = exam.protocol.generate.samples;
  std::vector<ItemRecord> means;
  std::vector<const ItemRecord*> items = records;
  if (samples > 1) {
    means = mean_over_samples(records, samples);
    items.clear();
    for (const ItemRecord& mean : means) items.push_back(&mean);
  }
  const ExamScore score = scores_of(exam, items, [](const ItemRecord&) { return true; });
  const bool macro = exam.protocol.average == Average::kMacro;
  const bool choose = exam.protocol.task == Task::kChoose;
  const bool generate = exam.protocol.task == Task::kGenerate;
  const auto count = [&](const auto& counts) {
    return std::count_if(records.begin(), records.end(), counts);
  };

  Json out = Json::object();
  describe_exam(exam, out);
  out["digest"] = run_digest(records);
  out["items"] = counts_json(score.overall.counts, exam.items / samples);
  out["average"] = macro ? "macro" : "micro";
  out["score"] = estimate_json(macro ? score.overall.macro : score.overall.micro);
  out["micro"] = estimate_json(score.overall.micro);
  out["macro"] = estimate_json(score.overall.macro);
  out["completed_only"] = nullptr;
  if (generate && samples == 1) {
    const auto uncut = [](const ItemRecord& record) { return !hit_cap(record); };
    out["completed_only"] = estimate_json(scores_of(exam, records, uncut).overall.micro);
  }
  out["also"] = also_rows(exam, score.overall);
  out["chance"] = choose ? Json(exam.chance) : Json();
  out["at_chance"] = score.near_chance;
  out["ties"] = choose ? Json(score.overall.counts.ties) : Json();
  out["samples"] = samples;
  out["pass_at_k"] = samples > 1 ? pass_at_k_rows(records, samples) : Json();
  out["programs"] = exam.protocol.compare == kPythonTests ? program_counts(records) : Json();
  out["extraction"] = generate ? extraction_counts(score.overall.counts) : Json();
  out["cap_hits"] =
      generate ? Json(count([](const ItemRecord* r) { return hit_cap(*r); })) : Json();
  out["truncated_items"] = count([](const ItemRecord* r) { return truncated_tokens(*r) > 0; });
  out["private"] = exam.protocol.private_items;
  out["thresholds"] = threshold_rows(exam, score);
  // Ids spell the options' texts.
  out["option_token_ids"] =
      choose && !exam.protocol.private_items ? option_token_ids(subjects, records) : Json::array();
  out["categories"] = category_rows(exam, score);
  out["subjects"] = subject_rows(exam, score);
  add_without_errata(exam, records, errata, out);
  add_judged(exam, score, out);
  out["robustness"] = exam.protocol.cyclic && choose ? robustness_results(records) : Json();
  return out;
}

}  // namespace keju
