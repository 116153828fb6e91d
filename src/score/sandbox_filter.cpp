// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "score/sandbox_parts.h"

namespace keju {
namespace {

// What an interpreter needs to start, compute, use files and threads. No socket, no fork, no
// ptrace, no mount, no key, no io_uring, no bpf.
constexpr std::array kAllowed = {"access",
                                 "arch_prctl",
                                 "brk",
                                 "chdir",
                                 "chmod",
                                 "clock_getres",
                                 "clock_gettime",
                                 "clock_nanosleep",
                                 "close",
                                 "close_range",
                                 "creat",
                                 "dup",
                                 "dup2",
                                 "dup3",
                                 "epoll_create1",
                                 "epoll_ctl",
                                 "epoll_pwait",
                                 "epoll_wait",
                                 "eventfd2",
                                 "execve",
                                 "exit",
                                 "exit_group",
                                 "faccessat",
                                 "faccessat2",
                                 "fadvise64",
                                 "fchmod",
                                 "fcntl",
                                 "fdatasync",
                                 "fstat",
                                 "fstatfs",
                                 "fsync",
                                 "ftruncate",
                                 "futex",
                                 "futex_waitv",
                                 "getcwd",
                                 "getdents64",
                                 "getegid",
                                 "geteuid",
                                 "getgid",
                                 "getgroups",
                                 "getitimer",
                                 "getpgid",
                                 "getpgrp",
                                 "getpid",
                                 "getppid",
                                 "getrandom",
                                 "getresgid",
                                 "getresuid",
                                 "getrlimit",
                                 "getrusage",
                                 "getsid",
                                 "gettid",
                                 "gettimeofday",
                                 "getuid",
                                 "kill",
                                 "link",
                                 "linkat",
                                 "lseek",
                                 "lstat",
                                 "madvise",
                                 "membarrier",
                                 "mkdir",
                                 "mkdirat",
                                 "mmap",
                                 "mprotect",
                                 "mremap",
                                 "munmap",
                                 "nanosleep",
                                 "newfstatat",
                                 "open",
                                 "openat",
                                 "pause",
                                 "pipe",
                                 "pipe2",
                                 "poll",
                                 "ppoll",
                                 "pread64",
                                 "pselect6",
                                 "pwrite64",
                                 "read",
                                 "readlink",
                                 "readlinkat",
                                 "readv",
                                 "rename",
                                 "renameat",
                                 "renameat2",
                                 "restart_syscall",
                                 "rmdir",
                                 "rseq",
                                 "rt_sigaction",
                                 "rt_sigpending",
                                 "rt_sigprocmask",
                                 "rt_sigreturn",
                                 "rt_sigsuspend",
                                 "rt_sigtimedwait",
                                 "sched_getaffinity",
                                 "sched_getparam",
                                 "sched_getscheduler",
                                 "sched_yield",
                                 "select",
                                 "set_robust_list",
                                 "set_tid_address",
                                 "setitimer",
                                 "sigaltstack",
                                 "stat",
                                 "statfs",
                                 "statx",
                                 "symlink",
                                 "symlinkat",
                                 "sysinfo",
                                 "tgkill",
                                 "time",
                                 "times",
                                 "truncate",
                                 "umask",
                                 "uname",
                                 "unlink",
                                 "unlinkat",
                                 "utimensat",
                                 "wait4",
                                 "waitid",
                                 "write",
                                 "writev"};

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (context_ == nullptr) throw refused("init");
  }
  ~Filter() { seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  template <typename... Conditions>
  void rule(uint32_t action, const char* call, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(call);
    if (number == __NR_SCMP_ERROR) return;  // older libraries do not know the newest calls
    constexpr unsigned kCount = sizeof...(conditions);
    if (seccomp_rule_add(context_, action, number, kCount, conditions...) != 0) throw refused(call);
  }

  std::string program() const {
    const Descriptor file(memfd_create("keju-filter", MFD_CLOEXEC));
    if (file.get() < 0 || seccomp_export_bpf(context_, file.get()) != 0) throw refused("export");
    const off_t size = lseek(file.get(), 0, SEEK_END);
    std::string bytes(static_cast<size_t>(size), '\0');
    if (pread(file.get(), bytes.data(), bytes.size(), 0) != size) throw refused("export");
    return bytes;
  }

 private:
  static Error refused(const char* what) {
    return fail(Code::kUnsupported, "sandbox: seccomp: {}: libseccomp refused it", what);
  }

  scmp_filter_ctx context_;
};

}  // namespace

std::string system_call_filter() {
  Filter filter;
  for (const char* call : kAllowed) filter.rule(SCMP_ACT_ALLOW, call);
  filter.rule(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  filter.rule(SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  for (const unsigned long request : {TCGETS, FIOCLEX, FIONCLEX, TIOCGWINSZ, FIONREAD}) {
    filter.rule(SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, request));
  }
  // Limits may be read, not set.
  filter.rule(SCMP_ACT_ALLOW, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0));
  return filter.program();
}

}  // namespace keju
