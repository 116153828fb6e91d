// SPDX-License-Identifier: MIT
// keju run and keju verify as programs: what kills, damage and other machines do to a run.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include "base/json.h"
#include "base/mapped_file.h"
#include "run/manifest.h"
#include "run/results.h"
#include "run/store.h"
#include "tests/cli/program.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

// Whole runs of real models take most of an hour under the sanitizers, where program_test.cpp sends
// the same code some items of every kind.
#if !defined(__SANITIZE_ADDRESS__)

std::string smol_run(const std::string& exams, const std::filesystem::path& out) {
  return "run --model " + model(kSmol) + " " + exams + " --out " + out.string();
}

std::string digest_of(const std::filesystem::path& run) {
  return read_results(run)["digest"].get<std::string>();
}

// Items of a run folder that are finished, as another process sees them; 0 before there is a store.
int64_t finished_items(const std::filesystem::path& run) {
  if (!std::filesystem::exists(run / "run.json")) return 0;
  try {
    const Json items = read_results(run)["items"];
    return items["scored"].get<int64_t>() + items["unscored"].get<int64_t>();
  } catch (const Error& error) {
    if (error.code() != Code::kIo) throw;  // no store yet, or one that is being made
    return 0;
  }
}

// Starts the program and kills it some time after it finished more items than there were.
void kill_in_the_midst(const std::string& arguments,
                       const std::filesystem::path& run,
                       std::chrono::milliseconds delay) {
  const int64_t before = finished_items(run);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string line =
        "exec " + std::string(KEJU_PROGRAM) + " " + arguments + " >/dev/null 2>&1";
    ::execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (finished_items(run) == before) continue;
    std::this_thread::sleep_for(delay);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return;
  }
}

// How many answers a start found in the folder, by its progress line; -1 if it does not say.
int64_t resumed_in(const std::string& text) {
  const size_t end = text.find(" resumed)");
  const size_t begin = text.rfind('(', end);
  if (end == std::string::npos || begin == std::string::npos) return -1;
  return std::stoll(text.substr(begin + 1, end - begin - 1));
}

// A run of `exams` with so many answers to an item that is killed three times has the digest of one
// that is not.
void expect_one_digest_in_spite_of_kills(const std::string& exams, int64_t samples) {
  TempFolder folder;
  ASSERT_EQ(run(smol_run(exams, folder / "whole")).code, 0);
  std::mt19937 random(611);
  for (int kill = 0; kill < 3; ++kill) {
    kill_in_the_midst(smol_run(exams, folder / "killed"),
                      folder / "killed",
                      std::chrono::milliseconds(random() % 400));
  }
  const int64_t kept = finished_items(folder / "killed");
  const Output rest = run(smol_run(exams, folder / "killed"));
  ASSERT_EQ(rest.code, 0) << rest.text;
  // Answers to items that are not finished are kept as well.
  if (samples == 1) {
    EXPECT_EQ(resumed_in(rest.text), kept) << rest.text;
  }
  EXPECT_GE(resumed_in(rest.text), std::max<int64_t>(1, kept * samples)) << rest.text;
  EXPECT_EQ(digest_of(folder / "killed"), digest_of(folder / "whole"));
  EXPECT_EQ(read_results(folder / "killed")["speed"]["sessions"].get<int>(), 4);
}

TEST(Run, KilledAtRandomMomentsItEndsWithTheDigestOfAWholeRun) {
  KEJU_NEED(models);
  expect_one_digest_in_spite_of_kills("--suite keju-completion,keju-generate --limit 10", 1);
}

// Draws are keyed by item and sample, not by what was drawn before them.
TEST(Run, KilledWhileItSamplesItEndsWithTheDigestOfAWholeRun) {
  KEJU_NEED(models);
  expect_one_digest_in_spite_of_kills(
      "--suite keju-generate --limit 2 --samples 5 --temperature 0.9", 5);
}

struct Machine {
  const char* isa;
  int threads;
  int step_rows;
};

// Runs `exams` with `file` on each machine in turn; the digests must be one.
void expect_one_digest(const char* file,
                       const std::string& exams,
                       const std::vector<Machine>& machines) {
  TempFolder folder;
  const std::string best =
      parse_json(run("doctor --json").text, "doctor")["cpu_isa"].get<std::string>();
  std::string wanted;
  for (const Machine& m : machines) {
    if (best.rfind("avx512", 0) != 0 && std::string(m.isa) == "avx512") continue;
    const std::filesystem::path out =
        folder / (m.isa + std::to_string(m.threads * 1000 + m.step_rows));
    const Output ran =
        run("run --model " + model(file) + " " + exams + " --threads " + std::to_string(m.threads) +
                " --step-rows " + std::to_string(m.step_rows) + " --out " + out.string(),
            std::string("KEJU_CPU_ISA=") + m.isa);
    ASSERT_EQ(ran.code, 0) << ran.text;
    if (wanted.empty()) wanted = digest_of(out);
    EXPECT_EQ(digest_of(out), wanted)
        << file << " " << m.isa << " " << m.threads << " threads, " << m.step_rows << " rows";
  }
}

