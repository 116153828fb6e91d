// SPDX-License-Identifier: MIT
// Decode steps as graphs: the bits of steps launched one by one, whatever joins, leaves, grows or
// moves in between, and next to nothing launched outside of them.
#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "base/error.h"
#include "tests/simt/cuda_test.h"

namespace keju::cuda {
namespace {

TEST(Index, SizesOfStepsAreMadeUpToPowersOfTwoAndTheirMeans) {
  const std::vector<int64_t> wanted = {
      1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768};
  for (int64_t n = 1; n <= 768; ++n)
    ASSERT_EQ(made_up(n), *std::lower_bound(wanted.begin(), wanted.end(), n)) << n;
}

// What the tests below stand on: a graph keeps the arguments of its time, and refuses what a card
// does.
TEST(Captures, AreDoneWhenReplayedWithTheArgumentsOfTheirTime) {
  const auto record = std::make_shared<FakeRuntime::Record>();
  FakeRuntime runtime({}, record);
  Memory memory(runtime, 2 * 4 * sizeof(float));
  runtime.set_zero(memory.data(), memory.bytes());
  float* const sum = reinterpret_cast<float*>(memory.data());
  float* const delta = sum + 4;
  Rows h{sum, 1, 4, 4};
  float alpha = 2;
  runtime.begin_capture();
  cuda::add(runtime.stream(), h, {delta, 1, 4, 4}, alpha);
  runtime.check("add");
  EXPECT_THROW(runtime.copy_to_host(&alpha, sum, 4), Error);
  EXPECT_THROW(runtime.copy_to_device(sum, &alpha, 4, Stream::kCompute), Error);
  EXPECT_THROW(runtime.record(Stream::kCompute), Error);
  EXPECT_THROW(Memory(runtime, 4), Error);
  const Graph graph = runtime.end_capture();
  alpha = 100;
  h.data = delta;
  EXPECT_EQ(sum[3], 0);
  for (const auto& [now, wanted] : std::vector<std::pair<float, float>>{{1, 2}, {10, 22}}) {
    std::fill_n(delta, 4, now);
    runtime.replay(graph);
    EXPECT_EQ(sum[3], wanted);
  }
  EXPECT_TRUE(record->kernels.empty());
  runtime.begin_capture();
  runtime.abandon_capture();
  cuda::add(runtime.stream(), {sum, 1, 4, 4}, {delta, 1, 4, 4}, 1);
  runtime.check("add");
  EXPECT_EQ(sum[3], 32);
  runtime.drop_graph(graph);
  EXPECT_EQ(record->graphs_now, 0);
}

constexpr int64_t kHeads = 2, kSize = 64, kWidth = 64, kVocab = 1030, kMostRows = 32;

// A text: how many leading positions it shares with the first one (whole pages), and how long it is
// before anything is generated.
struct Text {
  int64_t shared = 0;
  int64_t positions = 0;
};

// What a step says of its texts: the token that each goes on with, and the row that it came from.
struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> rows;  // [texts][kWidth]
};

// One layer of attention between an embedding and a head, asked for steps as a model would be.
class Layer {
 public:
  Layer(const std::vector<Text>& texts, bool exact, bool graphs)
      : card_(exact, {}, graphs),
        embedding_(matrix(kVocab, kWidth, 1)),
        places_(matrix(2048, kWidth, 2)),
        qkv_(matrix((kHeads + 2) * kSize, kWidth, 3)),
        o_(matrix(kWidth, kHeads * kSize, 4)),
        vocabulary_(matrix(kVocab, kWidth, 5)),
        kv_(card_.be().make_kv_pages(kv_shape(1, kSize, kSize), 96)) {
    Draw draw(6);
    cos_ = card_.be().make_vector(draw.floats(2048 * kSize / 2));
    sin_ = card_.be().make_vector(draw.floats(2048 * kSize / 2));
    move();
    for (const Text& text : texts) add(text);
  }
  ~Layer() { give_back(); }
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  // One token more for each of these texts; of every second one the best, of the others drawn.
  Answer step(const std::vector<size_t>& some, int64_t window = 0) {
    const auto rows =
        static_cast<size_t>(card_.be().decode_rows(static_cast<int64_t>(some.size())));
    std::vector<int32_t> ids, positions, needed(rows);
    std::vector<Segment> segments;
    std::vector<SampleRule> rules;
    for (const size_t t : some) {
      Path& path = paths_[t];
      while (static_cast<int64_t>(path.pages.size()) * kPage <= path.length)
        path.pages.push_back(next_page_++);
      segments.push_back({static_cast<int32_t>(ids.size()),
                          1,
                          static_cast<int32_t>(path.length),
                          path.pages.data(),
                          true});
      rules.push_back({.row = static_cast<int32_t>(ids.size()),
                       .temperature = t % 2 == 0 ? 0 : 0.7,
                       .top_p = 0.9,
                       .draw = uniform(kernel_test::kSeed, t, static_cast<uint64_t>(path.length))});
      ids.push_back(path.last);
      positions.push_back(static_cast<int32_t>(path.length++));
    }
    ids.resize(rows, 0);
    positions.resize(rows, 0);
    std::iota(needed.begin(), needed.end(), 0);
    while (rules.size() < rows) rules.push_back({.row = static_cast<int32_t>(rules.size())});
    std::vector<int32_t> drawn(rows, -1);
    card_.be().decode({.owner = this,
                       .kv = kv_.get(),
                       .variant = window,
                       .rows = static_cast<int64_t>(rows),
                       .heads_per_key = kHeads,
                       .segments = segments,
                       .lists = {ids, positions, needed},
                       .rules = rules,
                       .drawn = drawn,
                       .vocabulary = kVocab},
                      [&] {
                        const Rows last = ops(segments, window, ids, positions, needed);
                        card_.be().sample(last, *vocabulary_, {.scale = 0.3f}, rules, drawn);
                      });
    drawn.resize(some.size());
    Answer answer{drawn, std::vector<float>(some.size() * kWidth)};
    for (size_t i = 0; i < some.size(); ++i) paths_[some[i]].last = drawn[i];
    const auto elements = static_cast<int64_t>(answer.rows.size());
    card_.be().download(gathered_.data, elements, answer.rows.data());
    return answer;
  }

