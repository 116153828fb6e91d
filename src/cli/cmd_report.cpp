// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "cli/command.h"
#include "cli/jsonl.h"
#include "report/report.h"

namespace keju {

void add_report(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "report", "Leaderboard of run folders: Markdown, CSV, JSON and one HTML page");
  command->footer("Example: keju report runs/a runs/b --out leaderboard");
  struct Options {
    std::vector<std::string> runs;
    std::string out;
    ReportOptions report;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  command->add_option("runs", options->runs, "Run folders")->required();
  command->add_option("--out,-o", options->out, "Folder to write to")->required();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      const std::vector<std::filesystem::path> runs(options->runs.begin(), options->runs.end());
      const std::filesystem::path out(options->out);
      Json files = Json::array();
      for (const auto& file : write_report(runs, out, options->report))
        files.push_back(file.string());
      if (options->json) {
        write_json_line({{"files", files}});
      } else {
        for (const Json& file : files) fmt::print("{}\n", file.get<std::string>());
      }
      return 0;
    };
  });
}

}  // namespace keju
