// SPDX-License-Identifier: MIT
// Drawing tokens: logits by tiles as the head makes them, then for each row the bin of logits in
// which the draw falls, and only that bin's tokens in order.
#include "kernels/cpu/sample.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "kernels/cpu/cpu_base.h"

namespace keju {
namespace {

constexpr int kBins = SampleScratch::kBins;
constexpr size_t kSorted = 64;  // so many tokens are put in order at once

using Bins = SampleScratch::Bins;

enum class By { kMass, kCount };

// A token's place in the order of its row.
struct Place {
  int32_t id = 0;
  uint64_t before = 0;  // mass of the tokens before it
  uint64_t mass = 0;
};

class Row {
 public:
  Row(const float* logits, int64_t n, float best, double inverse, SampleScratch& scratch)
      : logits_(logits), n_(n), best_(best), inverse_(inverse), scratch_(scratch) {
    Bins& whole = scratch_.whole;
    whole = {};
    for (int64_t i = 0; i < n; ++i) {
      const uint64_t mass = scratch_.mass[static_cast<size_t>(i)];
      if (mass == 0) continue;
      const int bin = bin_of(logits[i]);
      whole.mass[bin] += mass;
      ++whole.count[bin];
    }
    for (int b = 0; b < kBins; ++b) {
      mass_ += whole.mass[b];
      count_ += whole.count[b];
    }
  }

  uint64_t mass() const { return mass_; }
  uint64_t count() const { return count_; }

  // The token at `target`, counted in tokens or in mass from the best one on.
  Place at(By by, uint64_t target) const {
    uint64_t before = 0;
    const int bin = find(scratch_.whole, by, target, before);
    size_t held = 0;
    for (int64_t i = 0; i < n_; ++i) {
      if (scratch_.mass[static_cast<size_t>(i)] > 0 && bin_of(logits_[i]) == bin)
        scratch_.part[held++] = static_cast<int32_t>(i);
    }
    return in_part(held, by, target, before);
  }

  // The mass of the tokens before the first with less than `least`.
  uint64_t before_less_than(double least) const {
    float cut = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < n_; ++i) {
      const uint64_t mass = scratch_.mass[static_cast<size_t>(i)];
      if (mass > 0 && static_cast<double>(mass) < least) cut = std::max(cut, logits_[i]);
    }
    uint64_t sum = 0;
    for (int64_t i = 0; i < n_; ++i)
      sum += logits_[i] > cut ? scratch_.mass[static_cast<size_t>(i)] : 0;
    return sum;
  }

 private:
  // By logit, so that order between bins is order between tokens. Of tokens with a mass alone.
  int bin_of(float logit) const {
    const double below = -sample_exponent(logit, best_, inverse_);
    return std::min(kBins - 1, static_cast<int>(below * (kBins / -kSampleLowest)));
  }

  // The bin that holds `target`, which becomes the place inside it; adds the mass before it.
  static int find(const Bins& bins, By by, uint64_t& target, uint64_t& before) {
    int bin = 0;
    while (true) {
      const uint64_t held = by == By::kMass ? bins.mass[bin] : bins.count[bin];
      if (target < held) return bin;
      target -= held;
      before += bins.mass[bin];
      ++bin;
      KEJU_CHECK(bin < kBins, "a draw past the tokens");
    }
  }

  // Among the first `held` of part, ascending ids. Narrower and narrower bins until few are left,
  // or all are equal.
  Place in_part(size_t held, By by, uint64_t target, uint64_t before) const {
    std::vector<int32_t>& part = scratch_.part;
    const auto worse = [this](int32_t a, int32_t b) { return logits_[a] < logits_[b]; };
    const auto end = [&] { return part.begin() + static_cast<std::ptrdiff_t>(held); };
    while (held > kSorted) {
      const auto [low, high] = std::minmax_element(part.begin(), end(), worse);
      const auto top = static_cast<double>(logits_[*high]);
      const double range = top - static_cast<double>(logits_[*low]);
      if (!(range > 0)) break;  // all equal
      const auto narrow_bin = [&](int32_t id) {
        return static_cast<int>((top - static_cast<double>(logits_[id])) * ((kBins - 1) / range));
      };
      scratch_.narrow = {};
      for (size_t i = 0; i < held; ++i) {
        const int bin = std::min(kBins - 1, narrow_bin(part[i]));
        scratch_.narrow.mass[bin] += scratch_.mass[static_cast<size_t>(part[i])];
        ++scratch_.narrow.count[bin];
      }
      const int bin = find(scratch_.narrow, by, target, before);
      const auto other = [&](int32_t id) { return std::min(kBins - 1, narrow_bin(id)) != bin; };
      held = static_cast<size_t>(std::remove_if(part.begin(), end(), other) - part.begin());
    }
    if (held <= kSorted) {
      std::sort(part.begin(), end(), [this](int32_t a, int32_t b) {
        return logits_[a] != logits_[b] ? logits_[a] > logits_[b] : a < b;
      });
    }
    for (size_t i = 0; i < held; ++i) {
      const uint64_t mass = scratch_.mass[static_cast<size_t>(part[i])];
      const uint64_t step = by == By::kMass ? mass : 1;
      if (target < step) return {part[i], before, mass};
      target -= step;
      before += mass;
    }
    KEJU_CHECK(false, "a draw past the tokens of its bin");
    return {};
  }

