// SPDX-License-Identifier: MIT
#include "suite/card.h"

#include <algorithm>
#include <functional>
#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "suite/embedded.h"

namespace keju {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::vector<std::string> text_list(const Yaml& node) {
  std::vector<std::string> out;
  for (const Yaml& entry : node.list()) out.push_back(entry.text());
  return out;
}

void need_known(const Yaml& node,
                std::string_view what,
                const std::string& name,
                const std::vector<std::string>& known) {
  if (contains(known, name)) return;
  throw fail(
      Code::kInput, "{}: {}: unknown \"{}\"{}", node.at(), what, name, suggestion(name, known));
}

std::string optional_text(const Yaml& map, std::string_view key) {
  const Yaml* node = map.find(key);
  return node == nullptr ? "" : node->text();
}

CardColumn read_column(const Yaml& node) {
  node.only({"name", "key", "type", "optional", "nullable", "up"});
  CardColumn column;
  column.name = node.get("name").text();
  column.key = node.find("key") != nullptr ? node.get("key").text() : column.name;
  if (column.key.empty()) {
    throw fail(Code::kInput, "{}: key: found nothing, need a name for templates", node.at());
  }
  const std::string type = optional_text(node, "type");
  if (!type.empty()) {
    need_known(node, "type", type, {"any", "boolean", "integer", "list", "number", "text"});
  }
  if (type == "any") column.type = CardColumn::Type::kAny;
  if (type == "boolean") column.type = CardColumn::Type::kBoolean;
  if (type == "integer") column.type = CardColumn::Type::kInteger;
  if (type == "number") column.type = CardColumn::Type::kNumber;
  if (type == "list") column.type = CardColumn::Type::kList;
  if (const Yaml* nullable = node.find("nullable")) column.nullable = nullable->boolean();
  if (const Yaml* up = node.find("up")) column.up = static_cast<int>(up->integer());
  if (const Yaml* optional = node.find("optional")) {
    if (optional->kind() == Yaml::Kind::kList) {
      column.optional = text_list(*optional);
    } else {
      column.everywhere_optional = optional->boolean();
    }
  }
  return column;
}

// Reads what stands in a card; each part may refer to the ones before it.
class CardReader {
 public:
  CardReader(const Yaml& root, DataCard& card) : root_(root), card_(card) {}

  void read() {
    root_.only({"name",       "title",   "about",         "source",     "paper",        "licence",
                "get",        "folder",  "embedded",      "language",   "format",       "files",
                "header",     "rows",    "other_columns", "drop",       "columns",      "stem",
                "id",         "choices", "answer",        "subject_of", "subject_text", "splits",
                "categories", "subjects"});
    read_about();
    read_columns();
    read_splits();
    read_roles();
    if (const Yaml* node = root_.find("categories")) card_.categories = text_list(*node);
    for (const auto& [id, node] : root_.get("subjects").items()) read_subject(id, node);
    if (card_.subjects.empty()) {
      throw fail(Code::kInput, "{}: subjects: found none, need at least one", root_.at());
    }
  }

 private:
  void read_about() {
    card_.name = root_.get("name").text();
    card_.folder = root_.find("folder") == nullptr ? card_.name : root_.get("folder").text();
    if (card_.folder.empty() || card_.folder.front() == '/' ||
        card_.folder.find("..") != std::string::npos) {
      throw fail(Code::kInput,
                 "{}: folder: found \"{}\", need one inside the data folder",
                 root_.at(),
                 card_.folder);
    }
    const Yaml& title = root_.get("title");
    title.only({"zh", "en"});
    card_.title_zh = title.get("zh").text();
    card_.title_en = title.get("en").text();
    card_.about = root_.get("about").text();
    card_.source = root_.get("source").text();
    card_.licence = root_.get("licence").text();
    card_.paper = optional_text(root_, "paper");
    card_.get = optional_text(root_, "get");
    if (const Yaml* node = root_.find("embedded")) card_.embedded = node->boolean();
    const Yaml& format = root_.get("format");
    need_known(format, "format", format.text(), {"csv", "json", "jsonl", "text", "tsv"});
    card_.format = format.text() == "csv"     ? DataCard::Format::kCsv
                   : format.text() == "tsv"   ? DataCard::Format::kTsv
                   : format.text() == "jsonl" ? DataCard::Format::kJsonl
                   : format.text() == "json"  ? DataCard::Format::kJson
                                              : DataCard::Format::kText;
    if (const Yaml* node = root_.find("header")) card_.header = node->boolean();
    card_.rows = root_.find("rows") == nullptr ? "*" : root_.get("rows").text();
    if (const Yaml* node = root_.find("other_columns")) {
      need_known(*node, "other_columns", node->text(), {"keep", "refuse"});
      card_.others = node->text() == "keep";
    }
    const Yaml& files = root_.get("files");
    card_.files = files.text();
    // Cards come from strangers, too: a data set's files lie in its folder and nowhere else.
    if (card_.files.empty() || card_.files.front() == '/' ||
        card_.files.find("..") != std::string::npos) {
      throw fail(Code::kInput,
                 "{}: files: found \"{}\", need a path inside the data set's folder",
                 files.at(),
                 card_.files);
    }
  }

