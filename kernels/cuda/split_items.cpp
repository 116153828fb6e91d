// SPDX-License-Identifier: MIT
#include "kernels/cuda/split_items.h"

#include <algorithm>
#include <array>
#include <map>

namespace keju::cuda {

std::vector<SplitItem> make_split_items(std::span<const RowPlace> rows,
                                        std::span<const int32_t> page_ids,
                                        int rows_of_item) {
  std::vector<SplitItem> items;
  // By split and pages: the item that takes the next row, if it still has room.
  std::map<std::array<int32_t, 1 + kSplitPages>, size_t> open;
  for (size_t i = 0; i < rows.size(); ++i) {
    const RowPlace& place = rows[i];
    for (int32_t split = 0; split * kSplit <= place.position; ++split) {
      const bool whole = place.position >= (split + 1) * kSplit - 1;
      if (whole && rows_of_item > 1) {
        std::array<int32_t, 1 + kSplitPages> key{split};
        const auto first = page_ids.begin() + place.pages + split * kSplitPages;
        std::copy(first, first + kSplitPages, key.begin() + 1);
        const auto [at, fresh] = open.try_emplace(key, items.size());
        if (!fresh && items[at->second].rows < rows_of_item) {
          SplitItem& item = items[at->second];
          item.row[item.rows++] = static_cast<int32_t>(i);
          continue;
        }
        at->second = items.size();
      }
      items.push_back({split, 1, {static_cast<int32_t>(i)}});
    }
  }
  return items;
}

}  // namespace keju::cuda