  const float* logits_;
  int64_t n_;
  float best_;
  double inverse_;
  SampleScratch& scratch_;
  uint64_t mass_ = 0;
  uint64_t count_ = 0;
};

}  // namespace

int32_t draw_token(
    const float* logits, int64_t n, float best, const SampleCut& cut, SampleScratch& scratch) {
  const Row row(logits, n, best, cut.inverse, scratch);
  uint64_t kept = row.mass();
  const auto through = [](const Place& place) { return place.before + place.mass; };
  if (cut.count > 0 && cut.count < row.count()) kept = through(row.at(By::kCount, cut.count - 1));
  const uint64_t first_k = kept;
  if (cut.top_p < 1) kept = through(row.at(By::kMass, top_p_mass(first_k, cut.top_p) - 1));
  if (cut.least > 0) kept = std::min(kept, row.before_less_than(cut.least));
  kept = std::max(kept, kSampleUnit);  // always the first
  return row.at(By::kMass, drawn_position(kept, cut.draw)).id;
}

void CpuBase::masses(
    const float* logits, int64_t count, float best, double inverse, uint64_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = sample_mass(logits[i], best, inverse);
}

// The best of each tile and row, and the logits of the rows that are drawn from.
void CpuBase::sample_tiles(
    Rows x, const Matrix& w, const HeadSpec& spec, int64_t row0, int64_t rows) {
  SampleStep& step = sample_step_;
  const int64_t tiles = (w.rows + kHeadTile - 1) / kHeadTile;
  step.best.resize(static_cast<size_t>(tiles * rows));
  const int64_t held = rows * kHeadTile;
  float* const scratch = head_scratch_.floats(held * pool_.size());
  in_parallel(tiles, 1, [&](int64_t tile, int64_t, int worker) {
    const int64_t begin = tile * kHeadTile;
    const int64_t end = std::min(w.rows, begin + kHeadTile);
    float* const own = scratch + held * worker;
    head_tile(x, w, spec, {row0, rows, begin, end, own, kHeadTile, worker});
    for (int64_t r = 0; r < rows; ++r) {
      const float* const logits = own + r * kHeadTile;
      const float max = tile_sum(logits, end - begin).max;
      const float* const at = std::find(logits, logits + (end - begin), max);
      step.best[static_cast<size_t>(tile * rows + r)] = {
          max, static_cast<int32_t>(begin + (at - logits))};
      const int64_t stored = step.stored[static_cast<size_t>(r)];
      if (stored >= 0)
        std::copy(logits, logits + (end - begin), step.logits.data() + stored * w.rows + begin);
    }
  });
  for (int64_t tile = 1; tile < tiles; ++tile) {
    for (int64_t r = 0; r < rows; ++r) {
      SampleStep::Best& best = step.best[static_cast<size_t>(r)];
      const SampleStep::Best& own = step.best[static_cast<size_t>(tile * rows + r)];
      if (own.logit > best.logit) best = own;
    }
  }
}

void CpuBase::sample(Rows x,
                     const Matrix& w,
                     const HeadSpec& spec,
                     std::span<const SampleRule> rules,
                     std::span<int32_t> ids) {
  KEJU_CHECK(rules.size() == ids.size(), "an id for each rule");
  if (rules.empty()) return;
  SampleStep& step = sample_step_;
  prepare_head(x, w);
  size_t next = 0;
  for (int64_t row0 = 0; row0 < x.count; row0 += kHeadRows) {
    const int64_t rows = std::min(kHeadRows, x.count - row0);
    const size_t first = next;
    step.stored.assign(static_cast<size_t>(rows), -1);
    int64_t stored = 0;
    for (; next < rules.size() && rules[next].row < row0 + rows; ++next) {
      KEJU_CHECK(rules[next].row >= (next > 0 ? rules[next - 1].row : 0), "rules by rows");
      int64_t& own = step.stored[static_cast<size_t>(rules[next].row - row0)];
      if (own < 0 && sample_cut(rules[next]).count != 1) own = stored++;
    }
    if (first == next) continue;
    step.logits.resize(std::max(step.logits.size(), static_cast<size_t>(stored * w.rows)));
    // Of every thread, whichever draws: a later step then takes no memory.
    for (SampleScratch& scratch : sample_scratch_) {
      if (stored > 0) scratch.resize(w.rows);
    }
    sample_tiles(x, w, spec, row0, rows);
    in_parallel(static_cast<int64_t>(next - first), 1, [&](int64_t i, int64_t, int worker) {
      const SampleRule& rule = rules[first + static_cast<size_t>(i)];
      const auto r = static_cast<size_t>(rule.row - row0);
      const SampleStep::Best best = step.best[r];
      const SampleCut cut = sample_cut(rule);
      int32_t& id = ids[first + static_cast<size_t>(i)];
      const bool none = best.logit == -std::numeric_limits<float>::infinity();
      id = none ? 0 : best.id;
      if (none || cut.count == 1) return;
      const float* const logits = step.logits.data() + step.stored[r] * w.rows;
      SampleScratch& scratch = sample_scratch_[static_cast<size_t>(worker)];
      masses(logits, w.rows, best.logit, cut.inverse, scratch.mass.data());
      id = draw_token(logits, w.rows, best.logit, cut, scratch);
    });
  }
  KEJU_CHECK(next == rules.size(), "a rule's row");
}

}  // namespace keju
