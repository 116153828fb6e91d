// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/talk.h"
#include "suite/archive.h"
#include "suite/card.h"
#include "suite/embedded.h"
#include "suite/encoding.h"
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

// Reads every file of the data set whole and holds it against the card. `all`: prints what is wrong
// with items, too, and not only what is not as the card says.
bool verify_one(const DataCommand& command, const std::string& name, bool all) {
  const OpenData opened = open_dataset(name, folder_of(command.data));
  bool differs = false;
  Json findings = Json::array();
  for (const Finding& f : lint(opened.card, opened.folder)) {
    const bool of_card = f.kind == "count" || f.kind == "hash" || f.kind == "missing split";
    differs = differs || of_card;
    if (!all && !of_card) continue;
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
  return !differs;
}

// Whether a data set lies in `data`: its folder is there, and where that is another data set's, one
// of its files.
bool lies_in(const DataCard& card, const std::string& data) {
  if (card.embedded || data.empty()) return false;
  const std::filesystem::path folder = std::filesystem::path(data) / card.folder;
  if (!std::filesystem::is_directory(folder)) return false;
  if (card.folder == card.name) return true;
  for (const CardSplit& split : card.splits) {
    for (const CardSubject& subject : card.subjects) {
      const std::string path = card.file(split.id, subject.id);
      if (path.find('*') != std::string::npos || std::filesystem::exists(folder / path))
        return true;
    }
  }
  return false;
}

// One data set, or each that lies in the folder.
int verify_data(const DataCommand& command) {
  if (!command.name.empty()) {
    return verify_one(command, command.name, true) ? 0 : exit_code(Code::kInput);
  }
  bool whole = true;
  int found = 0;
  for (const std::string& name : dataset_names()) {
    if (!lies_in(load_card(name), command.data)) continue;
    ++found;
    whole = verify_one(command, name, false) && whole;
  }
  if (found == 0) {
    throw fail(Code::kUsage, "data verify: found no data set's folder, need a name or --data DIR");
  }
  return whole ? 0 : exit_code(Code::kInput);
}

// A published data set: a folder, or a zip archive read whole.
class Source {
 public:
  explicit Source(const std::filesystem::path& from) : from_(from) {
    if (std::filesystem::is_directory(from)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(from)) {
        if (!entry.is_regular_file()) continue;
        paths_.push_back(std::filesystem::relative(entry.path(), from).generic_string());
      }
      return;
    }
    const std::string packed = read_file(from);
    if (!packed.starts_with("PK")) {
      throw fail(Code::kInput,
                 "{}: found a file that is no zip archive, need one or a folder",
                 from.string());
    }
    for (ArchivedFile& file : read_zip(packed, from.string())) {
      paths_.push_back(file.path);
      files_[file.path] = std::move(file.content);
    }
  }

  // The paths that `wanted` stands for ("*" for any name), wherever its folder lies in the source.
  std::vector<std::pair<std::string, std::string>> find(const std::string& wanted) const {
    std::vector<std::pair<std::string, std::string>> out;  // in the source, in the data set
    const size_t star = wanted.find('*');
    const std::string folder = wanted.substr(0, star == std::string::npos ? 0 : star);
    for (const std::string& path : paths_) {
      if (star == std::string::npos) {
        if (path == wanted || path.ends_with("/" + wanted)) out.emplace_back(path, wanted);
        continue;
      }
      const std::string_view tail = std::string_view(wanted).substr(star + 1);
      const size_t at = folder.empty() ? 0 : path.rfind("/" + folder);
      const bool inside = folder.empty() || path.starts_with(folder) || at != std::string::npos;
      if (!inside || !path.ends_with(tail)) continue;
      const std::string name = path.substr(path.rfind('/') + 1);
      out.emplace_back(path, folder + name);
    }
    if (star == std::string::npos && out.size() > 1) {
      throw fail(Code::kInput,
                 "{}: found {} at {} and {}, need it once",
                 from_.string(),
                 wanted,
                 out[0].first,
                 out[1].first);
    }
    return out;
  }

  std::string read(const std::string& path) const {
    const auto found = files_.find(path);
    return found == files_.end() ? read_file(from_ / path) : found->second;
  }

 private:
  std::filesystem::path from_;
  std::vector<std::string> paths_;
  std::map<std::string, std::string> files_;  // of an archive
};

// Copies one file; text in GB18030 becomes UTF-8, a byte order mark is left out, and that is said.
void copy_file(const Source& source, const std::string& from, const std::filesystem::path& to) {
  std::string content = source.read(from);
  if (!from.ends_with(".gz")) {
    if (std::optional<std::string> text = from_gb18030(content)) {
      talk(fmt::format("{}: read as GB18030, written as UTF-8", from));
      content = std::move(*text);
    }
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    if (content.starts_with(kMark)) {
      talk(fmt::format("{}: written without its byte order mark", from));
      content.erase(0, kMark.size());
    }
  }
  std::filesystem::create_directories(to.parent_path());
  write_file_atomically(to, content);
}

// Copies the files that the card names from a folder or archive as published into DATA/NAME.
int import_data(const DataCommand& command) {
  const DataCard card = load_card(command.name);
  const Source source(command.from);
  const std::filesystem::path to = std::filesystem::path(command.data) / card.folder;
  int64_t copied = 0;
  std::set<std::string> seen;
  for (const CardSplit& split : card.splits) {
    for (const CardSubject& subject : card.subjects) {
      for (const std::string& wanted :
           {card.file(split.id, subject.id), card.subject_text_file(subject)}) {
        if (wanted.empty() || !seen.insert(wanted).second) continue;
        for (const auto& [from, file] : source.find(wanted)) {
          if (std::filesystem::exists(to / file)) continue;
          copy_file(source, from, to / file);
          ++copied;
        }
      }
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
      command->add_subcommand("verify", "Read data sets whole and compare them with their cards");
  verify->add_option("name", options->name, "Data set; default each that lies in --data");
  verify->add_option("--data", options->data, "Folder that holds one folder per data set");
  verify->add_flag("--json", options->json, "One JSON object");
  verify->callback([=, &action] { action = [=] { return verify_data(*options); }; });

  CLI::App* bring = command->add_subcommand(
      "import", "Copy a published folder or zip archive into DATA/NAME and verify it");
  bring->add_option("name", options->name, "Data set")->required();
  bring->add_option("from", options->from, "Folder or zip archive laid out as published")
      ->required();
  bring->add_option("--data", options->data, "Folder that holds one folder per data set")
      ->required();
  bring->add_flag("--json", options->json, "One JSON object");
  bring->callback([=, &action] { action = [=] { return import_data(*options); }; });
}

}  // namespace keju
