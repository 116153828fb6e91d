// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/jsonl.h"
#include "cli/machine.h"
#include "cli/open_model.h"
#include "cli/talk.h"
#include "gate/gate_model.h"
#include "run/results.h"

namespace keju {
namespace {

struct GateCommand {
  std::string baseline, candidate, pilot, write, data, out, name, markdown, junit;
  ModelOptions model;
  GateOptions options;
  uint64_t seed = 1;
  bool json = false;
};

// The baseline's papers, rendered here.
std::vector<std::unique_ptr<Exam>> open_papers(const Baseline& baseline,
                                               const GateCommand& command) {
  std::vector<std::unique_ptr<Exam>> exams;
  for (const BaselineExam* exam : gated_exams(baseline, command.options)) {
    const std::string where = baseline.where + ": " + exam->key;
    ExamOptions options;
    options.suite = string_member(exam->entry, "suite", where);
    if (!command.data.empty()) options.data = command.data;
    options.protocol = string_member(member(exam->entry, "protocol", where), "id", where);
    options.split = string_member(exam->entry, "split", where);
    options.shots = static_cast<int>(int_member(exam->entry, "shots", where));
    if (!member(exam->entry, "limit", where).is_null())
      options.limit = int_member(exam->entry, "limit", where);
    for (const Json& subject : member(exam->entry, "subjects", where))
      options.subjects.push_back(string_member(subject, "id", where));
    exams.push_back(Exam::open(options));
  }
  return exams;
}

GateReport judge_model(const Baseline& baseline, const GateCommand& command) {
  ModelGate gate(baseline, open_papers(baseline, command), command.options, command.seed);
  GateReport report;
  report.invalid = gate.invalid();
  report.baseline = baseline.model;
  report.candidate = command.model.model;
  if (!report.invalid.empty()) return report;
  talk("gate: " + describe(gate.plan()));
  OpenedModel opened = open_model(command.model);
  RunOptions run;
  run.model_name = command.name;
  run.load_s = opened.load_s;
  run.out = command.out.empty() ? std::filesystem::path("keju-out") / opened.model->facts().name
                                : std::filesystem::path(command.out);
  run.cancel = cancel_on_signal();
  run.environment = machine_facts();
  return gate.judge_model(
      *opened.model, run, [](const std::string& line) { talk("gate: " + line); });
}

int finish(const GateReport& report, const GateCommand& command) {
  if (!command.junit.empty()) write_file_atomically(command.junit, to_junit(report));
  if (!command.markdown.empty()) write_file_atomically(command.markdown, to_markdown(report));
  if (command.json) {
    write_json_line(to_json(report));
  } else {
    fmt::print("{}", to_markdown(report));
  }
  return report.exit_code();
}

int gate(const GateCommand& command) {
  if (!command.candidate.empty() && !command.model.model.empty())
    throw fail(Code::kUsage, "gate: found both --candidate and --model, need one");
  Baseline baseline = read_baseline(command.baseline);
  if (!command.pilot.empty())
    baseline.pilot = pilot_of(baseline, read_answers(command.pilot), command.options);
  if (!command.write.empty()) {
    write_baseline(baseline, command.write);
    talk(fmt::format("gate: baseline {} written", command.write));
    if (command.candidate.empty() && command.model.model.empty()) return 0;
  }
  if (!command.model.model.empty()) return finish(judge_model(baseline, command), command);
  if (command.candidate.empty())
    throw fail(Code::kUsage, "gate: found no candidate, need --candidate RUN or --model MODEL");
  const AnsweredRun candidate = read_answers(command.candidate);
  const GateReport report =
      run_gate(baseline, candidate, read_results(command.candidate), command.options);
  if (report.plan) talk("gate: " + describe(*report.plan));
  return finish(report, command);
}

void add_rules(CLI::App& command, GateCommand& options) {
  GateOptions& gate = options.options;
  const auto share = CLI::Range(0.0, 1.0);
  command
      .add_option("--margin",
                  gate.rules.margin,
                  "Loss that is tolerated, as a share (0.01 is one point); default the smallest "
                  "that can be decided")
      ->check(CLI::Range(1e-6, 0.99));
  command
      .add_option("--alpha", gate.rules.alpha, "Chance of a wrong pass, and of a wrong regression")
      ->check(CLI::Range(1e-6, 0.5))
      ->capture_default_str();
  command.add_option("--power", gate.rules.power, "Chance that the margin must be decided with")
      ->check(CLI::Range(0.5, 0.999))
      ->capture_default_str();
  command.add_option(
      "--pilot",
      options.pilot,
      "Run of a model as good as the baseline: how many answers differ by noise alone");
  command
      .add_option("--discordance",
                  gate.discordance,
                  "The same as a share, assumed; default the baseline's pilot, or 0.1")
      ->check(CLI::Range(1e-6, 1.0));
  command.add_option("--suites", gate.suites, "Only these suites of the baseline")->delimiter(',');
  command
      .add_option(
          "--max-slowdown", gate.max_slowdown, "Share of the baseline's tokens/s that may be lost")
      ->check(share);
  command
      .add_option("--max-errors",
                  gate.max_errors,
                  "Share of items that may fail; what fails counts as wrong")
      ->check(share)
      ->capture_default_str();
  command
      .add_option("--max-cap-hits",
                  gate.max_cap_hits,
                  "Share of items by which texts cut at max_tokens may grow")
      ->check(share);
}

}  // namespace

void add_gate(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "gate",
      "Is a candidate worse than the baseline? Exit 0 pass, 1 regression, 2 undecided, 3 not "
      "comparable or not complete, 4 not decidable as asked");
  command->footer(
      "Examples:\n  keju gate --baseline runs/main --write-baseline baseline.json --pilot "
      "runs/again\n"
      "  keju gate --baseline baseline.json --candidate runs/mine --junit gate.xml\n"
      "  keju gate --baseline baseline.json --model model.gguf --data DATA --margin 0.03");
  auto options = std::make_shared<GateCommand>();
  command->add_option("--baseline", options->baseline, "Run folder, or a file of --write-baseline")
      ->required();
  command->add_option("--candidate", options->candidate, "Run folder to judge");
  add_model_options(*command, options->model, Need::kOptionalModel);
  command->add_option("--data", options->data, "With --model: folder of the data sets");
  command->add_option(
      "--out,-o", options->out, "With --model: its run folder; default keju-out/MODEL");
  command->add_option("--name", options->name, "With --model: its name");
  command->add_option("--seed", options->seed, "With --model: the order in which items are drawn")
      ->capture_default_str();
  add_rules(*command, *options);
  command->add_option("--write-baseline",
                      options->write,
                      "Write the baseline to this file, small enough to commit");
  command->add_option("--junit", options->junit, "Write JUnit XML");
  command->add_option(
      "--markdown", options->markdown, "Write the report as a comment for a pull request");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] { action = [=] { return gate(*options); }; });
}

}  // namespace keju
