// SPDX-License-Identifier: MIT
#include "engine/local_model.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/thread_pool.h"
#include "engine/parallel_session.h"
#include "engine/session.h"

namespace keju {
namespace {

// Checked before any weight is read.
int64_t context_of(const LocalModelParts& parts) {
  const Descriptor d = describe(family_of(*parts.checkpoint), *parts.checkpoint);
  const int64_t asked = parts.options.context_length;
  if (asked == 0) return d.context_length;
  const int64_t most = d.longest_context();
  if (asked < 0 || asked > most) {
    throw fail(Code::kUsage,
               "{}: context: found {}, need 1 to {}. The checkpoint states {} positions, and its "
               "position encoding is defined for {} of them",
               parts.name,
               asked,
               most,
               d.context_length,
               most);
  }
  return asked;
}

class Local : public LocalModel {
 public:
  explicit Local(LocalModelParts parts)
      : parts_(std::move(parts)),
        context_length_(context_of(parts_)),
        weights_digest_(digest_of(*parts_.checkpoint, parts_.backend->facts().threads)) {
    load();
    if (parts_.tokenizer != nullptr)
      encoder_ = std::make_unique<PromptEncoder>(*parts_.tokenizer, parts_.chat.get());
  }

  const Decoder& decoder() const override { return *copies_.front(); }

  ModelFacts facts() const override {
    const BackendFacts backend = parts_.backend->facts();
    ModelFacts facts;
    facts.name = parts_.name;
    facts.family = decoder().descriptor().family;
    facts.weights_digest = weights_digest_;
    facts.tokenizer_digest = parts_.tokenizer != nullptr ? parts_.tokenizer->digest() : "";
    facts.template_hash = parts_.chat != nullptr ? parts_.chat->hash() : "";
    facts.numeric_mode = backend.numeric_mode;
    facts.parameters = decoder().parameters();
    facts.weight_bytes = static_cast<int64_t>(parts_.checkpoint->weight_bytes());
    facts.context_length = context_length_;
    facts.details = {{"backend", backend.name},
                     {"device", backend.device},
                     {"isa", backend.isa},
                     {"threads", backend.threads},
                     {"step_rows", parts_.options.step_rows},
                     {"resident_weight_bytes", resident_bytes()},
                     {"tokenizer", parts_.tokenizer != nullptr ? parts_.tokenizer->kind() : ""}};
    if (!parts_.others.empty()) {
      facts.details["devices"] = 1 + parts_.others.size();
      facts.details["spread"] = parts_.spread == Spread::kCopies ? "copies" : "layers";
    }
    if (!backend.graphs.empty()) {
      facts.details["graphs"] = backend.graphs == "on" && !decoder().repeats_steps()
                                    ? "none: experts are routed on the host"
                                    : backend.graphs;
    }
    if (const auto& aside = decoder().descriptor().left_aside; !aside.empty())
      facts.details["left_aside"] = aside;
    return facts;
  }

  std::unique_ptr<Session> start(RequestSource& source) override {
    if (encoder_ == nullptr)
      throw fail(Code::kInput, "{}: tokenizer: found none, need one to read prompts", parts_.name);
    if (copies_.size() > 1) {
      return std::make_unique<ParallelSession>(
          copies_, *parts_.tokenizer, *encoder_, parts_.options, context_length_, source);
    }
    return std::make_unique<LocalSession>(
        *copies_.front(), *parts_.tokenizer, *encoder_, parts_.options, context_length_, source);
  }

  std::vector<TokenId> encode(const Prompt& prompt) const override {
    if (encoder_ == nullptr)
      throw fail(Code::kInput, "{}: tokenizer: found none, need one to read prompts", parts_.name);
    return encoder_->prompt(prompt);
  }

  SessionStats plan(RequestSource& source) override {
    if (encoder_ == nullptr)
      throw fail(Code::kInput, "{}: tokenizer: found none, need one to read prompts", parts_.name);
    LocalSession session(
        *copies_.front(), *parts_.tokenizer, *encoder_, parts_.options, context_length_, source);
    return session.plan_all();
  }

  double measure_prefill_tokens_per_s() override {
    const std::vector<TokenId> ids(
        std::min<int64_t>({parts_.options.step_rows, context_length_, 256}), 0);
    double best = 0;
    for (int i = 0; i < 2; ++i) {  // the first pass touches the weights for the first time
      const auto start = std::chrono::steady_clock::now();
      (void)token_logprobs(ids, nullptr);
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      best = std::max(best, static_cast<double>(ids.size()) / seconds);
    }
    return best;
  }

