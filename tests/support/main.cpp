// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>

namespace {

// Keeps why tests were skipped: among hundreds of passing lines nobody sees a skip.
class SkipCounter : public testing::EmptyTestEventListener {
 public:
  void OnTestEnd(const testing::TestInfo& info) override {
    const testing::TestResult& result = *info.result();
    if (!result.Skipped()) return;
    std::string reason = "no reason given";
    for (int i = 0; i < result.total_part_count(); ++i) {
      const testing::TestPartResult& part = result.GetTestPartResult(i);
      if (part.skipped() && *part.message() != '\0') reason = part.message();
    }
    while (!reason.empty() && reason.back() == '\n') reason.pop_back();
    ++skipped_;
    ++reasons_[reason];
  }

  void print() const {
    if (skipped_ == 0) return;
    std::string line = "SKIPPED " + std::to_string(skipped_) + (skipped_ == 1 ? " test" : " tests");
    const char* separator = ": ";
    for (const auto& [reason, count] : reasons_) {
      line += separator + reason + " (" + std::to_string(count) + ")";
      separator = "; ";
    }
    std::printf("%s\n", line.c_str());
  }

 private:
  int skipped_ = 0;
  std::map<std::string, int> reasons_;
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  auto* counter = new SkipCounter;  // owned by the list of listeners
  testing::UnitTest::GetInstance()->listeners().Append(counter);
  const int code = RUN_ALL_TESTS();
  counter->print();
  return code;
}
