// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "kernels/cuda/index.h"

namespace keju::cuda {

// The work items of a step's decode attention: each row with each split up to its position, in one
// item and no other. Rows whose paths have all eight pages of a split in common, and which see all
// of it, share an item, `rows_of_item` at most (Juravsky et al., arXiv:2402.05099); which rows they
// are changes no bit of any. `rows[i].pages` points into `page_ids`.
std::vector<SplitItem> make_split_items(std::span<const RowPlace> rows,
                                        std::span<const int32_t> page_ids,
                                        int rows_of_item);

}  // namespace keju::cuda
