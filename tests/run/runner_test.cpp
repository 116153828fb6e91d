// SPDX-License-Identifier: MIT
#include "run/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>

#include "base/mapped_file.h"
#include "lm/fake_model.h"
#include "run/record.h"
#include "run/request.h"
#include "run/results.h"
#include "run/run_lock.h"
#include "run/store.h"
#include "tests/support/fake_exam.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;

FakeExamSpec generate_spec() {
  FakeExamSpec spec;
  spec.suite = "sums";
  spec.protocol.id = "sums/official";
  spec.protocol.task = Task::kGenerate;
  spec.protocol.extract = "last_number";
  spec.protocol.compare = "number_equal";
  return spec;
}

FakeExamSpec big_spec(int64_t items) {
  FakeExamSpec spec;
  spec.subjects[0].items = items;
  return spec;
}

RunSummary run(const std::filesystem::path& out,
               FakeScript script,
               std::vector<FakeExamSpec> specs = {{}},
               const std::atomic<bool>* cancel = nullptr) {
  const auto model = make_fake_model(std::move(script));
  RunOptions options;
  options.out = out;
  options.cancel = cancel;
  options.environment = {{"build", "test"}};
  return run_exams(*model, fake_exams(std::move(specs)), options);
}

TEST(RunExams, ExaminesEveryItemAndWritesResults) {
  const TempFolder folder;
  const RunSummary summary = run(folder / "run", {}, {{}, generate_spec()});

  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(summary.total, 16);
  EXPECT_EQ(summary.scored + summary.unscored, 16);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(summary.resumed, 0);
  const Json results = read_results(folder / "run");
  EXPECT_EQ(results["digest"], summary.digest);
  EXPECT_EQ(results["exams"].size(), 2u);
  EXPECT_EQ(results["exams"][0]["key"], "fake/official:test:0shot");
  EXPECT_EQ(results["exams"][0]["items"]["total"], 8);
  EXPECT_GT(results["tokens"]["computed"].get<int64_t>(), 0);
  EXPECT_EQ(results["environment"]["build"], "test");
}

TEST(RunExams, DigestDoesNotDependOnTheFolderOrOnASecondStart) {
  const TempFolder folder;
  const RunSummary first = run(folder / "a", {});
  const RunSummary again = run(folder / "a", {});
  const RunSummary other = run(folder / "b", {});
  EXPECT_EQ(first.digest, other.digest);
  EXPECT_EQ(first.digest, again.digest);
  EXPECT_EQ(again.resumed, 8);
}

// The model writes first; what is scored, and stored, is what follows on what it wrote.
TEST(RunExams, AProtocolThatConcludesAsksTwice) {
  const TempFolder folder;
  FakeExamSpec concluding;
  concluding.suite = "twice";
  concluding.protocol.id = "twice/official";
  concluding.protocol.conclude = "{{ prompt }}{{ wrote }} So: ";
  concluding.protocol.also = {ChoiceScore::kPmi};  // two requests in the second round
  FakeScript script;
  script.generate = [](const std::string& prompt) { return "because " + prompt.substr(0, 3); };
  script.score = [](const std::string& prompt, const std::string& option) -> double {
    if (prompt.empty()) return -1;
    EXPECT_TRUE(prompt.ends_with("答案：because " + prompt.substr(0, 3) + " So: ")) << prompt;
    return option == " B" ? -1 : -2;
  };
  const std::vector<FakeExamSpec> both = {concluding, generate_spec()};
  const RunSummary whole = run(folder / "a", script, both);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(whole.scored + whole.unscored, 16);
  for_each_item(folder / "a", "twice/official:test:0shot", [&](const StoredItem& item) {
    EXPECT_FALSE(item.prompt.ends_with(" So: "));
    ASSERT_EQ(item.answers.size(), 1U);
    EXPECT_TRUE(item.answers[0].ends_with(" So: "));
    EXPECT_EQ(std::get<Scored>(item.record.outcome).choice, 1);
    const auto requests = make_requests("twice", concluding.protocol, exam_item(item));
    EXPECT_EQ(requests.size(), 2U);
    EXPECT_EQ(std::get<ScoreRequest>(requests[0].what).prompt.pieces[0].text, item.answers[0]);
  });

  // Stopped between the rounds of items, it goes on to the same end.
  std::atomic<bool> cancel{false};
  FakeScript stopping = script;
  stopping.before_response = [&](int64_t response) { cancel = response == 11; };
  EXPECT_FALSE(run(folder / "b", stopping, both, &cancel).complete);
  EXPECT_EQ(run(folder / "b", script, both).digest, whole.digest);

  FakeScript failing = script;
  failing.generate = [](const std::string& prompt) -> std::string {
    if (prompt.starts_with("algebra 2")) throw std::runtime_error("out of memory");
    return "because " + prompt.substr(0, 3);
  };
  EXPECT_EQ(run(folder / "c", failing, {concluding}).failed, 1);
}

