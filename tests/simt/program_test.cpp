// SPDX-License-Identifier: MIT
// The whole program on faked cards: what it says, its exit codes, several devices, and runs that go
// on after a card has failed.
#include "tests/cli/program.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/json.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::Not;

// One for all tests: a checkpoint of two layers with a tokenizer of bytes.
const std::filesystem::path& tiny() {
  static const TempFolder folder;
  static const std::filesystem::path path = [] {
    const std::string made = (folder / "tiny").string();
    EXPECT_EQ(std::system(("python3 scripts/make_checkpoint.py tiny " + made).c_str()), 0);
    return std::filesystem::path(made);
  }();
  return path;
}

// A few short items.
std::string sit(const std::filesystem::path& out, const std::string& options) {
  return "run --json --suite keju-completion --limit 3 --step-rows 64 --model " + tiny().string() +
         " --out " + out.string() + " " + options;
}

Json last_line(const Output& output) {
  const std::string text = output.text.substr(0, output.text.find_last_not_of('\n') + 1);
  return parse_json(text.substr(text.rfind('\n') + 1), "the program's answer");
}

int64_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST(OnFakeCards, NoneIsSaidInALineAndExitsSevenAndAutoTakesTheCpu) {
  const TempFolder folder;
  const Output none = run(sit(folder / "none", "--backend cuda"));
  EXPECT_EQ(none.code, 7);
  EXPECT_EQ(none.text,
            "keju: --backend cuda: found no GPU, need a build with CUDA and a GPU. Use --backend "
            "cpu\n");
  const Output cpu = run(sit(folder / "auto", "--backend auto"));
  EXPECT_EQ(cpu.code, 0) << cpu.text;
  EXPECT_THAT(cpu.text, HasSubstr("backend: cpu (no GPU)\n"));
}

TEST(OnFakeCards, AutoLeavesACardAloneThatNoCheckIsOnRecordFor) {
  const TempFolder folder;
  const Output out = run(sit(folder / "auto", ""), "KEJU_FAKE_CARDS='cards=1'");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text,
              HasSubstr("backend: cpu (there is interpreted card 0, but no check of the CUDA "
                        "backend on an sm_90 is on record: --backend cuda takes it)\n"));
  const Output old = run(sit(folder / "old", ""), "KEJU_FAKE_CARDS='major=7'");
  EXPECT_EQ(old.code, 0) << old.text;
  EXPECT_THAT(old.text, HasSubstr("backend: cpu (cuda: interpreted card 0: found compute capabil"));
}

TEST(OnFakeCards, DevicesThatDoNotExistOrDoNotFitAreUsageErrors) {
  const TempFolder folder;
  const auto refused = [&](const std::string& options, int code, const std::string& said) {
    const Output out = run(sit(folder / "out", options), "KEJU_FAKE_CARDS='cards=2'");
    EXPECT_EQ(out.code, code) << options;
    EXPECT_EQ(lines(out.text), 1) << out.text;
    EXPECT_THAT(out.text, HasSubstr(said));
  };
  refused("--backend cuda --devices 0,2", 4, "--devices: found 2, need 0 to 1");
  refused("--backend cuda --devices 1,1", 4, "--devices: found 1 twice");
  refused("--backend cpu --devices 0", 4, "--devices: found --backend cpu, need cuda");
  refused("--backend cuda --mode fast", 6, "--mode fast: found backend cuda");
}

TEST(OnFakeCards, SeveralDevicesGiveTheDigestOfOne) {
  const TempFolder folder;
  const Output one = run(sit(folder / "one", "--backend cuda"), "KEJU_FAKE_CARDS='cards=1'");
  ASSERT_EQ(one.code, 0) << one.text;
  const Json truth = last_line(one);
  ASSERT_TRUE(truth["complete"].get<bool>());
  ASSERT_GT(truth["scored"].get<int>(), 0);
  for (const char* spread : {"copies", "layers"}) {
    const Output two =
        run(sit(folder / spread, std::string("--backend cuda --devices 0,1 --spread ") + spread),
            "KEJU_FAKE_CARDS='cards=2'");
    ASSERT_EQ(two.code, 0) << two.text;
    EXPECT_EQ(last_line(two)["digest"], truth["digest"]) << spread;
  }
}

TEST(OnFakeCards, GraphsAreOnUnlessSwitchedOffAndTheRecordSaysSo) {
  const TempFolder folder;
  const auto run_with = [&](const std::string& name, const std::string& options) {
    const Output out =
        run(sit(folder / name, "--backend cuda " + options), "KEJU_FAKE_CARDS='cards=1'");
    EXPECT_EQ(out.code, 0) << out.text;
    const Json record = read_json(folder / name / "run.json");
    return std::pair(last_line(out)["digest"].get<std::string>(),
                     record["model"]["details"]["graphs"].get<std::string>());
  };
  const auto [digest, said] = run_with("on", "");
  EXPECT_EQ(said, "on");
  EXPECT_EQ(run_with("off", "--graphs off"), std::pair(digest, std::string("off")));
  const Output refused = run(sit(folder / "maybe", "--backend cuda --graphs maybe"));
  EXPECT_EQ(refused.code, 4);
  EXPECT_THAT(refused.text, HasSubstr("--graphs"));
}

TEST(OnFakeCards, FailuresAreOneLineExitSevenAndTheRunGoesOn) {
  const TempFolder folder;
  const Output sound = run(sit(folder / "sound", "--backend cuda"), "KEJU_FAKE_CARDS='cards=2'");
  ASSERT_EQ(sound.code, 0) << sound.text;
  const Json truth = last_line(sound);
  int64_t resumed = 0;
  int number = 0;
  for (const std::string& fault : {std::string("bytes=300000"),
                                   std::string("fail=launch:150"),
                                   std::string("fail=gemm:40"),
                                   std::string("lost=250"),
                                   std::string("cards=2 on=1 lost=150")}) {
    const auto out = folder / fmt::format("out{}", ++number);
    const std::string options =
        fault.find("on=1") != std::string::npos ? "--backend cuda --devices 0,1" : "--backend cuda";
    const Output failed = run(sit(out, options), "KEJU_FAKE_CARDS='" + fault + "'");
    EXPECT_EQ(failed.code, 7) << fault << ": " << failed.text;
    const size_t at = failed.text.find("keju: cuda: ");
    ASSERT_NE(at, std::string::npos) << failed.text;
    EXPECT_EQ(lines(failed.text.substr(at)), 1) << failed.text;
    EXPECT_THAT(failed.text.substr(at), testing::ContainsRegex("[0-9]"));
    const Output again = run(sit(out, options), "KEJU_FAKE_CARDS='cards=2'");
    ASSERT_EQ(again.code, 0) << again.text;
    EXPECT_EQ(last_line(again)["digest"], truth["digest"]) << fault;
    resumed += last_line(again)["resumed"].get<int64_t>();
  }
  EXPECT_GT(resumed, 0);  // some item had been kept
}

}  // namespace
}  // namespace keju
