// SPDX-License-Identifier: MIT
// The step of generated rows as one piece of work.
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "model/model_parts.h"

namespace keju {

// Tables of positions must reach to the step's last one before the step is handed over: one that is
// repeated asks for no op, and so for no table.
void Model::ready_tables(const Step& step) {
  int64_t positions = 0;
  for (const Segment& s : step.segments) positions = std::max<int64_t>(positions, s.pos0 + s.rows);
  for (int64_t l = range_.first; l < range_.last; ++l)
    (void)qkv_spec(layers_[kv_layer(l)], l, step.regime, positions);
}

// The step with as many rows as the backend makes of it.
const Step& Model::made_up(const Step& step) {
  const size_t rows = step.segments.size();
  KEJU_CHECK(step.ids.size() == rows && step.needed.size() == rows && step.copies.empty(),
             "a decode step is of one row for each text");
  const auto count =
      static_cast<size_t>(backend_.decode_rows(static_cast<int64_t>(step.segments.size())));
  Step& more = buffers_->made_up;
  more.ids = step.ids;
  more.ids.resize(count, 0);
  more.segments = step.segments;
  more.needed.resize(count);
  std::iota(more.needed.begin(), more.needed.end(), 0);
  more.regime = step.regime;
  more.padding = static_cast<int64_t>(count - rows);
  return more;
}

// The rules with one for each row that the step is made up to.
void Model::make_up(std::span<const SampleRule> rules, size_t count) {
  std::vector<SampleRule>& more = buffers_->rules;
  more.assign(rules.begin(), rules.end());
  while (more.size() < count) more.push_back({.row = static_cast<int32_t>(more.size())});
  buffers_->drawn.resize(count);
}

Rows Model::decode(const Step& step,
                   KvPages& kv,
                   std::span<const SampleRule> rules,
                   std::span<int32_t> drawn,
                   std::span<const float> arriving) {
  KEJU_CHECK(rules.size() == step.segments.size() && drawn.size() == rules.size(),
             "a rule and a token for each text of a decode step");
  if (!repeats_steps_) {
    const Rows hidden = forward(step, kv, arriving);
    if (has_last()) sample(hidden, rules, drawn);
    return hidden;
  }
  const Step& more = made_up(step);
  const auto count = static_cast<int64_t>(more.ids.size());
  const Rows h = buffers_->hidden.rows(count, descriptor_.width);
  ready_tables(more);
  take_in(more, arriving, h);
  GeneratedStep whole{.owner = this,
                      .kv = &kv,
                      .variant = more.regime,
                      .rows = count,
                      .heads_per_key = descriptor_.heads / descriptor_.kv_heads,
                      .segments = more.segments};
  if (has_first()) whole.lists[0] = more.ids;
  if (has_first() && positions_ != nullptr) whole.lists[1] = buffers_->positions;
  if (has_last()) {
    make_up(rules, more.ids.size());
    whole.lists[2] = more.needed;
    whole.rules = buffers_->rules;
    whole.drawn = buffers_->drawn;
    whole.vocabulary = vocabulary().rows;
  }
  const auto ops = [&] {
    const Rows rows = run(more, kv, h);
    if (has_last()) sample(rows, whole.rules, whole.drawn);
  };
  backend_.decode(whole, std::ref(ops));
  Rows hidden = h;
  if (has_last()) {
    std::copy_n(whole.drawn.begin(), drawn.size(), drawn.begin());
    hidden = buffers_->needed.rows(count, descriptor_.width);
  }
  hidden.count -= more.padding;
  return hidden;
}

}  // namespace keju
