// SPDX-License-Identifier: MIT
// Programs that attack the sandbox or its verdict. Each is wrong by construction, or returns the
// list of the attacks that worked, which must be empty.
#include "score/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "base/error.h"
#include "score/sandbox_parts.h"
#include "tests/support/require.h"

namespace keju {
namespace {

using Kind = CodeVerdict::Kind;

class Sandbox : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    try {
      box_ = CodeSandbox::open({.cpu_s = 1, .wall_s = 4, .memory_bytes = int64_t{512} << 20});
    } catch (const Error& error) {
      why_ = error.what();
    }
  }
  static void TearDownTestSuite() { box_.reset(); }

  void SetUp() override {
    if (box_ != nullptr) return;
    if (required("sandbox")) FAIL() << "KEJU_REQUIRE names sandbox, but " << why_;
    GTEST_SKIP() << why_;
  }

  static CodeVerdict run(const std::string& program, const std::string& tests) {
    return box_->run({program, "", tests, {"f"}, ""});
  }

  inline static std::unique_ptr<CodeSandbox> box_;
  inline static std::string why_;
};

struct Case {
  const char* name;
  const char* program;
};

TEST_F(Sandbox, VerdictsOfHonestPrograms) {
  const std::string tests = "assert f([2, 1]) == [1, 2]\nassert f(['b', 'a']) == ['a', 'b']\n";
  EXPECT_EQ(run("def f(x):\n    return sorted(x)", tests).kind, Kind::kPassed);
  EXPECT_EQ(run("def f(x):\n    print('noise')\n    return sorted(x)", tests).kind, Kind::kPassed);
  EXPECT_EQ(run("def f(x):\n    return x", tests).kind, Kind::kFailed);
  const CodeVerdict raised = run("def f(x):\n    return x.nothing", tests);
  EXPECT_EQ(raised.kind, Kind::kError);
  EXPECT_NE(raised.detail.find("AttributeError"), std::string::npos) << raised.detail;
  const CodeVerdict broken = run("def f(x:\n    return x", tests);
  EXPECT_EQ(broken.kind, Kind::kError);
  EXPECT_NE(broken.detail.find("SyntaxError"), std::string::npos) << broken.detail;
  EXPECT_EQ(run("", tests).detail, "NameError: the program defines no f");
  EXPECT_NE(box_->description().find("Python 3"), std::string::npos) << box_->description();
}

// What crosses between program and tests has the value and the type that it had.
TEST_F(Sandbox, ValuesCross) {
  const std::string program = "def f(x):\n    return x";
  const CodeVerdict verdict =
      run(program,
          "import math, decimal, fractions, collections\n"
          "for v in (None, True, False, 0, -1, 2**53, -2**200, 1.0, 0.1, '',"
          " '\\ud800', '你好\\0', (), (1, (2.5,)), [[]], {1: {2}}, {(1, 2): 'x'},"
          " frozenset({1}), b'\\xff', 1+2j, range(2, 9, 3),"
          " fractions.Fraction(1, 3), decimal.Decimal('0.10'),"
          " collections.deque([1]), float('inf')):\n"
          "    got = f(v)\n"
          "    assert type(got) is type(v) and got == v, repr(v)\n"
          "assert math.isnan(f(float('nan')))\n"
          "assert math.copysign(1, f(-0.0)) == -1\n");
  EXPECT_EQ(verdict.kind, Kind::kPassed) << verdict.detail;
}

TEST_F(Sandbox, ObjectsOfTheProgramAreReachedByReference) {
  const CodeVerdict tree =
      box_->run({"class Node:\n    def __init__(self, d):\n"
                 "        self.d, self.left = d, None\n"
                 "def f(n):\n    return 0 if n is None else 1 + f(n.left)\n"
                 "def g(n):\n    yield from range(n)\n",
                 "",
                 "root = Node(1)\nroot.left = Node(2)\nassert f(root) == 2\n"
                 "assert root.left.d == 2\nassert list(g(3)) == [0, 1, 2]",
                 {"f"}});
  EXPECT_EQ(tree.kind, Kind::kPassed) << tree.detail;
}

