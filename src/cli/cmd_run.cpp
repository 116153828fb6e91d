// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "cli/command.h"
#include "cli/exams.h"
#include "cli/interrupt.h"
#include "cli/jsonl.h"
#include "cli/machine.h"
#include "cli/open_model.h"
#include "cli/scores.h"
#include "cli/talk.h"
#include "run/manifest.h"
#include "run/request.h"
#include "run/results.h"
#include "run/runner.h"
#include "run/speed.h"

namespace keju {
namespace {

struct RunCommand {
  ModelOptions model;
  ExamChoice exams;
  std::string out, name;
  bool dry_run = false, json = false;
};

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  return s >= 3600 ? fmt::format("{}h{:02}m", s / 3600, s / 60 % 60)
                   : fmt::format("{}m{:02}s", s / 60, s % 60);
}

void show_progress(const Progress& p) {
  talk_progress(
      fmt::format("{} {}  {}/{} items{}  {:.0f} tokens/s  ETA {}",
                  p.phase,
                  p.exam,
                  p.items_done,
                  p.items_total,
                  p.items_resumed > 0 ? fmt::format(" ({} resumed)", p.items_resumed) : "",
                  p.tokens_per_s,
                  // Nothing is done yet from which it could be told.
                  p.eta_s > 0 || p.items_done == p.items_total ? duration(p.eta_s) : "-"),
      p.items_done == p.items_total);
}

// Hands out every item of the exams, for planning.
class AllItems : public RequestSource {
 public:
  explicit AllItems(const std::vector<std::unique_ptr<Exam>>& exams) : exams_(exams) {}
  std::optional<Request> next() override {
    while (exam_ < exams_.size() && item_ == exams_[exam_]->size()) {
      ++exam_;
      item_ = 0;
    }
    if (exam_ == exams_.size()) return std::nullopt;
    ExamItem item = exams_[exam_]->item(item_);
    item.answers.resize(item.turns.empty() ? 0 : item.turns.size() - 1);  // the model's: unknown
    std::vector<Request> requests = make_requests(*exams_[exam_], std::move(item));
    Request request = std::move(requests.at(part_));
    if (++part_ == requests.size()) {
      part_ = 0;
      ++item_;
    }
    if (const auto* generate = std::get_if<GenerateRequest>(&request.what))
      new_tokens += generate->max_tokens;
    request.id = next_id_++;
    return request;
  }
  int64_t new_tokens = 0;

