// SPDX-License-Identifier: MIT
// The insides of Model that its two source files share.
#pragma once

#include <algorithm>

#include "model/model.h"

namespace keju {

struct Model::Mla {
  ops::Linear q_a, q_b, kv_a, kv_b;
  Norm q_a_norm, kv_a_norm;
};

struct Model::Experts {
  ops::Linear router, shared_gate_up, shared_down, shared_gate;
  std::vector<std::unique_ptr<Matrix>> matrices;
  std::vector<std::unique_ptr<Vector>> biases;
  std::unique_ptr<Vector> correction;
  RouteSpec route;
  ExpertWeights weights;
};

// Activations of one step. Each buffer grows to the largest step seen and is then reused.
struct Model::Buffers {
  class Buffer {
   public:
    Buffer(Backend& backend, const int64_t& least) : backend_(backend), least_(least) {}
    ~Buffer() { backend_.release(memory_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Rows rows(int64_t count, int64_t width) {
      // Rows a multiple of 1 KiB apart would crowd into the same few sets of a cache.
      const int64_t stride = width % 256 == 0 ? width + 16 : width;
      if (count * stride > capacity_) {
        backend_.release(memory_);
        memory_ = nullptr;
        capacity_ = 0;
        const int64_t wanted = std::max(count, least_) * stride;
        memory_ = backend_.allocate(wanted);
        capacity_ = wanted;
      }
      return {.data = memory_, .count = count, .width = width, .stride = stride};
    }

   private:
    Backend& backend_;
    const int64_t& least_;
    float* memory_ = nullptr;
    int64_t capacity_ = 0;
  };
  explicit Buffers(Backend& b)
      : hidden(b, least_rows),
        normed(b, least_rows),
        delta(b, least_rows),
        branch(b, least_rows),
        qkv(b, least_rows),
        mixed(b, least_rows),
        wide(b, least_rows),
        inner(b, least_rows),
        latent(b, least_rows),
        expanded(b, least_rows),
        scores(b, least_rows),
        needed(b, least_rows) {}
  int64_t least_rows = 0;  // that a buffer holds from the first on
  // On the host.
  std::vector<int32_t> positions, expert_ids;
  std::vector<float> expert_weights;
  std::vector<Segment> kept;
  Step made_up;
  std::vector<SampleRule> rules;
  std::vector<int32_t> drawn;

  Buffer hidden, normed, delta, branch, qkv, mixed, wide, inner, latent, expanded, scores, needed;
};

}  // namespace keju