TEST_F(Sandbox, WhatAProgramDoesToItsArgumentsIsSeen) {
  const CodeVerdict verdict =
      run("def f(x):\n    x.sort()", "a = [2, 1]\nf(a)\nassert a == [1, 2]");
  EXPECT_EQ(verdict.kind, Kind::kPassed) << verdict.detail;
}

// A function may be called as one of Python's own only where the data set's solution is, too.
TEST_F(Sandbox, NamesOfPythonsOwn) {
  const std::string program = "def sum(a, b):\n    return 6 * a\n";
  const std::string tests = "assert sum(1, 2) == 6";
  EXPECT_EQ(box_->run({program, "", tests, {}, "def sum(a, b):\n    return a + b"}).kind,
            Kind::kPassed);
  EXPECT_EQ(box_->run({program, "", tests, {}, ""}).kind, Kind::kError);
}

TEST_F(Sandbox, ExceptionsCross) {
  const std::string tests =
      "try:\n    f(-1)\nexcept ValueError as e:\n    assert str(e) == 'negative'\nelse:\n    "
      "assert 0";
  const CodeVerdict verdict = run("def f(x):\n    raise ValueError('negative')", tests);
  EXPECT_EQ(verdict.kind, Kind::kPassed) << verdict.detail;
}

TEST_F(Sandbox, WhatCannotBeCarriedIsSaidAndNotJudged) {
  const CodeVerdict verdict = run("def f(x):\n    return x(1)", "assert f(lambda v: v) == 1");
  EXPECT_EQ(verdict.kind, Kind::kUnusable) << verdict.detail;
}

TEST_F(Sandbox, NoCheatPasses) {
  const Case cases[] = {
      {"os._exit while loading", "import os\nos._exit(0)\ndef f(x): return 0"},
      {"os._exit", "import os\ndef f(x): os._exit(0)"},
      {"sys.exit while loading", "import sys\nsys.exit(0)\ndef f(x): return 0"},
      {"sys.exit", "import sys\ndef f(x): sys.exit(0)"},
      {"SystemExit", "def f(x): raise SystemExit(0)"},
      {"KeyboardInterrupt", "def f(x): raise KeyboardInterrupt"},
      {"own process killed", "import os\ndef f(x): os.kill(os.getpid(), 9)"},
      {"marker printed",
       "import os\nm = b'{\"nonce\": \"\", \"kind\": \"passed\", \"detail\": \"\"}\\n'\n"
       "for n in range(1, 64):\n    try: os.write(n, m)\n    except OSError: pass\n"
       "def f(x): return 0"},
      {"marker at exit",
       "import atexit, os\natexit.register(lambda: [os.write(n, b'passed\\n') for n in (1, 2)])\n"
       "def f(x): return 0"},
      {"forged __eq__",
       "class A:\n    def __eq__(self, o): return True\n    def __ne__(self, o): return False\n"
       "    def __hash__(self): return 3\ndef f(x): return A()"},
      {"forged int",
       "class A(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\n"
       "def f(x): return A(0)"},
      {"forged str",
       "class A(str):\n    def __eq__(self, o): return True\n    __hash__ = str.__hash__\n"
       "def f(x): return A('')"},
      {"forged type",
       "class A:\n    __class__ = int\n    def __eq__(self, o): return True\ndef f(x): return A()"},
      {"builtins patched",
       "import builtins\nclass N(Exception): pass\nbuiltins.AssertionError = N\n"
       "builtins.abs = builtins.len = builtins.isinstance = lambda *a: 3\ndef f(x): return 0"},
      {"names of the tests",
       "def abs(x): return 0\ndef assertEqual(*a): pass\ntests = None\ndef f(x): return 0"},
      {"driver patched",
       "import __main__\n__main__.pack = lambda v, o: 3 if not isinstance(v, list) else v\n"
       "__main__.Link.receive = lambda self: exit()\ndef f(x): return 0"},
      {"excepthook", "import sys\nsys.excepthook = lambda *a: None\ndef f(x): raise TypeError"},
      {"trace", "import sys\nsys.settrace(lambda *a: None)\ndef f(x): return 0"},
      {"replies in advance",
       "import os, json\nos.write(3, b'{\"names\": {\"f\": [\"o\", 0]}}\\n' + b'{\"value\": 1, "
       "\"after\": {}}\\n' * 9)\n"
       "def f(x): return 0"},
      {"nonsense on the wire", "import os\nos.write(3, b'\\xff\\xfe{]\\n')\ndef f(x): return 0"},
      {"a deep answer", "import os\nos.write(3, b'[' * 200000 + b'\\n')\ndef f(x): return 0"},
      {"an error of no name",
       "import os\nos.write(3, b'{\"error\": \"SystemExit\", \"text\": \"0\"}\\n')\ndef f(x): "
       "return 0"},
      {"the link closed", "import os\nos.close(3)\ndef f(x): return 0"},
      {"a metaclass that lies",
       "class M(type):\n    def __instancecheck__(c, o): return True\n    def __eq__(c, o): return "
       "True\n"
       "    __hash__ = None\nclass f(metaclass=M):\n    def __new__(c, x): return "
       "object.__new__(c)"},
  };
  for (const Case& each : cases) {
    const CodeVerdict verdict = run(each.program, "assert abs(f(2)) == 3\nassert f(5) == 6\n");
    EXPECT_NE(verdict.kind, Kind::kPassed) << each.name;
    EXPECT_NE(verdict.kind, Kind::kUnusable) << each.name << ": " << verdict.detail;
  }
}