  // Activations to other memory.
  void move() {
    give_back();
    hidden_ = rows(kWidth);
    normed_ = rows(kWidth);
    projected_ = rows((kHeads + 2) * kSize);
    mixed_ = rows(kHeads * kSize);
    gathered_ = rows(kWidth);
  }
  void grow() { card_.be().grow_kv_pages(*kv_, kv_->pages + 1); }
  // A step of prompt rows in between, on the same memory.
  void prompt(int64_t positions) { add({0, positions}); }

  const FakeRuntime::Record& record() const { return *card_.record; }

 private:
  struct Path {
    std::vector<int32_t> pages;
    int64_t length = 0;
    int32_t last = 0;
  };

  std::unique_ptr<Matrix> matrix(int64_t rows, int64_t cols, uint64_t stream) {
    return card_.be().make_matrix(random_matrix(DType::kBF16, rows, cols, stream).source());
  }
  Rows rows(int64_t width) {
    return {card_.be().allocate(kMostRows * width), kMostRows, width, width};
  }
  void give_back() {
    for (Rows* r : {&hidden_, &normed_, &projected_, &mixed_, &gathered_})
      card_.be().release(std::exchange(r->data, nullptr));
  }
  static Rows first(Rows all, size_t count) {
    all.count = static_cast<int64_t>(count);
    return all;
  }

