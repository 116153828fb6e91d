// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "run/export.h"

namespace keju {

void add_export(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("export", "Write a run in another tool's format");
  command->footer("Example: keju export runs/mine --format lm-eval --out samples");
  struct Options {
    std::string run, format, out;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  command->add_option("run", options->run, "Run folder")->required();
  command
      ->add_option(
          "--format", options->format, fmt::format("One of {}", fmt::join(export_formats(), ", ")))
      ->required();
  command->add_option("--out,-o", options->out, "Folder to write to")->required();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      Json files = Json::array();
      for (const auto& path : export_run(options->run, options->format, options->out)) {
        files.push_back(path.string());
        if (!options->json) fmt::print("{}\n", path.string());
      }
      if (options->json) write_json_line({{"files", files}});
      return 0;
    };
  });
}

}  // namespace keju
