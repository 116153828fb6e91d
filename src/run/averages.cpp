// SPDX-License-Identifier: MIT
#include "run/averages.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

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

// Every value again without the items that the errata name; null where there are no errata.
void add_without_errata(const ExamManifest& exam,
                        const Aggregator* listed_left_out,
                        int64_t items_left_out,
                        Json& out) {
  out["without_errata"] = nullptr;
  for (Json& row : out["categories"]) row["without_errata"] = nullptr;
  for (Json& row : out["subjects"]) row["without_errata"] = nullptr;
  if (listed_left_out == nullptr) return;
  const ExamScore score = listed_left_out->score();
  const bool macro = exam.protocol.average == Average::kMacro;
  out["without_errata"] = {
      {"items_left_out", items_left_out},
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

// What is gathered of an exam's records.
class ExamResults::Parts {
 public:
  Parts(const ExamManifest& exam, const std::set<std::string>& errata, std::string where)
      : exam_(exam),
        errata_(errata),
        where_(std::move(where)),
        choose_(exam.protocol.task == Task::kChoose),
        generate_(exam.protocol.task == Task::kGenerate),
        all_(aggregator()),
        sampled_(
            exam.protocol.generate.samples,
            [this](const std::string& subject, const Outcome& mean) { all_.add(subject, &mean); }) {
    for (size_t i = 0; i < exam.subjects.size(); ++i) subjects_[exam.subjects[i].id] = i;
    if (generate_ && samples() == 1) uncut_.emplace(aggregator());
    if (!errata.empty()) unlisted_.emplace(aggregator());
    for (const char* kind : {"passed", "failed", "timed out", "error"}) programs_[kind] = 0;
  }

  void add(const ItemRecord& record) {
    const auto subject = subjects_.find(record.subject);
    if (subject == subjects_.end()) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": its subject \"{}\" is not in run.json",
                 where_,
                 record.item,
                 record.subject);
    }
    ++records_;
    digest_.add(record);
    const bool cut = hit_cap(record);
    cap_hits_ += cut ? 1 : 0;
    truncated_ += truncated_tokens(record) > 0 ? 1 : 0;
    if (samples() > 1) {
      sampled_.add(record);
    } else {
      all_.add(record.subject, &record.outcome);
    }
    if (uncut_ && !cut) uncut_->add(record.subject, &record.outcome);
    const bool listed = errata_.count(record.item) > 0;
    listed_ += listed ? 1 : 0;
    if (unlisted_ && !listed) unlisted_->add(record.subject, &record.outcome);
    const auto* scored = std::get_if<Scored>(&record.outcome);
    if (scored != nullptr && exam_.protocol.compare == kPythonTests) {
      ++programs_[scored->extracted.substr(0, scored->extracted.find(':'))];
    }
    if (exam_.protocol.cyclic && choose_) orders_.add(record);
    keep_if_first(subject->second, record);
  }

  Json finish() {
    if (records_ > exam_.items) {
      throw fail(Code::kInput,
                 "{}: {}: found {} items, need {} at most",
                 where_,
                 exam_.key,
                 records_,
                 exam_.items);
    }
    sampled_.finish();
    const ExamScore score = all_.score();
    const bool macro = exam_.protocol.average == Average::kMacro;
    Json out = Json::object();
    describe_exam(exam_, out);
    out["digest"] = digest_.finish_hex();
    out["items"] = counts_json(score.overall.counts, exam_.items / samples());
    out["average"] = macro ? "macro" : "micro";
    out["score"] = estimate_json(macro ? score.overall.macro : score.overall.micro);
    out["micro"] = estimate_json(score.overall.micro);
    out["macro"] = estimate_json(score.overall.macro);
    out["completed_only"] = uncut_ ? estimate_json(uncut_->score().overall.micro) : Json();
    add_details(score, out);
    out["categories"] = category_rows(exam_, score);
    out["subjects"] = subject_rows(exam_, score);
    add_without_errata(exam_, unlisted_ ? &*unlisted_ : nullptr, listed_, out);
    add_judged(exam_, score, out);
    out["robustness"] = exam_.protocol.cyclic && choose_ ? orders_.results() : Json();
    return out;
  }

 private:
  void add_details(const ExamScore& score, Json& out) const {
    out["also"] = also_rows(exam_, score.overall);
    out["chance"] = choose_ ? Json(exam_.chance) : Json();
    out["at_chance"] = score.near_chance;
    out["ties"] = choose_ ? Json(score.overall.counts.ties) : Json();
    out["samples"] = samples();
    out["pass_at_k"] = samples() > 1 ? sampled_.pass_at_k() : Json();
    out["programs"] = exam_.protocol.compare == kPythonTests ? Json(programs_) : Json();
    out["extraction"] = generate_ ? extraction_counts(score.overall.counts) : Json();
    out["cap_hits"] = generate_ ? Json(cap_hits_) : Json();
    out["truncated_items"] = truncated_;
    out["private"] = exam_.protocol.private_items;
    out["thresholds"] = threshold_rows(exam_, score);
    out["option_token_ids"] = option_token_ids();
  }

  int64_t samples() const { return exam_.protocol.generate.samples; }
  Aggregator aggregator() const {
    return {exam_.subjects, exam_.categories, exam_.protocol, exam_.chance};
  }

  // The first item in the suite's order, whose options' ids are shown.
  void keep_if_first(size_t subject, const ItemRecord& record) {
    if (!choose_ || (first_ && std::pair(subject, record.row) >= first_place_)) return;
    first_ = record.response;
    first_place_ = {subject, record.row};
  }

  // Ids spell the options' texts.
  Json option_token_ids() const {
    Json out = Json::array();
    if (!first_ || exam_.protocol.private_items || !first_->error.empty()) return out;
    const auto* score = std::get_if<ScoreResult>(&first_->what);
    if (score == nullptr) return out;
    for (const ContinuationScore& one : score->continuations) out.push_back(one.ids);
    return out;
  }

  const ExamManifest& exam_;
  const std::set<std::string>& errata_;
  std::string where_;
  bool choose_, generate_;
  std::map<std::string, size_t> subjects_;
  RunDigest digest_;
  int64_t records_ = 0, cap_hits_ = 0, truncated_ = 0, listed_ = 0;
  Aggregator all_;
  std::optional<Aggregator> uncut_;     // without what ran into the cap of tokens
  std::optional<Aggregator> unlisted_;  // without the items that the errata name
  SampledItems sampled_;
  std::map<std::string, int64_t> programs_;  // what became of them
  OptionOrders orders_;
  std::optional<Response> first_;
  std::pair<size_t, int64_t> first_place_;
};

ExamResults::ExamResults(const ExamManifest& exam,
                         const std::set<std::string>& errata,
                         std::string where)
    : parts_(std::make_unique<Parts>(exam, errata, std::move(where))) {}

ExamResults::~ExamResults() = default;

void ExamResults::add(const ItemRecord& record) { parts_->add(record); }

Json ExamResults::finish() { return parts_->finish(); }

}  // namespace keju