  void read_columns() {
    std::set<std::string> names, keys;
    for (const Yaml& node : root_.get("columns").list()) {
      CardColumn column = read_column(node);
      if (!names.insert(column.name).second || !keys.insert(column.key).second) {
        throw fail(Code::kInput,
                   "{}: columns: found \"{}\" twice, need each column once",
                   node.at(),
                   column.key);
      }
      keys_.push_back(column.key);
      card_.columns.push_back(std::move(column));
    }
  }

  void read_splits() {
    for (const auto& [id, node] : root_.get("splits").items()) {
      node.only({"items", "sha256", "files", "form", "columns"});
      CardSplit split;
      split.id = id;
      split.items = node.get("items").integer();
      split.sha256 = optional_text(node, "sha256");
      split.files = optional_text(node, "files");
      const std::string form = optional_text(node, "form");
      split.literal_columns = form == "literal_columns";
      if (!form.empty() && !split.literal_columns) {
        throw fail(Code::kInput,
                   "{}: form: found \"{}\", need literal_columns or nothing",
                   node.at(),
                   form);
      }
      if (const Yaml* columns = node.find("columns")) {
        for (const auto& [subject, column] : columns->items()) {
          split.columns[subject] = column.text();
        }
      }
      card_.splits.push_back(std::move(split));
    }
    const std::vector<std::string> ids = card_.split_ids();
    for (const CardColumn& column : card_.columns) {
      for (const std::string& split : column.optional) {
        need_known(root_.get("columns"), "optional", split, ids);
      }
    }
  }

  std::string key_of(const Yaml& node, std::string_view what) {
    need_known(node, what, node.text(), keys_);
    return node.text();
  }

  // A column, or a place inside one ("choices.text").
  std::string path_of(const Yaml& node, std::string_view what) {
    need_known(node, what, node.text().substr(0, node.text().find('.')), keys_);
    return node.text();
  }

  void read_choices(const Yaml& node) {
    if (node.kind() == Yaml::Kind::kList) {
      for (const Yaml& entry : node.list()) card_.choices.push_back(key_of(entry, "choices"));
    } else if (node.kind() == Yaml::Kind::kMap) {
      node.only({"texts", "list", "drop"});
      if (const Yaml* texts = node.find("texts")) card_.choice_texts = text_list(*texts);
      if (const Yaml* list = node.find("list")) card_.choices.push_back(path_of(*list, "choices"));
      if (const Yaml* drop = node.find("drop")) card_.choice_drop = text_list(*drop);
      if (card_.choice_texts.empty() == card_.choices.empty()) {
        throw fail(Code::kInput, "{}: choices: need `texts` or `list`, and not both", node.at());
      }
    } else {
      card_.choices.push_back(path_of(node, "choices"));
    }
  }

  void read_answer(const Yaml& node) {
    using Form = DataCard::AnswerForm;
    node.only({"column", "form", "labels", "map"});
    card_.answer = path_of(node.get("column"), "answer");
    const std::vector<std::pair<std::string, Form>> forms = {{"flags", Form::kFlags},
                                                             {"index", Form::kIndex},
                                                             {"label", Form::kLabel},
                                                             {"letter", Form::kLetter},
                                                             {"letters", Form::kLetters},
                                                             {"map", Form::kMap},
                                                             {"number", Form::kNumber},
                                                             {"text", Form::kText}};
    const Yaml& form = node.get("form");
    std::vector<std::string> names;
    for (const auto& [name, value] : forms) names.push_back(name);
    need_known(form, "form", form.text(), names);
    for (const auto& [name, value] : forms) {
      if (name == form.text()) card_.answer_form = value;
    }
    if (card_.answer_form == Form::kLabel) {
      card_.answer_labels = path_of(node.get("labels"), "labels");
    }
    if (card_.answer_form == Form::kMap) {
      for (const auto& [value, index] : node.get("map").items()) {
        card_.answer_map[value] = static_cast<int>(index.integer());
      }
    }
  }

  void read_roles() {
    if (const Yaml* node = root_.find("id")) card_.id = key_of(*node, "id");
    if (const Yaml* node = root_.find("stem")) {
      for (const Yaml& entry : node->list()) card_.stem.push_back(key_of(entry, "stem"));
    }
    if (const Yaml* node = root_.find("choices")) read_choices(*node);
    if (const Yaml* node = root_.find("answer")) read_answer(*node);
    if (const Yaml* node = root_.find("drop")) {
      node->only({"column", "values"});
      card_.drop_column = key_of(node->get("column"), "drop");
      card_.drop_values = text_list(node->get("values"));
    }
    if (const Yaml* node = root_.find("subject_text")) {
      node->only({"files", "after"});
      card_.subject_text = node->get("files").text();
      card_.subject_text_after = optional_text(*node, "after");
      if (card_.subject_text.front() == '/' || card_.subject_text.find("..") != std::string::npos) {
        throw fail(Code::kInput,
                   "{}: files: found \"{}\", need a path inside the data set's folder",
                   node->at(),
                   card_.subject_text);
      }
    }
    if (const Yaml* node = root_.find("subject_of")) {
      node->only({"column", "prefix"});
      card_.subject_column = key_of(node->get("column"), "subject_of");
      card_.subject_prefix = optional_text(*node, "prefix");
    }
  }

