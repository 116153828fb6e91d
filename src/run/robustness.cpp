// SPDX-License-Identifier: MIT
#include "run/robustness.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <string>

#include "score/statistics.h"

namespace keju {
namespace {

// "…/7~2" is order 2, "…/7" order 0.
size_t order_of(const std::string& item) {
  const size_t mark = item.rfind('~');
  size_t order = 0;
  if (mark == std::string::npos || item.find('/', mark) != std::string::npos) return 0;
  std::from_chars(item.data() + mark + 1, item.data() + item.size(), order);
  return order;
}

Json ratio(double part, double whole) { return whole > 0 ? Json(part / whole) : Json(); }

struct Letter {
  int64_t chosen = 0, gold = 0, hit = 0;
};

Json letter_rows(const std::vector<Letter>& letters, double asked, Json& spread) {
  Json rows = Json::array();
  std::optional<double> low, high;
  for (size_t i = 0; i < letters.size(); ++i) {
    const Letter& one = letters[i];
    const Json recall = ratio(static_cast<double>(one.hit), static_cast<double>(one.gold));
    rows.push_back({{"letter", std::string(1, static_cast<char>('A' + i))},
                    {"chosen", ratio(static_cast<double>(one.chosen), asked)},
                    {"recall", recall}});
    if (recall.is_null()) continue;
    low = std::min(low.value_or(1), recall.get<double>());
    high = std::max(high.value_or(0), recall.get<double>());
  }
  spread = low.has_value() ? Json(*high - *low) : Json();
  return rows;
}

}  // namespace

// The questions that are scored in every order, counted up.
struct OptionOrders::Count {
  explicit Count(size_t order_count) : orders(order_count), hits(orders), letters(orders) {}

  void add(std::span<const Asked> asked) {
    ++questions;
    size_t right_orders = 0;
    bool first_right = false;
    for (const Asked& one : asked) {
      right_orders += one.right ? 1 : 0;
      hits[static_cast<size_t>(one.order)] += one.right ? 1 : 0;
      first_right = first_right || (one.order == 0 && one.right);
      const auto chosen = static_cast<size_t>(one.choice);
      const auto gold = static_cast<size_t>(one.gold);
      if (chosen < orders) ++letters[chosen].chosen;
      if (gold >= orders) continue;
      ++letters[gold].gold;
      letters[gold].hit += one.right ? 1 : 0;
    }
    all += right_orders == orders ? 1 : 0;
    if (orders < 2) return;
    const double first = first_right ? 1 : 0;
    gains.push_back(first -
                    (static_cast<double>(right_orders) - first) / static_cast<double>(orders - 1));
  }

  size_t orders;
  std::vector<double> hits, gains;
  std::vector<Letter> letters;
  int64_t questions = 0, all = 0;
};

void OptionOrders::add(const ItemRecord& record) {
  const size_t order = order_of(record.item);
  orders_ = std::max(orders_, order + 1);
  const auto* scored = std::get_if<Scored>(&record.outcome);
  if (scored == nullptr) return;
  const bool begins = asked_.empty() || record.subject != subject_ || record.row != row_;
  subject_ = record.subject;
  row_ = record.row;
  asked_.push_back(
      {static_cast<int32_t>(order), scored->choice, record.gold, scored->value > 0.5, begins});
}

Json OptionOrders::results() const {
  Count count(orders_);
  for (size_t begin = 0, end = 0; begin < asked_.size(); begin = end) {
    for (end = begin + 1; end < asked_.size() && !asked_[end].begins;) ++end;
    if (end - begin == orders_) count.add(std::span(asked_).subspan(begin, end - begin));
  }
  const auto n = static_cast<double>(count.questions);
  Json by_order = Json::array();
  double sum = 0;
  for (const double hit : count.hits) {
    by_order.push_back(ratio(hit, n));
    sum += hit;
  }
  Json spread;
  Json rows = letter_rows(count.letters, n * static_cast<double>(orders_), spread);
  const std::optional<MeanEstimate> gain = mean(count.gains);
  Json gain_json = {
      {"value", gain ? Json(gain->value) : Json()}, {"low", nullptr}, {"high", nullptr}};
  if (gain && gain->interval) {
    gain_json["low"] = gain->interval->low;
    gain_json["high"] = gain->interval->high;
  }
  return {{"questions", count.questions},
          {"orders", orders_},
          {"canonical", ratio(count.hits[0], n)},
          {"by_order", by_order},
          {"mean", ratio(sum, n * static_cast<double>(orders_))},
          {"worst", ratio(*std::min_element(count.hits.begin(), count.hits.end()), n)},
          {"all_right", ratio(static_cast<double>(count.all), n)},
          {"letters", std::move(rows)},
          {"letter_spread", std::move(spread)},
          {"canonical_gain", std::move(gain_json)}};
}

}  // namespace keju