 private:
  const std::vector<std::unique_ptr<Exam>>& exams_;
  size_t exam_ = 0, part_ = 0;
  int64_t item_ = 0;
  uint64_t next_id_ = 0;
};

// Tokenizer, activations and everything else beside weights, keys and values.
constexpr int64_t kProgramBytes = int64_t{200} << 20;

int dry_run(const RunCommand& command,
            OpenedModel& opened,
            const std::vector<std::unique_ptr<Exam>>& exams) {
  int64_t items = 0;
  for (const auto& exam : exams) items += exam->size();
  AllItems source(exams);
  const auto begin = std::chrono::steady_clock::now();
  const SessionStats plan = opened.model->plan(source);
  const double plan_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const int64_t plan_peak = peak_rss_bytes();
  const double rate = opened.model->measure_prefill_tokens_per_s();
  const auto weights = static_cast<int64_t>(opened.checkpoint->weight_bytes());
  const int64_t memory = weights + plan.kv_peak_bytes + kProgramBytes;
  const double seconds = static_cast<double>(plan.tokens_planned) / rate;
  const Json out{{"items", items},
                 {"tokens_naive", plan.tokens_naive},
                 {"tokens_to_compute", plan.tokens_planned},
                 {"new_tokens_at_most", source.new_tokens},
                 {"plan_s", plan_s},
                 {"plan_peak_memory_bytes", plan_peak},
                 {"weights_bytes", weights},
                 {"kv_peak_bytes_about", plan.kv_peak_bytes},
                 {"memory_bytes_about", memory},
                 {"prefill_tokens_per_s", rate},
                 {"expected_prefill_s", seconds}};
  if (command.json) {
    write_json_line(out);
    return 0;
  }
  fmt::print(
      "items               {}\ntokens naive        {}\ntokens to compute   {}\nnew tokens          "
      "at most {}\n",
      items,
      plan.tokens_naive,
      plan.tokens_planned,
      source.new_tokens);
  fmt::print(
      "memory              about {} MB\nprefill             {:.0f} tokens/s measured "
      "here\nexpected time       {}{}\n",
      memory / 1000000,
      rate,
      duration(seconds),
      source.new_tokens > 0 ? " and the time of the new tokens" : "");
  return 0;
}

Json failures_json(const RunSummary& summary) {
  Json list = Json::array();
  for (const auto& [reason, items] : summary.failures)
    list.push_back({{"error", reason}, {"items", items}});
  return list;
}

int run_command(const RunCommand& command) {
  const std::vector<std::unique_ptr<Exam>> exams =
      open_exams(command.exams);  // before any model is opened
  const std::string sandbox = command.dry_run ? "" : check_sandbox(exams);
  OpenedModel opened = open_model(command.model);
  if (command.dry_run) return dry_run(command, opened, exams);
  RunOptions options;
  options.model_name = command.name;
  options.load_s = opened.load_s;
  options.threads = command.model.threads;
  options.out = command.out.empty() ? std::filesystem::path("keju-out") / opened.model->facts().name
                                    : std::filesystem::path(command.out);
  options.cancel = cancel_on_signal();
  options.environment = machine_facts();
  if (!sandbox.empty()) options.environment["sandbox"] = sandbox;
  options.progress = show_progress;
  const RunSummary summary = run_exams(*opened.model, exams, options);
  const Json out{{"run", options.out.string()},
                 {"complete", summary.complete},
                 {"total", summary.total},
                 {"scored", summary.scored},
                 {"unscored", summary.unscored},
                 {"failed", summary.failed},
                 {"resumed", summary.resumed},
                 {"failures", failures_json(summary)},
                 {"digest", summary.digest},
                 {"results", summary.results.string()}};
  if (command.json) {
    write_json_line(out);
  } else {
    fmt::print("{}run {}: {} items: {} scored, {} unscored, {} failed{}\ndigest {}\nresults {}\n",
               scores_text(read_results(options.out), read_manifest(options.out)),
               options.out.string(),
               summary.total,
               summary.scored,
               summary.unscored,
               summary.failed,
               summary.complete ? "" : "  (INCOMPLETE)",
               summary.digest,
               summary.results.string());
  }
  constexpr size_t kReasons = 3;
  for (size_t i = 0; i < std::min(kReasons, summary.failures.size()); ++i) {
    const auto& [reason, items] = summary.failures[i];
    talk(fmt::format("keju: {} item{} failed: {}", items, items == 1 ? "" : "s", reason));
  }
  if (summary.failures.size() > kReasons)
    talk(fmt::format(
        "keju: and for {} more reasons: keju export {} --format csv --out DIR lists them",
        summary.failures.size() - kReasons,
        options.out.string()));
  if (!summary.complete)
    talk("keju: the run is not complete; the same command goes on where it stopped");
  return summary.complete ? 0 : 3;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "run", "Examine a model on suites; goes on where an earlier run of the same folder stopped");
  command->footer(
      "Examples:\n  keju run --model model.gguf --suite keju-sample --out runs/mine\n"
      "  keju run --model model.gguf --suite cmmlu --data DATA --protocol lm-eval --shots 5 "
      "--subjects agronomy");
  auto options = std::make_shared<RunCommand>();
  add_model_options(*command, options->model);
  add_exam_options(*command, options->exams);
  command->add_option("--out,-o", options->out, "Run folder; default keju-out/MODEL");
  command->add_option(
      "--name", options->name, "Name of the model on the leaderboard; default its file's name");
  command->add_flag(
      "--dry-run", options->dry_run, "Print items, tokens, memory and expected time, and stop");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] { action = [=] { return run_command(*options); }; });
}

}  // namespace keju
