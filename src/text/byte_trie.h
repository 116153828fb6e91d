// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace keju {

// A trie over bytes. Nodes are numbered from 0 (the root).
class ByteTrie {
 public:
  // Value i belongs to keys[i]; of equal keys the first counts; empty keys are left out.
  explicit ByteTrie(const std::vector<std::string_view>& keys);
  bool empty() const { return nodes_.size() <= 1; }
  // The node behind `byte`, or -1.
  int64_t step(int64_t node, uint8_t byte) const;
  int32_t value(int64_t node) const { return nodes_[static_cast<size_t>(node)].value; }  // or -1

 private:
  struct Node {
    uint32_t first_edge = 0;
    uint32_t edge_count = 0;
    int32_t value = -1;
  };
  struct Edge {
    uint8_t byte;
    uint32_t node;
  };
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
};

}  // namespace keju
