// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "report/report.h"

namespace keju {
namespace {

struct Options {
  std::vector<std::string> runs, models, published;
  std::string out, acceptance;
  ReportOptions report;
  bool json = false, verbose = false;
};

Json result_json(const ReportResult& result) {
  Json files = Json::array(), key = Json::object(), checks = Json::array();
  for (const auto& file : result.files) files.push_back(file.string());
  for (const auto& [blind, name] : result.key) key[blind] = name;
  for (const ReportResult::Check& check : result.acceptance) {
    checks.push_back({{"model", check.model},
                      {"requirement", check.requirement},
                      {"found", check.found},
                      {"verdict", check.verdict}});
  }
  return {{"files", files}, {"key", key}, {"acceptance", checks}};
}

// What was written, a line for each kind, or with `verbose` for each file. The page comes last,
// where it is seen.
void print_files(const ReportResult& result, bool verbose) {
  const std::filesystem::path page = result.files.front();
  std::map<std::string, size_t> folders;
  std::string beside;
  for (const std::filesystem::path& file : result.files) {
    if (file == page) continue;
    const bool top = file.parent_path() == page.parent_path();
    if (verbose) {
      fmt::print("{}\n", file.string());
    } else if (top) {
      beside += (beside.empty() ? "" : ", ") + file.filename().string();
    } else {
      ++folders[file.parent_path().string()];
    }
  }
  if (!beside.empty()) fmt::print("{}: {}\n", page.parent_path().string(), beside);
  for (const auto& [folder, count] : folders) {
    fmt::print("{}: {} {}\n", folder, count, count == 1 ? "file" : "files");
  }
  fmt::print("{}\n", page.string());
}

void print_result(const ReportResult& result, bool verbose) {
  for (const auto& [blind, name] : result.key) fmt::print("{} = {}\n", blind, name);
  for (const ReportResult::Check& check : result.acceptance) {
    fmt::print(
        "{}: {}: {}, found {}\n", check.model, check.requirement, check.verdict, check.found);
  }
  print_files(result, verbose);
}

int run_report(const Options& options) {
  ReportOptions report = options.report;
  for (const std::string& file : options.models) report.cards.add(read_file(file), file);
  for (const std::string& file : options.published) {
    for (ReferenceTable& table : parse_reference(read_file(file), file, report.cards)) {
      report.published.push_back(std::move(table));
    }
  }
  if (!options.acceptance.empty()) report.acceptance = options.acceptance;
  if (!(report.open_share >= 0 && report.open_share <= 1)) {
    throw fail(Code::kUsage, "--open-share: found {}, need 0 to 1", report.open_share);
  }
  const std::vector<std::filesystem::path> runs(options.runs.begin(), options.runs.end());
  const ReportResult result = write_report(runs, options.out, report);
  if (options.json) {
    write_json_line(result_json(result));
  } else {
    print_result(result, options.verbose);
  }
  if (result.any_failed) return 1;
  return result.all_met ? 0 : 2;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "report", "Leaderboard of run folders: one HTML page, Markdown, CSV, JSON, LaTeX and SVG");
  command->footer(
      "Example: keju report runs/a runs/b --out leaderboard\n"
      "With --acceptance: exit 0 if every requirement is met, 1 if one is not, 2 if one is not "
      "established.");
  auto options = std::make_shared<Options>();
  command->add_option("runs", options->runs, "Run folders")->required();
  command->add_option("--out,-o", options->out, "Folder to write to")->required();
  command->add_option("--title", options->report.title_en, "Title in English");
  command->add_option("--title-zh", options->report.title_zh, "Title in Chinese");
  command->add_option("--models", options->models, "Model cards beside the built-in ones (YAML)");
  command->add_option("--published", options->published, "Published tables to show as well (YAML)");
  command->add_option(
      "--home", options->report.home, "Country code: models from elsewhere are listed unranked");
  command->add_option(
      "--reference", options->report.unranked, "Name of a model that is listed unranked");
  command
      ->add_option(
          "--open-share", options->report.open_share, "total = share x OPEN + (1 - share) x OPT")
      ->capture_default_str();
  command
      ->add_option(
          "--items", options->report.items, "Items of each paper in the explorer, drawn at random")
      ->capture_default_str();
  command->add_option("--acceptance",
                      options->acceptance,
                      "Requirements to judge: score, ttft, price_per_correct, refusal_rate (YAML)");
  command->add_flag("--blind", options->report.blind, "Call the models by letters; prints the key");
  command->add_flag("--verbose", options->verbose, "Name every file that is written");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] { action = [=] { return run_report(*options); }; });
}

}  // namespace keju
