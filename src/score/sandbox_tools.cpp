// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "score/sandbox_parts.h"

extern char** environ;

namespace keju {
namespace {

namespace fs = std::filesystem;

std::string in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const fs::path file = fs::path(rest.substr(0, end)) / program;
    if (end > 0 && access(file.c_str(), X_OK) == 0) return file.string();
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "";
}

void find_bwrap(SandboxTools& tools) {
  tools.bwrap = in_path("bwrap");
  if (tools.bwrap.empty()) {
    throw fail(Code::kUnsupported,
               "sandbox: found no bwrap in the PATH, need it to run what a model writes. Install "
               "bubblewrap");
  }
  const std::string version = output_of({tools.bwrap, "--version"});  // "bubblewrap 0.8.0\n"
  tools.bwrap_version = version.substr(0, version.find('\n'));
}

struct Python {
  std::string executable, prefix, version;
};

Python find_python() {
  const char* own = std::getenv("KEJU_PYTHON");
  const std::string python = own != nullptr ? std::string(own) : in_path("python3");
  if (python.empty()) {
    throw fail(Code::kUnsupported,
               "sandbox: found no python3 in the PATH, need it to run what a model writes. Install "
               "it, or name one in KEJU_PYTHON");
  }
  constexpr std::string_view kAsk =
      "import json, os, sys; print(json.dumps({'executable': os.path.realpath(sys.executable), "
      "'prefix': os.path.realpath(sys.base_prefix), 'version': '%d.%d.%d' % sys.version_info[:3], "
      "'enough': sys.version_info >= (3, 10)}))";
  const std::string answer = output_of({python, "-I", "-S", "-c", std::string(kAsk)});
  if (answer.empty()) {
    throw fail(Code::kUnsupported, "sandbox: {}: found no Python that runs, need 3.10", python);
  }
  const Json facts = parse_json(answer, python);
  Python found{string_member(facts, "executable", python),
               string_member(facts, "prefix", python),
               string_member(facts, "version", python)};
  if (!member(facts, "enough", python).get<bool>()) {
    throw fail(Code::kUnsupported,
               "sandbox: {}: found Python {}, need 3.10. Name a newer one in KEJU_PYTHON",
               python,
               found.version);
  }
  return found;
}

bool lies_under(const fs::path& path, const fs::path& folder) {
  const fs::path from = path.lexically_relative(folder);
  return !from.empty() && *from.begin() != "..";
}

void add(std::vector<std::string>& arguments, std::initializer_list<std::string> more) {
  arguments.insert(arguments.end(), more);
}

// What the programs see of the file system.
void add_files(SandboxTools& tools, const Python& python, const SandboxLimits& limits) {
  std::vector<std::string>& args = tools.arguments;
  add(args, {"--ro-bind", "/usr", "/usr"});
  for (const char* folder : {"/lib", "/lib32", "/lib64", "/bin"}) {
    std::error_code error;
    const fs::path target = fs::read_symlink(folder, error);
    if (!error) {
      add(args, {"--symlink", target.string(), folder});
    } else if (fs::is_directory(folder, error)) {
      add(args, {"--ro-bind", folder, folder});
    }
  }
  add(args, {"--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"});
  if (!lies_under(python.executable, "/usr")) {
    // A Python of the user's own: its program and library, at a place that tells nothing.
    const fs::path prefix = python.prefix;
    if (!lies_under(python.executable, prefix) || prefix == prefix.root_path()) {
      throw fail(Code::kUnsupported,
                 "sandbox: {}: found it outside its own prefix {}, need a Python that lies in one "
                 "folder. Name another in KEJU_PYTHON",
                 python.executable,
                 python.prefix);
    }
    for (const std::string part : {"bin", "lib"}) {
      add(args, {"--ro-bind", (prefix / part).string(), "/python/" + part});
    }
    add(args, {"--setenv", "LD_LIBRARY_PATH", "/python/lib"});
    tools.python = ("/python" / fs::path(python.executable).lexically_relative(prefix)).string();
  }
  add(args, {"--dev-bind", "/dev/null", "/dev/null", "--dev-bind", "/dev/urandom", "/dev/urandom"});
  add(args, {"--size", std::to_string(limits.file_bytes), "--tmpfs", "/tmp", "--chdir", "/tmp"});
  add(args, {"--remount-ro", "/"});
}

bool starts(const SandboxTools& tools) {
  std::vector<std::string> args = tools.arguments;
  add(args, {"--", tools.python, "-S", "-c", "print('up')"});
  return output_of(args) == "up\n";
}

}  // namespace

void Descriptor::close() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Descriptor memory_file(std::string_view bytes) {
  Descriptor file(memfd_create("keju", MFD_CLOEXEC));
  while (file.get() >= 0 && !bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0) file.close();
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (file.get() < 0 || lseek(file.get(), 0, SEEK_SET) != 0) {
    throw fail(Code::kIo, "sandbox: memory file: {}", std::strerror(errno));
  }
  return file;
}

std::string output_of(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return "";
  Descriptor out(ends[0]), in(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  in.close();
  if (error != 0) return "";
  std::string text(64 << 10, '\0');
  size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < text.size()) {
    got = read(out.get(), text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<size_t>(got);
  }
  out.close();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  text.resize(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? size : 0);
  return text;
}

SandboxTools find_sandbox_tools(const SandboxLimits& limits) {
  SandboxTools tools;
  find_bwrap(tools);
  const Python python = find_python();
  tools.python = python.executable;
  tools.python_version = python.version;
  const std::vector<std::string> walls = {"--unshare-ipc",
                                          "--unshare-pid",
                                          "--unshare-net",
                                          "--unshare-uts",
                                          "--unshare-cgroup-try",
                                          "--die-with-parent",
                                          "--new-session",
                                          "--cap-drop",
                                          "ALL",
                                          "--clearenv",
                                          "--setenv",
                                          "HOME",
                                          "/tmp",
                                          "--setenv",
                                          "LANG",
                                          "C.UTF-8",
                                          "--setenv",
                                          "PYTHONHASHSEED",
                                          "0"};
  // As nobody where the kernel has user namespaces; else, for root alone, as root without any
  // capability.
  for (const bool as_nobody : {true, false}) {
    if (!as_nobody && geteuid() != 0) break;
    tools.arguments = {tools.bwrap};
    if (as_nobody) add(tools.arguments, {"--unshare-user", "--uid", "65534", "--gid", "65534"});
    tools.arguments.insert(tools.arguments.end(), walls.begin(), walls.end());
    add_files(tools, python, limits);
    if (starts(tools)) return tools;
  }
  throw fail(Code::kUnsupported,
             "sandbox: {} cannot start {} here, need user namespaces (or root) to run what a model "
             "writes. Try: bwrap --unshare-all --ro-bind / / true",
             tools.bwrap,
             python.executable);
}

}  // namespace keju
