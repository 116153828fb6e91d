// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "run/record.h"

namespace keju {

// What an exam in cyclic option orders tells beside its mean (which is the headline then). Only
// questions that are scored in every order count.
//   questions, orders
//   canonical              accuracy in the data set's own order
//   by_order, mean, worst  accuracy in each order; the lowest of them
//   all_right              share of questions that are right in every order
//   letters                for each letter: how often it is chosen, and the recall where it is
//   right letter_spread          the highest recall less the lowest: 0 for a model that sees no
//   letters canonical_gain         canonical less the mean of the other orders, with a paired 95 %
//   interval.
//                          A gain above 0 is a sign that the items were seen in training. It proves
//                          nothing: options such as "all of the above" lose sense elsewhere, and an
//                          even letter bias shows here if the key is skewed; no gain proves nothing
//                          either, for texts can be known without their order.
class OptionOrders {
 public:
  void add(const ItemRecord& record);  // a question's orders come one after another
  Json results() const;

 private:
  // An item that is scored: sixteen bytes.
  struct Asked {
    int32_t order, choice, gold;
    bool right, begins;  // the latter: the first of its question
  };
  struct Count;
  std::vector<Asked> asked_;
  size_t orders_ = 1;
  std::string subject_;  // of the last
  int64_t row_ = 0;
};

}  // namespace keju
