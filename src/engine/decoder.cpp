// SPDX-License-Identifier: MIT
#include "engine/decoder.h"

#include <algorithm>

#include "base/error.h"
#include "engine/planner.h"

namespace keju {
namespace {

constexpr int64_t kFirstPages = 64;

// Rows of the largest step. That of generations: the step that admits the last of `live` may begin
// others beside it.
int64_t most_rows(const Backend& backend, int64_t step_rows, int64_t live, bool generated) {
  if (!generated) return step_rows;
  return backend.decode_rows(live + std::min(step_rows, PlannerLimits{}.step_pages));
}

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

// A step of so many texts' rows at the last position of the context, each wanted; all in page 0.
Rows Decoder::run_last_rows(int64_t rows, int64_t context, bool generated) {
  const std::vector<int32_t> pages(static_cast<size_t>((context - 1) / kPagePositions + 1), 0);
  const auto count = static_cast<size_t>(rows);
  Step step;
  step.regime = descriptor().rope_regime(context);
  step.ids.assign(count, 0);
  std::vector<SampleRule> rules(count);
  for (int32_t r = 0; r < rows; ++r) {
    step.segments.push_back({.row0 = r,
                             .rows = 1,
                             .pos0 = static_cast<int32_t>(context) - 1,
                             .pages = pages.data(),
                             .generated = generated});
    step.needed.push_back(r);
    rules[static_cast<size_t>(r)].row = r;
  }
  const Rows hidden = forward(step);
  head(hidden, std::vector<std::vector<int32_t>>(count));
  std::vector<int32_t> drawn(count);
  sample(hidden, rules, drawn);
  return hidden;
}

void Decoder::rehearse(int64_t step_rows, int64_t live, int64_t context) {
  for (const bool generated : {false, true}) {
    const Backend& backend = stages_.front().model->backend();
    Rows hidden = run_last_rows(most_rows(backend, step_rows, live, generated), context, generated);
    hidden.count = 1;
    logits(hidden, nullptr);
  }
}

void Decoder::reserve(int64_t step_rows, int64_t live, int64_t context) {
  const Backend& backend = stages_.front().model->backend();
  const int64_t most = std::max(most_rows(backend, step_rows, live, false),
                                most_rows(backend, step_rows, live, true));
  for (Stage& stage : stages_) stage.model->reserve(most);
  for (const bool generated : {false, true}) run_last_rows(1, context, generated);
}

Rows Decoder::forward(const Step& step) {
  Rows rows = stages_.front().model->forward(step, *stages_.front().kv);
  for (size_t i = 1; i < stages_.size(); ++i) {
    travel(rows, *stages_[i - 1].model);
    rows = stages_[i].model->forward(step, *stages_[i].kv, travelling_);
  }
  return rows;
}

void Decoder::decode(const Step& step,
                     std::span<const SampleRule> rules,
                     std::span<int32_t> drawn) {
  Rows rows = stages_.front().model->decode(step, *stages_.front().kv, rules, drawn);
  for (size_t i = 1; i < stages_.size(); ++i) {
    travel(rows, *stages_[i - 1].model);
    rows = stages_[i].model->decode(step, *stages_[i].kv, rules, drawn, travelling_);
  }
}

// Rows of a stage to the host, on their way to the next.
void Decoder::travel(Rows rows, Model& from) {
  const int64_t elements = rows.count * rows.stride;
  travelling_.resize(static_cast<size_t>(elements));
  from.backend().download(rows.data, elements, travelling_.data());
}

bool Decoder::repeats_steps() const {
  return std::all_of(
      stages_.begin(), stages_.end(), [](const Stage& s) { return s.model->repeats_steps(); });
}

std::vector<HeadRow> Decoder::head(Rows hidden, std::span<const std::vector<int32_t>> wanted) {
  return stages_.back().model->head(hidden, wanted);
}

void Decoder::sample(Rows hidden, std::span<const SampleRule> rules, std::span<int32_t> ids) {
  stages_.back().model->sample(hidden, rules, ids);
}

void Decoder::logits(Rows hidden, float* host) { stages_.back().model->logits(hidden, host); }

}  // namespace keju
