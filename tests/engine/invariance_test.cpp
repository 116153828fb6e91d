// SPDX-License-Identifier: MIT
// A score may not depend on how it was computed: step size, threads, ISA, order of requests and
// whether prefixes are shared change no bit.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>

#include "engine/local_model.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/require.h"
#include "tests/support/toy_tokenizer.h"

namespace keju {
namespace {

struct Setting {
  std::string isa;
  int threads;
  int64_t step_rows;
  uint32_t shuffle;  // 0: as given
  bool alone;        // one request per session: nothing is shared
  int64_t live = 16;
  int64_t window = int64_t{1} << 24;  // tokens
};

std::vector<Request> requests() {
  std::mt19937 random(3);
  const auto ids = [&](size_t count) {
    std::vector<TokenId> list(count);
    for (TokenId& id : list) id = static_cast<TokenId>(3 + random() % 150);
    return list;
  };
  const std::vector<TokenId> header = ids(70);  // past a page's border
  std::vector<Request> all;
  for (int i = 0; i < 12; ++i) {
    std::vector<TokenId> prompt = header;
    const auto own = ids(1 + random() % 90);
    prompt.insert(prompt.end(), own.begin(), own.end());
    Prompt p;
    p.add_prefix = false;
    p.pieces = {{"", ParseSpecial::kNo, prompt}};
    Request request;
    request.id = all.size();
    request.group = "g";
    request.key = "item" + std::to_string(i);
    if (i % 3 == 2) {
      GenerateRequest generate;
      generate.prompt = p;
      generate.max_tokens = 20;
      generate.temperature = i % 2 ? 0.8 : 0.0;
      generate.seed = 11;
      request.what = generate;
    } else {
      ScoreRequest score;
      score.prompt = p;
      score.continuations = {"ab", "cde", "b", "zzzz"};
      score.whole = i % 2 == 1;
      request.what = score;
    }
    all.push_back(request);
  }
  return all;
}

std::string bits(const Response& response) {
  std::string out = response.error;
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    for (const ContinuationScore& c : score->continuations) {
      out += fmt::format("{:x}/{:x}/{} ",
                         std::bit_cast<uint64_t>(c.logprob),
                         std::bit_cast<uint64_t>(c.whole_logprob),
                         c.greedy);
    }
  } else {
    for (const TokenId id : std::get<GenerateResult>(response.what).ids)
      out += std::to_string(id) + " ";
  }
  return out;
}

std::map<uint64_t, std::string> digests(const std::shared_ptr<const Checkpoint>& checkpoint,
                                        const Setting& setting) {
  const auto backend = make_cpu_backend(
      {.threads = setting.threads, .isa = setting.isa, .mode = NumericMode::kExact});
  LocalModelParts parts;
  parts.checkpoint = checkpoint;
  parts.tokenizer = make_toy_tokenizer();
  parts.backend = backend.get();
  parts.options.step_rows = setting.step_rows;
  parts.options.live_sequences = setting.live;
  parts.options.window_tokens = setting.window;
  const auto model = LocalModel::create(std::move(parts));
  std::vector<Request> all = requests();
  if (setting.shuffle != 0) std::shuffle(all.begin(), all.end(), std::mt19937(setting.shuffle));
  std::map<uint64_t, std::string> out;
  const auto drain = [&](std::vector<Request> some) {
    VectorSource source(std::move(some));
    const auto session = model->start(source);
    while (const auto response = session->next()) out[response->id] = bits(*response);
  };
  if (setting.alone) {
    for (Request& request : all) drain({request});
  } else {
    drain(std::move(all));
  }
  return out;
}

class Invariance : public testing::TestWithParam<std::string> {};

TEST_P(Invariance, NoSettingChangesABit) {
  KEJU_NEED(shared);
  const auto checkpoint =
      Checkpoint::open((shared_dir() / "fixtures/models" / GetParam()).string());
  const auto truth = digests(
      checkpoint, {.isa = "plain", .threads = 1, .step_rows = 512, .shuffle = 0, .alone = false});
  ASSERT_EQ(truth.size(), requests().size());
  for (const auto& [id, text] : truth) ASSERT_FALSE(text.empty()) << id;
  std::vector<Setting> settings;
  for (const std::string& isa : cpu_isa_levels()) {
    if (isa.find('_') != std::string::npos) continue;
    settings.push_back({.isa = isa, .threads = 2, .step_rows = 512, .shuffle = 0, .alone = false});
    settings.push_back({.isa = isa, .threads = 1, .step_rows = 64, .shuffle = 5, .alone = false});
    settings.push_back(
        {.isa = isa, .threads = 2, .step_rows = 17, .shuffle = 6, .alone = false, .live = 2});
    settings.push_back({.isa = isa, .threads = 2, .step_rows = 100, .shuffle = 0, .alone = true});
    settings.push_back(
        {.isa = isa, .threads = 2, .step_rows = 512, .shuffle = 7, .alone = false, .window = 1000});
  }
  for (const Setting& s : settings) {
    EXPECT_EQ(digests(checkpoint, s), truth)
        << s.isa << " threads " << s.threads << " step " << s.step_rows << " shuffle " << s.shuffle
        << " alone " << s.alone;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Invariance, testing::Values("llama", "qwen2", "gemma3"));

}  // namespace
}  // namespace keju
