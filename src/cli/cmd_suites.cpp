// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/exams.h"
#include "cli/jsonl.h"
#include "cli/open_model.h"
#include "cli/variant_changes.h"
#include "run/manifest.h"
#include "suite/lint.h"
#include "suite/new_suite.h"
#include "suite/open_data.h"
#include "suite/suite_file.h"

namespace keju {
namespace {

int list_suites(bool json) {
  Json all = Json::array();
  for (const std::string& suite : suite_names()) {
    for (const std::string& part : expand_suite(suite)) {
      for (const Protocol& p : suite_protocols(part)) {
        all.push_back(
            {{"suite", part}, {"protocol", p.id}, {"task", name(p.task)}, {"about", p.about}});
        if (!json) fmt::print("{:<18} {:<28} {}\n", part, p.id, p.about);
      }
    }
  }
  if (json) write_json_line(all);
  return 0;
}

struct Show {
  ExamChoice exams;
  std::string model;
  bool json = false;
};

// The suite's protocols, and what each does otherwise than the one that is shown.
void show_variants(const std::string& suite, const Exam& exam) {
  const SuiteFile file = SuiteFile::load(suite);
  const SuiteVariant& shown = file.variant(exam.protocol().id);
  for (const SuiteVariant& variant : file.variants) {
    fmt::print("variant {:<28} {}\n", variant.protocol.id, variant.protocol.about);
    for (const auto& [rule, value] : variant_changes(shown, variant)) {
      fmt::print("        {:<14} {}\n", rule, value);
    }
  }
}

// The prompt, or the turns of a chat: the template that joins them is the model's.
std::string item_text(const Protocol& protocol, const ExamItem& item) {
  if (!protocol.generate.chat || protocol.task != Task::kGenerate) return item.prompt;
  std::string text;
  if (!item.system.empty()) text += "[system]\n" + item.system + "\n";
  const std::vector<std::string> alone = {item.prompt};
  const std::vector<std::string>& turns = item.turns.empty() ? alone : item.turns;
  for (size_t i = 0; i < turns.size(); ++i) {
    text += "[user]\n" + turns[i] + "\n[assistant]\n";
    if (i < item.answers.size()) text += item.answers[i] + "\n";
  }
  return text + item.prefill;
}

// The first item as the model will see it, with its ids where a tokenizer is given.
int show_suite(const Show& options) {
  const std::shared_ptr<const Tokenizer> tokenizer =
      options.model.empty() ? nullptr : open_tokenizer(options.model, TokenizerUse::kRequired);
  std::vector<std::string> names;  // of the files, which may be paths
  for (const std::string& suite : options.exams.suites) {
    for (std::string& part : expand_suite(suite)) names.push_back(std::move(part));
  }
  size_t number = 0;
  for (const auto& exam : open_exams(options.exams)) {
    const ExamItem item = exam->item(0);
    Json out{{"suite", exam->suite()},
             {"protocol", exam->protocol().id},
             {"split", exam->split()},
             {"shots", exam->shots()},
             {"items", exam->size()},
             {"chance", exam->chance()},
             {"first_item", item.id},
             {"prompt", item.prompt},
             {"system", item.system},
             {"conclude", exam->protocol().conclude},
             {"turns", item.turns},
             {"answers", item.answers},
             {"prefill", item.prefill},
             {"continuations", item.continuations},
             {"gold", item.gold},
             {"answer", item.answer}};
    if (tokenizer != nullptr) {
      out["prompt_ids"] = tokenizer->encode(item.prompt);
      out["continuation_ids"] = Json::array();
      for (const std::string& c : item.continuations)
        out["continuation_ids"].push_back(tokenizer->encode(c));
    }
    if (options.json) {
      write_json_line(out);
      ++number;
      continue;
    }
    fmt::print(
        "suite {}  protocol {}  split {}  shots {}  items {}  chance {:.2f}\nfirst item "
        "{}\n----\n{}\n----\n",
        exam->suite(),
        exam->protocol().id,
        exam->split(),
        exam->shots(),
        exam->size(),
        exam->chance(),
        item.id,
        item_text(exam->protocol(), item));
    if (!exam->protocol().conclude.empty()) {
      fmt::print("then, with what the model wrote in between\n----\n{}\n----\n",
                 exam->concluding_prompt(0, "[what the model wrote]"));
    }
    for (const std::string& c : item.continuations) fmt::print("option {}\n", Json(c).dump());
    if (tokenizer != nullptr)
      fmt::print("prompt ids {}\noption ids {}\n",
                 out["prompt_ids"].dump(),
                 out["continuation_ids"].dump());
    show_variants(names.at(number++), *exam);
  }
  return 0;
}

struct Lint {
  ExamChoice exams;
  std::string model;
  int64_t context = 4096;
  bool json = false;
};

void show_finding(const std::string& data, const Finding& finding, bool json) {
  if (json) {
    write_json_line(
        {{"data", data}, {"kind", finding.kind}, {"at", finding.at}, {"message", finding.message}});
  } else {
    fmt::print("{}: {}: {}\n", finding.at, finding.kind, finding.message);
  }
}

// Items that a model of this context could not see whole, by its tokenizer.
size_t lint_lengths(const Lint& options) {
  const auto tokenizer = open_tokenizer(options.model, TokenizerUse::kRequired);
  const auto length = [&](const std::string& text) {
    return static_cast<int64_t>(tokenizer->encode(text).size());
  };
  size_t count = 0;
  for (const auto& exam : open_exams(options.exams)) {
    for (int64_t i = 0; i < exam->size(); ++i) {
      const ExamItem item = exam->item(i);
      int64_t longest =
          exam->protocol().task == Task::kGenerate ? exam->protocol().generate.max_tokens : 0;
      for (const std::string& each : item.continuations) longest = std::max(longest, length(each));
      const int64_t prompt = length(item.prompt);
      if (prompt + longest <= options.context) continue;
      ++count;
      show_finding(
          exam->suite(),
          {"over-long item",
           item.id,
           fmt::format("{} tokens and {} to come, more than {}", prompt, longest, options.context)},
          options.json);
    }
  }
  return count;
}

// Lints the data sets behind the suites, each once.
int lint_suites(const Lint& options) {
  const ExamChoice& choice = options.exams;
  std::set<std::string> seen;
  size_t count = 0;
  const std::optional<std::filesystem::path> data =
      choice.data.empty() ? std::nullopt : std::optional<std::filesystem::path>(choice.data);
  for (const std::string& suite : choice.suites) {
    for (const std::string& part : expand_suite(suite)) {
      const OpenData opened = open_data(SuiteFile::load(part), data);
      if (!seen.insert(opened.card.name).second) continue;
      for (const Finding& finding : lint(opened.card, opened.folder)) {
        ++count;
        show_finding(opened.card.name, finding, options.json);
      }
    }
  }
  if (!options.model.empty()) count += lint_lengths(options);
  if (!options.json) fmt::print("{} findings\n", count);
  return 0;
}

struct NewOptions {
  std::string from, out = ".", name;
  bool is_private = false, json = false;
};

int make_suite(const NewOptions& options) {
  const std::filesystem::path from(options.from), out(options.out);
  const std::string name = options.name.empty() ? from.stem().string() : options.name;
  const NewSuite made = new_suite(read_file(from), from.string(), name, options.is_private);
  const std::filesystem::path file = out / (name + ".yaml");
  for (const std::filesystem::path& path : {file, out / name}) {
    if (std::filesystem::exists(path)) {
      throw fail(Code::kUsage, "{}: found it, need a name that is free", path.string());
    }
  }
  std::filesystem::create_directories(out / name);
  write_file_atomically(file, made.suite);
  write_file_atomically(out / name / "dataset.yaml", made.card);
  write_file_atomically(out / name / "test.csv", made.rows);
  // What was written must be what the program reads.
  ExamOptions exam_options;
  exam_options.suite = file.string();
  const auto exam = Exam::open(exam_options);
  if (options.json) {
    write_json_line({{"suite", file.string()},
                     {"items", exam->size()},
                     {"private", options.is_private},
                     {"notes", made.notes}});
    return 0;
  }
  fmt::print("{}: {} items\n", file.string(), exam->size());
  for (const std::string& note : made.notes) fmt::print("{}\n", note);
  return 0;
}

}  // namespace

void add_suites(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("suites", "List, show, lint or make suites");
  command->require_subcommand(1);
  command->footer("Example: keju suites show --suite keju-sample --model model.gguf");
  auto json = std::make_shared<bool>(false);
  CLI::App* list = command->add_subcommand("list", "Names and protocols of the embedded suites");
  list->add_flag("--json", *json, "One JSON list");
  list->callback([=, &action] { action = [=] { return list_suites(*json); }; });

  auto show_options = std::make_shared<Show>();
  CLI::App* show = command->add_subcommand(
      "show", "The first item as it is sent to a model, and what the variants change");
  add_exam_options(*show, show_options->exams);
  show->add_option("--model,-m", show_options->model, "Show ids by this checkpoint's tokenizer");
  show->add_flag("--json", show_options->json, "JSON lines");
  show->callback([=, &action] { action = [=] { return show_suite(*show_options); }; });

  auto new_options = std::make_shared<NewOptions>();
  CLI::App* fresh =
      command->add_subcommand("new", "A suite and its data card from a table of items");
  fresh->footer("Example: keju suites new --from items.csv --private --out suites");
  fresh
      ->add_option("--from",
                   new_options->from,
                   "CSV with question, answer and, for options, A, B, …; id and subject if wanted")
      ->required();
  fresh->add_option("--name", new_options->name, "Name of the suite; default the file's");
  fresh->add_option("--out,-o", new_options->out, "Folder for NAME.yaml and NAME/");
  fresh->add_flag("--private",
                  new_options->is_private,
                  "Keep items and outputs out of results, reports and exports");
  fresh->add_flag("--json", new_options->json, "One JSON object");
  fresh->callback([=, &action] { action = [=] { return make_suite(*new_options); }; });

  auto lint_options = std::make_shared<Lint>();
  CLI::App* check = command->add_subcommand(
      "lint",
      "Duplicates, leaks between splits, skewed keys, options that begin one another, unlabelled "
      "splits; items too long for a model");
  add_exam_options(*check, lint_options->exams);
  check->add_option("--model,-m", lint_options->model, "Also count tokens, by its tokenizer");
  check->add_option("--context", lint_options->context, "Tokens that an item may have")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  check->add_flag("--json", lint_options->json, "JSON lines");
  check->callback([=, &action] { action = [=] { return lint_suites(*lint_options); }; });
}

}  // namespace keju
