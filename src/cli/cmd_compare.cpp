// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "gate/compare.h"
#include "gate/first_cause.h"
#include "gate/kinship_board.h"
#include "run/export.h"

namespace keju {
namespace {

struct CompareCommand {
  std::vector<std::string> runs;
  std::string markdown;
  int64_t flips = 20;
  bool json = false, kinship = false;
  CompareOptions options;
  std::vector<std::string> with;
  std::string results;
  ExplainOptions explain;
};

int compare_kin(const CompareCommand& command) {
  std::vector<AnsweredRun> runs;
  for (const std::string& run : command.runs) runs.push_back(read_answers(run));
  const KinshipBoard board = kinship_board(runs, {});
  const std::string text = to_markdown(board);
  if (!command.markdown.empty()) write_file_atomically(command.markdown, text);
  if (command.json) {
    write_json_line(to_json(board));
  } else {
    fmt::print("{}", text);
  }
  return 0;
}

// A run against another harness's log: exit 0 if nothing differs, 1 if something does.
int compare_with(const CompareCommand& command) {
  if (command.runs.size() != 1)
    throw fail(Code::kUsage, "compare --with: found {} runs, need one", command.runs.size());
  refuse_private(command.runs[0], "compare --with");
  std::vector<TheirItem> theirs;
  for (const std::string& file : command.with) {
    for (TheirItem& item : read_samples(read_file(file), file)) theirs.push_back(std::move(item));
  }
  ExplainOptions options = command.explain;
  if (!command.results.empty()) {
    options.stated_average = stated_average(read_json(command.results));
    if (!options.stated_average)
      throw fail(
          Code::kInput, "{}: found no average of acc or exact_match, need one", command.results);
  }
  const Explanation explanation = explain(command.runs[0], theirs, options);
  if (command.json) {
    write_json_line(to_json(explanation));
  } else {
    fmt::print("{}", to_text(explanation));
  }
  return explanation.causes.empty() ? 0 : 1;
}

int compare_two(const CompareCommand& command) {
  if (command.runs.size() != 2)
    throw fail(Code::kUsage, "compare: found {} runs, need two", command.runs.size());
  const AnsweredRun a = read_answers(command.runs[0]), b = read_answers(command.runs[1]);
  const Comparison comparison = compare_runs(a, b, command.options);
  const std::string text = to_markdown(comparison, a, b, command.flips);
  if (!command.markdown.empty()) write_file_atomically(command.markdown, text);
  if (command.json) {
    write_json_line(to_json(comparison, a, b));
  } else {
    fmt::print("{}", text);
  }
  return comparison.refused ? 3 : 0;
}

}  // namespace

void add_compare(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "compare",
      "Two runs item by item: paired differences, flips, significance; exit 3 if they did not sit "
      "the same exam");
  command->footer(
      "Examples:\n  keju compare runs/a runs/b --markdown difference.md\n"
      "  keju compare runs/full runs/quantised --quant\n"
      "  keju compare runs/mine --with samples_cmmlu_agronomy_2026.jsonl --results "
      "results_2026.json");
  auto options = std::make_shared<CompareCommand>();
  command
      ->add_option(
          "runs", options->runs, "Run folders: A and B; one with --with, any number with --kinship")
      ->required();
  command->add_flag("--kinship",
                    options->kinship,
                    "Any number of runs: which are wrong in the same way beyond what the items "
                    "explain");
  command->add_flag("--quant",
                    options->options.quant,
                    "Also flips, KL divergence and change of the right option's probability");
  command->add_flag("--across-protocols",
                    options->options.across_protocols,
                    "Compare what can be joined where the exams differ, and name the differences");
  command->add_option("--with",
                      options->with,
                      "Per-item logs of lm-evaluation-harness or OpenCompass: name the first cause "
                      "of difference; exit 1 if there is one");
  command->add_option(
      "--results", options->results, "With --with: their results file, for the average");
  command->add_option("--exam", options->explain.exam, "With --with: which exam of the run");
  command
      ->add_option("--tolerance",
                   options->explain.tolerance,
                   "With --with: of a log-likelihood; 0.002 suits float32")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--flips", options->flips, "How many changed items to list")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--markdown", options->markdown, "Write the text to this file, too");
  command->add_flag("--json", options->json, "One JSON object, with every flip");
  command->callback([=, &action] {
    action = [=] {
      if (options->kinship) return compare_kin(*options);
      return options->with.empty() ? compare_two(*options) : compare_with(*options);
    };
  });
}

}  // namespace keju
