// SPDX-License-Identifier: MIT
#include "gate/first_cause.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "gate/answers.h"
#include "run/csv_cell.h"
#include "run/manifest.h"
#include "run/results.h"
#include "run/store.h"
#include "score/clusters.h"

namespace keju {
namespace {

struct OurItem {
  AnsweredItem answer;
  std::string prompt;
  std::vector<std::string> continuations;
  std::vector<double> logprobs;
};

struct Joint {
  const OurItem* ours;
  const TheirItem* theirs;
  bool same_row;  // the rows' texts are the same, or there are none to compare
};

OurItem our_item(const StoredItem& stored) {
  OurItem out{answered(stored), stored.prompt, stored.continuations, {}};
  if (const auto* score = std::get_if<ScoreResult>(&stored.record.response.what)) {
    for (const ContinuationScore& one : score->continuations) out.logprobs.push_back(one.logprob);
  }
  return out;
}

// One exam's items and how to find them.
class OurItems {
 public:
  OurItems(const std::filesystem::path& run, const std::string& key) {
    for_each_item(run, key, [&](const StoredItem& stored) {
      items_.push_back(our_item(stored));
      texts_.push_back(row_texts(stored.doc));
    });
    for (size_t i = 0; i < items_.size(); ++i) {
      by_texts_[texts_[i]].push_back(i);
      by_prompt_.emplace(items_[i].prompt, i);
      by_place_.emplace(fmt::format("{}/{}", items_[i].answer.subject, items_[i].answer.row), i);
    }
  }

  std::optional<Joint> find(const TheirItem& theirs,
                            const std::vector<std::string>& subjects) const {
    const std::string texts = theirs.doc.is_null() ? "" : row_texts(theirs.doc);
    if (const auto found = by_texts_.find(texts); !texts.empty() && found != by_texts_.end()) {
      for (const size_t i : found->second) {  // copies of a row: the one in the same place
        if (items_[i].answer.row == theirs.doc_id) return Joint{&items_[i], &theirs, true};
      }
      return Joint{&items_[found->second[0]], &theirs, true};
    }
    if (const auto found = by_prompt_.find(theirs.prompt); found != by_prompt_.end())
      return Joint{&items_[found->second], &theirs, true};
    for (const std::string& subject : subjects) {
      const bool own = theirs.task == subject || theirs.task.ends_with("_" + subject) ||
                       theirs.task.ends_with("-" + subject) || subjects.size() == 1;
      const auto found = by_place_.find(fmt::format("{}/{}", subject, theirs.doc_id));
      if (own && found != by_place_.end())
        return Joint{&items_[found->second], &theirs, texts.empty()};
    }
    return std::nullopt;
  }

  size_t size() const { return items_.size(); }