  Rows ops(std::span<const Segment> segments,
           int64_t window,
           std::span<const int32_t> ids,
           std::span<const int32_t> positions,
           std::span<const int32_t> needed) {
    CudaBackend& be = card_.be();
    const Rows h = first(hidden_, ids.size()), x = first(normed_, ids.size());
    const Rows p = first(projected_, ids.size()), m = first(mixed_, ids.size());
    be.embed(*embedding_, ids, 1, h);
    be.add_rows(*places_, positions, h);
    be.norm(h, {}, x);
    be.linear(x, *qkv_, nullptr, false, p);
    const auto heads = [&](int64_t from, int64_t count) {
      return Heads{p.data + from * kSize, count, kSize, p.stride, kSize};
    };
    QkvSpec spec;
    spec.rope_dim = kSize;
    spec.rope_cos = cos_.get();
    spec.rope_sin = sin_.get();
    const Heads q = heads(0, kHeads);
    be.qkv_post(q, heads(kHeads, 1), {}, heads(kHeads + 1, 1), spec, segments, 0, *kv_);
    be.attention(q, *kv_, {.scale = 0.1f, .window = window}, segments, m);
    be.linear(m, *o_, nullptr, true, h);
    const Rows out = first(gathered_, needed.size());
    be.gather(h, needed, out);
    return out;
  }

  // Its own keys and values are written at once, as a prompt's.
  void add(const Text& text) {
    Path path;
    path.length = text.positions;
    path.last = static_cast<int32_t>(paths_.size());
    for (int64_t p = 0; p * kPage < text.positions; ++p) {
      path.pages.push_back(p * kPage < text.shared ? paths_[0].pages[static_cast<size_t>(p)]
                                                   : next_page_++);
    }
    const int64_t own = text.positions - text.shared;
    const uint64_t stream = 100 + 3 * paths_.size();
    Array q(own, kHeads * kSize);
    for (int64_t t = 0; t < own; ++t) std::fill_n(&q.at(t, 0), q.width(), 0.0f);
    Array k = Array::random(own, kSize, stream), v = Array::random(own, kSize, stream + 1);
    const Segment segment{
        0, static_cast<int32_t>(own), static_cast<int32_t>(text.shared), path.pages.data(), false};
    card_.be().qkv_post(
        q.heads(kHeads), k.heads(1), {}, v.heads(1), {}, std::vector{segment}, 0, *kv_);
    paths_.push_back(std::move(path));
  }

