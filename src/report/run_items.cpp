// SPDX-License-Identifier: MIT
#include "report/run_items.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "report/format.h"
#include "run/csv_cell.h"
#include "run/store.h"
#include "score/extract.h"

namespace keju {
namespace {

using Verdict = Explorer::Answer::Verdict;

constexpr size_t kMostGiven = 1500;  // code points of an answer that an explorer shows

std::string letter(int option) {
  if (option >= 0 && option < 26) return std::string(1, static_cast<char>('A' + option));
  return fmt::format("#{}", option + 1);
}

Verdict verdict_of(double value) {
  if (value >= 1) return Verdict::kRight;
  return value <= 0 ? Verdict::kWrong : Verdict::kPartly;
}

void explain_scored(const ItemRecord& record, const Scored& scored, Explorer::Answer& out) {
  out.verdict = verdict_of(scored.value);
  const bool rolling = std::holds_alternative<RollingResult>(record.response.what);
  if (rolling) {
    out.verdict = Verdict::kPartly;
    const std::string bits = fixed(scored.value, 4);
    out.why = {"每字节 " + bits + " 比特", bits + " bits per byte"};
  } else if (scored.choice >= 0) {
    const std::string chosen = letter(scored.choice);
    out.given = chosen;
    out.why = {"得分最高的选项是 " + chosen, "option " + chosen + " has the highest score"};
    if (scored.tie) {
      out.why.zh += "（并列，取第一个）";
      out.why.en += " (tied; the first one counts)";
    }
  } else if (!scored.extracted.empty()) {
    const std::string read = visible(scored.extracted, 80);
    out.why = {"读作 " + read, "read as " + read};
    if (!record.answer.empty()) {
      const std::string gold = visible(record.answer, 80);
      out.why.zh += "，答案 " + gold;
      out.why.en += ", answer " + gold;
    }
  } else {
    const std::string value = fixed(scored.value, 3);
    out.why = {"得分 " + value, "scored " + value};
  }
}

Explorer::Answer answer_of(const ItemRecord& record) {
  Explorer::Answer out;
  if (const auto* failed = std::get_if<Failed>(&record.outcome)) {
    out.verdict = Verdict::kFailed;
    out.why = visible(failed->error, 200);
    return out;
  }
  if (const auto* generated = std::get_if<GenerateResult>(&record.response.what)) {
    out.given = visible(generated->text, kMostGiven);
  }
  if (const auto* unscored = std::get_if<Unscored>(&record.outcome)) {
    out.verdict = unscored->counts_as_wrong ? Verdict::kUnread : Verdict::kUnlabelled;
    out.why = visible(unscored->reason, 200);
  } else {
    explain_scored(record, std::get<Scored>(record.outcome), out);
  }
  if (const auto* score = std::get_if<ScoreResult>(&record.response.what)) {
    for (const ContinuationScore& one : score->continuations) {
      out.logprobs.push_back(static_cast<float>(one.logprob));
    }
  } else if (const auto* generated = std::get_if<GenerateResult>(&record.response.what)) {
    if (generated->finish == FinishReason::kLength) {
      out.why.zh += "；达到长度上限";
      out.why.en += "; cut at the length limit";
    }
  }
  return out;
}

// The chosen option's probability among the options, where they are scored by summed log-probs.
void calibrate(const Scored& scored, PaperItems& out) {
  if (scored.choice < 0 || scored.option_scores.size() < 2) return;
  const double best = scored.option_scores[static_cast<size_t>(scored.choice)];
  double sum = 0;
  for (const double score : scored.option_scores) sum += std::exp(score - best);
  if (!(sum >= 1) || !std::isfinite(sum)) return;
  const double confidence = 1 / sum;
  PaperItems::Bin& bin = out.bins[std::min<size_t>(static_cast<size_t>(confidence * 10), 9)];
  ++bin.items;
  bin.confidence += confidence;
  bin.right += scored.value;
}

// Short answers come again and again; each is read once.
bool refuses(const std::string& text) {
  constexpr size_t kShort = 64, kMost = 4096;
  thread_local std::unordered_map<std::string, bool> seen;
  const auto read = [&] { return extract("refusal", text).answer == "refused"; };
  if (text.size() > kShort) return read();
  if (seen.size() >= kMost) seen.clear();
  const auto [at, fresh] = seen.try_emplace(text, false);
  if (fresh) at->second = read();
  return at->second;
}

void add_response(const ItemRecord& record, PaperItems& out) {
  const Response& response = record.response;
  out.output_tokens += response.timing.output_tokens;
  const double ttft = response.timing.first_token_s - response.timing.begin_s;
  if (std::isfinite(ttft) && ttft >= 0) out.ttft_s.push_back(static_cast<float>(ttft));
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    out.prompt_tokens += score->prompt_tokens;
    if (const auto* scored = std::get_if<Scored>(&record.outcome)) calibrate(*scored, out);
  } else if (const auto* generated = std::get_if<GenerateResult>(&response.what)) {
    out.prompt_tokens += generated->prompt_tokens;
    out.lengths.push_back(static_cast<int32_t>(generated->ids.size()));
    // One that reads neither way is not counted as a refusal.
    out.refusals += refuses(generated->text) ? 1 : 0;
  } else if (const auto* rolling = std::get_if<RollingResult>(&response.what)) {
    out.prompt_tokens += rolling->tokens;
  }
}

bool before(const ItemAnswer& a, const ItemAnswer& b) {
  return std::tie(a.place, a.id) < std::tie(b.place, b.id);
}

// Keeps the `most` smallest in a heap, the largest on top.
void sample_item(const ItemRecord& record, size_t most, std::vector<ItemAnswer>& heap) {
  if (most == 0) return;
  ItemAnswer item;
  item.place = item_place(record.item);
  item.id = record.item;
  if (heap.size() == most) {
    if (!before(item, heap.front())) return;
    std::pop_heap(heap.begin(), heap.end(), before);
    heap.pop_back();
  }
  item.subject = record.subject;
  item.row = record.row;
  item.gold = record.gold;
  if (const auto* scored = std::get_if<Scored>(&record.outcome)) item.choice = scored->choice;
  item.answer = answer_of(record);
  heap.push_back(std::move(item));
  std::push_heap(heap.begin(), heap.end(), before);
}

// The outcome for statistics; nothing of one that has no label or failed.
class Judging {
 public:
  explicit Judging(int64_t samples) : samples_(samples) {}

