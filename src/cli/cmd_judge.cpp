// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

#include "base/error.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"
#include "cli/scores.h"
#include "cli/talk.h"
#include "run/export.h"
#include "run/judging.h"
#include "run/manifest.h"
#include "run/rescore.h"
#include "run/results.h"
#include "run/store.h"
#include "run/table_file.h"
#include "run/verdict_log.h"
#include "score/agreement.h"

namespace keju {
namespace {

struct Options {
  std::string run, against, out, format = "jsonl", key, answers, judge, gold;
  ModelOptions model;
  int votes = 1;
  double temperature = 0.7, pass = 0.6;
  bool plain = false, json = false;

  JudgeOptions sheet() const {
    JudgeOptions wanted{run, {}, votes};
    if (!against.empty()) wanted.against = against;
    return wanted;
  }
};

// Writes the judged run and says what became of the verdicts.
int finish(const Options& options,
           const JudgeSheet& sheet,
           const JudgeAnswers& answers,
           const Judge& judge) {
  RescoreOptions wanted;
  wanted.run = options.run;
  wanted.out = options.out;
  wanted.verdicts = weigh(sheet, answers, judge);
  const RescoreSummary summary = rescore(wanted);
  Json records = Json::object();
  for (const auto& [exam, record] : wanted.verdicts->records) {
    records[exam] = record;
    if (options.json) continue;
    const Json& verdicts = record["verdicts"];
    fmt::print("{}: {} of {} verdicts read, {} unreadable, {} missing; {} items judged\n",
               exam,
               verdicts["read"].get<int64_t>(),
               verdicts["asked"].get<int64_t>(),
               verdicts["unreadable"].get<int64_t>(),
               verdicts["missing"].get<int64_t>(),
               record["items_judged"].get<int64_t>());
  }
  if (options.json) {
    write_json_line({{"run", options.out}, {"digest", summary.digest}, {"exams", records}});
  } else {
    fmt::print("{}run {}\ndigest {}\n",
               scores_text(read_results(options.out), read_manifest(options.out)),
               options.out,
               summary.digest);
  }
  return summary.complete ? 0 : 3;
}

int judge_run(const Options& options) {
  const JudgeSheet sheet = judge_sheet(options.sheet());
  OpenedModel opened = open_model(options.model);
  AskOptions ask;
  ask.chat = !options.plain;
  ask.temperature = options.temperature;
  ask.cancel = cancel_on_signal();
  ask.progress = [](int64_t done, int64_t total) {
    talk_progress(fmt::format("judge  {}/{} verdicts", done, total), done == total);
  };
  const ModelFacts facts = opened.model->facts();
  if (ask.chat && facts.template_hash.empty()) {
    throw fail(Code::kUnsupported,
               "{}: it has no chat template, need one to judge by a user's turn. Give one with "
               "--chat-template, or use --plain",
               options.model.model);
  }
  const Judge judge{facts.name,
                    facts.weights_digest,
                    {{"numeric_mode", facts.numeric_mode},
                     {"template_hash", facts.template_hash},
                     {"chat", ask.chat},
                     {"temperature", options.votes > 1 ? options.temperature : 0.0}}};
  JudgeAnswers answers;
  {
    VerdictLog log(options.out, sheet, judge);
    ask.known = log.found();
    ask.keep = [&](const JudgeTask& task, const std::string& verdict) { log.add(task, verdict); };
    answers = ask_judge(*opened.model, sheet, ask);
    log.sync();
  }
  if (ask.cancel->load()) {
    talk(fmt::format("keju: {} of {} verdicts; the same command goes on where it stopped",
                     answers.size(),
                     sheet.tasks.size()));
    return 3;
  }
  return finish(options, sheet, answers, judge);
}

int judge_export(const Options& options) {
  refuse_private(options.run, "judge export");
  if (options.format != "jsonl" && options.format != "csv") {
    throw fail(Code::kUsage, "--format: found \"{}\", need jsonl or csv", options.format);
  }
  const JudgeSheet sheet = judge_sheet(options.sheet());
  Json files = Json::array();
  for (const auto& file : export_sheet(
           sheet, options.format == "csv" ? SheetFormat::kCsv : SheetFormat::kJsonl, options.out)) {
    files.push_back(file.string());
    if (!options.json) fmt::print("{}\n", file.string());
  }
  if (options.json) {
    write_json_line({{"files", files}, {"questions", sheet.tasks.size()}});
  } else {
    fmt::print("{} questions; keep key.json from those who judge\n", sheet.tasks.size());
  }
  return 0;
}

int judge_import(const Options& options) {
  std::optional<std::filesystem::path> against;
  if (!options.against.empty()) against = options.against;
  const JudgeSheet sheet = judge_sheet(options_of_key(options.key, options.run, against));
  return finish(options, sheet, read_answers(options.answers, sheet), {options.judge, "", {}});
}

// The judged values of a run.
struct Judged {
  std::map<std::string, double> values;  // by item
  bool pairs = false;                    // won, tied or lost: three classes; else scores in tenths

