// SPDX-License-Identifier: MIT
#include "engine/trie.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace keju {
namespace {

int32_t common_prefix(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  const size_t most = std::min(a.size(), b.size());
  size_t n = 0;
  while (n < most && a[n] == b[n]) ++n;
  return static_cast<int32_t>(n);
}

// A node while the trie grows: children are threaded as a list in order of insertion.
struct Draft {
  int32_t parent, sequence, start, size;
  int32_t first_child = -1, last_child = -1, next_sibling = -1;
};

}  // namespace

Trie::Trie(const std::vector<Sequence>& sequences) : sequences_(sequences) {
  std::vector<int32_t> order(sequences.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const auto& x = sequences[a].ids;
    const auto& y = sequences[b].ids;
    if (x != y) return x < y;
    return a < b;
  });
  build(order);
  place_needs();
}

void Trie::build(const std::vector<int32_t>& order) {
  std::vector<Draft> drafts;
  std::vector<int32_t> roots, path;  // path: the rightmost branch, root to tip
  std::vector<int32_t> end_draft(sequences_.size(), -1);
  const auto add_child = [&](int32_t parent, Draft draft) {
    const auto id = static_cast<int32_t>(drafts.size());
    drafts.push_back(draft);
    if (parent < 0) {
      roots.push_back(id);
    } else if (drafts[parent].last_child < 0) {
      drafts[parent].first_child = drafts[parent].last_child = id;
    } else {
      drafts[drafts[parent].last_child].next_sibling = id;
      drafts[parent].last_child = id;
    }
    return id;
  };
  for (size_t i = 0; i < order.size(); ++i) {
    const std::vector<int32_t>& ids = sequences_[order[i]].ids;
    KEJU_CHECK(!ids.empty(), "trie: an empty sequence");
    const int32_t shared = i == 0 ? 0 : common_prefix(sequences_[order[i - 1]].ids, ids);
    while (!path.empty() && drafts[path.back()].start >= shared) path.pop_back();
    if (!path.empty()) {
      const int32_t tip = path.back();
      const int32_t inside = shared - drafts[tip].start;
      if (inside < drafts[tip].size) {  // split: the tail keeps the children
        const auto tail = static_cast<int32_t>(drafts.size());
        drafts.push_back(drafts[tip]);
        drafts[tail].parent = tip;
        drafts[tail].start = shared;
        drafts[tail].size = drafts[tip].size - inside;
        drafts[tail].next_sibling = -1;
        drafts[tip].size = inside;
        drafts[tip].first_child = drafts[tip].last_child = tail;
        for (int32_t c = drafts[tail].first_child; c >= 0; c = drafts[c].next_sibling)
          drafts[c].parent = tail;
      }
    }
    const auto length = static_cast<int32_t>(ids.size());
    if (shared < length) {
      const int32_t parent = path.empty() ? -1 : path.back();
      path.push_back(add_child(parent, {parent, order[i], shared, length - shared}));
    }
  }
  // Depth-first copy. Children were added in sorted order; the split tail comes before later
  // siblings.
  std::vector<int32_t> stack(roots.rbegin(), roots.rend());
  std::vector<int32_t> node_of(drafts.size(), -1);
  while (!stack.empty()) {
    const int32_t d = stack.back();
    stack.pop_back();
    node_of[d] = static_cast<int32_t>(nodes_.size());
    Node node;
    node.parent = drafts[d].parent < 0 ? -1 : node_of[drafts[d].parent];
    node.sequence = drafts[d].sequence;
    node.start = drafts[d].start;
    node.size = drafts[d].size;
    node.last_child = drafts[d].next_sibling < 0;
    nodes_.push_back(node);
    unique_tokens_ += node.size;
    std::vector<int32_t> children;
    for (int32_t c = drafts[d].first_child; c >= 0; c = drafts[c].next_sibling)
      children.push_back(c);
    stack.insert(stack.end(), children.rbegin(), children.rend());
  }
  for (auto n = static_cast<int32_t>(nodes_.size()) - 1; n >= 0; --n) {
    nodes_[n].subtree_end = std::max(nodes_[n].subtree_end, n + 1);
    if (nodes_[n].parent >= 0) {
      Node& parent = nodes_[nodes_[n].parent];
      parent.subtree_end = std::max(parent.subtree_end, nodes_[n].subtree_end);
    }
  }
  // Walk each sequence's path once to find where it ends.
  leaf_of_.assign(sequences_.size(), -1);
  std::vector<int32_t> open;  // rightmost branch of nodes
  int32_t next = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const int32_t s = order[i];
    const std::vector<int32_t>& ids = sequences_[s].ids;
    // Nodes that reach past what this sequence shares with the one before are not its own.
    const int32_t shared = i == 0 ? 0 : common_prefix(sequences_[order[i - 1]].ids, ids);
    while (!open.empty() && nodes_[open.back()].start + nodes_[open.back()].size > shared)
      open.pop_back();
    const auto covered = [&] {
      return open.empty() ? 0 : nodes_[open.back()].start + nodes_[open.back()].size;
    };
    while (covered() < static_cast<int32_t>(ids.size())) {
      KEJU_CHECK(next < static_cast<int32_t>(nodes_.size()), "trie: a sequence without a path");
      open.push_back(next++);
    }
    leaf_of_[s] = open.back();
  }
}

void Trie::place_needs() {
  std::vector<std::pair<int32_t, NodeNeed>> all;  // node, need
  for (size_t s = 0; s < sequences_.size(); ++s) {
    const std::vector<Need>& needs = sequences_[s].needs;
    int32_t node = leaf_of_[s];
    for (auto k = static_cast<int32_t>(needs.size()) - 1; k >= 0; --k) {
      KEJU_CHECK(needs[k].position >= 0 &&
                     needs[k].position < static_cast<int32_t>(sequences_[s].ids.size()),
                 "trie: a need outside its sequence");
      while (nodes_[node].start > needs[k].position) node = nodes_[node].parent;
      all.push_back({node, {needs[k].position - nodes_[node].start, static_cast<int32_t>(s), k}});
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.second.offset != b.second.offset) return a.second.offset < b.second.offset;
    if (a.second.sequence != b.second.sequence) return a.second.sequence < b.second.sequence;
    return a.second.need < b.second.need;
  });
  needs_.reserve(all.size());
  for (const auto& [node, need] : all) {
    if (nodes_[node].needs == 0) nodes_[node].first_need = static_cast<int32_t>(needs_.size());
    ++nodes_[node].needs;
    needs_.push_back(need);
  }
}

}  // namespace keju