  void add(const ItemRecord& record, PaperItems& out) {
    JudgedItem item;
    if (const auto* scored = std::get_if<Scored>(&record.outcome)) {
      item.value = scored->value;
      item.weight = scored->weight;
      add_options(record, *scored, item, out);
    } else if (const auto* unscored = std::get_if<Unscored>(&record.outcome)) {
      if (!unscored->counts_as_wrong) return;
      item.weight = unscored->weight;
    } else {
      return;
    }
    item.place = item_place(item_of_sample(record.item, samples_));
    const auto [subject, fresh] = subjects_.emplace(record.subject, out.subjects.size());
    if (fresh) out.subjects.push_back(record.subject);
    item.subject = subject->second;
    out.judged.push_back(item);
  }

  // By place, samples of one item made one.
  void finish(PaperItems& out) const {
    std::vector<JudgedItem>& judged = out.judged;
    std::stable_sort(judged.begin(), judged.end(), [](const JudgedItem& a, const JudgedItem& b) {
      return a.place < b.place;
    });
    if (samples_ == 1) return;
    std::vector<JudgedItem> items;
    for (size_t begin = 0, end = 0; begin < judged.size(); begin = end) {
      double sum = 0;
      for (end = begin; end < judged.size() && judged[end].place == judged[begin].place; ++end) {
        sum += judged[end].value;
      }
      items.push_back(judged[begin]);
      items.back().value = sum / static_cast<double>(end - begin);
    }
    judged = std::move(items);
  }

 private:
  static void add_options(const ItemRecord& record,
                          const Scored& scored,
                          JudgedItem& item,
                          PaperItems& out) {
    const size_t count = scored.option_scores.size();
    if (count < 2 || count > 100 || record.gold < 0 || scored.choice < 0) return;
    if (static_cast<size_t>(std::max(record.gold, scored.choice)) >= count) return;
    item.scores = static_cast<uint32_t>(out.option_scores.size());
    item.options = static_cast<int8_t>(count);
    item.gold = static_cast<int8_t>(record.gold);
    item.choice = static_cast<int8_t>(scored.choice);
    for (const double score : scored.option_scores) {
      out.option_scores.push_back(static_cast<float>(score));
    }
  }

  int64_t samples_;
  std::map<std::string, uint32_t> subjects_;
};

// run.db, or of several processes run.<rank>.db.
bool has_store(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("run.") && name.ends_with(".db")) return true;
  }
  return false;
}

}  // namespace

std::string item_of_sample(const std::string& id, int64_t samples) {
  const size_t mark = id.rfind('#');
  return samples > 1 && mark != std::string::npos ? id.substr(0, mark) : id;
}

uint64_t item_place(const std::string& id) {
  uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a, then the finaliser of splitmix64
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31);
}

std::map<std::string, std::shared_ptr<PaperItems>> read_paper_items(
    const std::filesystem::path& folder,
    const std::map<std::string, int64_t>& samples,
    size_t sample) {
  std::map<std::string, std::shared_ptr<PaperItems>> out;
  if (!has_store(folder)) return out;
  std::map<std::string, Judging> judging;
  for (const auto& [key, count] : samples) {
    out[key] = std::make_shared<PaperItems>();
    judging.emplace(key, count);
  }
  for_each_record(folder, [&](const ItemRecord& record) {
    const auto found = out.find(record.exam);
    if (found == out.end()) return;
    PaperItems& paper = *found->second;
    sample_item(record, sample, paper.sample);
    if (std::holds_alternative<Failed>(record.outcome) || !record.response.error.empty()) return;
    ++paper.answered;
    judging.at(record.exam).add(record, paper);
    add_response(record, paper);
  });
  for (auto& [key, paper] : out) {
    judging.at(key).finish(*paper);
    std::sort_heap(paper->sample.begin(), paper->sample.end(), before);
    std::sort(paper->lengths.begin(), paper->lengths.end());
    std::sort(paper->ttft_s.begin(), paper->ttft_s.end());
  }
  return out;
}

}  // namespace keju
