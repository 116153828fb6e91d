// SPDX-License-Identifier: MIT
#include "run/verdict_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"

namespace keju {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLog = "verdicts.jsonl";
constexpr const char* kLock = "verdicts.lock";
constexpr auto kSyncAfter = std::chrono::milliseconds(50);

Json head_of(const JudgeSheet& sheet, const Judge& judge) {
  return {{"schema", "keju.verdicts.v1"},
          {"run", sheet.run_digest},
          {"against", sheet.against_digest},
          {"votes", sheet.votes},
          {"prompts", sheet.prompts},
          {"judge", judge.name},
          {"judge_digest", judge.digest},
          {"judge_details", judge.details}};
}

}  // namespace

bool clear_to_verdicts(const fs::path& folder) {
  static const std::set<std::string> own = {kLog, kLock};
  static const std::set<std::string> begun = {"run.db", "run.db-wal", "run.db-shm", "run.lock"};
  std::error_code error;
  if (!fs::exists(folder / kLog, error)) return false;
  std::vector<fs::path> remove;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (begun.count(name) > 0) {
      remove.push_back(entry.path());
    } else if (own.count(name) == 0) {
      return false;
    }
  }
  for (const fs::path& each : remove) fs::remove(each);
  return true;
}

VerdictLog::VerdictLog(const fs::path& folder, const JudgeSheet& sheet, const Judge& judge)
    : path_(folder / kLog), synced_(std::chrono::steady_clock::now()) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw fail(Code::kIo, "{}: create: {}", folder.string(), error.message());
  if (!fs::is_empty(folder) && !clear_to_verdicts(folder)) {
    throw fail(Code::kUsage,
               "{}: found a folder with files in it, need a new one, or one where judging stopped",
               folder.string());
  }
  lock_ = std::make_unique<RunLock>(folder, kLock);
  head_ = head_of(sheet, judge).dump(-1, ' ', false, Json::error_handler_t::replace);
  if (fs::exists(path_)) read();
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) throw fail(Code::kIo, "{}: open: {}", path_.string(), std::strerror(errno));
  if (fs::file_size(path_) == 0) write(head_ + "\n");
  sync();
}

VerdictLog::~VerdictLog() { ::close(file_); }

// Takes over what an earlier start wrote, but for a line without its end, which is cut off.
void VerdictLog::read() {
  const std::string text = read_file(path_);
  size_t at = 0;
  int number = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', at)) {
    const std::string where = fmt::format("{}:{}", path_.string(), ++number);
    const Json line = parse_json(std::string_view(text).substr(at, end - at), where);
    at = end + 1;
    if (number > 1) {
      found_[string_member(line, "id", where)] = string_member(line, "verdict", where);
      continue;
    }
    const Json wanted = parse_json(head_, where);
    for (const auto& [key, value] : wanted.items()) {
      if (line.contains(key) && line[key] == value) continue;
      throw fail(Code::kUsage,
                 "{}: {}: found {}, need {}. Judging is gone on with only as it began; choose "
                 "another --out",
                 where,
                 key,
                 line.contains(key) ? line[key].dump() : "nothing",
                 value.dump());
    }
  }
  fs::resize_file(path_, at);
}

void VerdictLog::write(const std::string& line) {
  for (size_t done = 0; done < line.size();) {
    const ssize_t wrote = ::write(file_, line.data() + done, line.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      throw fail(Code::kIo, "{}: write: {}", path_.string(), std::strerror(errno));
    }
    done += static_cast<size_t>(wrote);
  }
}

void VerdictLog::add(const JudgeTask& task, const std::string& verdict) {
  const Json line = {{"id", task.id},
                     {"exam", task.exam},
                     {"item", task.item},
                     {"swapped", task.swapped},
                     {"vote", task.vote},
                     {"verdict", verdict}};
  write(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (std::chrono::steady_clock::now() - synced_ >= kSyncAfter) sync();
}

void VerdictLog::sync() {
  if (::fdatasync(file_) != 0) {
    throw fail(Code::kIo, "{}: sync: {}", path_.string(), std::strerror(errno));
  }
  synced_ = std::chrono::steady_clock::now();
}

}  // namespace keju
