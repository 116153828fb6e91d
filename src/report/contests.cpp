// SPDX-License-Identifier: MIT
#include "report/contests.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>
#include <unordered_map>

#include "base/error.h"
#include "base/thread_pool.h"
#include "run/store.h"
#include "score/clusters.h"

namespace keju {

const Text kPlaceNote{
    "名次区间：对全部模型同时重抽题目（聚类自助法，1000 次）所得名次的 95% "
    "范围。并列组：按题配对检验、"
    "经 Holm 校正后（5%）不能彼此分开的模型同组，组内名次先后不足为凭。",
    "Rank interval: 95% of the ranks when items are resampled for all models together (cluster "
    "bootstrap, 1000 draws). Tie group: models that paired tests on the same items do not tell "
    "apart after Holm's correction (5%); within a group the order proves nothing."};

namespace {

constexpr int64_t kReplicates = 1000;

// The items' values under one model as an average of equal weights within each stratum takes them.
// Weighted means are ratios: each value is replaced by its linear share in the ratio, which has the
// same mean and, to first order, the same error.
std::vector<double> equal_weights(const std::vector<JudgedItem>& items, bool by_subject) {
  struct Sum {
    double weight = 0, value = 0, count = 0;
  };
  std::unordered_map<uint32_t, Sum> sums;
  for (const JudgedItem& item : items) {
    Sum& sum = sums[by_subject ? item.subject : 0];
    sum.weight += item.weight;
    sum.value += item.weight * item.value;
    ++sum.count;
  }
  std::vector<double> out;
  out.reserve(items.size());
  for (const JudgedItem& item : items) {
    const Sum& sum = sums[by_subject ? item.subject : 0];
    const double mean = sum.value / sum.weight;
    out.push_back(item.weight == 1 && sum.weight == sum.count
                      ? item.value
                      : mean + item.weight * sum.count / sum.weight * (item.value - mean));
  }
  return out;
}

bool same_items(const PaperItems& a, const PaperItems& b) {
  const auto same = [&](const JudgedItem& x, const JudgedItem& y) {
    return x.place == y.place && a.subjects[x.subject] == b.subjects[y.subject];
  };
  return std::equal(a.judged.begin(), a.judged.end(), b.judged.begin(), b.judged.end(), same);
}

// What hangs together on a board's items, by their places, from the rows of data that a run keeps.
using Labels = std::unordered_map<uint64_t, int64_t>;

// Of one run, read once, the labels of those exams that are keys of `exams`, with their samples.
std::map<std::string, Labels> labels_of(const RunView& run,
                                        const std::map<std::string, int64_t>& exams) {
  std::map<std::string, Labels> out;
  for_each_item(run.path, exams.size() == 1 ? exams.begin()->first : "", [&](const auto& stored) {
    const auto exam = exams.find(stored.record.exam);
    if (exam == exams.end()) return;
    const std::string id = item_of_sample(stored.record.item, exam->second);
    out[exam->first].emplace(item_place(id), cluster_of(stored.doc, id));
  });
  return out;
}

std::vector<const Board::Entry*> finishers(const Board& board) {
  std::vector<const Board::Entry*> out;
  for (const Board::Entry& entry : board.entries) {
    const ExamView& exam = *entry.exam;
    if (!exam.items.complete() || !exam.score.value || exam.stored == nullptr) continue;
    if (exam.stored->judged.size() < 2) continue;
    out.push_back(&entry);
  }
  std::sort(
      out.begin(), out.end(), [](const auto* a, const auto* b) { return a->model < b->model; });
  return out;
}

std::shared_ptr<const BoardContest> contest_of(const std::vector<const Board::Entry*>& entries,
                                               const Labels& labels) {
  const ExamView& paper = *entries[0]->exam;
  const bool macro = paper.average == "macro";
  const double scale = paper.lower_is_better() ? -1 : 100;
  std::vector<std::vector<double>> scores;
  auto out = std::make_shared<BoardContest>();
  for (const Board::Entry* entry : entries) {
    const PaperItems& own = *entry->exam->stored;
    if (!same_items(*paper.stored, own)) return nullptr;
    out->models.push_back(entry->model);
    scores.push_back(equal_weights(own.judged, macro));
    for (double& value : scores.back()) value *= scale;
  }
  std::vector<int64_t> subjects;
  for (const JudgedItem& item : paper.stored->judged) subjects.push_back(item.subject);
  for (const JudgedItem& item : paper.stored->judged) {
    const auto label = labels.find(item.place);
    if (label == labels.end()) return nullptr;
    out->clusters.push_back(label->second);
  }
  const Design design{macro ? std::span<const int64_t>(subjects) : std::span<const int64_t>(),
                      out->clusters,
                      macro ? Design::Weights::kStrata : Design::Weights::kItems};
  // The seed is the paper's own, so that further boards change nothing here.
  const uint64_t seed = item_place(paper.item_set + paper.protocol);
  out->contest = contest(scores, design, {kReplicates, seed});
  for (size_t i = 0; i < entries.size(); ++i) {
    const double said = scale * *entries[i]->exam->score.value;
    const double off = std::abs(out->contest.means[i] - said);
    if (!(off <= 1e-6 * std::max(1.0, std::abs(said)))) return nullptr;
  }
  return out;
}

// "A", "B", …, "Z", "27", …
std::string group_name(int64_t group) {
  return group <= 26 ? std::string(1, static_cast<char>('A' + group - 1)) : std::to_string(group);
}

}  // namespace

void hold_contests(Standings& standings) {
  struct Held {
    Board* board;
    std::vector<const Board::Entry*> entries;
  };
  std::vector<Held> held;
  // Every paper's rows of data are the same in all runs of it: those of the first are read, of as
  // few runs as may be.
  std::map<const RunView*, std::map<std::string, int64_t>> exams;
  for (Board& board : standings.boards) {
    std::vector<const Board::Entry*> entries = finishers(board);
    if (entries.size() < 2) continue;
    exams[entries[0]->run][entries[0]->exam->key] = entries[0]->exam->samples;
    held.push_back({&board, std::move(entries)});
  }
  if (held.empty()) return;
  std::vector<const RunView*> runs;
  for (const auto& [run, keys] : exams) runs.push_back(run);
  std::vector<std::map<std::string, Labels>> labels(runs.size());
  const int threads = static_cast<int>(std::clamp<size_t>(
      std::min<size_t>(std::thread::hardware_concurrency(), held.size()), 1, 16));
  ThreadPool pool(threads);
  pool.run(static_cast<int64_t>(runs.size()), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    labels[at] = labels_of(*runs[at], exams.at(runs[at]));
  });
  pool.run(static_cast<int64_t>(held.size()), [&](int64_t i) {
    const Held& one = held[static_cast<size_t>(i)];
    const Board::Entry& first = *one.entries[0];
    const auto run =
        static_cast<size_t>(std::find(runs.begin(), runs.end(), first.run) - runs.begin());
    const auto own = labels[run].find(first.exam->key);
    if (own != labels[run].end()) one.board->contest = contest_of(one.entries, own->second);
  });
}

