// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/json.h"
#include "kernels/cpu/cpu_backend.h"
#include "model/model.h"

namespace keju {

// The levels of exact mode; the others are of fast mode's.
inline std::vector<std::string> exact_levels() {
  std::vector<std::string> levels = cpu_isa_levels();
  std::erase_if(levels, [](const std::string& isa) { return isa.find('_') != std::string::npos; });
  return levels;
}

// A checkpoint on the CPU, run one text at a time.
class RunModel {
 public:
  explicit RunModel(const std::string& path, const std::string& isa = "plain")
      : backend_(make_cpu_backend({.threads = 1, .isa = isa, .mode = NumericMode::kExact})),
        model_(Model::load(Checkpoint::open(path), *backend_)) {}

  const Descriptor& descriptor() const { return model_->descriptor(); }

  // The logits after every token, [T, V].
  std::vector<float> logits(const std::vector<int32_t>& ids) {
    std::vector<int32_t> rows(ids.size());
    std::iota(rows.begin(), rows.end(), 0);
    return logits(ids, rows, static_cast<int32_t>(ids.size()));
  }

  // The logits after the tokens at `rows`, ascending, the text being run in steps of so many.
  std::vector<float> logits(const std::vector<int32_t>& ids,
                            const std::vector<int32_t>& rows,
                            int32_t step_rows) {
    const auto count = static_cast<int32_t>(ids.size());
    std::vector<int32_t> pages(static_cast<size_t>(count / kPagePositions + 1));
    std::iota(pages.begin(), pages.end(), 0);
    const auto kv = model_->make_kv_pages(static_cast<int64_t>(pages.size()));
    const auto vocab = static_cast<size_t>(descriptor().vocab);
    std::vector<float> all(rows.size() * vocab);
    size_t done = 0;
    for (int32_t begin = 0; begin < count; begin += step_rows) {
      const int32_t end = std::min(count, begin + step_rows);
      Step step;
      step.ids.assign(ids.begin() + begin, ids.begin() + end);
      step.segments = {{.row0 = 0, .rows = end - begin, .pos0 = begin, .pages = pages.data()}};
      for (const int32_t row : rows) {
        if (row >= begin && row < end) step.needed.push_back(row - begin);
      }
      step.regime = descriptor().rope_regime(count);
      const Rows hidden = model_->forward(step, *kv);
      if (hidden.count > 0) model_->logits(hidden, all.data() + done * vocab);
      done += static_cast<size_t>(hidden.count);
    }
    EXPECT_EQ(done, rows.size());
    return all;
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
};

// ln p of `id` among the `vocab` logits at `row`.
inline double log_prob(const float* row, int64_t vocab, int32_t id) {
  double most = static_cast<double>(row[0]);
  for (int64_t v = 1; v < vocab; ++v) most = std::max(most, static_cast<double>(row[v]));
  double sum = 0;
  for (int64_t v = 0; v < vocab; ++v) sum += std::exp(static_cast<double>(row[v]) - most);
  return static_cast<double>(row[id]) - most - std::log(sum);
}

struct Distance {
  double logit = 0;
  double logprob = 0;
};

// How far the model is from the cases of an expected.json. A NaN is infinitely far.
inline Distance distance(RunModel& model, const Json& expected) {
  Distance worst;
  const auto widen = [](double& most, double difference) {
    if (!(std::fabs(difference) <= most))
      most = std::isnan(difference) ? INFINITY : std::fabs(difference);
  };
  const int64_t vocab = model.descriptor().vocab;
  for (const Json& test : expected["cases"]) {
    const auto ids = test["ids"].get<std::vector<int32_t>>();
    const std::vector<float> logits = model.logits(ids);
    for (size_t i = 1; i < ids.size(); ++i) {
      const double wanted = test["token_logprobs"][i].get<double>();
      widen(worst.logprob, log_prob(&logits[(i - 1) * vocab], vocab, ids[i]) - wanted);
    }
    const auto last = test["last_logits"].get<std::vector<double>>();
    EXPECT_EQ(static_cast<int64_t>(last.size()), vocab);
    for (size_t v = 0; v < last.size(); ++v) {
      widen(worst.logit, static_cast<double>(logits[(ids.size() - 1) * vocab + v]) - last[v]);
    }
  }
  return worst;
}

// Names of the entries of a folder with `ending`, sorted; one name that is none where it is empty,
// so that a parametrised test cannot vanish.
inline std::vector<std::string> names_in(const std::filesystem::path& folder,
                                         const std::string& ending) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(ending)) names.push_back(name.substr(0, name.size() - ending.size()));
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) names.push_back("no_such_fixture");
  return names;
}

inline std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

}  // namespace keju
