// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "engine/page_pool.h"
#include "kernels/backend.h"
#include "model/model.h"

namespace keju {

// Pages that one step may take beside those of the texts it continues.
int64_t most_step_pages(int64_t step_rows);

// A whole model as a session sees it: its layers on one backend, or in stretches on several, each
// with the keys and values of its own layers. Rows travel from one backend to the next as they are,
// so the number of backends changes no bit. Not thread-safe.
class Decoder : public PageStore {
 public:
  // Loads the weights. `most_pages`: KV pages that growth stops at; 0: none.
  // Errors: those of Model::load; Error(kUsage) for more backends than layers.
  Decoder(const std::shared_ptr<const Checkpoint>& checkpoint,
          std::span<Backend* const> backends,
          int64_t most_pages = 0);
  ~Decoder() override;

  const Descriptor& descriptor() const { return stages_.front().model->descriptor(); }
  int64_t parameters() const { return stages_.front().model->parameters(); }
  int64_t resident_bytes() const;
  // The first stretch of layers: all of them where there is one backend.
  const Model& first_stage() const { return *stages_.front().model; }

  // For work beside the backends', as many as the first one has; started at the first call, and
  // kept for all sessions to come.
  ThreadPool& threads();

  // The largest steps that a session takes: step_rows rows of as many texts at the context's end,
  // and as many generations as decode together. For backends that count what they are asked for.
  void rehearse(int64_t step_rows, int64_t live, int64_t context);

  // Takes the memory of the largest steps now, so that none is left to fail for it: buffers, tables
  // of positions, and whatever the backends take at a first step. Runs a step of one row, which
  // writes to page 0: call it before any text.
  void reserve(int64_t step_rows, int64_t live, int64_t context);

  // As Model's; the rows returned stand on the last backend.
  Rows forward(const Step& step);
  void decode(const Step& step, std::span<const SampleRule> rules, std::span<int32_t> drawn);
  bool repeats_steps() const;
  std::vector<HeadRow> head(Rows hidden, std::span<const std::vector<int32_t>> wanted);
  void sample(Rows hidden, std::span<const SampleRule> rules, std::span<int32_t> ids);
  void logits(Rows hidden, float* host);  // [R, V]

  int64_t pages() const override { return stages_.front().kv->pages; }
  int64_t page_bytes() const override;
  int64_t most_pages() const override { return most_pages_; }
  void grow(int64_t pages) override;

 private:
  struct Stage {
    std::unique_ptr<Model> model;
    std::unique_ptr<KvPages> kv;
  };
  void travel(Rows rows, Model& from);
  Rows run_last_rows(int64_t rows, int64_t context, bool generated);

  std::vector<Stage> stages_;
  std::vector<float> travelling_;  // rows between two stages
  int64_t most_pages_ = 0;
  std::unique_ptr<ThreadPool> threads_;
};

}  // namespace keju
