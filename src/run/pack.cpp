// SPDX-License-Identifier: MIT
#include "run/pack.h"

#include <bit>

#include "base/error.h"

namespace keju {
namespace {

// The alternatives' places in the variants, which files hold: never renumber.
enum : uint8_t { kScoreTag = 0, kRollingTag = 1, kGenerateTag = 2 };
enum : uint8_t { kScoredTag = 0, kUnscoredTag = 1, kFailedTag = 2 };

void append_little_endian(std::string& out, uint64_t value, size_t count) {
  for (size_t i = 0; i < count; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

void pack_continuation(Packer& out, const ContinuationScore& one) {
  out.f64(one.logprob);
  out.ids(one.ids);
  out.f32s(one.token_logprobs);
  out.u8(one.greedy ? 1 : 0);
  out.f64(one.whole_logprob);
  out.i64(one.whole_tokens);
}

ContinuationScore unpack_continuation(Unpacker& in) {
  ContinuationScore one;
  one.logprob = in.f64();
  one.ids = in.ids();
  one.token_logprobs = in.f32s();
  one.greedy = in.u8() != 0;
  one.whole_logprob = in.f64();
  one.whole_tokens = in.i64();
  return one;
}

ScoreResult unpack_score(Unpacker& in) {
  ScoreResult result;
  result.prompt_tokens = in.i64();
  result.truncated_tokens = in.i64();
  for (int64_t left = in.i64(); left > 0; --left) {
    result.continuations.push_back(unpack_continuation(in));
  }
  return result;
}

GenerateResult unpack_generate(Unpacker& in) {
  GenerateResult result;
  result.prompt_tokens = in.i64();
  result.truncated_tokens = in.i64();
  result.text = in.text();
  result.ids = in.ids();
  const uint8_t finish = in.u8();
  if (finish > static_cast<uint8_t>(FinishReason::kEos)) in.refuse("unknown finish reason");
  result.finish = static_cast<FinishReason>(finish);
  return result;
}

}  // namespace

void Packer::i64(int64_t value) { append_little_endian(bytes_, static_cast<uint64_t>(value), 8); }
void Packer::f64(double value) { append_little_endian(bytes_, std::bit_cast<uint64_t>(value), 8); }
void Packer::f32(float value) { append_little_endian(bytes_, std::bit_cast<uint32_t>(value), 4); }

void Packer::text(std::string_view value) {
  i64(static_cast<int64_t>(value.size()));
  bytes_ += value;
}

void Packer::f64s(const std::vector<double>& values) {
  i64(static_cast<int64_t>(values.size()));
  for (const double value : values) f64(value);
}

void Packer::f32s(const std::vector<float>& values) {
  i64(static_cast<int64_t>(values.size()));
  for (const float value : values) f32(value);
}

void Packer::ids(const std::vector<TokenId>& values) {
  i64(static_cast<int64_t>(values.size()));
  for (const TokenId value : values) {
    append_little_endian(bytes_, static_cast<uint32_t>(value), 4);
  }
}

void Unpacker::refuse(std::string_view what) const {
  throw fail(Code::kInput, "{}: {}. The file is damaged", where_, what);
}

uint64_t Unpacker::little_endian(size_t count) {
  if (bytes_.size() < count) {
    refuse(fmt::format("found {} bytes at the end, need {}", bytes_.size(), count));
  }
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes_[i])) << (8 * i);
  }
  bytes_.remove_prefix(count);
  return value;
}

size_t Unpacker::length(size_t element_bytes) {
  const uint64_t count = little_endian(8);
  if (count > bytes_.size() / element_bytes) {
    refuse(fmt::format("found a length of {} with {} bytes left", count, bytes_.size()));
  }
  return static_cast<size_t>(count);
}

uint8_t Unpacker::u8() { return static_cast<uint8_t>(little_endian(1)); }
int64_t Unpacker::i64() { return static_cast<int64_t>(little_endian(8)); }
double Unpacker::f64() { return std::bit_cast<double>(little_endian(8)); }
float Unpacker::f32() { return std::bit_cast<float>(static_cast<uint32_t>(little_endian(4))); }

