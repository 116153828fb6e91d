// SPDX-License-Identifier: MIT
// A whole run on cards that fail, once for every call that the run makes of them: one line of kind
// kDevice, every answered item kept, and the run goes on to the digest of one that met no failure.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "engine/local_model.h"
#include "run/runner.h"
#include "tests/simt/cuda_test.h"
#include "tests/support/fake_exam.h"
#include "tests/support/require.h"
#include "tests/support/temp_folder.h"
#include "tests/support/toy_tokenizer.h"

namespace keju::cuda {
namespace {

// Counts the answers that reached the runner.
class Counted : public LanguageModel {
 public:
  explicit Counted(LanguageModel& inner) : inner_(inner) {}
  ModelFacts facts() const override { return inner_.facts(); }
  std::vector<TokenId> encode(const Prompt& prompt) const override { return inner_.encode(prompt); }
  std::unique_ptr<Session> start(RequestSource& source) override {
    return std::make_unique<One>(*this, inner_.start(source));
  }
  int64_t answers = 0;

 private:
  class One : public Session {
   public:
    One(Counted& owner, std::unique_ptr<Session> inner) : owner_(owner), inner_(std::move(inner)) {}
    std::optional<Response> next() override {
      std::optional<Response> response = inner_->next();
      if (response) ++owner_.answers;
      return response;
    }
    SessionStats stats() const override { return inner_->stats(); }

