// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <regex>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/talk.h"
#include "suite/exam.h"
#include "suite/import_samples.h"
#include "suite/import_task.h"

namespace keju {
namespace {

using std::filesystem::path;

struct ImportCommand {
  std::string file, out, name, rows;
  bool json = false;
};

// "samples_<task>_<time>.jsonl", with the results of the same run beside it.
struct LogName {
  std::string task;
  path results;
};

LogName read_name(const path& file) {
  static const std::regex kName("samples_(.+)_(\\d{4}-\\d\\d-\\d\\dT[0-9.\\-]+)");
  const std::string stem = file.stem().string();
  std::smatch match;
  if (!std::regex_match(stem, match, kName)) return {stem, {}};
  return {match[1], file.parent_path() / ("results_" + match[2].str() + ".json")};
}

int import_samples(const ImportCommand& command) {
  const path file(command.file);
  const LogName log = read_name(file);
  const std::string name = command.name.empty() ? log.task : command.name;
  if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos) {
    throw fail(Code::kUsage, "--name: found \"{}\", need a plain name", name);
  }
  Json results;
  if (std::filesystem::exists(log.results)) {
    results = parse_json(read_file(log.results), log.results.string());
  }
  const ImportedSuite made = import_lm_eval_samples(read_file(file), file.string(), name, results);
  const path out(command.out);
  std::filesystem::create_directories(out / name);
  write_file_atomically(out / (name + ".yaml"), made.suite);
  write_file_atomically(out / name / "dataset.yaml", made.card);
  write_file_atomically(out / name / "test.jsonl", made.rows);
  // What was written must be what the program reads.
  ExamOptions options;
  options.suite = (out / (name + ".yaml")).string();
  const auto exam = Exam::open(options);
  for (const std::string& note : made.notes) talk(fmt::format("{}: {}", name, note));
  if (command.json) {
    write_json_line({{"suite", options.suite}, {"items", exam->size()}, {"notes", made.notes}});
  } else {
    fmt::print("{}: {} items\n", options.suite, exam->size());
  }
  return 0;
}

int import_task(const ImportCommand& command) {
  const ImportedTask made = import_lm_eval_task(command.file, command.rows, command.name);
  if (made.name.empty() || made.name.front() == '.' || made.name.find('/') != std::string::npos) {
    throw fail(Code::kUsage, "--name: found \"{}\", need a plain name", made.name);
  }
  const path out(command.out);
  std::filesystem::create_directories(out / made.name);
  write_file_atomically(out / (made.name + ".yaml"), made.suite);
  write_file_atomically(out / made.name / "dataset.yaml", made.card);
  for (const auto& [split, rows] : made.rows) {
    write_file_atomically(out / made.name / (split + ".jsonl"), rows);
  }
  // What was written must be what the program reads.
  ExamOptions options;
  options.suite = (out / (made.name + ".yaml")).string();
  const auto exam = Exam::open(options);
  if (command.json) {
    write_json_line({{"suite", options.suite}, {"items", exam->size()}});
  } else {
    fmt::print("{}: {} items\n", options.suite, exam->size());
  }
  return 0;
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("import", "Make a suite of another harness's");
  command->require_subcommand(1);
  command->footer(
      "Example: keju import lm-eval-samples out/m/samples_cmmlu_2026-01-02T03-04-05.jsonl --out "
      "suites");
  auto options = std::make_shared<ImportCommand>();
  CLI::App* samples = command->add_subcommand(
      "lm-eval-samples", "A suite of the requests in a sample log (--log_samples) of lm-eval");
  samples->add_option("file", options->file, "samples_<task>_<time>.jsonl")->required();
  samples->add_option("--out,-o", options->out, "Folder for NAME.yaml and NAME/")->required();
  samples->add_option("--name", options->name, "Name of the suite; default the task's");
  samples->add_flag("--json", options->json, "One JSON object");
  CLI::App* task = command->add_subcommand(
      "lm-eval", "A suite of a task file (YAML) of lm-eval and its documents");
  task->add_option("file", options->file, "Task file")->required();
  task->add_option("--rows", options->rows, "Folder with SPLIT.jsonl, a document a line")
      ->required();
  task->add_option("--out,-o", options->out, "Folder for NAME.yaml and NAME/")->required();
  task->add_option("--name", options->name, "Name of the suite; default the task's");
  task->add_flag("--json", options->json, "One JSON object");
  task->callback([=, &action] { action = [=] { return import_task(*options); }; });
  samples->callback([=, &action] { action = [=] { return import_samples(*options); }; });
}

}  // namespace keju
