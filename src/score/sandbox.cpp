// SPDX-License-Identifier: MIT
#include "score/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "score/sandbox_driver.h"
#include "score/sandbox_parts.h"

namespace keju {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLink = 3, kVerdict = 4, kFilter = 5;  // descriptors of a side
constexpr size_t kMostVerdict = 4096;

// A descriptor above those that a side gets, so that handing them over cannot overwrite one.
Descriptor high(Descriptor low) {
  Descriptor file(fcntl(low.get(), F_DUPFD_CLOEXEC, 10));
  if (file.get() < 0) throw fail(Code::kIo, "sandbox: descriptor: {}", std::strerror(errno));
  return file;
}

Descriptor null_file(int flags) { return high(Descriptor(open("/dev/null", flags | O_CLOEXEC))); }

// A running side: bwrap, and under it an interpreter. Killed and waited for at the latest when it
// goes out of scope.
class Side {
 public:
  struct Files {
    int in = -1, out = -1, link = -1, verdict = -1, filter = -1;
  };

  Side(const std::vector<char*>& argv, const Files& files, const SandboxLimits& limits) {
    std::array<char*, 2> environment = {path_.data(), nullptr};
    pid_ = fork();
    if (pid_ < 0) throw fail(Code::kIo, "sandbox: fork: {}", std::strerror(errno));
    if (pid_ == 0) become(argv, files, limits, environment.data());
  }
  ~Side() {
    kill_it();
    wait();
  }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  // bwrap's inner processes die with it.
  void kill_it() {
    if (!waited_) ::kill(pid_, SIGKILL);
  }

  // Whether it was ended by `signal`, known once it is over: bwrap passes the program's end on.
  bool ended_by(int signal) {
    wait();
    return WIFEXITED(status_) && WEXITSTATUS(status_) == 128 + signal;
  }

  // Gives it `s` seconds to end by itself.
  void wait_at_most(double s) {
    const auto begin = Clock::now();
    const auto until = begin + std::chrono::duration<double>(s);
    while (Clock::now() < until) {
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
          info.si_pid == pid_) {
        return;
      }
      poll(nullptr, 0, 2);
    }
  }

 private:
  void wait() {
    while (!waited_ && waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    waited_ = true;
  }

  static void limit(int what, int64_t value, int64_t hard) {
    const rlimit pair{static_cast<rlim_t>(value), static_cast<rlim_t>(hard)};
    if (setrlimit(static_cast<__rlimit_resource_t>(what), &pair) != 0) _exit(126);
  }

  // Between fork and exec: system calls only, since other threads may have held any lock.
  [[noreturn]] static void become(const std::vector<char*>& argv,
                                  const Files& files,
                                  const SandboxLimits& limits,
                                  char** environment) {
    limit(RLIMIT_AS, limits.memory_bytes, limits.memory_bytes);
    limit(RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1);
    limit(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes);
    limit(RLIMIT_NOFILE, limits.open_files, limits.open_files);
    limit(RLIMIT_CORE, 0, 0);
    if (dup2(files.in, 0) < 0 || dup2(files.out, 1) < 0 || dup2(files.out, 2) < 0) _exit(126);
    if (dup2(files.link, kLink) < 0 || dup2(files.verdict, kVerdict) < 0) _exit(126);
    if (dup2(files.filter, kFilter) < 0) _exit(126);
    if (syscall(SYS_close_range, kFilter + 1, ~0U, 0) != 0) {
      for (int number = kFilter + 1; number < 65536; ++number) close(number);
    }
    execve(argv[0], argv.data(), environment);
    _exit(127);
  }

  std::string path_ = "PATH=/usr/bin:/bin";
  pid_t pid_ = -1;
  bool waited_ = false;
  int status_ = 0;
};

std::string random_hex() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw fail(Code::kIo, "sandbox: random bytes: {}", std::strerror(errno));
  }
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

// The tests' own word; "ended" where there is none.
CodeVerdict read_verdict(const std::string& line, const std::string& nonce, bool& ended) {
  using Kind = CodeVerdict::Kind;
  ended = false;
  const Json verdict = Json::parse(line, nullptr, false);
  if (!verdict.is_object() || verdict.value("nonce", "") != nonce) {
    ended = true;
    return {Kind::kError, "the tests ended without a verdict"};
  }
  const std::string kind = verdict.value("kind", ""), detail = verdict.value("detail", "");
  if (kind == "passed") return {Kind::kPassed, ""};
  if (kind == "failed") return {Kind::kFailed, detail};
  if (kind == "unusable") return {Kind::kUnusable, detail};
  ended = kind == "ended";
  return {Kind::kError, detail};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// A program that tries every wall. Each attempt that succeeds is in the list that it returns.
constexpr std::string_view kTryWalls = R"(
import os
def escapes():
    found = []
    def attempt(name, action):
        try:
            action()
        except OSError:
            return
        found.append(name)
    def inet():
        import socket
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    attempt("network", inet)
    attempt("process", os.fork)
    attempt("write to /usr", lambda: open("/usr/keju", "w"))
    attempt("write to /", lambda: open("/keju", "w"))
    attempt("/proc", lambda: os.listdir("/proc"))
    attempt("/home", lambda: os.listdir("/home"))
    attempt("/root", lambda: os.listdir("/root"))
    if set(os.environ) - {"HOME", "LANG", "PYTHONHASHSEED", "PWD", "LC_CTYPE", "LD_LIBRARY_PATH"}:
        found.append("environment")
    return found
)";

}  // namespace

