// SPDX-License-Identifier: MIT
#include "cli/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "cli/command.h"

#ifndef KEJU_COMMIT
#define KEJU_COMMIT "unknown"
#endif
#ifndef KEJU_VERSION
#define KEJU_VERSION "0"
#endif

namespace keju {
namespace {

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

std::string version_text() {
  return std::string("keju ") + KEJU_VERSION + " (commit " + KEJU_COMMIT + ", g++ " + __VERSION__ +
         ")";
}

Json machine_facts() {
  utsname system{};
  uname(&system);
  const int64_t memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return {{"cpu", processor()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", memory},
          {"system", std::string(system.sysname) + " " + system.release},
          {"program", version_text()},
          {"commit", KEJU_COMMIT}};
}

}  // namespace keju
