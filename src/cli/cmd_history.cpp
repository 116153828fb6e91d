// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "gate/history.h"

namespace keju {

namespace {

void write_charts(const std::vector<HistoryLine>& lines, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw fail(Code::kIo, "{}: create: {}", folder.string(), error.message());
  for (const Chart& chart : to_charts(lines)) {
    write_file_atomically(folder / (chart.id + ".svg"), svg_file(chart, false));
  }
}

}  // namespace

void add_history(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "history",
      "Runs over time: each exam's scores with intervals, and paired steps between them");
  command->footer(
      "Example: keju history runs/2026-* --markdown history.md --svg charts\n"
      "Charts: a line of scores with 95% intervals for each exam; * marks a step of paired answers "
      "that is not chance (Holm, 5%).");
  struct Options {
    std::vector<std::string> runs;
    std::string markdown, svg;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  command->add_option("runs", options->runs, "Run folders, in any order")->required();
  command->add_option("--markdown", options->markdown, "Write the text to this file, too");
  command->add_option(
      "--svg", options->svg, "Draw each exam's line to <exam>.svg in this folder, which is made");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      const auto lines = read_history({options->runs.begin(), options->runs.end()});
      const std::string text = to_markdown(lines);
      if (!options->markdown.empty()) write_file_atomically(options->markdown, text);
      if (!options->svg.empty()) write_charts(lines, options->svg);
      if (options->json) {
        write_json_line(to_json(lines));
      } else {
        fmt::print("{}", text);
      }
      return 0;
    };
  });
}

}  // namespace keju
