// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "report/reference.h"
#include "report/run_items.h"

namespace keju {

// What the report takes from a results.json. The file may come from anybody: each field is checked
// for its type on reading, and no string in it is trusted.

struct EstimateView {
  std::optional<double> value, se, low, high;
  int64_t n = 0;
};

struct CountsView {
  int64_t total = 0, scored = 0, unscored = 0, failed = 0, unfinished = 0;
  bool complete() const { return failed == 0 && unfinished == 0; }
};

struct PartView {  // a category or a subject
  std::string id, zh, en;
  int64_t subjects = 1;
  CountsView items;
  EstimateView score;
};

struct AlsoView {  // the score under another rule, by the headline's kind of average
  std::string rule;
  std::optional<double> value;
};

struct ThresholdView {  // a share of a subject against a bound that the suite asks for
  Text title;
  bool of_right = true;  // else of the wrong answers
  std::optional<double> at_least, at_most;
  EstimateView share;
  int64_t unread = 0;
  std::optional<bool> met, sure;  // by the share itself; its whole interval is on one side
};

struct JudgedView {
  std::string kind, judge, judge_digest, prompt_sha256;
  std::string against, against_digest;  // pairwise: whose answers the model's were held against
  int64_t votes = 1, asked = 0, read = 0, unreadable = 0, missing = 0, items = 0;
  struct Part {
    std::string name;
    double mean = 0;
  };
  std::vector<Part> parts;
  bool pairwise = false;
  int64_t wins = 0, ties = 0, losses = 0;
  std::optional<double> not_lost, three_one_none, mean_of_categories;
};

struct RobustnessView {  // of an exam in cyclic option orders
  int64_t questions = 0, orders = 0;
  std::optional<double> canonical, mean, worst, all_right, letter_spread;
  std::optional<double> gain, gain_low, gain_high;  // canonical less the mean of the others
  std::string favourite;                            // the letter chosen most often
  std::optional<double> favourite_share;
};

struct PassView {
  int64_t k = 1;
  std::optional<double> value;
};

struct ExamView {
  std::string key, suite, title_zh, title_en, protocol, about, task, metric, score_rule, split;
  std::string suite_hash, data_hash, item_set, first_prompt_sha256, average, digest;
  int64_t version = 0, shots = 0, subjects_total = 0, truncated_items = 0;
  std::optional<int64_t> limit, ties, cap_hits, max_tokens;
  bool data_hash_matches_card = false, at_chance = false;
  bool private_items = false;  // nothing of its items is shown
  CountsView items;
  EstimateView score, micro, macro, completed_only;
  std::optional<double> chance;
  std::optional<int64_t> extracted, ambiguous, not_extracted;
  std::vector<PartView> categories, subjects;
  std::vector<AlsoView> also;
  int64_t samples = 1;  // answers per item
  std::vector<PassView> pass_at_k;
  std::vector<ThresholdView> thresholds;
  std::optional<EstimateView> without_errata;
  int64_t errata_left_out = 0;
  std::optional<JudgedView> judged;
  std::string judging;  // what its verdicts hang on beside the items; "" where nothing was judged
  std::optional<RobustnessView> robustness;
  std::shared_ptr<PaperItems> stored;  // null where the folder has no store

  bool lower_is_better() const { return metric == "bits_per_byte"; }
};

struct PercentilesView {
  std::optional<double> p50, p90, p99;
};

struct RunView {
  std::filesystem::path path;
  std::string folder;  // its last name
  std::string model, family, weights_digest, tokenizer_digest, template_hash, numeric_mode;
  std::string digest;
  bool complete = false, has_weights = false;
  CountsView items;
  int64_t parameters = 0, tokens_naive = 0, tokens_computed = 0, sessions = 0;
  std::optional<double> prefill_tokens_per_s, decode_tokens_per_s, items_per_s;
  double prefill_s = 0, decode_s = 0, load_s = 0, wall_s = 0;
  PercentilesView ttft_s, tpot_s, latency_s;
  int64_t weights_bytes = 0, kv_peak_bytes = 0, peak_rss_bytes = 0, promise_bytes = 0;
  std::vector<ExamView> exams;
  std::optional<Price> price;  // of its model's card; a blind report keeps it
};

// Its results, and of its items what the charts need and `sample` per paper (see PaperItems).
// Errors: those of read_results and for_each_record; Error(kInput) names the field that is missing
// or of another type.
RunView read_run(const std::filesystem::path& folder, size_t sample = 0);

}  // namespace keju