   private:
    Counted& owner_;
    std::unique_ptr<Session> inner_;
  };
  LanguageModel& inner_;
};

std::vector<std::unique_ptr<Exam>> exams() {
  FakeExamSpec choose;
  choose.subjects = {{"algebra", "代数", "Algebra", {"STEM"}, 3},
                     {"poetry", "诗词", "Poetry", {"Humanities"}, 2}};
  FakeExamSpec write;
  write.suite = "written";
  write.protocol.id = "written/official";
  write.protocol.task = Task::kGenerate;
  write.protocol.extract = "last_number";
  write.protocol.compare = "number_equal";
  write.protocol.generate.max_tokens = 3;
  write.subjects = {{"algebra", "代数", "Algebra", {"STEM"}, 2}};
  return fake_exams({choose, write});
}

struct Outcome {
  RunSummary summary;
  std::string error;  // "" if it came to its end
  Code code = Code::kBug;
  int64_t answers = 0;
};

using Settings = std::vector<FakeRuntime::Settings>;  // one per card
using Records = std::vector<std::shared_ptr<FakeRuntime::Record>>;

Outcome run_on(const Settings& settings,
               const std::filesystem::path& out,
               Records* records = nullptr,
               Spread spread = Spread::kCopies) {
  Outcome run;
  Records own;
  try {
    std::vector<std::unique_ptr<Backend>> cards;
    LocalModelParts parts;
    for (const FakeRuntime::Settings& one : settings) {
      own.push_back(std::make_shared<FakeRuntime::Record>());
      cards.push_back(
          std::make_unique<CudaBackend>(std::make_unique<FakeRuntime>(one, own.back()), false));
      if (parts.backend == nullptr) {
        parts.backend = cards.back().get();
      } else {
        parts.others.push_back(cards.back().get());
      }
    }
    parts.checkpoint = Checkpoint::open((shared_dir() / "fixtures/models/llama").string());
    parts.tokenizer = make_toy_tokenizer();
    parts.options = {.step_rows = 24, .live_sequences = 1, .window_least_tokens = 40};
    parts.spread = spread;
    const auto model = LocalModel::create(std::move(parts));
    Counted counted(*model);
    RunOptions options;
    options.out = out;
    try {
      run.summary = run_exams(counted, exams(), options);
    } catch (const Error&) {
      run.answers = counted.answers;
      throw;
    }
    run.answers = counted.answers;
  } catch (const Error& error) {
    run.error = error.what();
    run.code = error.code();
  }
  for (const auto& record : own) {
    EXPECT_EQ(record->bytes_now, 0) << "device memory left behind";
    EXPECT_EQ(record->pinned_now, 0) << "pinned memory left behind";
  }
  if (records != nullptr) *records = own;
  return run;
}

// The failed run is as it must be, and a start on sound cards ends like one that never failed.
void expect_kept_and_resumed(const Outcome& failed,
                             const Outcome& sound,
                             const Settings& sound_cards,
                             const std::filesystem::path& out) {
  EXPECT_EQ(failed.code, Code::kDevice) << failed.error;
  EXPECT_THAT(failed.error, testing::StartsWith("cuda: "));
  EXPECT_THAT(failed.error, testing::Not(testing::HasSubstr("\n")));
  EXPECT_THAT(failed.error, testing::ContainsRegex("[0-9]"));
  const Outcome resumed = run_on(sound_cards, out);
  EXPECT_EQ(resumed.error, "");
  EXPECT_EQ(resumed.summary.resumed, failed.answers) << "an answered item was not kept";
  EXPECT_TRUE(resumed.summary.complete);
  EXPECT_EQ(resumed.summary.digest, sound.summary.digest);
}

TEST(RunFaults, EveryCallThatFailsEndsInOneLineAndTheRunGoesOn) {
  KEJU_NEED(shared);
  const TempFolder folder;
  Records records;
  const Outcome sound = run_on({{}}, folder.path() / "sound", &records);
  ASSERT_EQ(sound.error, "");
  ASSERT_TRUE(sound.summary.complete);
  ASSERT_EQ(sound.summary.scored + sound.summary.unscored,
            7);  // a written answer without a number is unscored
  const std::map<std::string, int64_t> calls = records[0]->calls;
  for (const char* kind : {"facts",
                           "allocate",
                           "pinned",
                           "copy",
                           "zero",
                           "event",
                           "wait",
                           "launch",
                           "gemm",
                           "capture",
                           "instantiate",
                           "replay"}) {
    ASSERT_GT(calls.at(kind), 0) << kind;
  }
  std::set<int64_t> kept;
  for (const auto& [kind, count] : calls) {
    // Every call of the first steps, then a prime stride through the others.
    for (int64_t at = 1; at <= count; at += at < 40 ? 1 : 7) {
      SCOPED_TRACE(kind + " " + std::to_string(at));
      const auto out = folder.path() / (kind + std::to_string(at));
      FakeRuntime::Settings settings;
      settings.fail_at[kind] = at;
      const Outcome failed = run_on({settings}, out);
      if (failed.error.empty()) {  // the call was one of taking everything down after the run
        EXPECT_EQ(kind, "wait");
        EXPECT_EQ(failed.summary.digest, sound.summary.digest);
        continue;
      }
      expect_kept_and_resumed(failed, sound, {{}}, out);
      kept.insert(failed.answers);
      std::filesystem::remove_all(out);
    }
  }
  EXPECT_THAT(kept, testing::Contains(0));
  EXPECT_GT(kept.size(), 5u);  // failures fell between almost any two items
}

TEST(RunFaults, ALostDeviceEndsTheRunWhateverFailsAfterwards) {
  KEJU_NEED(shared);
  const TempFolder folder;
  Records records;
  const Outcome sound = run_on({{}}, folder.path() / "sound", &records);
  for (int64_t at = 1; at <= records[0]->all_calls; at += 23) {
    SCOPED_TRACE(at);
    const auto out = folder.path() / std::to_string(at);
    FakeRuntime::Settings settings;
    settings.lost_at = at;
    const Outcome failed = run_on({settings}, out);
    if (failed.error.empty()) {  // the card was lost after its last work
      EXPECT_EQ(failed.summary.digest, sound.summary.digest);
      continue;
    }
    EXPECT_THAT(failed.error, testing::HasSubstr("device 0 lost at call"));
    expect_kept_and_resumed(failed, sound, {{}}, out);
  }
}

TEST(RunFaults, OfOneOfTwoCardsEndTheRunAndItGoesOnWithOneOrTwo) {
  KEJU_NEED(shared);
  const TempFolder folder;
  const Outcome sound = run_on({{}}, folder.path() / "sound");
  const FakeRuntime::Settings first{.index = 0};
  for (const Spread spread : {Spread::kCopies, Spread::kLayers}) {
    Records records;
    const Outcome two = run_on({first, {.index = 1}}, folder.path() / "two", &records, spread);
    ASSERT_EQ(two.error, "");
    EXPECT_EQ(two.summary.digest, sound.summary.digest);
    if (spread == Spread::kLayers) {
      EXPECT_GT(records[1]->kernels["norm"], 0);  // the second card worked, too
    }
    for (int64_t at = 1; at <= records[1]->all_calls; at += 61) {
      SCOPED_TRACE(at);
      const auto out = folder.path() / std::to_string(at);
      const Outcome failed = run_on({first, {.index = 1, .lost_at = at}}, out, nullptr, spread);
      if (failed.error.empty()) {  // the other card did it all, or the loss came after the work
        EXPECT_EQ(failed.summary.digest, sound.summary.digest);
        continue;
      }
      EXPECT_THAT(failed.error, testing::HasSubstr("device 1 lost at call"));
      const Settings again = at % 2 == 0 ? Settings{{}} : Settings{first, {.index = 1}};
      expect_kept_and_resumed(failed, sound, again, out);
      std::filesystem::remove_all(out);
    }
    std::filesystem::remove_all(folder.path() / "two");
  }
}

// Nothing but launches, copies and products touches a card's memory, and only its own card's.
TEST(RunFaults, GuardedCardsAreTouchedByTheirOwnWorkAlone) {
  KEJU_NEED(shared);
  const TempFolder folder;
  const Outcome sound = run_on({{}}, folder.path() / "sound");
  const Outcome layers = run_on({{.index = 0, .guarded = true}, {.index = 1, .guarded = true}},
                                folder.path() / "layers",
                                nullptr,
                                Spread::kLayers);
  EXPECT_EQ(layers.error, "");
  EXPECT_EQ(layers.summary.digest, sound.summary.digest);
}

}  // namespace
}  // namespace keju::cuda
