// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/backend.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/sample.h"

namespace keju {

// max and Σ e^(x - max) of one tile of logits.
struct TileSum {
  float max = 0;
  float sum = 0;
};

inline constexpr int64_t kHeadTile = 1024;  // columns of the vocabulary that are reduced together
// Rows whose logits of one tile are held at a time: 96 · 1,024 floats stay in a core's L2 cache.
inline constexpr int64_t kHeadRows = 96;

// What the choice of experts works on: kept, so that a token takes no memory.
struct RouteScratch {
  std::vector<float> score, choice, chosen, group, group_score;
  std::vector<bool> open;
};

// A part of the logits: of rows [row0, row0 + rows) and columns [begin, end).
struct LogitTile {
  int64_t row0 = 0;
  int64_t rows = 0;
  int64_t begin = 0;
  int64_t end = 0;
  float* out = nullptr;  // of row r and column n at out[r·stride + n - begin]
  int64_t stride = 0;
  int worker = 0;
};

// What every CPU backend shares: memory, pages, routing, and the ops that are made of other ops.
class CpuBase : public Backend {
 public:
  CpuBase(int threads, BackendFacts facts);

  BackendFacts facts() const override { return facts_; }
  std::unique_ptr<Vector> make_vector(std::span<const float> values) override;
  std::unique_ptr<KvPages> make_kv_pages(const KvShape& shape, int64_t pages) override;
  void grow_kv_pages(KvPages& kv, int64_t pages) override;
  void copy_pages(KvPages& kv, int64_t layer, std::span<const PageCopy> copies) override;
  float* allocate(int64_t elements) override;
  void release(float* memory) override;
  void download(const float* device, int64_t elements, float* host) override;
  void upload(const float* host, int64_t elements, float* device) override;

  void zero(Rows x) override;
  void route(Rows logits,
             const RouteSpec& spec,
             std::span<int32_t> ids,
             std::span<float> weights) override;
  void experts(Rows x,
               std::span<const int32_t> ids,
               std::span<const float> weights,
               const ExpertWeights& experts,
               const GluSpec& glu,
               Rows out) override;
  void sigmoid_scale(Rows x, Rows gate) override;
  void gather(Rows x, std::span<const int32_t> rows, Rows out) override;
  std::vector<HeadRow> head(Rows x,
                            const Matrix& w,
                            const HeadSpec& spec,
                            std::span<const std::vector<int32_t>> wanted) override;
  void sample(Rows x,
              const Matrix& w,
              const HeadSpec& spec,
              std::span<const SampleRule> rules,
              std::span<int32_t> ids) override;
  void logits(Rows x, const Matrix& w, const HeadSpec& spec, float* host) override;

 protected:
  // Rows of x in the form that head_tile wants them; called once per head().
  virtual void prepare_head(Rows x, const Matrix& w) = 0;
  // The logits of a part, finished as HeadSpec says. Its columns lie in one tile of the vocabulary.
  // Called from the pool's threads.
  virtual void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) = 0;
  virtual TileSum tile_sum(const float* logits, int64_t count) = 0;
  // out[i] = sample_mass of logit i.
  virtual void masses(
      const float* logits, int64_t count, float best, double inverse, uint64_t* out);
  // row += alpha · from, fused.
  virtual void add_row(float* row, const float* from, float alpha, int64_t n) = 0;

  // job(begin, end, worker) over [0, count) in pieces of `grain`.
  template <typename Job>
  void in_parallel(int64_t count, int64_t grain, const Job& job) {
    const auto pieces = (count + grain - 1) / grain;
    struct Closure {
      const Job& job;
      int64_t count;
      int64_t grain;
    } closure{job, count, grain};
    // One captured reference: std::function then needs no memory of its own.
    pool_.run_with_worker(pieces, [&closure](int64_t i, int worker) {
      const int64_t begin = i * closure.grain;
      closure.job(begin, std::min(closure.count, begin + closure.grain), worker);
    });
  }

  ThreadPool& pool() { return pool_; }
  Scratch& worker_scratch(int worker) { return worker_scratch_[static_cast<size_t>(worker)]; }

 private:
  ThreadPool pool_;
  BackendFacts facts_;
  std::vector<Scratch> worker_scratch_;
  void sample_tiles(Rows x, const Matrix& w, const HeadSpec& spec, int64_t row0, int64_t rows);

  Scratch head_scratch_;
  SampleStep sample_step_;
  std::vector<SampleScratch> sample_scratch_;  // one per worker
  Scratch expert_scratch_;
  std::vector<int32_t> expert_rows_;
  std::vector<int32_t> expert_places_;
  RouteScratch route_scratch_;
};

// Σ over 16 lanes: halves fold onto each other, 8, 4, 2, 1.
float fold_lanes(const float (&lanes)[16]);

}  // namespace keju