TEST(RunExams, DigestTellsModelsApart) {
  const TempFolder folder;
  FakeScript script;
  script.score = [](const std::string&, const std::string&) { return -1.0; };
  EXPECT_NE(run(folder / "a", {}).digest, run(folder / "b", script).digest);
}

TEST(RunExams, CancelledRunStopsInOrderAndResumes) {
  const TempFolder folder;
  std::atomic<bool> cancel{false};
  FakeScript script;
  script.before_response = [&](int64_t response) { cancel = response == 4; };
  const RunSummary part = run(folder / "a", script, {{}}, &cancel);
  EXPECT_FALSE(part.complete);
  EXPECT_EQ(part.scored, 5);
  EXPECT_EQ(part.total, 8);
  EXPECT_EQ(read_results(folder / "a")["complete"], false);
  EXPECT_EQ(read_results(folder / "a")["items"]["unfinished"], 3);

  int64_t computed = 0;
  FakeScript counting;
  counting.before_response = [&](int64_t) { ++computed; };
  const RunSummary rest = run(folder / "a", counting);
  EXPECT_TRUE(rest.complete);
  EXPECT_EQ(rest.resumed, 5);
  EXPECT_EQ(computed, 3);
  EXPECT_EQ(rest.digest, run(folder / "b", {}).digest);
}

TEST(RunExams, FailedItemsMakeARunIncompleteAndAreTriedAgain) {
  const TempFolder folder;
  FakeScript flaky;
  flaky.score = [](const std::string& prompt, const std::string& option) -> double {
    if (prompt.find("algebra 2") == 0) throw std::runtime_error("out of memory");
    return -static_cast<double>(prompt.size() % 5) - static_cast<double>(option[1] - 'A');
  };
  const RunSummary first = run(folder / "a", flaky);
  EXPECT_FALSE(first.complete);
  EXPECT_EQ(first.failed, 1);
  EXPECT_EQ(first.scored, 7);
  using Reasons = std::vector<std::pair<std::string, int64_t>>;
  EXPECT_EQ(first.failures, (Reasons{{"out of memory", 1}}));
  for (const ItemRecord& record : read_records(folder / "a")) {
    if (record.item != "fake/algebra/test/2") continue;
    EXPECT_EQ(std::get<Failed>(record.outcome).error, "out of memory");
  }

  FakeScript healed = flaky;
  healed.score = [](const std::string& prompt, const std::string& option) {
    return -static_cast<double>(prompt.size() % 5) - static_cast<double>(option[1] - 'A');
  };
  const RunSummary second = run(folder / "a", healed);
  EXPECT_TRUE(second.complete);
  EXPECT_EQ(second.failed, 0);
  EXPECT_EQ(second.failures, Reasons());
  EXPECT_EQ(second.resumed, 7);
  EXPECT_EQ(second.digest, run(folder / "b", healed).digest);
}

TEST(RunExams, ExceptionOfTheModelLosesNoFinishedItem) {
  const TempFolder folder;
  FakeScript script;
  script.before_response = [](int64_t response) {
    if (response == 6) throw fail(Code::kDevice, "gpu 0: lost");
  };
  EXPECT_EQ(error_of([&] { run(folder / "a", script); }).code(), Code::kDevice);
  const RunSummary rest = run(folder / "a", {});
  EXPECT_TRUE(rest.complete);
  EXPECT_EQ(rest.resumed, 6);
  EXPECT_EQ(rest.digest, run(folder / "b", {}).digest);
}