// One arithmetic on every x86-64. The plain loops are slow: they sit the shortest paper.
TEST(Run, DigestIsThatOfThePlainLoops) {
  KEJU_NEED(models);
  for (const char* file : {kSmol, kGemma}) {
    expect_one_digest(file,
                      "--suite keju-completion --limit 1",
                      {{"plain", 2, 512}, {"avx2", 2, 64}, {"avx512", 1, 200}});
  }
}

TEST(Run, DigestIsTheSameOnEveryInstructionSetThreadCountAndStepSize) {
  KEJU_NEED(models);
  for (const char* file : {kSmol, kGemma}) {
    expect_one_digest(file,
                      "--suite keju-completion,keju-questions,keju-generate --limit 1",
                      {{"avx2", 1, 64},
                       {"avx2", 2, 200},
                       {"avx512", 1, 512},
                       {"avx512", 2, 64},
                       {"avx512", 2, 200}});
  }
}

// A copy of a run with one bit of one log-prob changed and all checksums made right again.
void forge(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  std::filesystem::copy_file(from / "run.json", to / "run.json");
  RunStore store(to, "run.db");
  SessionRecord session;
  session.id = store.begin_session(Json::object(), 0, 0);
  int64_t index = 0;
  for_each_item(from, "", [&](const StoredItem& item) {
    StoredItem copy = item;
    copy.session = session.id;
    if (index++ == 3) {
      auto& score = std::get<ScoreResult>(copy.record.response.what);
      score.continuations[0].logprob = std::nextafter(score.continuations[0].logprob, 0.0);
    }
    store.put(copy);
  });
  store.commit(session);
  store.close();
}

TEST(Verify, TrueRunsHoldAndOneForgedBitIsFound) {
  KEJU_NEED(models);
  TempFolder folder;
  ASSERT_EQ(run(smol_run("--suite keju-completion --limit 5", folder / "true")).code, 0);
  const std::string with = " --model " + model(kSmol) + " --sample 1000";
  const Output held = run("verify " + (folder / "true").string() + with);
  EXPECT_EQ(held.code, 0) << held.text;
  EXPECT_NE(held.text.find("0 different"), std::string::npos) << held.text;
  // On another kind of machine, too.
  const Output elsewhere =
      run("verify " + (folder / "true").string() + with + " --threads 1", "KEJU_CPU_ISA=avx2");
  EXPECT_EQ(elsewhere.code, 0) << elsewhere.text;

  forge(folder / "true", folder / "forged");
  const Output found = run("verify " + (folder / "forged").string() + with);
  EXPECT_EQ(found.code, 3) << found.text;
  EXPECT_NE(found.text.find("1 different"), std::string::npos) << found.text;
}

TEST(Verify, AnotherModelIsRefused) {
  KEJU_NEED(models);
  TempFolder folder;
  ASSERT_EQ(run(smol_run("--suite keju-completion --limit 1", folder / "run")).code, 0);
  const Output other = run("verify " + (folder / "run").string() + " --model " + model(kGemma));
  EXPECT_EQ(other.code, 4) << other.text;
  EXPECT_NE(other.text.find("weights_digest"), std::string::npos) << other.text;
}

#endif

// A CMMLU folder of one subject whose sixth row lacks an option.
std::filesystem::path lame_cmmlu(const TempFolder& folder) {
  const std::filesystem::path data = folder / "data";
  std::filesystem::create_directories(data / "cmmlu/test");
  std::filesystem::create_directories(data / "cmmlu/dev");
  std::string rows = ",Question,A,B,C,D,Answer\n";
  for (int i = 0; i < 5; ++i) rows += std::to_string(i) + ",问,甲,乙,丙,丁,A\n";
  write_file_atomically(data / "cmmlu/dev/agronomy.csv", rows);
  write_file_atomically(data / "cmmlu/test/agronomy.csv", rows + "5,问,甲,乙,丙\n");
  return data;
}