std::string Unpacker::text() {
  const size_t count = length(1);
  std::string out(bytes_.substr(0, count));
  bytes_.remove_prefix(count);
  return out;
}

std::vector<double> Unpacker::f64s() {
  std::vector<double> out(length(8));
  for (double& value : out) value = f64();
  return out;
}

std::vector<float> Unpacker::f32s() {
  std::vector<float> out(length(4));
  for (float& value : out) value = f32();
  return out;
}

std::vector<TokenId> Unpacker::ids() {
  std::vector<TokenId> out(length(4));
  for (TokenId& value : out) value = static_cast<TokenId>(static_cast<uint32_t>(little_endian(4)));
  return out;
}

void Unpacker::end() const {
  if (!bytes_.empty()) refuse(fmt::format("found {} bytes too many", bytes_.size()));
}

void pack(Packer& out, const Response& response) {
  if (const auto* score = std::get_if<ScoreResult>(&response.what)) {
    out.u8(kScoreTag);
    out.i64(score->prompt_tokens);
    out.i64(score->truncated_tokens);
    out.i64(static_cast<int64_t>(score->continuations.size()));
    for (const ContinuationScore& one : score->continuations) pack_continuation(out, one);
  } else if (const auto* rolling = std::get_if<RollingResult>(&response.what)) {
    out.u8(kRollingTag);
    out.f64(rolling->logprob);
    out.i64(rolling->tokens);
  } else {
    const auto& generate = std::get<GenerateResult>(response.what);
    out.u8(kGenerateTag);
    out.i64(generate.prompt_tokens);
    out.i64(generate.truncated_tokens);
    out.text(generate.text);
    out.ids(generate.ids);
    out.u8(static_cast<uint8_t>(generate.finish));
  }
}

void unpack(Unpacker& in, Response& response) {
  switch (in.u8()) {
    case kScoreTag:
      response.what = unpack_score(in);
      return;
    case kRollingTag: {
      RollingResult rolling;
      rolling.logprob = in.f64();
      rolling.tokens = in.i64();
      response.what = rolling;
      return;
    }
    case kGenerateTag:
      response.what = unpack_generate(in);
      return;
    default:
      in.refuse("unknown kind of response");
  }
}

void pack(Packer& out, const Outcome& outcome) {
  if (const auto* scored = std::get_if<Scored>(&outcome)) {
    out.u8(kScoredTag);
    out.f64(scored->value);
    out.f64(scored->weight);
    out.i64(scored->choice);
    out.f64s(scored->option_scores);
    out.u8(scored->tie ? 1 : 0);
    out.text(scored->extracted);
    out.f64s(scored->also);
  } else if (const auto* unscored = std::get_if<Unscored>(&outcome)) {
    out.u8(kUnscoredTag);
    out.text(unscored->reason);
    // 2: a wrong one whose weight follows.
    out.u8(!unscored->counts_as_wrong ? 0 : unscored->weight == 1 ? 1 : 2);
    if (unscored->counts_as_wrong && unscored->weight != 1) out.f64(unscored->weight);
  } else {
    out.u8(kFailedTag);
    out.text(std::get<Failed>(outcome).error);
  }
}

Outcome unpack_outcome(Unpacker& in) {
  switch (in.u8()) {
    case kScoredTag: {
      Scored scored;
      scored.value = in.f64();
      scored.weight = in.f64();
      scored.choice = static_cast<int>(in.i64());
      scored.option_scores = in.f64s();
      scored.tie = in.u8() != 0;
      scored.extracted = in.text();
      scored.also = in.f64s();
      return scored;
    }
    case kUnscoredTag: {
      Unscored unscored;
      unscored.reason = in.text();
      const uint8_t wrong = in.u8();
      unscored.counts_as_wrong = wrong != 0;
      if (wrong == 2) unscored.weight = in.f64();
      return unscored;
    }
    case kFailedTag:
      return Failed{in.text()};
    default:
      in.refuse("unknown kind of outcome");
  }
}

}  // namespace keju
