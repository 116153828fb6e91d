// SPDX-License-Identifier: MIT
// Several backends under one model: copies that share the requests, and layers in stretches.
// Neither may change a bit of any answer.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <bit>
#include <map>
#include <random>

#include "base/error.h"
#include "engine/local_model.h"
#include "engine/shares.h"
#include "engine/trie.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/model/run_model.h"
#include "tests/support/require.h"
#include "tests/support/toy_tokenizer.h"

namespace keju {
namespace {

// The unique rows of some requests: what their trie computes.
int64_t unique_rows(const std::vector<RequestCost>& all, const std::vector<size_t>& some) {
  std::vector<Sequence> sequences;
  int64_t more = 0;
  for (const size_t i : some) {
    sequences.push_back({all[i].prompt, {}});
    more += all[i].more;
  }
  return Trie(sequences).unique_tokens() + more;
}

TEST(Shares, HoldEveryRequestOnceBalancedAndWithLittleComputedTwice) {
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    // Subjects with a header of their own each, questions of different lengths.
    std::vector<RequestCost> all;
    const int subjects = 1 + static_cast<int>(random() % 6);
    int64_t longest = 0;
    for (int s = 0; s < subjects; ++s) {
      std::vector<TokenId> header(50 + random() % 300, static_cast<TokenId>(s + 3));
      for (int q = 1 + static_cast<int>(random() % 60); q > 0; --q) {
        RequestCost one{header, static_cast<int64_t>(random() % 4)};
        for (size_t n = 1 + random() % 90; n > 0; --n)
          one.prompt.push_back(static_cast<TokenId>(10 + random() % 100));
        longest = std::max(longest, static_cast<int64_t>(one.prompt.size()) + one.more);
        all.push_back(std::move(one));
      }
    }
    std::shuffle(all.begin(), all.end(), random);
    std::vector<size_t> everything(all.size());
    std::iota(everything.begin(), everything.end(), size_t{0});
    const int64_t whole = unique_rows(all, everything);
    for (const int64_t count : {1, 2, 3, 7}) {
      const auto shares = deal_out(all, count);
      ASSERT_EQ(shares.size(), std::min<size_t>(static_cast<size_t>(count), all.size()));
      std::vector<size_t> seen;
      int64_t sum = 0;
      for (const auto& share : shares) {
        ASSERT_FALSE(share.empty());
        ASSERT_TRUE(std::is_sorted(share.begin(), share.end()));
        seen.insert(seen.end(), share.begin(), share.end());
        const int64_t own = unique_rows(all, share);
        sum += own;
        // Equal but for the slack at both borders, what stands on one border twice, and one
        // request.
        EXPECT_LE(own, whole / count + whole / (8 * count) + 3 * longest) << count;
      }
      std::sort(seen.begin(), seen.end());
      ASSERT_EQ(seen, everything);
      EXPECT_LE(sum, whole + (count - 1) * longest);  // one path of the trie per border
    }
  }
}

TEST(Shares, CutBetweenSubtreesWhereOneIsNear) {
  std::vector<RequestCost> all;
  for (int s = 0; s < 2; ++s) {
    for (int q = 0; q < 50 + s; ++q) {
      RequestCost one{std::vector<TokenId>(200, s), 0};
      one.prompt.insert(one.prompt.end(), 20, 100 + q);
      all.push_back(one);
    }
  }
  const auto shares = deal_out(all, 2);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(shares[0].size(), 50u);
  EXPECT_EQ(shares[1].size(), 51u);
}

std::vector<Request> requests() {
  std::mt19937 random(3);
  const auto ids = [&](size_t count) {
    std::vector<TokenId> list(count);
    for (TokenId& id : list) id = static_cast<TokenId>(3 + random() % 150);
    return list;
  };
  std::vector<Request> all;
  for (int group = 0; group < 3; ++group) {
    const std::vector<TokenId> header = ids(70);  // past a page's border
    for (int i = 0; i < 8; ++i) {
      Prompt p;
      p.add_prefix = false;
      p.pieces = {{"", ParseSpecial::kNo, header}, {"", ParseSpecial::kNo, ids(1 + random() % 40)}};
      Request request;
      request.id = all.size();
      request.group = fmt::format("g{}", group);
      request.key = fmt::format("item{}/{}", group, i);
      if (i % 4 == 3) {
        request.what = GenerateRequest{
            .prompt = p, .max_tokens = 12, .stop = {}, .temperature = 0.8, .seed = 11};
      } else if (i % 4 == 2) {
        request.what = RollingRequest{fmt::format("text {} of group {}", i, group)};
      } else {
        request.what = ScoreRequest{p, {"ab", "cde", "b"}};
      }
      all.push_back(request);
    }
  }
  Request bad;
  bad.id = all.size();
  bad.what = ScoreRequest{};  // no options: this request's own error
  all.push_back(bad);
  return all;
}

std::string bits(const Response& response) {
  std::string out = response.error;
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    for (const ContinuationScore& c : score->continuations)
      out += fmt::format("{:x}/{} ", std::bit_cast<uint64_t>(c.logprob), c.greedy);
  } else if (const auto* rolling = std::get_if<RollingResult>(&response.what)) {
    out += fmt::format("{:x}", std::bit_cast<uint64_t>(rolling->logprob));
  } else {
    for (const TokenId id : std::get<GenerateResult>(response.what).ids)
      out += fmt::format("{} ", id);
  }
  return out;
}

