// SPDX-License-Identifier: MIT
// The planner against a model of pages: every row must find, at every position before it, the token
// of its own path, whatever the step size.

#include "engine/planner.h"

#include <gtest/gtest.h>

#include <random>

namespace keju {
namespace {

// Pages that remember tokens instead of keys.
class TokenPages : public PageStore {
 public:
  explicit TokenPages(int64_t count) { grow(count); }
  int64_t pages() const override { return static_cast<int64_t>(tokens.size()); }
  int64_t page_bytes() const override { return 1; }
  void grow(int64_t pages) override {
    tokens.resize(static_cast<size_t>(pages), std::vector<int32_t>(kPagePositions, -1));
  }
  std::vector<std::vector<int32_t>> tokens;
};

// What a forward pass does to the pages, on tokens.
void play(const PlannedStep& planned, TokenPages& kv) {
  for (const Segment& s : planned.step.segments) {
    for (int32_t i = 0; i < s.rows; ++i) {
      const int32_t position = s.pos0 + i;
      kv.tokens[s.pages[position / kPagePositions]][position % kPagePositions] =
          planned.step.ids[s.row0 + i];
    }
  }
  for (const PageCopy& c : planned.step.copies) {
    for (int32_t i = 0; i < c.positions; ++i) kv.tokens[c.to][i] = kv.tokens[c.from][i];
  }
}

std::vector<Sequence> random_sequences(std::mt19937& random) {
  std::vector<Sequence> sequences;
  const int count = 1 + static_cast<int>(random() % 25);
  for (int s = 0; s < count; ++s) {
    std::vector<int32_t> ids;
    if (!sequences.empty() && random() % 4 != 0) {  // continue a prefix of an earlier one
      const auto& other = sequences[random() % sequences.size()].ids;
      ids.assign(other.begin(),
                 other.begin() + static_cast<std::ptrdiff_t>(random() % (other.size() + 1)));
    }
    const size_t more = 1 + random() % 150;
    for (size_t i = 0; i < more; ++i) ids.push_back(static_cast<int32_t>(random() % 50));
    Sequence sequence;
    for (int32_t p = 0; p < static_cast<int32_t>(ids.size()); ++p) {
      if (random() % 20 == 0) sequence.needs.push_back({p, static_cast<int32_t>(random() % 50)});
    }
    if (random() % 3 == 0) sequence.needs = {{static_cast<int32_t>(ids.size()) - 1, -1}};
    sequence.ids = std::move(ids);
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

TEST(Planner, EveryRowFindsItsOwnPathAndEveryNeedIsServedOnce) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Sequence> sequences = random_sequences(random);
    const Trie trie(sequences);
    for (const int64_t step_rows : {1, 17, 64, 100, 512}) {
      TokenPages kv(2);
      PagePool pool(kv);
      int64_t rows = 0, served = 0, wanted = 0;
      std::vector<std::pair<int32_t, PathState>> kept;
      for (const Sequence& s : sequences) wanted += static_cast<int64_t>(s.needs.size());
      {
        Planner planner(
            trie,
            sequences,
            pool,
            {.step_rows = step_rows, .step_pages = 40},
            [&](int32_t s, PathState state) { kept.emplace_back(s, std::move(state)); });
        PlannedStep planned;
        while (planner.next(planned)) {
          ASSERT_LE(static_cast<int64_t>(planned.step.ids.size()), step_rows);
          rows += static_cast<int64_t>(planned.step.ids.size());
          play(planned, kv);
          for (size_t r = 0; r < planned.wanted.size(); ++r) {
            const int32_t row = planned.step.needed[r];
            for (const Segment& s : planned.step.segments) {
              if (row < s.row0 || row >= s.row0 + s.rows) continue;
              for (const auto& need : planned.wanted[r].needs) {
                ++served;
                const Sequence& sequence = sequences[need.sequence];
                const int32_t position = s.pos0 + row - s.row0;
                ASSERT_EQ(position, sequence.needs[need.need].position);
                for (int32_t p = 0; p <= position; ++p) {
                  ASSERT_EQ(kv.tokens[s.pages[p / kPagePositions]][p % kPagePositions],
                            sequence.ids[p])
                      << "round " << round << " step rows " << step_rows << " position " << p
                      << " of " << position;
                }
              }
            }
          }
          pool.end_step();
        }
      }
      EXPECT_EQ(rows, trie.unique_tokens());
      EXPECT_EQ(served, wanted);
      for (auto& [s, state] : kept) {
        ASSERT_EQ(state.length(), static_cast<int32_t>(sequences[s].ids.size()));
        for (int32_t p = 0; p < state.length(); ++p) {
          ASSERT_EQ(kv.tokens[state.pages()[p / kPagePositions]][p % kPagePositions],
                    sequences[s].ids[p]);
        }
        state.release(pool);
      }
      pool.end_step();
      EXPECT_EQ(pool.in_use(), 0);
    }
  }
}

}  // namespace
}  // namespace keju
