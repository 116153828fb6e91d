// SPDX-License-Identifier: MIT
// Drawing a token: one block per draw. No sort: the tokens are counted into bins, best first, the
// bin that holds the draw is counted into narrower ones, until one logit is left, and then among
// its tokens the ids. Counts and masses are integers, so that the order of the additions is free.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/math.cuh"

namespace keju::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / 32;
constexpr int kBinBits = 10;
constexpr int kBins = 1 << kBinBits;
constexpr int kEach = kBins / kThreads;

using Wide = unsigned long long;  // what atomicAdd and shuffles know

struct Bins {
  Wide* mass;  // [kBins] in shared memory
  unsigned* count;
};
struct Token {
  int bin;
  Wide mass;  // 0: not counted
};

// Equal logits have equal keys, larger ones larger keys.
__device__ __forceinline__ uint32_t key_of(float logit) {
  const uint32_t bits = __float_as_uint(logit + 0.0f);  // one zero
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float logit_of(uint32_t key) {
  return __uint_as_float((key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key);
}

// The row that the block draws from.
struct Row {
  const float* logits;
  int64_t vocab;
  float best;
  double inverse;

  __device__ __forceinline__ double exponent(float logit) const {
    return sample_exponent(logit, best, inverse);
  }
  __device__ __forceinline__ Wide mass(float logit) const { return sample_mass(exponent(logit)); }
};

// Of the first bins: by logit, so that order between bins is order between tokens.
__device__ __forceinline__ int bin_of(double exponent) {
  const int at = static_cast<int>(rounded_product(exponent, kBins / kSampleLowest));
  return at < kBins ? at : kBins - 1;
}

template <typename Fold>
__device__ __forceinline__ Wide fold_block(Wide own, const Fold& fold) {
  KEJU_SHARED(Wide, part, kWarps);
  for (int with = 16; with >= 1; with /= 2) {
    own = fold(own, __shfl_xor_sync(kFullWarp, own, with));
  }
  __syncthreads();  // the last call's readers are done
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = own;
  __syncthreads();
  Wide all = part[0];
  for (int w = 1; w < kWarps; ++w) all = fold(all, part[w]);
  return all;
}
__device__ __forceinline__ Wide sum_block(Wide own) {
  return fold_block(own, [](Wide a, Wide b) { return a + b; });
}
__device__ __forceinline__ Wide max_block(Wide own) {
  return fold_block(own, [](Wide a, Wide b) { return a > b ? a : b; });
}

// token(i): the bin and the mass of token i. Whoever read the bins before, in find, has passed its
// last barrier.
template <typename Of>
__device__ __forceinline__ void count_tokens(Bins bins, int64_t vocab, const Of& token) {
  for (int b = static_cast<int>(threadIdx.x); b < kBins; b += kThreads) {
    bins.mass[b] = 0;
    bins.count[b] = 0;
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < vocab; i += kThreads) {
    const Token own = token(i);
    if (own.mass == 0) continue;
    atomicAdd(&bins.mass[own.bin], own.mass);
    atomicAdd(&bins.count[own.bin], 1u);
  }
  __syncthreads();
}

// What stands before a bin.
struct Found {
  Wide mass;
  Wide count;
  int bin;
};

// The bin that holds `target`, counted in tokens or in mass from the first bin on.
template <bool by_count>
__device__ Found find(Bins bins, Wide target) {
  KEJU_SHARED(Wide, warp_mass, kWarps);
  KEJU_SHARED(Wide, warp_count, kWarps);
  KEJU_SHARED(Found, found, 1);
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int first = static_cast<int>(threadIdx.x) * kEach;
  Wide mass = 0;
  Wide count = 0;
  for (int b = first; b < first + kEach; ++b) {
    mass += bins.mass[b];
    count += bins.count[b];
  }
  const Wide own_mass = mass;
  const Wide own_count = count;
  for (int step = 1; step < 32; step *= 2) {
    const Wide other_mass = __shfl_sync(kFullWarp, mass, (lane - step) & 31);
    const Wide other_count = __shfl_sync(kFullWarp, count, (lane - step) & 31);
    if (lane >= step) mass += other_mass;
    if (lane >= step) count += other_count;
  }
  if (lane == 31) warp_mass[warp] = mass;
  if (lane == 31) warp_count[warp] = count;
  __syncthreads();
  Found at{mass - own_mass, count - own_count, first};
  for (int w = 0; w < warp; ++w) {
    at.mass += warp_mass[w];
    at.count += warp_count[w];
  }
  for (; at.bin < first + kEach; ++at.bin) {
    const Wide before = by_count ? at.count : at.mass;
    const Wide held = by_count ? bins.count[at.bin] : bins.mass[at.bin];
    if (target >= before && target - before < held) found[0] = at;
    at.mass += bins.mass[at.bin];
    at.count += bins.count[at.bin];
  }
  __syncthreads();
  return found[0];  // the next call writes behind its own first barrier
}

// How far a range of so many values is shifted so that its parts are bins.
__device__ __forceinline__ int shift_for(uint32_t range) {
  const int bits = 32 - __clz(static_cast<int>(range));
  return bits > kBinBits ? bits - kBinBits : 0;
}

// A logit of the row, and the tokens above it.
struct Place {
  uint32_t key;
  Wide mass;    // of each token of this logit
  Wide before;  // mass of the tokens of larger ones
  Wide count;   // of those
};

// The logit of the token at `target`. `whole`: the row's tokens; `narrow`: room.
template <bool by_count>
__device__ Place locate(const Row& row, Bins whole, Bins narrow, Wide target) {
  const Found bin = find<by_count>(whole, target);
  Place at{0, 0, bin.mass, bin.count};
  Wide largest = 0;
  Wide smallest = 0;  // as its complement
  for (int64_t i = threadIdx.x; i < row.vocab; i += kThreads) {
    const float logit = row.logits[i];
    const double x = row.exponent(logit);
    if (!(x > kSampleLowest) || bin_of(x) != bin.bin || sample_mass(x) == 0) continue;
    const uint32_t key = key_of(logit);
    if (key > largest) largest = key;
    if (~key > smallest) smallest = ~key;
  }
  uint32_t high = static_cast<uint32_t>(max_block(largest));
  uint32_t low = ~static_cast<uint32_t>(max_block(smallest));
  while (low < high) {
    const int shift = shift_for(high - low);
    count_tokens(narrow, row.vocab, [&](int64_t i) {
      const float logit = row.logits[i];
      const uint32_t key = key_of(logit);
      if (key < low || key > high) return Token{0, 0};
      return Token{static_cast<int>((high - key) >> shift), row.mass(logit)};
    });
    const Found part = find<by_count>(narrow, target - (by_count ? at.count : at.before));
    at.before += part.mass;
    at.count += part.count;
    high -= static_cast<uint32_t>(part.bin) << shift;
    const uint32_t last = (uint32_t{1} << shift) - 1;
    if (high - low > last) low = high - last;
  }
  at.key = high;
  at.mass = row.mass(logit_of(high));
  return at;
}

// The id of token `target`, from the lowest id on, among those of this logit.
__device__ int32_t locate_id(const Row& row, Bins narrow, uint32_t key, Wide target) {
  uint32_t low = 0;
  uint32_t high = static_cast<uint32_t>(row.vocab) - 1;
  while (low < high) {
    const int shift = shift_for(high - low);
    count_tokens(narrow, row.vocab, [&](int64_t i) {
      const uint32_t id = static_cast<uint32_t>(i);
      const bool own = id >= low && id <= high && key_of(row.logits[i]) == key;
      return Token{static_cast<int>((id - low) >> shift), own ? Wide{1} : Wide{0}};
    });
    const Found part = find<true>(narrow, target);
    target -= part.count;
    low += static_cast<uint32_t>(part.bin) << shift;
    const uint32_t last = (uint32_t{1} << shift) - 1;
    if (high - low > last) high = low + last;
  }
  return static_cast<int32_t>(low);
}

// The best of the row, from its reduced tiles; every warp finds it.
__device__ Scored best_of(const HeadTile* tiles, int64_t count) {
  Scored best{-infinity(), 0x7FFFFFFF};
  for (int64_t i = threadIdx.x % 32; i < count; i += 32) {
    best = better(best, {tiles[i].max, tiles[i].best});
  }
  return warp_best(best);
}

__global__ void __launch_bounds__(kThreads, 1) sample_kernel(
    Rows logits, const HeadTile* reduced, int64_t tiles, const SampleTask* tasks, int32_t* ids) {
  KEJU_SHARED(Wide, whole_mass, kBins);
  KEJU_SHARED(unsigned, whole_count, kBins);
  KEJU_SHARED(Wide, narrow_mass, kBins);
  KEJU_SHARED(unsigned, narrow_count, kBins);
  const Bins whole{whole_mass, whole_count};
  const Bins narrow{narrow_mass, narrow_count};
  const SampleTask task = tasks[blockIdx.x];
  const SampleCut& cut = task.cut;
  const Scored best = best_of(reduced + task.row * tiles, tiles);
  if (cut.count == 1 || best.value == -infinity()) {
    if (threadIdx.x == 0) ids[blockIdx.x] = best.value == -infinity() ? 0 : best.id;
    return;
  }
  const Row row{logits.data + task.row * logits.stride, logits.width, best.value, cut.inverse};
  Wide all_mass = 0;
  Wide all_count = 0;
  Wide too_small = 0;  // the largest key of a token with less than min_p asks for
  count_tokens(whole, row.vocab, [&](int64_t i) {
    const float logit = row.logits[i];
    const double x = row.exponent(logit);
    const Wide mass = sample_mass(x);
    if (mass == 0) return Token{0, 0};
    all_mass += mass;
    ++all_count;
    if (static_cast<double>(mass) < cut.least && key_of(logit) > too_small)
      too_small = key_of(logit);
    return Token{bin_of(x), mass};
  });
  Wide kept = sum_block(all_mass);
  all_count = sum_block(all_count);
  if (cut.count > 0 && cut.count < all_count) {
    const Place last = locate<true>(row, whole, narrow, cut.count - 1);
    kept = last.before + (cut.count - last.count) * last.mass;
  }
  if (cut.top_p < 1) {
    const Wide target = top_p_mass(kept, cut.top_p) - 1;
    const Place last = locate<false>(row, whole, narrow, target);
    kept = last.before + ((target - last.before) / last.mass + 1) * last.mass;
  }
  if (cut.least > 0) {
    too_small = max_block(too_small);
    Wide large = 0;
    for (int64_t i = threadIdx.x; i < row.vocab; i += kThreads) {
      if (key_of(row.logits[i]) > too_small) large += row.mass(row.logits[i]);
    }
    large = sum_block(large);
    if (large < kept) kept = large;
  }
  if (kept < kSampleUnit) kept = kSampleUnit;  // always the first
  const Wide target = drawn_position(kept, cut.draw);
  const Place drawn = locate<false>(row, whole, narrow, target);
  const int32_t id = locate_id(row, narrow, drawn.key, (target - drawn.before) / drawn.mass);
  if (threadIdx.x == 0) ids[blockIdx.x] = id;
}

}  // namespace

void sample(void* stream,
            Rows logits,
            const HeadTile* reduced,
            int64_t tiles,
            const SampleTask* tasks,
            int64_t count,
            int32_t* ids) {
  launch({.grid_x = count, .block = kThreads, .stream = stream},
         sample_kernel,
         logits,
         reduced,
         tiles,
         tasks,
         ids);
}

}  // namespace keju::cuda