// Whatever a program looks through, the tests' text and values are not there.
TEST_F(Sandbox, ExpectedValuesAreOutOfReach) {
  const CodeVerdict verdict =
      run("import gc, sys, os, glob\n"
          "def f(x):\n"
          "    seen = [repr(sys.argv[2:]), repr(dict(os.environ))]\n"
          "    for o in gc.get_objects():\n"
          "        if isinstance(o, (dict, list, tuple)) and o is not seen:\n"
          "            try: seen.append(repr(o)[:20000])\n"
          "            except Exception: pass\n"
          "    for path in glob.glob('/tmp/**', recursive=True) + ['/dev/stdin']:\n"
          "        try: seen.append(open(path).read())\n"
          "        except OSError: pass\n"
          "    word = ''.join(map(chr, (107, 55, 81, 122, 101, 120, 112)))\n"
          "    return [s for s in seen if word in s]",
          "secret = 'k7Qzexpected'\nassert f(1) == [], 'seen'\n");
  EXPECT_EQ(verdict.kind, Kind::kPassed) << verdict.detail;
}

TEST_F(Sandbox, ResourcesEnd) {
  struct Bomb : Case {
    bool slow;  // only the clock ends it
  };
  const Bomb cases[] = {
      {{"busy loop", "def f(x):\n    while True: pass"}, true},
      {{"busy loop while loading", "while True: pass"}, true},
      {{"busy loop that ignores signals",
        "import signal\nfor s in (signal.SIGXCPU, signal.SIGTERM, signal.SIGALRM):\n"
        "    signal.signal(s, signal.SIG_IGN)\ndef f(x):\n    while True: pass"},
       true},
      {{"sleep that ignores SIGTERM",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef f(x): "
        "time.sleep(999)"},
       true},
      {{"huge power", "def f(x): return len(str(10 ** 10 ** 9))"}, true},
      {{"endless iterator",
        "class E:\n    def __iter__(self): return self\n    def __next__(self): return 1\n"
        "    def __abs__(self): return 3\ndef f(x): return E()"},
       false},
      {{"memory", "def f(x): return len(bytearray(1 << 34))"}, false},
      {{"memory by doubling", "def f(x):\n    a = [0]\n    while True: a += a"}, false},
      {{"fork bomb", "import os\ndef f(x):\n    while True: os.fork()"}, false},
      {{"thread bomb",
        "import threading, time\ndef f(x):\n    while True: threading.Thread(target=time.sleep, "
        "args=(99,)).start()"},
       false},
      {{"10 GB of output", "def f(x):\n    while True: print('x' * (1 << 20))"}, true},
      {{"disk",
        "def f(x):\n    with open('/tmp/a', 'wb') as a:\n        while True: a.write(b'x' * (1 << "
        "20))"},
       false},
      {{"many files",
        "def f(x):\n    i = 0\n    while True:\n        i += 1\n        open(f'/tmp/{i}', "
        "'wb').write(b'x' * (1 << 20))"},
       false},
      {{"descriptors", "def f(x):\n    a = []\n    while True: a.append(open('/dev/null'))"},
       false},
      {{"deep recursion", "def f(x): return f(x)"}, false},
      {{"deep recursion without a limit",
        "import sys\nsys.setrecursionlimit(1 << 30)\ndef f(x): return f([x])"},
       false},
      {{"a value without end", "def f(x):\n    a = []\n    a.append(a)\n    return a"}, false},
      {{"a long answer", "def f(x): return 'x' * (1 << 28)"}, false},
  };
  for (const Bomb& each : cases) {
    const CodeVerdict verdict = run(each.program, "assert f(2) == 3");
    EXPECT_NE(verdict.kind, Kind::kPassed) << each.name;
    EXPECT_NE(verdict.kind, Kind::kUnusable) << each.name << ": " << verdict.detail;
    if (each.slow) {
      EXPECT_EQ(verdict.kind, Kind::kTimedOut) << each.name << ": " << verdict.detail;
    }
  }
  // A program that answers the tests' loop for ever.
  const CodeVerdict endless =
      run("class E:\n    def __iter__(self): return self\n    def __next__(self): return 1\n"
          "def f(x): return E()",
          "assert sum(f(1)) == 3");
  EXPECT_EQ(endless.kind, Kind::kTimedOut) << endless.detail;
}

