// SPDX-License-Identifier: MIT
// Whole generations with decode steps as graphs: the answers of steps launched one by one, for
// every kind of attention and position, on one card and with layers on two.
#include <gmock/gmock.h>

#include <numeric>

#include "base/error.h"
#include "engine/local_model.h"
#include "tests/simt/cuda_test.h"
#include "tests/support/require.h"
#include "tests/support/toy_tokenizer.h"

namespace keju::cuda {
namespace {

constexpr int64_t kLive = 3;

struct Generated {
  std::vector<std::vector<TokenId>> ids;  // by request
  Json facts;
  int64_t replayed = 0;                // of all cards
  std::vector<int64_t> replayed_each;  // by card
  int64_t launched = 0;                // outside of graphs
};

// Prompts of different lengths, two of them with a page in common; some end early, and others take
// their place. One is sampled.
std::vector<Request> requests(int64_t most_tokens) {
  std::vector<Request> all;
  for (uint64_t i = 0; i < 5; ++i) {
    GenerateRequest generate;
    std::vector<TokenId> ids(i < 2 ? 66 : 3 + 20 * i, 7);
    ids.back() = static_cast<TokenId>(20 + i);
    generate.prompt.add_prefix = false;
    generate.prompt.pieces = {{"", ParseSpecial::kNo, ids}};
    generate.max_tokens = most_tokens - static_cast<int64_t>(3 * i);
    generate.ignore_eos = true;
    generate.temperature = i == 3 ? 0.9 : 0;
    Request request;
    request.id = i;
    request.group = request.key = "g";
    request.what = std::move(generate);
    all.push_back(std::move(request));
  }
  return all;
}

Generated generate(
    const std::string& name, bool exact, bool graphs, int64_t tokens, size_t cards = 1) {
  Generated out;
  std::vector<std::unique_ptr<Card>> all;
  LocalModelParts parts;
  for (size_t i = 0; i < cards; ++i) {
    all.push_back(std::make_unique<Card>(exact, FakeRuntime::Settings{}, graphs));
    if (i == 0) {
      parts.backend = all[0]->backend.get();
    } else {
      parts.others.push_back(all[i]->backend.get());
    }
  }
  parts.spread = Spread::kLayers;
  parts.checkpoint = Checkpoint::open((shared_dir() / "fixtures/models" / name).string());
  parts.tokenizer = make_toy_tokenizer();
  parts.options = {.step_rows = 64, .live_sequences = kLive, .kv_pages = 320};
  const auto model = LocalModel::create(std::move(parts));
  out.facts = model->facts().details;
  VectorSource source(requests(tokens));
  const auto session = model->start(source);
  out.ids.resize(requests(tokens).size());
  while (const auto response = session->next()) {
    EXPECT_EQ(response->error, "");
    out.ids.at(response->id) = std::get<GenerateResult>(response->what).ids;
  }
  for (const auto& card : all) {
    out.replayed_each.push_back(card->record->calls["replay"]);
    out.replayed += out.replayed_each.back();
    for (const auto& [kernel, count] : card->record->kernels) out.launched += count;
  }
  return out;
}

class GraphRuns : public testing::TestWithParam<const char*> {};

TEST_P(GraphRuns, GiveTheAnswersOfStepsLaunchedOneByOne) {
  KEJU_NEED(shared);
  for (const bool exact : {false, true}) {
    const Generated plain = generate(GetParam(), exact, false, 24);
    const Generated graphs = generate(GetParam(), exact, true, 24);
    EXPECT_EQ(graphs.ids, plain.ids);
    for (const auto& ids : graphs.ids) EXPECT_GT(ids.size(), 10u);
    EXPECT_EQ(plain.facts.at("graphs"), "off");
    EXPECT_EQ(graphs.facts.at("graphs"), "on");
    EXPECT_EQ(plain.replayed, 0);
    EXPECT_GT(graphs.replayed, 15);
    EXPECT_LT(graphs.launched, plain.launched);
  }
}

// Grouped heads, learned positions, ALiBi, windows, latent attention, sinks and soft caps, tables
// by length of the text.
INSTANTIATE_TEST_SUITE_P(Models,
                         GraphRuns,
                         testing::Values("llama",
                                         "gpt2",
                                         "bloom-alibi",
                                         "mistral-sliding",
                                         "gemma2",
                                         "minicpm3-mla",
                                         "llama-dynamic-ntk"),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(GraphsOfStages, AreOneForEachCard) {
  KEJU_NEED(shared);
  for (const char* name : {"llama", "gpt2"}) {
    const Generated plain = generate(name, false, false, 24);
    const Generated graphs = generate(name, false, true, 24, 2);
    EXPECT_EQ(graphs.ids, plain.ids);
    ASSERT_EQ(graphs.replayed_each.size(), 2u);
    EXPECT_GT(graphs.replayed_each[0], 15);
    EXPECT_EQ(graphs.replayed_each[0], graphs.replayed_each[1]);
  }
}

TEST(GraphsOfExperts, ThereAreNoneAndTheFactsSaySo) {
  KEJU_NEED(shared);
  const Generated plain = generate("mixtral", false, false, 16);
  const Generated graphs = generate("mixtral", false, true, 16);
  EXPECT_EQ(graphs.ids, plain.ids);
  EXPECT_EQ(graphs.replayed, 0);
  EXPECT_EQ(graphs.facts.at("graphs"), "none: experts are routed on the host");
  EXPECT_EQ(plain.facts.at("graphs"), "off");
}

}  // namespace
}  // namespace keju::cuda
