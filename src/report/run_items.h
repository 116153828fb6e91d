// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "report/table.h"

namespace keju {

// One item of a run, as the item explorer shows it.
struct ItemAnswer {
  uint64_t place = 0;  // item_place of its id: the same for every model
  std::string id, subject;
  int64_t row = 0;
  int gold = -1, choice = -1;
  Explorer::Answer answer;
};

// What one item came to, for statistics over items. Those without a label are left out; several
// samples of an item are one, their values' mean.
struct JudgedItem {
  uint64_t place = 0;  // item_place of its id
  double value = 0, weight = 1;
  uint32_t subject = 0;  // in PaperItems::subjects
  uint32_t scores = 0;   // where its option scores begin in PaperItems::option_scores
  int8_t options = 0;    // how many of them there are: 0 where options were not scored
  int8_t gold = -1, choice = -1;
};

// What a report takes from the items of one exam of a run.
struct PaperItems {
  struct Bin {
    int64_t items = 0;
    double confidence = 0, right = 0;  // sums
  };
  int64_t answered = 0;  // neither failed nor missing
  int64_t prompt_tokens = 0, output_tokens = 0;
  int64_t refusals = 0;            // generated answers that decline, by the rule `refusal`
  std::array<Bin, 10> bins;        // by the chosen option's share of the options' probability
  std::vector<int32_t> lengths;    // of generated answers in tokens, rising
  std::vector<float> ttft_s;       // rising
  std::vector<JudgedItem> judged;  // by place
  std::vector<std::string> subjects;
  std::vector<float> option_scores;
  std::vector<ItemAnswer> sample;  // those with the smallest places, rising: a random sample of ids
};

// An item's place in the order by which samples are drawn: the same for equal ids.
uint64_t item_place(const std::string& id);

// Reads every item of a run folder once. `samples`: of the exams wanted, how many answers each item
// has; others are passed over, and a folder without a store has none. Errors: those of
// for_each_record.
std::map<std::string, std::shared_ptr<PaperItems>> read_paper_items(
    const std::filesystem::path& folder,
    const std::map<std::string, int64_t>& samples,
    size_t sample);

// The id of the item that is asked several times, from one of its samples' ("…/12#3": "…/12").
std::string item_of_sample(const std::string& id, int64_t samples);

}  // namespace keju