// Time that ran out must be seen as such by the clock, at whatever part of a millisecond it does.
TEST(SandboxParts, NothingIsGivenUpBeforeItsTime) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const Descriptor out(ends[0]), in(ends[1]);
  for (int i = 0; i < 50; ++i) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(1000 + 37 * i);
    EXPECT_EQ(read_until(out.get(), until), "");
    EXPECT_GE(std::chrono::steady_clock::now(), until) << i;
  }
}

TEST_F(Sandbox, NoEscapeWorks) {
  const CodeVerdict verdict = run(R"(
import ctypes, os, signal, socket
def f(x):
    worked = []
    def attempt(name, action):
        try:
            got = action()
        except Exception:
            return
        if got is not False:
            worked.append(name)
    libc = ctypes.CDLL(None, use_errno=True)
    syscall = lambda *a: libc.syscall(*a) >= 0
    attempt("fork", os.fork)
    attempt("forkpty", os.forkpty)
    attempt("vfork", lambda: syscall(58))
    attempt("clone3", lambda: syscall(435, 0, 0))
    attempt("clone without thread", lambda: syscall(56, 17, 0, 0, 0, 0))
    attempt("posix_spawn", lambda: os.posix_spawn("/usr/bin/env", ["env"], {}))
    attempt("setsid", os.setsid)
    attempt("ptrace", lambda: syscall(101, 16, 1, 0, 0))
    attempt("process_vm_readv", lambda: syscall(310, 1, 0, 0, 0, 0, 0))
    attempt("unshare", lambda: syscall(272, 0x10000000))
    attempt("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0)
    attempt("chroot", lambda: os.chroot("/tmp"))
    attempt("bpf", lambda: syscall(321, 0, 0, 0))
    attempt("io_uring", lambda: syscall(425, 1, 0))
    attempt("keyctl", lambda: syscall(250, 0, -3, 0))
    attempt("setrlimit", lambda: syscall(160, 0, 0))
    for name, args in {"tcp": (socket.AF_INET, socket.SOCK_STREAM),
                       "udp": (socket.AF_INET, socket.SOCK_DGRAM),
                       "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
                       "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
                       "netlink": (16, socket.SOCK_RAW)}.items():
        attempt(name, lambda: socket.socket(*args))
    attempt("socketpair", socket.socketpair)
    attempt("dns", lambda: socket.gethostbyname("localhost.localdomain"))
    attempt("/proc/1/environ", lambda: open("/proc/1/environ").read())
    attempt("/proc/self/mem", lambda: open("/proc/self/mem", "rb").read(1))
    attempt("/etc/passwd", lambda: open("/etc/passwd").read())
    attempt("/home", lambda: os.listdir("/home"))
    attempt("/root", lambda: os.listdir("/root"))
    attempt("/sys", lambda: os.listdir("/sys"))
    attempt("/dev/shm", lambda: os.listdir("/dev/shm"))
    attempt("write to /usr", lambda: open("/usr/x", "w"))
    attempt("write to /", lambda: open("/x", "w"))
    attempt("write to /dev", lambda: open("/dev/x", "w"))
    def out_by_link():
        os.symlink("/", "/tmp/out")
        return os.path.exists("/tmp/out/etc/passwd") or os.path.exists("/tmp/out/proc")
    attempt("symlink", out_by_link)
    attempt("mknod", lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)))
    attempt("kill the parent", lambda: os.kill(os.getppid(), 9) if os.getppid() > 1 else False)
    attempt("environment", lambda: bool(set(os.environ) - {"HOME", "LANG", "PYTHONHASHSEED", "PWD", "LC_CTYPE", "LD_LIBRARY_PATH"}))
    for pid in (1, -1):
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
    return worked
)",
                                  "found = f(0)\nassert found == [], found");
  EXPECT_EQ(verdict.kind, Kind::kPassed) << verdict.detail;
}

