// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/scores.h"
#include "run/manifest.h"
#include "run/rescore.h"
#include "run/results.h"

namespace keju {
namespace {

struct Options {
  std::string run, out, rule, errata, verdicts, key, against, judge;
  bool json = false;
};

// Verdicts on a sheet of `keju judge export`, whose key lies beside them unless named.
Verdicts read_verdicts(const Options& options) {
  const std::filesystem::path file(options.verdicts);
  const std::filesystem::path key =
      options.key.empty() ? file.parent_path() / "key.json" : std::filesystem::path(options.key);
  std::optional<std::filesystem::path> against;
  if (!options.against.empty()) against = options.against;
  const JudgeSheet sheet = judge_sheet(options_of_key(key, options.run, against));
  return weigh(sheet, read_answers(file, sheet), {options.judge, "", Json()});
}

int rescore_command(const Options& options) {
  RescoreOptions wanted;
  wanted.run = options.run;
  wanted.out = options.out;
  if (!options.rule.empty()) wanted.rule = options.rule;
  if (!options.errata.empty()) wanted.errata = read_errata(options.errata);
  if (!options.verdicts.empty()) wanted.verdicts = read_verdicts(options);
  const RescoreSummary summary = rescore(wanted);
  if (options.json) {
    write_json_line(
        {{"run", options.out},
         {"parent_digest", summary.parent_digest},
         {"digest", summary.digest},
         {"items", summary.items},
         {"changed", summary.changed},
         {"errata", {{"listed", summary.errata_listed}, {"found", summary.errata_found}}},
         {"complete", summary.complete}});
  } else {
    fmt::print("run {}: {} items scored again, {} with another outcome{}\n",
               options.out,
               summary.items,
               summary.changed,
               summary.complete ? "" : "  (INCOMPLETE)");
    if (summary.errata_listed > 0) {
      fmt::print("errata: {} items of this run out of {} listed\n",
                 summary.errata_found,
                 summary.errata_listed);
    }
    fmt::print("{}", scores_text(read_results(options.out), read_manifest(options.out)));
    fmt::print("parent {}\ndigest {}\n", summary.parent_digest, summary.digest);
  }
  return summary.complete ? 0 : 3;
}

}  // namespace

void add_rescore(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "rescore", "Score a run's stored outputs again, without weights, into a new run");
  command->footer(
      "Examples:\n  keju rescore runs/mine --rule last_number --out runs/mine-last-number\n"
      "  keju rescore runs/mine --errata mmlu-errata.csv --out runs/mine-errata");
  auto options = std::make_shared<Options>();
  command->add_option("run", options->run, "Run folder")->required();
  command->add_option("--rule",
                      options->rule,
                      "Extraction rule for generated text, or score rule (sum, per_char, …) for "
                      "options");
  command->add_option("--errata",
                      options->errata,
                      "CSV or JSON lines of item, defect, source: every value also without them");
  command->add_option(
      "--verdicts", options->verdicts, "questions.jsonl or .csv of `keju judge export`, filled in");
  command->add_option("--key", options->key, "Its key.json; default beside the verdicts");
  command->add_option("--against", options->against, "The other run, for verdicts on pairs");
  command->add_option("--judge", options->judge, "Who judged, for the record");
  command->add_option("--out,-o", options->out, "New run folder")->required();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] { action = [=] { return rescore_command(*options); }; });
}

}  // namespace keju