  int classes() const { return pairs ? 3 : 11; }
  int class_of(double value) const {
    return static_cast<int>(std::lround(value * (classes() - 1)));
  }
  double rate(double pass) const {
    const auto passed = std::count_if(
        values.begin(), values.end(), [&](const auto& each) { return each.second >= pass; });
    return static_cast<double>(passed) / static_cast<double>(values.size());
  }
};

Judged judged_values(const std::string& run) {
  Judged out;
  for (const ItemRecord& record : read_records(run)) {
    const auto* scored = std::get_if<Scored>(&record.outcome);
    if (scored == nullptr) continue;
    out.values[record.item] = scored->value;
    const std::string& result = scored->extracted;
    out.pairs = out.pairs || result == "win" || result == "tie" || result == "loss";
  }
  return out;
}

// Judged and gold values of the items that have both.
struct Compared {
  std::vector<int> ours, theirs;  // as classes
  Confusion slice;
  int64_t missing = 0, equal = 0;
};

double gold_value(const TableRow& row) {
  const std::string& text = row.cells.at("value");
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0' && value >= 0 && value <= 1) return value;
  throw fail(Code::kInput, "{}: value: found \"{}\", need 0 to 1", row.at, text);
}

Compared compare_with_gold(const Judged& judged, const std::string& file, double pass) {
  Compared out;
  for (const TableRow& row : read_table(file, {"item", "value"}, {"note"}).rows) {
    const double gold = gold_value(row);
    const auto found = judged.values.find(row.cells.at("item"));
    if (found == judged.values.end()) {
      ++out.missing;
      continue;
    }
    out.ours.push_back(judged.class_of(found->second));
    out.theirs.push_back(judged.class_of(gold));
    out.equal += out.ours.back() == out.theirs.back() ? 1 : 0;
    Confusion& slice = out.slice;
    const bool yes = found->second >= pass;
    ++(gold >= pass ? (yes ? slice.yes_yes : slice.yes_no) : (yes ? slice.no_yes : slice.no_no));
  }
  return out;
}

Json agreement_json(const Judged& judged, const Compared& both, double pass) {
  const auto count = static_cast<int64_t>(both.ours.size());
  const double rate = judged.rate(pass);
  const auto corrected =
      corrected_rate(rate, static_cast<int64_t>(judged.values.size()), both.slice);
  const auto k = kappa(both.ours, both.theirs, judged.classes(), !judged.pairs);
  return {{"gold", count + both.missing},
          {"compared", count},
          {"not_judged", both.missing},
          {"kappa", k ? Json(*k) : Json()},
          {"kappa_weights", judged.pairs ? "none" : "quadratic"},
          {"equal", static_cast<double>(both.equal) / static_cast<double>(count)},
          {"pass", pass},
          {"judged_rate", rate},
          {"corrected_rate", corrected ? Json(corrected->value) : Json()},
          {"corrected_low", corrected ? Json(corrected->interval->low) : Json()},
          {"corrected_high", corrected ? Json(corrected->interval->high) : Json()},
          {"slice",
           {{"both_pass", both.slice.yes_yes},
            {"gold_only", both.slice.yes_no},
            {"judge_only", both.slice.no_yes},
            {"neither", both.slice.no_no}}}};
}

// The judged outcomes of a run beside the gold labels of some of its items.
int judge_agree(const Options& options) {
  const Judged judged = judged_values(options.run);
  const Compared both = compare_with_gold(judged, options.gold, options.pass);
  if (both.ours.empty()) {
    throw fail(Code::kUsage, "{}: none of its items is judged in {}", options.gold, options.run);
  }
  const Json out = agreement_json(judged, both, options.pass);
  if (options.json) {
    write_json_line(out);
    return 0;
  }
  const auto shown = [&](const char* key) {
    return out[key].is_null() ? std::string("n/a") : fmt::format("{:.4f}", out[key].get<double>());
  };
  fmt::print(
      "{} gold items, {} compared, {} without a verdict\nkappa (weights: {}) {}  equal {}\nrate of "
      "{} and more: judged {}, corrected {} [{}, {}]\n",
      out["gold"].get<int64_t>(),
      out["compared"].get<int64_t>(),
      both.missing,
      out["kappa_weights"].get<std::string>(),
      shown("kappa"),
      shown("equal"),
      options.pass,
      shown("judged_rate"),
      shown("corrected_rate"),
      shown("corrected_low"),
      shown("corrected_high"));
  return 0;
}

void add_sheet_options(CLI::App& app, Options& options) {
  app.add_option("run", options.run, "Run folder of a judged suite")->required();
  app.add_option("--against", options.against, "Another run: pairs in both orders, not scores");
}

}  // namespace

void add_judge(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("judge", "Have a run's answers judged: by a model, a service or people");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n  keju judge run runs/mine --judge-model judge.gguf --out runs/mine-judged\n"
      "  keju judge export runs/mine --against runs/base --format csv --out sheet");
  auto options = std::make_shared<Options>();
  CLI::App* run = command->add_subcommand("run", "Ask a model, and write the judged run");
  add_sheet_options(*run, *options);
  add_model_options(*run, options->model, Need::kModel, "--judge-model");
  run->add_option("--votes", options->votes, "Verdicts of each item and order")
      ->check(CLI::PositiveNumber);
  run->add_option("--temperature", options->temperature, "Of several votes; one vote is greedy");
  run->add_flag("--plain", options->plain, "Without the judge's chat template");

