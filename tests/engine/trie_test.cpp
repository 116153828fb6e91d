// SPDX-License-Identifier: MIT
#include "engine/trie.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace keju {
namespace {

Sequence sequence(std::vector<int32_t> ids, std::vector<Need> needs = {}) {
  return {std::move(ids), std::move(needs)};
}

TEST(Trie, SharesPrefixesAndKeepsUnaryChainsWhole) {
  const std::vector<Sequence> sequences = {
      sequence({1, 2, 3, 4}), sequence({1, 2, 5}), sequence({9})};
  const Trie trie(sequences);
  EXPECT_EQ(trie.unique_tokens(), 6);  // 1 2 | 3 4 | 5 | 9
  ASSERT_EQ(trie.nodes().size(), 4u);
  EXPECT_EQ(trie.nodes()[0].size, 2);
  EXPECT_EQ(trie.nodes()[0].subtree_end, 3);
  EXPECT_FALSE(trie.nodes()[1].last_child);
  EXPECT_TRUE(trie.nodes()[2].last_child);
  EXPECT_EQ(trie.nodes()[3].parent, -1);
}

TEST(Trie, EqualSequencesAndPrefixesOfOthersEndInsideOneLine) {
  const std::vector<Sequence> sequences = {sequence({1, 2}, {{1, 7}}),
                                           sequence({1, 2}, {{1, 8}}),
                                           sequence({1, 2, 3}, {{2, 9}}),
                                           sequence({1}, {{0, 6}})};
  const Trie trie(sequences);
  EXPECT_EQ(trie.unique_tokens(), 3);
  int64_t needs = 0;
  for (const auto& node : trie.nodes()) needs += node.needs;
  EXPECT_EQ(needs, 4);
}

// Against the definition: the set of all prefixes.
TEST(Trie, RandomSequencesAgreeWithTheSetOfPrefixes) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 300; ++round) {
    std::vector<Sequence> sequences;
    std::set<std::vector<int32_t>> prefixes;
    const int count = 1 + static_cast<int>(random() % 30);
    for (int s = 0; s < count; ++s) {
      std::vector<int32_t> ids(1 + random() % 12);
      for (int32_t& id : ids) id = static_cast<int32_t>(random() % 3);
      for (size_t n = 1; n <= ids.size(); ++n)
        prefixes.insert({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n)});
      std::vector<Need> needs;
      for (int32_t p = 0; p < static_cast<int32_t>(ids.size()); ++p) {
        if (random() % 2) needs.push_back({p, static_cast<int32_t>(random() % 5)});
      }
      sequences.push_back({ids, needs});
    }
    const Trie trie(sequences);
    ASSERT_EQ(trie.unique_tokens(), static_cast<int64_t>(prefixes.size())) << "round " << round;
    // Every need is placed once, at the row whose path spells its sequence's prefix.
    std::map<std::pair<int32_t, int32_t>, int> placed;
    const auto& nodes = trie.nodes();
    for (size_t n = 0; n < nodes.size(); ++n) {
      ASSERT_LT(nodes[n].parent, static_cast<int32_t>(n));
      if (nodes[n].parent >= 0) {
        ASSERT_EQ(nodes[n].start, nodes[nodes[n].parent].start + nodes[nodes[n].parent].size);
        ASSERT_LE(nodes[n].subtree_end, nodes[nodes[n].parent].subtree_end);
      }
      for (const auto& need : trie.needs(nodes[n])) {
        ++placed[{need.sequence, need.need}];
        const Sequence& s = sequences[need.sequence];
        const int32_t position = s.needs[need.need].position;
        ASSERT_EQ(position, nodes[n].start + need.offset);
        for (int32_t m = static_cast<int32_t>(n); m >= 0; m = nodes[m].parent) {
          for (int32_t i = 0; i < nodes[m].size && nodes[m].start + i <= position; ++i) {
            ASSERT_EQ(trie.tokens(nodes[m])[i], s.ids[nodes[m].start + i]);
          }
        }
      }
    }
    for (size_t s = 0; s < sequences.size(); ++s) {
      for (size_t k = 0; k < sequences[s].needs.size(); ++k) {
        ASSERT_EQ((placed[{static_cast<int32_t>(s), static_cast<int32_t>(k)}]), 1);
      }
    }
  }
}

TEST(Trie, ManySequencesInLinearTime) {
  // A million prompts behind one header: the planner must not look at pairs.
  std::vector<Sequence> sequences;
  for (int32_t i = 0; i < 1000000; ++i)
    sequences.push_back(sequence({1, 2, 3, i / 1000, i % 1000}));
  const Trie trie(sequences);
  EXPECT_EQ(trie.unique_tokens(), 3 + 1000 + 1000000);
}

}  // namespace
}  // namespace keju