struct Change {
  const char* field;
  std::function<void(FakeExamSpec&, FakeScript&)> apply;
};

TEST(RunExams, AnotherFingerprintIsRefusedByField) {
  const TempFolder folder;
  run(folder / "a", {});
  const Change changes[] = {
      {"weights_digest: found \"fake\", need \"other\"",
       [](FakeExamSpec&, FakeScript& s) { s.weights_digest = "other"; }},
      {"exams[0].suite: found \"fake\", need \"x\"",
       [](FakeExamSpec& e, FakeScript&) { e.suite = "x"; }},
      {"exams[0].protocol: found \"fake/official\", need \"fake/lm-eval\"",
       [](FakeExamSpec& e, FakeScript&) { e.protocol.id = "fake/lm-eval"; }},
      {"exams[0].split: found \"test\", need \"val\"",
       [](FakeExamSpec& e, FakeScript&) { e.split = "val"; }},
      {"exams[0].shots: found 0, need 5", [](FakeExamSpec& e, FakeScript&) { e.shots = 5; }},
      {"exams[0].limit: found null, need 8", [](FakeExamSpec& e, FakeScript&) { e.limit = 8; }},
      {"exams[0].subjects: found [\"algebra\",\"poetry\"], need [\"algebra\"]",
       [](FakeExamSpec& e, FakeScript&) { e.subjects.pop_back(); }},
      {"exams[0].suite_hash: found \"suite-1\", need \"suite-2\"",
       [](FakeExamSpec& e, FakeScript&) { e.suite_hash = "suite-2"; }},
      {"exams[0].data_hash: found \"data-1\", need \"data-2\"",
       [](FakeExamSpec& e, FakeScript&) { e.data_hash = "data-2"; }},
      {"exams[0].item_set: found", [](FakeExamSpec& e, FakeScript&) { e.subjects[1].items = 4; }},
  };
  for (const Change& change : changes) {
    FakeExamSpec spec;
    FakeScript script;
    change.apply(spec, script);
    const Error error = error_of([&] { run(folder / "a", script, {spec}); });
    EXPECT_EQ(error.code(), Code::kUsage) << change.field;
    EXPECT_THAT(error.what(), HasSubstr((folder / "a" / "run.json").string()));
    EXPECT_THAT(error.what(), HasSubstr(change.field));
  }
  const Error error = error_of([&] { run(folder / "a", {}, {{}, generate_spec()}); });
  EXPECT_EQ(error.code(), Code::kUsage);
  EXPECT_THAT(error.what(), HasSubstr(": exams: found "));
}

TEST(RunExams, NameAndEnvironmentAreOnlyRecorded) {
  const TempFolder folder;
  run(folder / "a", {});
  FakeScript renamed;
  renamed.name = "renamed file";
  EXPECT_TRUE(run(folder / "a", renamed).complete);
}

TEST(RunExams, RefusesNoExamAndTheSameExamTwice) {
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { run(folder / "a", {}, {}); }).code(), Code::kUsage);
  const Error twice = error_of([&] { run(folder / "a", {}, {{}, {}}); });
  EXPECT_EQ(twice.code(), Code::kUsage);
  EXPECT_THAT(twice.what(), HasSubstr("fake/official:test:0shot is asked for twice"));
}

TEST(RunExams, StoreWithoutRunJsonIsRefused) {
  const TempFolder folder;
  run(folder / "a", {});
  std::filesystem::remove(folder / "a" / "run.json");
  EXPECT_EQ(error_of([&] { run(folder / "a", {}); }).code(), Code::kInput);
}

TEST(RunExams, DamagedStoreIsRefused) {
  const TempFolder folder;
  run(folder / "a", {});
  std::ofstream(folder / "a" / "run.db", std::ios::trunc) << std::string(8192, 'x');
  const Error error = error_of([&] { run(folder / "a", {}); });
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_THAT(error.what(), HasSubstr("run.db"));
}

TEST(RunExams, OneProcessAtATime) {
  const TempFolder folder;
  const RunLock lock(folder.path(), "run.lock");
  const Error error = error_of([&] { run(folder.path(), {}); });
  EXPECT_EQ(error.code(), Code::kIo);
  EXPECT_THAT(error.what(),
              HasSubstr("found process " + std::to_string(::getpid()) + " at work in this folder"));
}