  void read_subject(const std::string& id, const Yaml& node) {
    node.only({"zh", "en", "file", "language", "categories", "items"});
    // Subjects become parts of paths.
    if (id.empty() || id.find_first_of("/\\") != std::string::npos || id.front() == '.') {
      throw fail(Code::kInput, "{}: subjects: found \"{}\", need a plain name", node.at(), id);
    }
    CardSubject subject;
    subject.id = id;
    subject.file = node.find("file") == nullptr ? id : node.get("file").text();
    if (subject.file.empty() || subject.file.front() == '/' ||
        subject.file.find("..") != std::string::npos) {
      throw fail(Code::kInput,
                 "{}: file: found \"{}\", need a path inside the data set's folder",
                 node.at(),
                 subject.file);
    }
    subject.name_zh = node.get("zh").text();
    subject.name_en = node.get("en").text();
    subject.language = optional_text(root_, "language");
    if (node.find("language") != nullptr) subject.language = node.get("language").text();
    if (const Yaml* list = node.find("categories")) {
      subject.categories = text_list(*list);
      for (const std::string& category : subject.categories) {
        need_known(*list, "categories", category, card_.categories);
      }
    }
    if (const Yaml* items = node.find("items")) {
      for (const auto& [split, count] : items->items()) {
        need_known(count, "items", split, card_.split_ids());
        subject.items[split] = count.integer();
      }
    }
    card_.subjects.push_back(std::move(subject));
  }

  const Yaml& root_;
  DataCard& card_;
  std::vector<std::string> keys_;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

bool CardColumn::may_lack(const std::string& split) const {
  return everywhere_optional || contains(optional, split);
}

const Json* at_path(const Json& row, std::string_view path) {
  const Json* value = &row;
  while (true) {
    const size_t dot = path.find('.');
    const auto found =
        value->is_object() ? value->find(std::string(path.substr(0, dot))) : value->end();
    if (found == value->end()) return nullptr;
    value = &*found;
    if (dot == std::string_view::npos) return value;
    path.remove_prefix(dot + 1);
  }
}

std::string plain_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

DataCard DataCard::parse(std::string_view text, const std::string& where) {
  DataCard card;
  card.where = where;
  card.sha256 = sha256_hex(text);
  CardReader(Yaml::parse(text, where), card).read();
  return card;
}

bool DataCard::choices_are_list() const {
  if (choices.size() != 1) return false;
  const CardColumn* only = column(choices[0]);  // none: a path inside a column
  return only == nullptr || only->type == CardColumn::Type::kList ||
         only->type == CardColumn::Type::kAny;
}

const CardColumn* DataCard::column(std::string_view key) const {
  const auto found = std::find_if(
      columns.begin(), columns.end(), [&](const CardColumn& c) { return c.key == key; });
  return found == columns.end() ? nullptr : &*found;
}

const CardSplit* DataCard::split(std::string_view split_id) const {
  const auto found = std::find_if(
      splits.begin(), splits.end(), [&](const CardSplit& s) { return s.id == split_id; });
  return found == splits.end() ? nullptr : &*found;
}

const CardSubject* DataCard::subject(std::string_view subject_id) const {
  const auto found = std::find_if(
      subjects.begin(), subjects.end(), [&](const CardSubject& s) { return s.id == subject_id; });
  return found == subjects.end() ? nullptr : &*found;
}

std::vector<std::string> DataCard::split_ids() const {
  std::vector<std::string> ids;
  for (const CardSplit& each : splits) ids.push_back(each.id);
  return ids;
}

std::vector<std::string> DataCard::subject_ids() const {
  std::vector<std::string> ids;
  for (const CardSubject& each : subjects) ids.push_back(each.id);
  return ids;
}

std::string DataCard::file(const std::string& split_id, const std::string& subject_id) const {
  const CardSplit* own = split(split_id);
  std::string path = own != nullptr && !own->files.empty() ? own->files : files;
  replace_all(path, "{split}", split_id);
  const CardSubject* known = subject(subject_id);
  replace_all(path, "{subject}", known == nullptr ? subject_id : known->file);
  return path;
}

std::string DataCard::subject_text_file(const CardSubject& subject) const {
  std::string path = subject_text;
  replace_all(path, "{subject}", subject.file);
  return path;
}

std::vector<std::string> dataset_names() {
  constexpr std::string_view kBegin = "datasets/", kEnd = "/dataset.yaml";
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.path.starts_with(kBegin) || !file.path.ends_with(kEnd)) continue;
    names.emplace_back(
        file.path.substr(kBegin.size(), file.path.size() - kBegin.size() - kEnd.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace keju