std::string read_until(int file, std::chrono::steady_clock::time_point until) {
  std::string text;
  while (text.size() < kMostVerdict) {
    // Up, since poll counts whole milliseconds and must not come back before `until`.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) break;
    pollfd wait{file, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    std::array<char, 1024> part{};
    const ssize_t got = read(file, part.data(), part.size());
    if (got <= 0) break;
    text.append(part.data(), static_cast<size_t>(got));
  }
  return text;
}

struct CodeSandbox::Parts {
  SandboxLimits limits;
  SandboxTools tools;
  std::string filter, description;

  std::vector<std::string> arguments(const char* role) const {
    std::vector<std::string> args = tools.arguments;
    for (const std::string& more : {std::string("--seccomp"),
                                    std::to_string(kFilter),
                                    std::string("--"),
                                    tools.python,
                                    std::string("-S"),
                                    std::string("-B"),
                                    std::string("-c"),
                                    std::string(kSandboxDriver),
                                    std::string(role)}) {
      args.push_back(more);
    }
    return args;
  }
};

std::string_view name(CodeVerdict::Kind kind) {
  switch (kind) {
    case CodeVerdict::Kind::kPassed:
      return "passed";
    case CodeVerdict::Kind::kFailed:
      return "failed";
    case CodeVerdict::Kind::kTimedOut:
      return "timed out";
    case CodeVerdict::Kind::kError:
      return "error";
    case CodeVerdict::Kind::kUnusable:
      return "unusable";
  }
  return "error";
}

CodeSandbox::CodeSandbox(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CodeSandbox::~CodeSandbox() = default;
const std::string& CodeSandbox::description() const { return parts_->description; }

std::unique_ptr<CodeSandbox> CodeSandbox::open(const SandboxLimits& limits) {
  auto parts = std::make_unique<Parts>();
  parts->limits = limits;
  parts->tools = find_sandbox_tools(limits);
  parts->filter = system_call_filter();
  parts->description = fmt::format("{}, Python {}, {} s CPU, {:g} s wall, {} MiB",
                                   parts->tools.bwrap_version,
                                   parts->tools.python_version,
                                   limits.cpu_s,
                                   limits.wall_s,
                                   limits.memory_bytes >> 20);
  std::unique_ptr<CodeSandbox> sandbox(new CodeSandbox(std::move(parts)));
  const std::string tests = "found = escapes()\nassert found == [], ', '.join(found)";
  const CodeVerdict verdict = sandbox->run({std::string(kTryWalls), "", tests, {"escapes"}, ""});
  if (verdict.kind != CodeVerdict::Kind::kPassed) {
    throw fail(Code::kUnsupported,
               "sandbox: trying its walls: found {}: {}, need all to hold",
               name(verdict.kind),
               verdict.detail);
  }
  return sandbox;
}

CodeVerdict CodeSandbox::run(const CodeTask& task) const {
  const SandboxLimits& limits = parts_->limits;
  const auto begin = Clock::now();
  const auto until = begin + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(limits.wall_s));
  const std::string nonce = random_hex();
  const Json job = {{"nonce", nonce},
                    {"program", task.program},
                    {"prelude", task.prelude},
                    {"tests", task.tests},
                    {"own", task.own},
                    {"reference", task.reference}};
  const Descriptor job_file =
      high(memory_file(job.dump(-1, ' ', true, Json::error_handler_t::replace)));
  std::array<int, 2> pair{}, ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    throw fail(Code::kIo, "sandbox: socket pair: {}", std::strerror(errno));
  }
  Descriptor tests_link(high(Descriptor(pair[0]))), program_link(high(Descriptor(pair[1])));
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw fail(Code::kIo, "sandbox: pipe: {}", std::strerror(errno));
  }
  Descriptor verdict_out(high(Descriptor(ends[0]))), verdict_in(high(Descriptor(ends[1])));
  const Descriptor nothing = null_file(O_RDONLY), sink = null_file(O_WRONLY);
  const Descriptor filter = high(memory_file(parts_->filter));
  const Descriptor other_filter = high(memory_file(parts_->filter));

  const std::vector<std::string> program_args = parts_->arguments("program");
  const std::vector<std::string> tests_args = parts_->arguments("tests");
  Side program(pointers(program_args),
               {nothing.get(), sink.get(), program_link.get(), sink.get(), filter.get()},
               limits);
  Side tests(pointers(tests_args),
             {job_file.get(), sink.get(), tests_link.get(), verdict_in.get(), other_filter.get()},
             limits);
  tests_link.close();
  program_link.close();
  verdict_in.close();

  const std::string line = read_until(verdict_out.get(), until);
  bool ended = false;
  CodeVerdict verdict = read_verdict(line, nonce, ended);
  if (!ended) return verdict;
  const bool late = Clock::now() >= until;
  if (!late) program.wait_at_most(0.5);
  if (!late && line.empty()) tests.wait_at_most(0.5);
  program.kill_it();
  tests.kill_it();
  // Past its processor limit a side gets SIGXCPU and, if it ignores that, SIGKILL a second later.
  const bool long_enough = Clock::now() - begin >= std::chrono::seconds(limits.cpu_s);
  for (Side* side : {&program, &tests}) {
    if (late || side->ended_by(SIGXCPU) || (long_enough && side->ended_by(SIGKILL))) {
      return {CodeVerdict::Kind::kTimedOut, ""};
    }
  }
  return verdict;
}

}  // namespace keju