  CLI::App* out = command->add_subcommand("export", "Blinded questions, and a key to them");
  add_sheet_options(*out, *options);
  out->add_option("--votes", options->votes, "Verdicts of each item and order")
      ->check(CLI::PositiveNumber);
  out->add_option("--format", options->format, "jsonl or csv");

  CLI::App* in = command->add_subcommand("import", "Verdicts on an export, into the judged run");
  add_sheet_options(*in, *options);
  in->add_option("--key", options->key, "key.json of the export")->required();
  in->add_option("--verdicts", options->answers, "questions.jsonl or .csv, filled in")->required();
  in->add_option("--judge", options->judge, "Who judged, for the record")->required();

  CLI::App* agree = command->add_subcommand("agree", "A judged run against gold labels");
  agree->add_option("run", options->run, "Judged run folder")->required();
  agree->add_option("--gold", options->gold, "CSV or JSON lines of item, value (0 to 1)")
      ->required();
  agree->add_option("--pass", options->pass, "The value from which an answer is good");

  for (CLI::App* each : {run, out, in}) {
    each->add_option("--out,-o", options->out, "Folder to write")->required();
  }
  for (CLI::App* each : {run, out, in, agree}) {
    each->add_flag("--json", options->json, "One JSON object");
  }
  run->callback([=, &action] { action = [=] { return judge_run(*options); }; });
  out->callback([=, &action] { action = [=] { return judge_export(*options); }; });
  in->callback([=, &action] { action = [=] { return judge_import(*options); }; });
  agree->callback([=, &action] { action = [=] { return judge_agree(*options); }; });
}

}  // namespace keju
