// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "suite/card.h"
#include "suite/embedded.h"
#include "suite/lint.h"
#include "suite/open_data.h"

namespace keju {
namespace {

struct DataCommand {
  std::string name, data, from;
  bool json = false;
};

DataCard load_card(const std::string& name) {
  const std::string path = "datasets/" + name + "/dataset.yaml";
  const EmbeddedFile* file = find_embedded(path);
  if (file == nullptr)
    throw fail(Code::kUsage, "data set: unknown \"{}\"{}", name, suggestion(name, dataset_names()));
  return DataCard::parse(file->content, path);
}

std::optional<std::filesystem::path> folder_of(const std::string& data) {
  return data.empty() ? std::nullopt : std::optional<std::filesystem::path>(data);
}

int list_data(bool json) {
  Json all = Json::array();
  for (const std::string& name : dataset_names()) {
    const DataCard card = load_card(name);
    Json splits = Json::object();
    for (const CardSplit& split : card.splits) splits[split.id] = split.items;
    all.push_back({{"name", card.name},
                   {"title_zh", card.title_zh},
                   {"title_en", card.title_en},
                   {"licence", card.licence},
                   {"embedded", card.embedded},
                   {"splits", splits},
                   {"source", card.source}});
    if (!json) {
      fmt::print("{:<14} {:<28} {:<20} {} {}\n",
                 card.name,
                 card.title_en,
                 card.licence,
                 splits.dump(),
                 card.embedded ? "(in the program)" : "");
    }
  }
  if (json) write_json_line(all);
  return 0;
}

// Reads every file of the data set whole and holds it against the card.
int verify_data(const DataCommand& command) {
  const OpenData opened = open_dataset(command.name, folder_of(command.data));
  bool differs = false;
  Json findings = Json::array();
  for (const Finding& f : lint(opened.card, opened.folder)) {
    const bool of_card = f.kind == "count" || f.kind == "hash" || f.kind == "missing split";
    differs = differs || of_card;
    findings.push_back({{"kind", f.kind}, {"at", f.at}, {"message", f.message}});
    if (!command.json) fmt::print("{}: {}: {}\n", f.at, f.kind, f.message);
  }
  if (command.json) {
    write_json_line(
        {{"data", opened.card.name}, {"as_the_card_says", !differs}, {"findings", findings}});
  } else {
    fmt::print(
        "{}: {}\n", opened.card.name, differs ? "not as its card says" : "whole, as its card says");
  }
  return differs ? exit_code(Code::kInput) : 0;
}

// Copies the files that the card names from a folder laid out as published into DATA/NAME.
int import_data(const DataCommand& command) {
  const DataCard card = load_card(command.name);
  const std::filesystem::path from(command.from),
      to = std::filesystem::path(command.data) / card.name;
  int64_t copied = 0;
  for (const CardSplit& split : card.splits) {
    for (const CardSubject& subject : card.subjects) {
      const std::string file = card.file(split.id, subject.id);
      if (!std::filesystem::exists(from / file) || std::filesystem::exists(to / file)) continue;
      std::filesystem::create_directories((to / file).parent_path());
      write_file_atomically(to / file, read_file(from / file));
      ++copied;
    }
  }
  if (copied == 0) {
    throw fail(Code::kIo,
               "{}: found no file of {} (such as {}) that {} does not have yet",
               command.from,
               card.name,
               card.subjects.empty() || card.splits.empty()
                   ? card.files
                   : card.file(card.splits[0].id, card.subjects[0].id),
               to.string());
  }
  fmt::print("{} files copied to {}\n", copied, to.string());
  return verify_data(command);
}

}  // namespace

void add_data(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("data", "List, import or verify data sets");
  command->require_subcommand(1);
  command->footer("Example: keju data verify cmmlu --data DATA");
  auto options = std::make_shared<DataCommand>();
  CLI::App* list =
      command->add_subcommand("list", "Data sets that suites use, with licence and sizes");
  list->add_flag("--json", options->json, "One JSON list");
  list->callback([=, &action] { action = [=] { return list_data(options->json); }; });

  CLI::App* verify =
      command->add_subcommand("verify", "Read a data set whole and compare it with its card");
  verify->add_option("name", options->name, "Data set")->required();
  verify->add_option("--data", options->data, "Folder that holds one folder per data set");
  verify->add_flag("--json", options->json, "One JSON object");
  verify->callback([=, &action] { action = [=] { return verify_data(*options); }; });

  CLI::App* import =
      command->add_subcommand("import", "Copy a published folder into DATA/NAME and verify it");
  import->add_option("name", options->name, "Data set")->required();
  import->add_option("from", options->from, "Folder laid out as published")->required();
  import->add_option("--data", options->data, "Folder that holds one folder per data set")
      ->required();
  import->add_flag("--json", options->json, "One JSON object");
  import->callback([=, &action] { action = [=] { return import_data(*options);
};
}  // namespace keju
);
}

}  // namespace keju