TEST(RunExams, FolderThatCannotBeMadeIsAnIoError) {
  const TempFolder folder;
  std::ofstream(folder / "file") << "x";
  EXPECT_EQ(error_of([&] { run(folder / "file" / "run", {}); }).code(), Code::kIo);
}

TEST(RunExams, TellsItsProgress) {
  const TempFolder folder;
  const auto model = make_fake_model({});
  std::vector<Progress> told;
  RunOptions options;
  options.out = folder.path();
  options.progress = [&](const Progress& progress) { told.push_back(progress); };
  run_exams(*model, fake_exams({{}}), options);
  ASSERT_GE(told.size(), 2u);
  EXPECT_EQ(told.front().items_done, 0);
  EXPECT_EQ(told.back().items_done, 8);
  EXPECT_EQ(told.back().items_total, 8);
  EXPECT_EQ(told.back().phase, "examine");
  EXPECT_EQ(told.back().exam, "fake/official:test:0shot");
  EXPECT_EQ(told.back().eta_s, 0);
}

// Runs `work` in a child process; returns its wait status.
template <typename Work>
int in_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    // Nothing may unwind from here into a second copy of the test program.
    int code = 99;
    try {
      code = work();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(RunExams, KilledAgainAndAgainItEndsWithTheSameDigest) {
  const TempFolder folder;
  constexpr int64_t kItems = 400;
  const std::string whole = run(folder / "whole", {}, {big_spec(kItems)}).digest;

  std::mt19937 random(20230523);
  int kills = 0;
  for (;;) {
    ASSERT_LT(kills, 200) << "it makes no headway";
    const int64_t fatal = static_cast<int64_t>(random() % 60);
    const int status = in_child([&] {
      FakeScript script;
      script.before_response = [&](int64_t response) {
        ::usleep(1500);
        if (response == fatal) ::raise(SIGKILL);
      };
      run(folder / "killed", script, {big_spec(kItems)});
      return 0;
    });
    if (WIFEXITED(status)) {
      ASSERT_EQ(WEXITSTATUS(status), 0);
      break;
    }
    ASSERT_EQ(WTERMSIG(status), SIGKILL);
    ++kills;
  }
  EXPECT_GT(kills, 3);
  const Json results = read_results(folder / "killed");
  EXPECT_EQ(results["digest"], whole);
  EXPECT_EQ(results["complete"], true);
  EXPECT_EQ(results["speed"]["sessions"], kills + 1);
}

TEST(RunExams, KilledRunCanBeReadWithoutBeingResumed) {
  const TempFolder folder;
  in_child([&] {
    FakeScript script;
    script.before_response = [](int64_t response) {
      ::usleep(20'000);
      if (response == 6) ::raise(SIGKILL);
    };
    run(folder / "a", script);
    return 0;
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "a" / "results.json"));
  const Json results = read_results(folder / "a");
  EXPECT_EQ(results["complete"], false);
  EXPECT_GE(results["items"]["scored"].get<int64_t>(), 3);
  EXPECT_LE(results["items"]["scored"].get<int64_t>(), 6);
}

TEST(RunExams, FullDiskKeepsFinishedItemsAndResumes) {
  const TempFolder folder;
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit { 300'000, 300'000 };
    ::setrlimit(RLIMIT_FSIZE, &limit);  // writes beyond it fail, as on a full disk
    FakeScript script;
    script.before_response = [](int64_t) { ::usleep(500); };
    const Error error = error_of([&] { run(folder / "a", script, {big_spec(2000)}); });
    const std::string text = error.what();
    const bool clear = error.code() == Code::kIo && text.find("run.db") != std::string::npos &&
                       text.find("items of this start are kept") != std::string::npos;
    if (!clear) std::fprintf(stderr, "%s\n", error.what());
    return clear ? 0 : 1;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);

  const RunSummary rest = run(folder / "a", {}, {big_spec(2000)});
  EXPECT_TRUE(rest.complete);
  EXPECT_GT(rest.resumed, 0);
  EXPECT_EQ(rest.digest, run(folder / "b", {}, {big_spec(2000)}).digest);
}

}  // namespace
}  // namespace keju
