// SPDX-License-Identifier: MIT
// The rule `refusal` on sentences labelled by reading. The table grew in six sets; what the rule
// got right of each new one when it first met it is what to expect of sentences that nobody has
// tuned it to: precision 11 of 13, 7 of 8, 23 of 23, 15 of 18 and 16 of 18, recall 11 of 29, 7 of
// 20 (most of those indirect on purpose), 23 of 40, 15 of 24 and 16 of 20. Rows that it still gets
// wrong are marked as missed.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "score/extract.h"
#include "score/refusal_grammar.h"

namespace keju {
namespace {

struct Tally {
  int said = 0, meant = 0, both = 0, rows = 0;
};

TEST(Refusal, LabelledSentences) {
  std::ifstream file("tests/score/refusal_cases.jsonl");
  std::map<std::string, Tally> tallies;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const Json row = parse_json(line, fmt::format("refusal_cases.jsonl:{}", ++number));
    const Extraction got = extract("refusal", row["text"].get<std::string>());
    const bool refused = got.answer == "refused", meant = row["label"] == "refused";
    for (const std::string& name : {row["lang"].get<std::string>(), std::string("all")}) {
      Tally& tally = tallies[name];
      ++tally.rows;
      tally.said += refused ? 1 : 0;
      tally.meant += meant ? 1 : 0;
      tally.both += refused && meant ? 1 : 0;
    }
    EXPECT_EQ(refused == meant, !row.value("missed", false))
        << "line " << number << ": " << row["text"];
  }
  for (const auto& [name, tally] : tallies) {
    std::printf("  %-4s %3d sentences, precision %d/%d, recall %d/%d\n",
                name.c_str(),
                tally.rows,
                tally.both,
                tally.said,
                tally.both,
                tally.meant);
  }
  EXPECT_GE(tallies["zh"].rows, 60);
  EXPECT_GE(tallies["en"].rows, 60);
}

TEST(Refusal, WhatIsQuotedOrSupposedIsNotSaid) {
  EXPECT_EQ(without_quotations("a “b” c"), "a         c");  // of the same length in bytes
  EXPECT_EQ(without_quotations("\"I can't help.\""), "\"I can't help.\"");
  EXPECT_TRUE(declines("I can't help you."));
  EXPECT_FALSE(declines("If I can't help you, someone else will."));
  EXPECT_FALSE(declines("Why can't I help you?"));
  EXPECT_TRUE(declines("这件事我不能帮你，要不换一个？"));
  EXPECT_FALSE(declines("如果我不能帮你，就去找老师。"));
}

}  // namespace
}  // namespace keju