struct Devices {
  explicit Devices(int count) {
    for (int i = 0; i < count; ++i) all.push_back(make_cpu_backend({.threads = 1, .isa = "plain"}));
  }
  std::unique_ptr<LocalModel> model(const std::string& name,
                                    Spread spread,
                                    EngineOptions options = {}) const {
    LocalModelParts parts;
    parts.checkpoint = Checkpoint::open((shared_dir() / "fixtures/models" / name).string());
    parts.tokenizer = make_toy_tokenizer();
    parts.backend = all[0].get();
    for (size_t i = 1; i < all.size(); ++i) parts.others.push_back(all[i].get());
    parts.spread = spread;
    parts.options = options;
    return LocalModel::create(std::move(parts));
  }
  std::vector<std::unique_ptr<Backend>> all;
};

std::map<uint64_t, std::string> answers(LocalModel& model, SessionStats* stats = nullptr) {
  VectorSource source(requests());
  const auto session = model.start(source);
  std::map<uint64_t, std::string> out;
  while (const auto response = session->next()) {
    EXPECT_TRUE(out.emplace(response->id, bits(*response)).second) << "answered twice";
    EXPECT_LE(response->timing.begin_s, response->timing.end_s);
  }
  if (stats != nullptr) *stats = session->stats();
  return out;
}

TEST(Devices, CopiesAndLayersChangeNoBit) {
  KEJU_NEED(shared);
  for (const char* name : {"llama", "gemma3"}) {
    SessionStats alone;
    const auto truth = answers(*Devices(1).model(name, Spread::kCopies), &alone);
    ASSERT_EQ(truth.size(), requests().size());
    for (const Spread spread : {Spread::kCopies, Spread::kLayers}) {
      for (const int count : {2, 3}) {
        const Devices devices(count);
        if (spread == Spread::kLayers && count > 2) continue;  // the fixtures have two layers
        for (const int64_t window : {int64_t{1} << 15, int64_t{300}}) {
          SessionStats stats;
          const auto model =
              devices.model(name, spread, {.step_rows = 100, .window_least_tokens = window});
          EXPECT_EQ(answers(*model, &stats), truth) << name << " on " << count;
          EXPECT_EQ(stats.tokens_naive, alone.tokens_naive);
          EXPECT_EQ(stats.decode_tokens, alone.decode_tokens);
          EXPECT_EQ(stats.tokens_done, stats.tokens_planned);
        }
      }
    }
  }
}

// Asked whether to go on, says no from the `last`-th time.
class EndingSource : public VectorSource {
 public:
  EndingSource(std::vector<Request> requests, int last)
      : VectorSource(std::move(requests)), left_(last) {}
  bool cancelled() const override { return --left_ <= 0; }

 private:
  mutable std::atomic<int> left_;
};

// Nobody waits for the longest answer to be finished.
TEST(Devices, CancelledSessionsEndBetweenSteps) {
  KEJU_NEED(shared);
  for (const int count : {1, 2}) {
    const Devices devices(count);
    const auto model = devices.model("llama", Spread::kCopies, {.step_rows = 100});
    const auto truth = answers(*model);
    for (const int last : {1, 4}) {
      EndingSource source(requests(), last);
      const auto session = model->start(source);
      size_t found = 0;
      while (const auto response = session->next()) {
        EXPECT_EQ(bits(*response), truth.at(response->id));
        ++found;
      }
      EXPECT_LT(found, last == 1 ? 1 : truth.size()) << count << " devices, " << last;
    }
    EXPECT_EQ(answers(*model), truth) << "after a session that was left";
  }
}

class Layers : public testing::TestWithParam<std::string> {};

// Every family: learned positions, tied heads, MLA, experts, windows, ALiBi.
TEST_P(Layers, OnTwoDevicesGiveTheBitsOfOne) {
  KEJU_NEED(shared);
  const Devices one(1);
  const Devices two(2);
  const auto alone = one.model(GetParam(), Spread::kCopies);
  if (alone->decoder().descriptor().layers == 1) {
    EXPECT_THROW(two.model(GetParam(), Spread::kLayers), Error);
    return;
  }
  const auto split = two.model(GetParam(), Spread::kLayers, {.step_rows = 7});
  std::vector<TokenId> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(3 + i * 37 % 90);
  std::vector<float> logits, wanted;
  EXPECT_EQ(split->token_logprobs(ids, &logits), alone->token_logprobs(ids, &wanted));
  EXPECT_EQ(logits, wanted);
}

INSTANTIATE_TEST_SUITE_P(Models,
                         Layers,
                         testing::ValuesIn(names_in(shared_dir() / "fixtures/models", "")),
                         test_name);

TEST(Devices, MoreThanLayersAreRefused) {
  KEJU_NEED(shared);
  try {
    Devices(9).model("llama", Spread::kLayers);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage);
    EXPECT_THAT(error.what(), testing::StartsWith("devices: found 9 for "));
  }
}

}  // namespace
}  // namespace keju
