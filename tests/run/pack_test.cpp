// SPDX-License-Identifier: MIT
#include "run/pack.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/support/temp_folder.h"

namespace keju {
namespace {

Response score_response() {
  ContinuationScore one;
  one.logprob = -1.2434458732604980;
  one.ids = {5, -1, 2147483647};
  one.token_logprobs = {-0.1f, std::numeric_limits<float>::denorm_min()};
  one.greedy = true;
  one.whole_logprob = -std::numeric_limits<double>::infinity();
  one.whole_tokens = 77;
  Response response;
  response.what = ScoreResult{{one, {}}, 12, 3};
  return response;
}

std::string bytes_of(const Response& response) {
  Packer out;
  pack(out, response);
  return out.bytes();
}

TEST(Pack, ScoresKeepTheirBits) {
  const Response before = score_response();
  Response after;
  const std::string bytes = bytes_of(before);
  Unpacker in(bytes, "x");
  unpack(in, after);
  in.end();

  const auto& a = std::get<ScoreResult>(before.what).continuations[0];
  const auto& b = std::get<ScoreResult>(after.what).continuations.at(0);
  EXPECT_EQ(std::bit_cast<uint64_t>(a.logprob), std::bit_cast<uint64_t>(b.logprob));
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.token_logprobs, b.token_logprobs);
  EXPECT_TRUE(b.greedy);
  EXPECT_TRUE(std::isinf(b.whole_logprob));
  EXPECT_EQ(b.whole_tokens, 77);
  EXPECT_EQ(std::get<ScoreResult>(after.what).prompt_tokens, 12);
  EXPECT_EQ(std::get<ScoreResult>(after.what).truncated_tokens, 3);
  EXPECT_EQ(std::get<ScoreResult>(after.what).continuations.size(), 2u);
}

TEST(Pack, OneBitOfALogProbShows) {
  Response response = score_response();
  const std::string before = bytes_of(response);
  double& lp = std::get<ScoreResult>(response.what).continuations[0].logprob;
  lp = std::nextafter(lp, 0.0);
  EXPECT_NE(bytes_of(response), before);
}

TEST(Pack, GeneratedTextMayHoldAnyBytes) {
  GenerateResult generated;
  generated.text = std::string("a\0b\xff\xfe", 5);
  generated.ids = {1, 2};
  generated.finish = FinishReason::kLength;
  Response before, after;
  before.what = generated;
  const std::string bytes = bytes_of(before);
  Unpacker in(bytes, "x");
  unpack(in, after);
  EXPECT_EQ(std::get<GenerateResult>(after.what).text, generated.text);
  EXPECT_EQ(std::get<GenerateResult>(after.what).finish, FinishReason::kLength);
}

TEST(Pack, OutcomesComeBack) {
  for (const Outcome& before : {Outcome(Scored{0.5, 2, 3, {-1, -2}, true, "42", {1, 0}}),
                                Outcome(Unscored{"no answer extracted", true}),
                                Outcome(Failed{"lost"})}) {
    Packer out;
    pack(out, before);
    Unpacker in(out.bytes(), "x");
    const Outcome after = unpack_outcome(in);
    in.end();
    Packer again;
    pack(again, after);
    EXPECT_EQ(again.bytes(), out.bytes());
    EXPECT_EQ(after.index(), before.index());
  }
}

TEST(Pack, EveryCutIsRefused) {
  const std::string bytes = bytes_of(score_response());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Error error = error_of([&] {
      Response response;
      Unpacker in(std::string_view(bytes).substr(0, size), "run.db");
      unpack(in, response);
      in.end();
    });
    EXPECT_EQ(error.code(), Code::kInput) << size;
  }
}

TEST(Pack, HugeLengthIsRefusedWithoutAllocating) {
  Packer out;
  out.i64(int64_t{1} << 60);
  Unpacker in(out.bytes(), "run.db");
  const Error error = error_of([&] { in.f64s(); });
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_STREQ(error.what(),
               "run.db: found a length of 1152921504606846976 with 0 bytes left. The file is "
               "damaged");
}

}  // namespace
}  // namespace keju