// A call by another numbering than the machine's own would go past the list of names.
TEST_F(Sandbox, ForeignSystemCallsEndTheProgram) {
  const CodeVerdict verdict =
      run("import ctypes\ndef f(x):\n    ctypes.CDLL(None).syscall(0x40000000 + 39)\n    return 3",
          "assert f(2) == 3");
  EXPECT_EQ(verdict.kind, Kind::kError);
  EXPECT_EQ(verdict.detail, "the program ended");
}

TEST_F(Sandbox, ShapesOfPrograms) {
  const std::string tests = "assert f(2) == 3";
  EXPECT_EQ(run(std::string("def f(x):\0 return 3", 20), tests).kind, Kind::kError);
  EXPECT_EQ(run("def f(x): return 3 # \xff\xfe", tests).kind, Kind::kPassed);  // as U+FFFD
  EXPECT_EQ(run("def f(x): return 3\r\n", tests).kind, Kind::kPassed);
  EXPECT_EQ(run("```python\ndef f(x): return 3\n```", tests).kind, Kind::kError);
  EXPECT_EQ(run("Here is the function:\ndef f(x): return 3", tests).kind, Kind::kError);
  EXPECT_EQ(run("f = lambda x: " + std::string(5 << 20, '(') + "3", tests).kind, Kind::kError);
  const CodeVerdict sum = run("f = lambda x: 3 #" + std::string(5 << 20, 'x'), tests);
  EXPECT_EQ(sum.kind, Kind::kPassed) << sum.detail;
  std::string noise = "def f(x):\n    import os\n    os.write(1, b'\\xff\\0' * 99)\n    return 3";
  EXPECT_EQ(run(noise, tests).kind, Kind::kPassed);
}

TEST_F(Sandbox, NothingIsLeftBehind) {
  run("import time\ndef f(x): time.sleep(999)", "f(1)");
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child of ours, running or dead
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(run("def f(x): return open('/tmp/a', 'w').write('abc')", "assert f(1) == 3").kind,
            Kind::kPassed);
  EXPECT_EQ(run("import os\ndef f(x): return os.listdir('/tmp')", "assert f(1) == []").kind,
            Kind::kPassed);
}

TEST(SandboxSetUp, WhatIsMissingIsSaid) {
  const char* old = std::getenv("PATH");
  const std::string path = old == nullptr ? "" : old;
  setenv("PATH", "/nowhere", 1);
  try {
    CodeSandbox::open();
    ADD_FAILURE() << "opened without bwrap";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("bwrap"), std::string::npos) << error.what();
  }
  setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace keju
