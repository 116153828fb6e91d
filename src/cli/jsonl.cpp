// SPDX-License-Identifier: MIT
#include "cli/jsonl.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace keju {
namespace {

constexpr size_t kMaxLine = size_t{64} << 20;

}  // namespace

bool LineReader::fill(bool block) {
  if (ended_) return false;
  if (!block) {
    pollfd fd{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&fd, 1, 0) <= 0) return false;
  }
  buffer_.erase(0, at_);
  at_ = 0;
  char chunk[1 << 16];
  ssize_t got = 0;
  do {
    got = read(STDIN_FILENO, chunk, sizeof chunk);
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw fail(Code::kIo, "stdin: {}", std::strerror(errno));
  if (got == 0) {
    ended_ = true;
    return false;
  }
  buffer_.append(chunk, static_cast<size_t>(got));
  return true;
}

std::vector<std::string> LineReader::batch(size_t most) {
  std::vector<std::string> lines;
  while (lines.size() < most) {
    const size_t end = buffer_.find('\n', at_);
    if (end != std::string::npos) {
      lines.push_back(buffer_.substr(at_, end - at_));
      at_ = end + 1;
      ++lines_read_;
      continue;
    }
    if (buffer_.size() - at_ > kMaxLine) {
      throw fail(Code::kInput,
                 "stdin:{}: line: found more than {} bytes, need fewer",
                 lines_read_ + 1,
                 kMaxLine);
    }
    if (ended_) {
      if (at_ < buffer_.size()) {  // a last line without its line break
        lines.push_back(buffer_.substr(at_));
        at_ = buffer_.size();
        ++lines_read_;
      }
      break;
    }
    if (!fill(/*block=*/lines.empty()) && !ended_) break;
  }
  return lines;
}

void write_json_line(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw fail(Code::kIo, "stdout: {}", std::strerror(errno));
  }
}

int each_json_line(const std::function<Json(const Json&)>& answer) {
  LineReader reader;
  int code = 0;
  while (true) {
    const std::vector<std::string> lines = reader.batch(1);
    if (lines.empty()) return code;
    Json out;
    try {
      out = answer(parse_json(lines[0], fmt::format("stdin:{}", reader.lines_read())));
    } catch (const Error& error) {
      if (error.code() == Code::kBug || error.code() == Code::kDevice || error.code() == Code::kIo)
        throw;
      out = {{"error", error.what()}};
      code = exit_code(Code::kInput);
    }
    write_json_line(out);
  }
}

}  // namespace keju