  std::vector<double> token_logprobs(const std::vector<TokenId>& ids,
                                     std::vector<float>* last_logits) override;

 private:
  // Before the weights are packed: hashing reads every page of the file, which then is dropped.
  static std::string digest_of(const Checkpoint& checkpoint, int threads) {
    ThreadPool pool(threads);
    std::string digest = checkpoint.digest(pool);
    for (const StoredTensor& tensor : checkpoint.tensors()) checkpoint.drop_pages(tensor);
    return digest;
  }

  void load() {
    std::vector<Backend*> all = {parts_.backend};
    all.insert(all.end(), parts_.others.begin(), parts_.others.end());
    for (const Backend* one : all) {
      KEJU_CHECK(one->facts().numeric_mode == parts_.backend->facts().numeric_mode,
                 "backends of one model have one numeric mode");
    }
    const size_t stages = parts_.spread == Spread::kLayers ? all.size() : 1;
    for (size_t i = 0; i < all.size(); i += stages) {
      copies_.push_back(std::make_unique<Decoder>(parts_.checkpoint,
                                                  std::span<Backend* const>(all).subspan(i, stages),
                                                  parts_.options.kv_pages));
      // Where memory is planned, it is taken before the first text.
      if (parts_.options.kv_pages > 0) {
        copies_.back()->reserve(
            parts_.options.step_rows, parts_.options.live_sequences, context_length_);
      }
    }
  }
  int64_t resident_bytes() const {
    int64_t bytes = 0;
    for (const auto& copy : copies_) bytes += copy->resident_bytes();
    return bytes;
  }

  LocalModelParts parts_;
  int64_t context_length_;
  std::string weights_digest_;
  std::vector<std::unique_ptr<Decoder>> copies_;
  std::unique_ptr<PromptEncoder> encoder_;
};

std::vector<double> Local::token_logprobs(const std::vector<TokenId>& ids,
                                          std::vector<float>* last_logits) {
  const auto total = static_cast<int64_t>(ids.size());
  if (total == 0) throw fail(Code::kInput, "ids: found none, need at least one");
  // Learned positions end at the context; rotary ones and ALiBi go on, as in the reference.
  Decoder& model = *copies_.front();
  const int64_t most = model.descriptor().learned_positions ? context_length_ : kMostPositions;
  if (total > most) throw fail(Code::kInput, "ids: found {}, need at most {}", total, most);
  const int64_t vocab = model.descriptor().vocab;
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab)
      throw fail(Code::kInput, "ids: found {}, need 0 to {}", id, vocab - 1);
  }
  std::vector<int32_t> pages;
  for (int32_t p = 0; p * kPagePositions < total; ++p) pages.push_back(p);
  const auto needed_pages = static_cast<int64_t>(pages.size());
  if (model.most_pages() > 0 && needed_pages > model.most_pages()) {
    throw fail(Code::kInput,
               "ids: found {}, need at most {}: the device's memory has room for no more",
               total,
               model.most_pages() * kPagePositions);
  }
  if (needed_pages > model.pages()) model.grow(needed_pages);
  std::vector<double> logprobs;
  for (int64_t at = 0; at < total; at += parts_.options.step_rows) {
    const int64_t end = std::min(total, at + parts_.options.step_rows);
    Step step;
    step.regime = model.descriptor().rope_regime(total);
    step.ids.assign(ids.begin() + at, ids.begin() + end);
    step.segments = {{.row0 = 0,
                      .rows = static_cast<int32_t>(end - at),
                      .pos0 = static_cast<int32_t>(at),
                      .pages = pages.data(),
                      .generated = false}};
    std::vector<std::vector<int32_t>> wanted;
    for (int64_t i = at; i < end; ++i) {
      step.needed.push_back(static_cast<int32_t>(i - at));
      wanted.push_back(i + 1 < total ? std::vector<int32_t>{ids[i + 1]} : std::vector<int32_t>{});
    }
    const Rows hidden = model.forward(step);
    const std::vector<HeadRow> rows = model.head(hidden, wanted);
    for (const HeadRow& row : rows) {
      if (!row.wanted.empty())
        logprobs.push_back(static_cast<double>(row.wanted[0]) - row.log_sum_exp);
    }
    if (end == total && last_logits != nullptr) {
      last_logits->resize(vocab);
      Rows last = hidden;
      last.data += (hidden.count - 1) * hidden.stride;
      last.count = 1;
      model.logits(last, last_logits->data());
    }
  }
  return logprobs;
}

}  // namespace

std::unique_ptr<LocalModel> LocalModel::create(LocalModelParts parts) {
  return std::make_unique<Local>(std::move(parts));
}

}  // namespace keju
