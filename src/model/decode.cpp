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

Model::Decoded Model::decode(const Step& step, KvPages& kv, std::span<const float> arriving) {
  Decoded out;
  if (!repeats_steps_) {
    out.hidden = forward(step, kv, arriving);
    if (has_last()) out.rows = backend_.head(out.hidden, vocabulary(), head_spec(), {});
    return out;
  }
  const Step& more = made_up(step);
  const auto count = static_cast<int64_t>(more.ids.size());
  const Rows h = buffers_->hidden.rows(count, descriptor_.width);
  ready_tables(more);
  take_in(more, arriving, h);
  GeneratedStep decoded{.owner = this,
                        .kv = &kv,
                        .variant = more.regime,
                        .rows = count,
                        .heads_per_key = descriptor_.heads / descriptor_.kv_heads,
                        .segments = more.segments};
  if (has_first()) decoded.lists[0] = more.ids;
  if (has_first() && positions_ != nullptr) decoded.lists[1] = buffers_->positions;
  if (has_last()) decoded.lists[2] = more.needed;
  const auto ops = [&]() -> std::vector<HeadRow> {
    const Rows rows = run(more, kv, h);
    if (!has_last()) return {};
    return backend_.head(rows, vocabulary(), head_spec(), {});
  };
  out.rows = backend_.decode(decoded, std::ref(ops));
  out.hidden = has_last() ? buffers_->needed.rows(count, descriptor_.width) : h;
  out.hidden.count -= more.padding;
  return out;
}

}  // namespace keju
