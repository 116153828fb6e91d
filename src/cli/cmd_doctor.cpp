// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <thread>

#include "base/error.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "model/family.h"
#include "score/code_tests.h"
#include "suite/exam.h"

namespace keju {

namespace {

// Whether programs that a model wrote can be run here, or why not.
std::string sandbox_text() {
  try {
    return shared_sandbox().description();
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("doctor", "What this machine and build can do");
  command->footer("Example: keju doctor");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      const auto backend = make_cpu_backend({});
      const BackendFacts facts = backend->facts();
      Json names = Json::array();
      for (const Family* family : families()) names.push_back(family->name);
      const Json out{{"version", version_text()},
                     {"cpu", facts.device},
                     {"cpu_isa", facts.isa},
                     {"cpu_isa_levels", cpu_isa_levels()},
                     {"threads", facts.threads},
                     {"numeric_mode", facts.numeric_mode},
                     {"cuda", cuda_absence().empty()},
                     {"sandbox", sandbox_text()},
                     {"families", names},
                     {"suites", suite_names()}};
      if (*json) {
        write_json_line(out);
      } else {
        for (const auto& [key, value] : out.items()) {
          fmt::print(
              "{:<15} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
        }
      }
      return 0;
    };
  });
}

}  // namespace keju
