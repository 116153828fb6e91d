// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lm/language_model.h"

namespace keju {

// A scripted examinee: makes all of suites, runs and reports testable without weights. Its answers
// are a pure function of the request, so that resumed runs can be compared with whole ones. It
// takes a code point for a token, answers out of order, and its clock counts tokens, not time.
struct FakeScript {
  // Log-likelihood of `continuation` after `prompt`; default: a hash of both in [-8, 0). A rolling
  // request asks for ("", text). What `score` or `generate` throws becomes that response's error.
  std::function<double(const std::string& prompt, const std::string& continuation)> score;
  // Text generated for a prompt; default: "#### " and a number from a hash.
  std::function<std::string(const std::string& prompt)> generate;
  // Called before each response with its number; may throw, sleep or exit to play a crash.
  std::function<void(int64_t response)> before_response;
  std::string name = "fake";
  std::string weights_digest = "fake";
};

std::unique_ptr<LanguageModel> make_fake_model(FakeScript script);

}  // namespace keju