  Card card_;
  std::unique_ptr<Matrix> embedding_, places_, qkv_, o_, vocabulary_;
  std::unique_ptr<KvPages> kv_;
  std::unique_ptr<Vector> cos_, sin_;
  Rows hidden_, normed_, projected_, mixed_, gathered_;
  std::vector<Path> paths_;
  int32_t next_page_ = 0;
};

// Two splits in common and nothing, borders of pages and splits within the next dozen tokens.
const std::vector<Text> kTexts = {{0, 1020}, {960, 1018}, {0, 60}, {0, 508}, {512, 575}, {0, 3}};

int64_t count_of(const std::map<std::string, int64_t>& calls, const std::string& kind) {
  const auto at = calls.find(kind);
  return at == calls.end() ? 0 : at->second;
}

void expect_same(const Answer& got, const Answer& want) {
  EXPECT_EQ(got.tokens, want.tokens);
  EXPECT_TRUE(same_bits(got.rows, want.rows));
  for (const float value : got.rows) ASSERT_TRUE(std::isfinite(value));
  for (const int32_t token : got.tokens) ASSERT_TRUE(token >= 0 && token < kVocab);
}

using Play = std::function<void(Layer&, const std::function<void(Answer)>&)>;

// Plays twice, with graphs and without, and expects the same. Returns how many were replayed.
int64_t expect_same_play(const Play& play, bool exact = false) {
  std::vector<Answer> want;
  Layer plain(kTexts, exact, false);
  play(plain, [&](Answer answer) { want.push_back(std::move(answer)); });
  EXPECT_EQ(count_of(plain.record().calls, "replay"), 0);
  Layer graphs(kTexts, exact, true);
  size_t at = 0;
  play(graphs, [&](const Answer& answer) {
    SCOPED_TRACE(at);
    expect_same(answer, want.at(at++));
  });
  EXPECT_EQ(at, want.size());
  return count_of(graphs.record().calls, "replay");
}

TEST(Graphs, GrowingTextsAcrossPagesAndSplitsHaveTheSameBits) {
  for (const bool exact : {false, true}) {
    const int64_t replayed = expect_same_play(
        [](Layer& layer, const auto& take) {
          for (int i = 0; i < 10; ++i) take(layer.step({0, 1, 2, 3, 4}));
        },
        exact);
    EXPECT_GE(replayed, 5);
  }
}

TEST(Graphs, TextsThatJoinAndLeaveHaveTheSameBits) {
  const int64_t replayed = expect_same_play([](Layer& layer, const auto& take) {
    const std::vector<std::vector<size_t>> who = {{0, 1, 2},
                                                  {0, 1, 2},
                                                  {0, 1, 2},
                                                  {0, 1, 2, 5},
                                                  {5, 4, 3},
                                                  {2, 3},
                                                  {2, 5},
                                                  {3, 5},
                                                  {5},
                                                  {5},
                                                  {1},
                                                  {1, 3, 5},
                                                  {0, 4, 5}};
    for (const auto& some : who) take(layer.step(some));
  });
  EXPECT_GE(replayed, 5);
}

TEST(Graphs, WindowsHaveTheSameBits) {
  const int64_t replayed = expect_same_play([](Layer& layer, const auto& take) {
    for (int i = 0; i < 8; ++i) take(layer.step({0, 2, 3, 4}, 70));
  });
  EXPECT_GE(replayed, 4);
}

TEST(Graphs, KindsOfStepsAreKeptApart) {
  const int64_t replayed = expect_same_play([](Layer& layer, const auto& take) {
    for (int i = 0; i < 10; ++i) take(layer.step({2, 3}, i % 2 == 0 ? 0 : 20));
  });
  EXPECT_GE(replayed, 4);
}

TEST(Graphs, DoNotOutliveTheMemoryThatTheyPointTo) {
  const int64_t replayed = expect_same_play([](Layer& layer, const auto& take) {
    for (int i = 0; i < 12; ++i) {
      if (i == 4) layer.move();
      if (i == 8) layer.grow();
      take(layer.step({2, 3, 5}));
    }
  });
  EXPECT_GE(replayed, 6);
}

TEST(Graphs, PromptsInBetweenChangeNothing) {
  const int64_t replayed = expect_same_play([](Layer& layer, const auto& take) {
    for (int i = 0; i < 9; ++i) {
      if (i % 3 == 2) layer.prompt(40 + i);
      take(layer.step({2, 3, 5}));
    }
  });
  EXPECT_GE(replayed, 3);
}

TEST(Graphs, OfMoreShapesThanAreKeptHaveTheSameBitsAndLeaveNothingBehind) {
  Layer plain(kTexts, false, false);
  Layer graphs(kTexts, false, true);
  for (int round = 0; round < 4; ++round) {
    for (int64_t window = 1; window <= 60; window += 2) {
      if (round == 3) window += 30;  // more than are kept
      expect_same(graphs.step({5}, window), plain.step({5}, window));
    }
  }
  EXPECT_LE(graphs.record().graphs_now, 48);
  EXPECT_GT(graphs.record().graphs_now, 20);
}

TEST(Graphs, ASteadyStepIsOneReplayAndOneCopyEachWay) {
  Layer layer(kTexts, false, true);
  for (int i = 0; i < 3; ++i) layer.step({2, 4, 5});
  const FakeRuntime::Record before = layer.record();
  for (int i = 0; i < 3; ++i) layer.step({2, 4, 5});
  const FakeRuntime::Record& after = layer.record();
  EXPECT_EQ(after.kernels, before.kernels) << "launched outside of the graph";
  EXPECT_EQ(count_of(after.calls, "gemm"), count_of(before.calls, "gemm"));
  EXPECT_EQ(count_of(after.calls, "replay"), count_of(before.calls, "replay") + 3);
  EXPECT_EQ(count_of(after.calls, "capture"), count_of(before.calls, "capture"));
  // The frame, the tokens, and the rows that this test looks at.
  EXPECT_EQ(count_of(after.calls, "copy"), count_of(before.calls, "copy") + 9);
}

TEST(Graphs, RefuseWhatAStepMayNotDo) {
  Layer layer(kTexts, false, true);
  Card card(false);
  const auto matrix = card.be().make_matrix(random_matrix(DType::kBF16, 40, 64, 3).source());
  Array x(1, 64), out(1, 64);
  const std::vector<int32_t> named = {0}, other = {0};
  const std::vector<int32_t> pages = {0};
  const std::vector<Segment> segments = {{0, 1, 0, pages.data(), true}};
  const auto kv = card.be().make_kv_pages(kv_shape(1, 64, 64), 2);
  const auto decode = [&](const Backend::StepOps& ops) {
    card.be().decode(
        {.owner = &card, .kv = kv.get(), .rows = 1, .segments = segments, .lists = {named, {}, {}}},
        ops);
  };
  EXPECT_NO_THROW(decode([&] { card.be().embed(*matrix, named, 1, out.rows()); }));
  EXPECT_THROW(decode([&] { card.be().embed(*matrix, other, 1, out.rows()); }), Error);
  std::vector<int32_t> ids(1);
  std::vector<float> weights(1);
  EXPECT_THROW(
      decode([&] { card.be().route(x.rows(), {.experts = 64, .chosen = 1}, ids, weights); }),
      Error);
  const std::vector<SampleRule> rules(1);
  EXPECT_THROW(decode([&] { card.be().sample(out.rows(), *matrix, {}, rules, ids); }), Error);
}

// Every call that a generation makes of the card, failing once: one line, nothing left behind.
TEST(Graphs, FailuresEndInOneLineAndLeaveNoMemory) {
  const auto work = [](Card& card) {
    const auto table = card.be().make_matrix(random_matrix(DType::kBF16, 40, 64, 3).source());
    const auto kv = card.be().make_kv_pages(kv_shape(1, 64, 64), 2);
    Array h(2, 64);
    const std::vector<int32_t> pages = {0};
    for (int32_t i = 0; i < 4; ++i) {
      const std::vector<int32_t> ids = {i};
      const std::vector<Segment> segments = {{0, 1, i, pages.data(), true}};
      const std::vector<SampleRule> rules(1);
      std::vector<int32_t> drawn(1, -1);
      card.be().decode({.owner = &card,
                        .kv = kv.get(),
                        .rows = 1,
                        .segments = segments,
                        .lists = {ids, {}, {}},
                        .rules = rules,
                        .drawn = drawn,
                        .vocabulary = table->rows},
                       [&] {
                         card.be().embed(*table, ids, 1, h.rows(0, 1));
                         card.be().sample(h.rows(0, 1), *table, {}, rules, drawn);
                       });
      ASSERT_GE(drawn[0], 0);
    }
  };
  Card sound(false);
  work(sound);
  const std::map<std::string, int64_t> calls = sound.record->calls;
  for (const char* kind : {"capture", "instantiate", "replay"}) ASSERT_GT(count_of(calls, kind), 0);
  for (const auto& [kind, count] : calls) {
    for (int64_t at = 1; at <= count; ++at) {
      SCOPED_TRACE(kind + " " + std::to_string(at));
      FakeRuntime::Settings settings;
      settings.fail_at[kind] = at;
      std::shared_ptr<FakeRuntime::Record> record;
      try {
        Card card(false, settings);
        record = card.record;
        work(card);
        ADD_FAILURE() << "did not fail";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kDevice);
        EXPECT_THAT(error.what(), testing::StartsWith("cuda: " + kind));
        EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
      }
      if (record == nullptr) continue;  // there was no card yet
      EXPECT_EQ(record->bytes_now, 0);
      EXPECT_EQ(record->pinned_now, 0);
      EXPECT_EQ(record->graphs_now, 0);
    }
  }
}

}  // namespace
}  // namespace keju::cuda
