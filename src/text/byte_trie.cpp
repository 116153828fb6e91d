// SPDX-License-Identifier: MIT
#include "text/byte_trie.h"

#include <algorithm>
#include <numeric>

namespace keju {

// Breadth first, so that no key is long enough to exhaust the stack.
ByteTrie::ByteTrie(const std::vector<std::string_view>& keys) {
  std::vector<uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0u);
  std::erase_if(order, [&](uint32_t i) { return keys[i].empty(); });
  std::stable_sort(
      order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, order.size(), 0}};
  nodes_.emplace_back();
  for (size_t n = 0; n < nodes_.size(); ++n) {
    Range range = ranges[n];
    while (range.begin < range.end && keys[order[range.begin]].size() == range.depth) {
      if (nodes_[n].value < 0) nodes_[n].value = static_cast<int32_t>(order[range.begin]);
      ++range.begin;
    }
    nodes_[n].first_edge = static_cast<uint32_t>(edges_.size());
    for (size_t at = range.begin; at < range.end;) {
      const char byte = keys[order[at]][range.depth];
      size_t stop = at;
      while (stop < range.end && keys[order[stop]][range.depth] == byte) ++stop;
      edges_.push_back({static_cast<uint8_t>(byte), static_cast<uint32_t>(nodes_.size())});
      nodes_.emplace_back();
      ranges.push_back({at, stop, range.depth + 1});
      at = stop;
    }
    nodes_[n].edge_count = static_cast<uint32_t>(edges_.size()) - nodes_[n].first_edge;
  }
}

int64_t ByteTrie::step(int64_t node, uint8_t byte) const {
  const Node& from = nodes_[static_cast<size_t>(node)];
  const Edge* begin = edges_.data() + from.first_edge;
  const Edge* const end = begin + from.edge_count;
  if (from.edge_count > 8) {
    begin = std::partition_point(begin, end, [byte](const Edge& edge) { return edge.byte < byte; });
    return begin != end && begin->byte == byte ? int64_t{begin->node} : -1;
  }
  for (; begin < end; ++begin) {
    if (begin->byte == byte) return begin->node;
  }
  return -1;
}

}  // namespace keju
