// SPDX-License-Identifier: MIT
#include "engine/decoder.h"

#include <algorithm>

#include "base/error.h"
#include "engine/planner.h"

namespace keju {
namespace {

constexpr int64_t kFirstPages = 64;

}  // namespace

int64_t most_step_pages(int64_t step_rows) {
  return PlannerLimits{}.step_pages + step_rows / kPagePositions + 2;
}

Decoder::Decoder(const std::shared_ptr<const Checkpoint>& checkpoint,
                 std::span<Backend* const> backends,
                 int64_t most_pages)
    : most_pages_(most_pages) {
  const int64_t layers = describe(family_of(*checkpoint), *checkpoint).layers;
  const auto count = static_cast<int64_t>(backends.size());
  if (count > layers)
    throw fail(
        Code::kUsage, "devices: found {} for {} layers, need at most one each", count, layers);
  const int64_t first_pages = most_pages > 0 ? most_pages : kFirstPages;
  for (int64_t i = 0; i < count; ++i) {
    Stage stage;
    stage.model = Model::load(checkpoint,
                              *backends[static_cast<size_t>(i)],
                              {.first = layers * i / count, .last = layers * (i + 1) / count});
    stage.kv = stage.model->make_kv_pages(first_pages);
    stages_.push_back(std::move(stage));
  }
}

Decoder::~Decoder() = default;

int64_t Decoder::resident_bytes() const {
  int64_t bytes = 0;
  for (const Stage& stage : stages_) bytes += stage.model->resident_bytes();
  return bytes;
}

ThreadPool& Decoder::threads() {
  if (threads_ == nullptr)
    threads_ =
        std::make_unique<ThreadPool>(std::max(1, stages_.front().model->backend().facts().threads));
  return *threads_;
}

int64_t Decoder::page_bytes() const {
  int64_t bytes = 0;
  for (const Stage& stage : stages_) bytes += stage.kv->page_bytes;
  return bytes;
}

void Decoder::grow(int64_t pages) {
  for (Stage& stage : stages_) stage.model->backend().grow_kv_pages(*stage.kv, pages);
}

void Decoder::rehearse(int64_t step_rows, int64_t live, int64_t context) {
  const std::vector<int32_t> pages(static_cast<size_t>((context - 1) / kPagePositions + 1), 0);
  for (const bool generated : {false, true}) {
    // The step that admits the last of `live` generations may begin others beside it.
    const auto rows = static_cast<int32_t>(
        generated ? live + std::min(step_rows, PlannerLimits{}.step_pages) : step_rows);
    Step step;
    step.regime = descriptor().rope_regime(context);
    step.ids.assign(static_cast<size_t>(rows), 0);
    for (int32_t r = 0; r < rows; ++r) {
      step.segments.push_back({.row0 = r,
                               .rows = 1,
                               .pos0 = static_cast<int32_t>(context) - 1,
                               .pages = pages.data(),
                               .generated = generated});
      step.needed.push_back(r);
    }
    Rows hidden = forward(step);
    head(hidden, std::vector<std::vector<int32_t>>(static_cast<size_t>(rows)));
    hidden.count = 1;
    logits(hidden, nullptr);
  }
}

Rows Decoder::forward(const Step& step) {
  Rows rows = stages_.front().model->forward(step, *stages_.front().kv);
  for (size_t i = 1; i < stages_.size(); ++i) {
    const int64_t elements = rows.count * rows.stride;
    travelling_.resize(static_cast<size_t>(elements));
    stages_[i - 1].model->backend().download(rows.data, elements, travelling_.data());
    rows = stages_[i].model->forward(step, *stages_[i].kv, travelling_);
  }
  return rows;
}

std::vector<HeadRow> Decoder::head(Rows hidden, std::span<const std::vector<int32_t>> wanted) {
  return stages_.back().model->head(hidden, wanted);
}

void Decoder::logits(Rows hidden, float* host) { stages_.back().model->logits(hidden, host); }

}  // namespace keju
