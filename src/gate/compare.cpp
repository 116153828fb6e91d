// SPDX-License-Identifier: MIT
#include "gate/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "score/statistics/multiplicity.h"

namespace keju {
namespace {

// Both sides of a set of items, weights folded in.
struct Sides {
  std::vector<double> a, b;
  std::vector<int64_t> strata, clusters;
};

// Weighted values are carried over to plain ones with the same mean and the same residuals: x =
// m + w·(v - m) / w̄ within a stratum, so that one estimator serves both.
void fold_weights(const std::vector<double>& weights,
                  const std::vector<int64_t>& strata,
                  std::vector<double>& values) {
  struct Sums {
    double w = 0, wv = 0, n = 0;
  };
  std::map<int64_t, Sums> sums;
  for (size_t i = 0; i < values.size(); ++i) {
    Sums& s = sums[strata[i]];
    s.w += weights[i];
    s.wv += weights[i] * values[i];
    s.n += 1;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const Sums& s = sums[strata[i]];
    if (!(s.w > 0)) continue;
    const double m = s.wv / s.w;
    values[i] = m + weights[i] * (values[i] - m) / (s.w / s.n);
  }
}

Sides sides_of(const std::vector<ItemPair>& pairs, bool macro) {
  Sides out;
  std::vector<double> weights;
  std::map<std::string_view, int64_t> subjects;
  bool alike = true;
  for (const ItemPair& pair : pairs) {
    out.a.push_back(pair.a->value);
    out.b.push_back(pair.b->value);
    out.clusters.push_back(pair.a->cluster);
    const auto subject = subjects.emplace(pair.a->subject, subjects.size()).first->second;
    out.strata.push_back(macro ? subject : 0);
    weights.push_back(pair.a->weight);
    alike = alike && pair.a->weight == pairs[0].a->weight;
  }
  if (!alike) {
    fold_weights(weights, out.strata, out.a);
    fold_weights(weights, out.strata, out.b);
  }
  return out;
}

double mean_of(const std::vector<double>& values, const Design& design) {
  const auto weights = design_weights(values.size(), design);
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
  return sum;
}

ComparedRow row_of(const std::vector<ItemPair>& pairs, bool macro) {
  const Sides sides = sides_of(pairs, macro);
  Design design{sides.strata, sides.clusters};
  if (macro) design.weights = Design::Weights::kStrata;
  ComparedRow row;
  row.average = macro ? "macro" : "micro";
  row.a = mean_of(sides.a, design);
  row.b = mean_of(sides.b, design);
  row.difference = paired_difference(sides.a, sides.b, design);
  return row;
}

// Rows of an exam: itself, then its categories, then its subjects.
void add_rows(const AnsweredExam& exam, const Joined& joined, std::vector<ComparedRow>& out) {
  const bool macro = exam.manifest.protocol.average == Average::kMacro;
  const auto add =
      [&](const std::string& kind, const std::string& part, auto keep, bool by_subject) {
        std::vector<ItemPair> pairs;
        for (const ItemPair& pair : joined.pairs) {
          if (keep(*pair.a)) pairs.push_back(pair);
        }
        if (pairs.empty()) return;
        ComparedRow row = row_of(pairs, by_subject);
        row.exam = exam.manifest.key;
        row.kind = kind;
        row.bits = exam.manifest.protocol.task == Task::kPerplexity;
        row.part = part;
        out.push_back(std::move(row));
      };
  add(
      "suite", exam.manifest.suite, [](const AnsweredItem&) { return true; }, macro);
  for (const std::string& category : exam.manifest.categories) {
    std::map<std::string_view, bool> members;
    for (const SubjectInfo& subject : exam.manifest.subjects) {
      const auto& own = subject.categories;
      members[subject.id] = std::find(own.begin(), own.end(), category) != own.end();
    }
    add(
        "category", category, [&](const AnsweredItem& i) { return members[i.subject]; }, macro);
  }
  if (exam.manifest.subjects.size() < 2) return;
  for (const SubjectInfo& subject : exam.manifest.subjects) {
    add(
        "subject",
        subject.id,
        [&](const AnsweredItem& i) { return i.subject == subject.id; },
        false);
  }
}

void adjust(std::vector<ComparedRow>& rows, const std::string& kind) {
  std::vector<double> p;
  for (const ComparedRow& row : rows) {
    if (row.kind == kind) p.push_back(row.difference ? row.difference->p : 1);
  }
  const auto adjusted = kind == "suite" ? holm(p) : benjamini_hochberg(p);
  size_t at = 0;
  for (ComparedRow& row : rows) {
    if (row.kind == kind) row.p_adjusted = adjusted[at++];
  }
}

std::vector<double> softmax(const std::vector<double>& logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  std::vector<double> out;
  double sum = 0;
  for (const double x : logits) sum += out.emplace_back(std::exp(x - most));
  for (double& p : out) p /= sum;
  return out;
}

std::vector<std::pair<double, double>> percentiles_of(std::vector<double> values,
                                                      std::initializer_list<double> percents) {
  std::sort(values.begin(), values.end());
  std::vector<std::pair<double, double>> out;
  for (const double percent : percents) {
    const double place = percent / 100 * static_cast<double>(values.size() - 1);
    out.emplace_back(percent, values[static_cast<size_t>(std::llround(place))]);
  }
  return out;
}

std::optional<QuantView> quant_of(const AnsweredExam& exam, const Joined& joined) {
  if (exam.manifest.protocol.task != Task::kChoose) return std::nullopt;
  QuantView out;
  out.exam = exam.manifest.key;
  std::vector<double> kl, delta;
  for (const auto& [a, b] : joined.pairs) {
    const size_t options = a->option_scores.size();
    if (options < 2 || b->option_scores.size() != options) continue;
    if (a->gold < 0 || static_cast<size_t>(a->gold) >= options) continue;
    const auto p = softmax(a->option_scores), q = softmax(b->option_scores);
    double divergence = 0;
    for (size_t o = 0; o < options; ++o) {
      if (p[o] > 0) divergence += p[o] * (std::log(p[o]) - std::log(std::max(q[o], 1e-300)));
    }
    kl.push_back(std::max(0.0, divergence));
    delta.push_back(q[static_cast<size_t>(a->gold)] - p[static_cast<size_t>(a->gold)]);
    out.delta_p_rms += delta.back() * delta.back();
    ++out.items;
    out.same_choice += a->choice == b->choice;
    out.right_to_wrong += a->value > 0.5 && b->value <= 0.5;
    out.wrong_to_right += a->value <= 0.5 && b->value > 0.5;
  }
  if (out.items == 0) return std::nullopt;
  out.kl = *mean(kl);
  out.delta_p = *mean(delta);
  out.delta_p_rms = std::sqrt(out.delta_p_rms / static_cast<double>(out.items));
  out.kl_percentiles = percentiles_of(kl, {50, 90, 99, 99.9, 100});
  out.delta_p_percentiles = percentiles_of(delta, {0, 0.1, 1, 5, 25, 50, 75, 95, 99, 99.9, 100});
  return out;
}

}  // namespace

std::optional<PairedDifference> difference_of(const std::vector<ItemPair>& pairs, bool macro) {
  if (pairs.empty()) return std::nullopt;
  return row_of(pairs, macro).difference;
}

Comparison compare_runs(const AnsweredRun& a, const AnsweredRun& b, const CompareOptions& options) {
  Comparison out;
  out.unlike = unlike_runs(a, b);
  out.refused = !options.across_protocols &&
                std::any_of(out.unlike.begin(), out.unlike.end(), [](const Unlikeness& u) {
                  return u.refuses;
                });
  size_t shared = 0;
  for (const AnsweredExam& exam : a.exams) {
    const AnsweredExam* other = b.find(exam.manifest.key);
    if (other == nullptr) continue;
    ++shared;
    Joined joined = join(exam, *other);
    if (!out.refused) {
      add_rows(exam, joined, out.rows);
      for (const ItemPair& pair : joined.pairs) {
        if ((pair.a->value > 0.5) != (pair.b->value > 0.5))
          out.flips.push_back({exam.manifest.key, pair});
      }
      if (options.quant) {
        if (auto view = quant_of(exam, joined)) out.quant.push_back(std::move(*view));
      }
    }
    out.joined.emplace_back(exam.manifest.key, std::move(joined));
  }
  if (shared == 0) {
    throw fail(Code::kInput,
               "{} and {}: exams: found none that both sat, need at least one. `keju report` lists "
               "what each run holds",
               a.where,
               b.where);
  }
  if (!out.refused && out.rows.empty())
    throw fail(
        Code::kInput, "{} and {}: items: found none in both, need at least one", a.where, b.where);
  for (const char* kind : {"suite", "category", "subject"}) adjust(out.rows, kind);
  return out;
}

}  // namespace keju