TEST(BadInput, IsOneLineWithFileAndPlaceBeforeAModelIsOpened) {
  TempFolder folder;
  const Output row = run("run --model /nowhere.gguf --suite cmmlu --subjects agronomy --data " +
                         lame_cmmlu(folder).string() + " --out " + (folder / "out").string());
  EXPECT_EQ(row.code, 5) << row.text;
  EXPECT_NE(row.text.find("agronomy.csv:7"), std::string::npos) << row.text;
  EXPECT_EQ(std::count(row.text.begin(), row.text.end(), '\n'), 1) << row.text;

  const Output subject = run("run --model /nowhere.gguf --suite cmmlu --subjects agronomi --data " +
                             (folder / "data").string());
  EXPECT_EQ(subject.code, 4) << subject.text;
  EXPECT_NE(subject.text.find("did you mean \"agronomy\""), std::string::npos) << subject.text;

  write_file_atomically(folder / "mine.yaml",
                        "name: mine\nversion: 1\ntitle: {zh: 我, en: Mine}\nabuot: x\n");
  const Output key = run("run --model /nowhere.gguf --suite " + (folder / "mine.yaml").string());
  EXPECT_EQ(key.code, 5) << key.text;
  EXPECT_NE(key.text.find("mine.yaml:4"), std::string::npos) << key.text;
  EXPECT_NE(key.text.find("abuot"), std::string::npos) << key.text;
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST(BadInput, CutGgufNamesTheTensor) {
  KEJU_NEED(models);
  TempFolder folder;
  std::filesystem::copy_file(model_file(kSmol), folder / "cut.gguf");
  std::filesystem::resize_file(folder / "cut.gguf", 50'000'000);
  const Output cut = run("run --model " + (folder / "cut.gguf").string() +
                         " --suite keju-completion --out " + (folder / "out").string());
  EXPECT_EQ(cut.code, 5) << cut.text;
  EXPECT_NE(cut.text.find("blk."), std::string::npos) << cut.text;
}

#if !defined(__SANITIZE_ADDRESS__)

// A base model has no chat template: every item of a suite of turns fails for that one reason.
TEST(BadInput, FailedItemsSayWhyAndHowMany) {
  KEJU_NEED(models);
  TempFolder folder;
  const std::string base = "run --backend cpu --suite keju-refusal --limit 2 --model " +
                           model(kGemma) + " --out " + (folder / "run").string();
  const Output none = run(base);
  EXPECT_EQ(none.code, 3) << none.text;
  EXPECT_NE(none.text.find("keju: 4 items failed: chat: the model has no chat template"),
            std::string::npos)
      << none.text;
}

// Files that may not grow stand for a disk that is full.
TEST(BadInput, FullDiskLosesNothing) {
  KEJU_NEED(models);
  TempFolder folder;
  const std::string exams = "--suite keju-completion --limit 40";
  const Output full = run(smol_run(exams, folder / "run"), "ulimit -f 100;");
  ASSERT_EQ(full.code, 7) << full.text;
  EXPECT_NE(full.text.find("run.db"), std::string::npos) << full.text;
  const auto kept = read_results(folder / "run")["items"]["scored"].get<int64_t>();
  const Output rest = run(smol_run(exams, folder / "run"));
  ASSERT_EQ(rest.code, 0) << rest.text;
  EXPECT_GT(kept, 0);
  ASSERT_EQ(run(smol_run(exams, folder / "whole")).code, 0);
  EXPECT_EQ(digest_of(folder / "run"), digest_of(folder / "whole"));
}

TEST(DryRun, SaysItemsTokensMemoryAndTimeAndLeavesNoFolder) {
  KEJU_NEED(models);
  TempFolder folder;
  const Output dry = run(smol_run("--suite keju-completion --dry-run --json", folder / "run"));
  ASSERT_EQ(dry.code, 0) << dry.text;
  const std::string line = dry.text.substr(dry.text.find('{'));
  const Json json = parse_json(line, "dry run");
  EXPECT_EQ(json["items"], 120);
  EXPECT_GT(json["tokens_naive"].get<int64_t>(), json["tokens_to_compute"].get<int64_t>());
  EXPECT_GT(json["memory_bytes_about"].get<int64_t>(), 96'000'000);
  EXPECT_GT(json["expected_prefill_s"].get<double>(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
  // What it foretold is what a run then computes.
  ASSERT_EQ(run(smol_run("--suite keju-completion", folder / "run")).code, 0);
  EXPECT_EQ(read_results(folder / "run")["tokens"]["computed"], json["tokens_to_compute"]);
}

#endif

}  // namespace
}  // namespace keju