std::optional<Contest> total_contest(const Standings& standings,
                                     const std::vector<size_t>& boards,
                                     const std::vector<double>& weights,
                                     const std::vector<size_t>& models) {
  if (boards.empty() || models.size() < 2) return std::nullopt;
  std::vector<Contest> parts;
  for (const size_t b : boards) {
    const BoardContest* board = standings.boards[b].contest.get();
    if (board == nullptr) return std::nullopt;
    std::vector<size_t> places;
    for (const size_t m : models) {
      const auto at = std::lower_bound(board->models.begin(), board->models.end(), m);
      if (at == board->models.end() || *at != m) return std::nullopt;
      places.push_back(static_cast<size_t>(at - board->models.begin()));
    }
    parts.push_back(among(board->contest, places));
  }
  std::vector<const Contest*> papers;
  for (const Contest& part : parts) papers.push_back(&part);
  return combined(papers, weights);
}

std::vector<SurePlace> sure_places(const Contest& contest, const std::vector<int>& shown) {
  const std::vector<RankInterval> ranks = rank_intervals(contest);
  const std::vector<int64_t> groups = tie_groups(contest);
  std::vector<SurePlace> out;
  for (size_t m = 0; m < ranks.size(); ++m) {
    out.push_back({std::min<int64_t>(ranks[m].low, shown[m]),
                   std::max<int64_t>(ranks[m].high, shown[m]),
                   groups[m]});
  }
  return out;
}

void add_place_columns(std::vector<Column>& columns) {
  columns.push_back({"rank_interval", {"名次区间", "Rank interval"}});
  columns.push_back({"tie_group", {"并列组", "Tie group"}, Column::Kind::kText});
}

void add_place_cells(const std::optional<SurePlace>& place, std::vector<Cell>& cells) {
  if (!place) {
    cells.insert(cells.end(), {{kNone, nullptr}, {kNone, nullptr}});
    return;
  }
  const std::string low = std::to_string(place->low), high = std::to_string(place->high);
  cells.push_back({low == high ? low : low + "–" + high, Json::array({place->low, place->high})});
  cells.push_back({group_name(place->group), group_name(place->group)});
}

}  // namespace keju
