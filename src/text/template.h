// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace keju {

// What rendering may cost; templates come from strangers.
struct TemplateLimits {
  int64_t steps = 2'000'000;        // evaluated nodes and loop turns
  int64_t output_bytes = 16 << 20;  // of all strings built together
  int depth = 200;                  // nested calls, macros and expressions
  bool strict = false;  // as Jinja's StrictUndefined: what is not there may be asked for, not used
};

// Rendered text in pieces: `content` pieces stem from the caller's values (a message's text), the
// others from the template itself. Joined, they are the whole text. Two kinds of the caller's
// strings count as the template's own, because templates build marks of them: the special tokens
// (bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token) and the `role` of
// each of `messages`, if it is a plain word.
struct RenderedPiece {
  std::string text;
  bool content = false;
};

// One language for suite prompts and chat templates: the subset of Jinja 2 that chat templates use,
// with trim_blocks and lstrip_blocks on, as transformers sets them
// (transformers 5.23 utils/chat_template_utils.py; Jinja 3.1). It reaches no file, network or
// clock: strftime_now prints the date that the context gives as the string strftime_now
// ("2024-07-26" or "2024-07-26T12:30:00"), or is refused when called. An error's text names the
// class that the reference raises: `where:3: UndefinedError: 'x' is …`; a limit passed, and what
// the reference could do but this cannot (integers beyond 64 bits), name none. Threads: const, safe
// to share. Errors: Error(kInput) `where:line: what`, for syntax, for a failed evaluation, for
// raise_exception and for a limit passed.
class Template {
 public:
  // `trim`: whether trim_blocks and lstrip_blocks are on (suite prompts set them off).
  enum class Trim { kBlocks, kNone };
  static Template compile(std::string_view source, std::string where, Trim trim = Trim::kBlocks);
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // `context` is an object: its members are the template's variables.
  std::string render(const Json& context, const TemplateLimits& limits = {}) const;

  // The same, with the pieces that come from string values inside `context` marked as content.
  std::vector<RenderedPiece> render_pieces(const Json& context,
                                           const TemplateLimits& limits = {}) const;

  // Names of the variables that the template reads and does not set, sorted: suites are checked
  // against their data set's columns before anything runs.
  std::vector<std::string> free_variables() const;

 private:
  struct Program;
  explicit Template(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace keju
