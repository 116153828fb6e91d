// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace keju {

// The next-token distribution after token `position` of a sequence is wanted at `token`; -1 asks
// for the distribution alone (the first token of a generation).
struct Need {
  int32_t position = 0;
  int32_t token = -1;
};

// One input sequence: every token that goes through the model, and where results are taken.
struct Sequence {
  std::vector<int32_t> ids;
  std::vector<Need> needs;  // ascending position
};

// All sequences of a window merged by their common prefixes: a token of a shared prefix is computed
// once. Unary chains are one node; equal sequences end in the same node. Nodes stand in depth-first
// order, so the descendants of node i are the nodes (i, end_of_subtree(i)).
class Trie {
 public:
  struct NodeNeed {
    int32_t offset = 0;    // row inside the node
    int32_t sequence = 0;  // index into the input
    int32_t need = 0;      // index into its needs
  };
  struct Node {
    int32_t parent = -1;
    int32_t sequence = 0;  // a sequence whose ids[start, start+size) are the node's tokens
    int32_t start = 0;     // absolute position of the first token
    int32_t size = 0;
    int32_t subtree_end = 0;  // one past the last descendant
    bool last_child = true;   // no later sibling
    int32_t first_need = 0;   // into needs(), sorted by offset
    int32_t needs = 0;
  };

  // Keeps a reference to `sequences`, which must outlive the trie. Time: O(total tokens) after a
  // sort by comparison of common prefixes. Sequences must not be empty.
  explicit Trie(const std::vector<Sequence>& sequences);

  const std::vector<Node>& nodes() const { return nodes_; }
  std::span<const NodeNeed> needs(const Node& node) const {
    return std::span(needs_).subspan(node.first_need, node.needs);
  }
  const int32_t* tokens(const Node& node) const {
    return sequences_[node.sequence].ids.data() + node.start;
  }
  int64_t unique_tokens() const { return unique_tokens_; }

 private:
  void build(const std::vector<int32_t>& order);
  void place_needs();

  const std::vector<Sequence>& sequences_;
  std::vector<Node> nodes_;
  std::vector<NodeNeed> needs_;
  std::vector<int32_t> leaf_of_;  // node in which each sequence ends
  int64_t unique_tokens_ = 0;
};

}  // namespace keju