 private:
  std::vector<OurItem> items_;
  std::vector<std::string> texts_;
  std::unordered_map<std::string, std::vector<size_t>> by_texts_;
  std::unordered_map<std::string, size_t> by_prompt_, by_place_;
};

std::string pair_text(const std::vector<double>& a, const std::vector<double>& b) {
  std::string out;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i)
    out += fmt::format("{}{:.4f}/{:.4f}", i == 0 ? "" : ", ", a[i], b[i]);
  return out;
}

size_t argmax(const std::vector<double>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

class Explainer {
 public:
  Explainer(const ExamManifest& exam, const ExplainOptions& options)
      : exam_(exam), options_(options) {}

  // Whether anything differs; notes the first stage that does.
  void look(const Joint& joint) {
    const OurItem& a = *joint.ours;
    const TheirItem& b = *joint.theirs;
    if (!joint.same_row) {
      note(Stage::kData,
           "other split or data",
           a,
           fmt::format("row {} of {} holds another question", b.doc_id, a.answer.subject));
    } else if (a.prompt != b.prompt) {
      look_at_prompts(a, b);
    } else if (!b.continuations.empty() && b.continuations != a.continuations) {
      look_at_continuations(a, b);
    } else if (!b.logprobs.empty() && differ(a.logprobs, b.logprobs)) {
      scores_.push_back({&a, &b});
    } else if (b.text && a.logprobs.empty() && *b.text != a.answer.said) {
      note(Stage::kAnswer,
           "generated text",
           a,
           fmt::format(
               "ours \"{}\", theirs \"{}\"", visible(a.answer.said, 80), visible(*b.text, 80)));
    } else {
      look_at_scores(a, b);
    }
  }

  std::vector<Cause> causes() {
    settle_scores();
    std::vector<Cause> out;
    for (auto& [key, cause] : causes_) out.push_back(cause);
    std::stable_sort(out.begin(), out.end(), [](const Cause& a, const Cause& b) {
      return std::pair(a.stage, -a.items) < std::pair(b.stage, -b.items);
    });
    return out;
  }

  void note(Stage stage, const std::string& what, const OurItem& item, const std::string& detail) {
    Cause& cause = causes_[{static_cast<int>(stage), what}];
    if (cause.items++ == 0) cause = {stage, what, 1, item.answer.id, detail};
  }
  int64_t equal() const { return equal_; }

 private:
  struct ScorePair {
    const OurItem* a;
    const TheirItem* b;
  };

  bool differ(const std::vector<double>& a, const std::vector<double>& b) const {
    if (a.size() != b.size()) return true;
    for (size_t i = 0; i < a.size(); ++i) {
      if (!(std::abs(a[i] - b[i]) <= options_.tolerance)) return true;
    }
    return false;
  }

  void look_at_prompts(const OurItem& a, const TheirItem& b) {
    std::vector<std::string> own, foreign;
    for (const SubjectInfo& subject : exam_.subjects) {
      if (subject.id != a.answer.subject) continue;
      std::string spaced = subject.id;
      std::replace(spaced.begin(), spaced.end(), '_', ' ');
      own = {subject.name_zh};
      foreign = {subject.id, spaced, subject.name_en};
    }
    const auto [what, detail] = classify_prompts(a.prompt, b.prompt, own, foreign, exam_.shots);
    const bool cut = what == "left truncation";
    note(cut ? Stage::kTruncation : Stage::kPrompt, what, a, detail);
  }

  void look_at_continuations(const OurItem& a, const TheirItem& b) {
    const auto bare = [](std::string text) {
      text.erase(0, text.find_first_not_of(' '));
      return text;
    };
    bool spaces = a.continuations.size() == b.continuations.size();
    for (size_t i = 0; spaces && i < a.continuations.size(); ++i)
      spaces = bare(a.continuations[i]) == bare(b.continuations[i]);
    const auto first = [](const std::vector<std::string>& list) {
      return list.empty() ? "" : visible(list[0], 60);
    };
    const bool shorter = spaces && b.continuations[0].size() < a.continuations[0].size();
    note(Stage::kContinuation,
         spaces ? (shorter ? "lost space" : "added space") : "other continuations",
         a,
         fmt::format("ours \"{}\", theirs \"{}\"", first(a.continuations), first(b.continuations)));
  }

  void look_at_scores(const OurItem& a, const TheirItem& b) {
    agreeing_longest_ = std::max(agreeing_longest_, a.prompt.size());
    const bool other_text = b.extracted && b.text && a.logprobs.empty() &&
                            *b.extracted != a.answer.extracted &&
                            !(a.answer.extracted.empty() && *b.extracted == "[invalid]");
    const bool other_score =
        b.score && a.answer.counted && std::abs(*b.score - a.answer.value) > 1e-9;
    if (!other_score && !other_text) {
      ++equal_;
    } else if (other_score || !b.score) {
      note(Stage::kExtraction,
           a.logprobs.empty() ? "extraction" : "scoring rule",
           a,
           fmt::format(
               "of the same answer we read \"{}\" and score {}, they read \"{}\" and score {}",
               visible(a.answer.extracted, 40),
               a.answer.value,
               visible(b.extracted.value_or(""), 40),
               b.score ? fmt::format("{}", *b.score) : "nothing"));
    } else {
      ++equal_;  // read otherwise, judged alike: "1,200" and "1200"
    }
  }

  // Scores that differ under equal prompts: on the longest prompts alone, it is truncation.
  void settle_scores() {
    size_t shortest = std::string::npos;
    bool ours_cut = false;
    for (const ScorePair& pair : scores_) {
      shortest = std::min(shortest, pair.a->prompt.size());
      ours_cut = ours_cut || pair.a->answer.truncated_tokens > 0;
    }
    const bool by_length = agreeing_longest_ > 0 && shortest > agreeing_longest_;
    for (const auto& [a, b] : scores_) {
      if (a->answer.truncated_tokens > 0 || (by_length && !ours_cut)) {
        note(Stage::kTruncation,
             "left truncation",
             *a,
             fmt::format("only prompts of more than {} bytes differ (we cut {} tokens): {}",
                         agreeing_longest_,
                         a->answer.truncated_tokens,
                         pair_text(a->logprobs, b->logprobs)));
        continue;
      }
      const bool flips = !a->logprobs.empty() && a->logprobs.size() == b->logprobs.size() &&
                         argmax(a->logprobs) != argmax(b->logprobs);
      note(Stage::kAnswer,
           flips ? "log-likelihood, another option is best" : "log-likelihood",
           *a,
           fmt::format("ours/theirs {}. Where every item differs: a missing or doubled BOS, other "
                       "weights or another dtype",
                       pair_text(a->logprobs, b->logprobs)));
    }
    scores_.clear();
  }

  const ExamManifest& exam_;
  const ExplainOptions& options_;
  std::map<std::pair<int, std::string>, Cause> causes_;
  std::vector<ScorePair> scores_;
  size_t agreeing_longest_ = 0;
  int64_t equal_ = 0;
};

// How their average can come of our items where no item differs.
void explain_average(const Json& results, const std::string& key, double stated, Explanation& out) {
  for (const Json& exam : results["exams"]) {
    if (exam["key"] != key || exam["score"]["value"].is_null()) continue;
    const double ours = exam["score"]["value"].get<double>(),
                 micro = exam["micro"]["value"].get<double>(),
                 macro = exam["macro"]["value"].get<double>();
    if (std::abs(stated - ours) <= 5e-5) return;
    const std::string average = exam["average"].get<std::string>();
    const auto is = [&](double x) { return std::abs(stated - x) <= 5e-5; };
    const std::string what = average == "macro" && is(micro)   ? "micro for macro"
                             : average == "micro" && is(macro) ? "macro for micro"
                                                               : "other average";
    out.causes.push_back(
        {Stage::kAverage,
         what,
         0,
         "",
         fmt::format("they state {:.6f}; ours is {:.6f} ({}), micro {:.6f}, macro {:.6f}",
                     stated,
                     ours,
                     average,
                     micro,
                     macro)});
  }
}

}  // namespace

std::string_view name(Stage stage) {
  static constexpr std::string_view kNames[] = {
      "data", "prompt", "continuation", "truncation", "answer", "extraction", "average"};
  return kNames[static_cast<size_t>(stage)];
}

Explanation explain(const std::filesystem::path& run,
                    const std::vector<TheirItem>& theirs,
                    const ExplainOptions& options) {
  const auto exams = manifest_exams(read_manifest(run), run.string() + "/run.json");
  Explanation best;
  bool found = false;
  for (const ExamManifest& exam : exams) {
    if (!options.exam.empty() && exam.key != options.exam) continue;
    const OurItems ours(run, exam.key);
    std::vector<std::string> subjects;
    for (const SubjectInfo& subject : exam.subjects) subjects.push_back(subject.id);
    Explainer explainer(exam, options);
    Explanation out;
    out.exam = exam.key;
    out.ours = static_cast<int64_t>(ours.size());
    out.theirs = static_cast<int64_t>(theirs.size());
    int64_t strangers = 0;
    for (const TheirItem& item : theirs) {
      const auto joint = ours.find(item, subjects);
      strangers += !joint;
      if (!joint) continue;
      ++out.joined;
      explainer.look(*joint);
    }
    out.causes = explainer.causes();
    out.equal = explainer.equal();
    if (strangers > 0) {
      out.causes.insert(out.causes.begin(),
                        {Stage::kData,
                         "other split or data",
                         strangers,
                         "",
                         fmt::format("{} of their {} items are not in our {} split",
                                     strangers,
                                     theirs.size(),
                                     exam.split)});
    }
    if (out.causes.empty() && options.stated_average)
      explain_average(compute_results(run), exam.key, *options.stated_average, out);
    if (!found || out.joined > best.joined) best = std::move(out);
    found = true;
  }
  if (!found) throw fail(Code::kUsage, "--exam: {} has no exam \"{}\"", run.string(), options.exam);
  return best;
}

Json to_json(const Explanation& e) {
  Json causes = Json::array();
  for (const Cause& c : e.causes) {
    causes.push_back({{"stage", name(c.stage)},
                      {"what", c.what},
                      {"items", c.items},
                      {"example", c.example},
                      {"detail", c.detail}});
  }
  return {{"schema", kCauseSchema},
          {"exam", e.exam},
          {"ours", e.ours},
          {"theirs", e.theirs},
          {"joined", e.joined},
          {"equal", e.equal},
          {"first_cause", e.causes.empty() ? Json() : causes[0]},
          {"causes", causes}};
}

std::string to_text(const Explanation& e) {
  std::string out = fmt::format("{}: {} of our items, {} of theirs, {} joined, {} equal\n",
                                e.exam,
                                e.ours,
                                e.theirs,
                                e.joined,
                                e.equal);
  if (e.causes.empty()) return out + "no difference\n";
  out += fmt::format("first cause: {}: {}\n", name(e.causes[0].stage), e.causes[0].what);
  for (const Cause& c : e.causes) {
    out += fmt::format("- {}: {}{}{}: {}\n",
                       name(c.stage),
                       c.what,
                       c.items > 0 ? fmt::format(", {} items", c.items) : "",
                       c.example.empty() ? "" : ", first " + c.example,
                       visible(c.detail, 400));
  }
  return out;
}

}  // namespace keju
