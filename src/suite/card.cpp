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
  node.only({"name", "key", "type", "optional"});
  CardColumn column;
  column.name = node.get("name").text();
  column.key = node.find("key") != nullptr ? node.get("key").text() : column.name;
  if (column.key.empty()) {
    throw fail(Code::kInput, "{}: key: found nothing, need a name for templates", node.at());
  }
  const std::string type = optional_text(node, "type");
  if (!type.empty()) need_known(node, "type", type, {"integer", "list", "number", "text"});
  if (type == "integer") column.type = CardColumn::Type::kInteger;
  if (type == "number") column.type = CardColumn::Type::kNumber;
  if (type == "list") column.type = CardColumn::Type::kList;
  if (const Yaml* optional = node.find("optional")) column.optional = text_list(*optional);
  return column;
}

// Reads what stands in a card; each part may refer to the ones before it.
class CardReader {
 public:
  CardReader(const Yaml& root, DataCard& card) : root_(root), card_(card) {}

  void read() {
    root_.only({"name",
                "title",
                "about",
                "source",
                "paper",
                "licence",
                "get",
                "embedded",
                "language",
                "format",
                "files",
                "columns",
                "id",
                "choices",
                "answer",
                "subject_of",
                "splits",
                "categories",
                "subjects"});
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
    need_known(format, "format", format.text(), {"csv", "jsonl", "text"});
    card_.format = format.text() == "csv"     ? DataCard::Format::kCsv
                   : format.text() == "jsonl" ? DataCard::Format::kJsonl
                                              : DataCard::Format::kText;
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
      node.only({"items", "sha256"});
      CardSplit split;
      split.id = id;
      split.items = node.get("items").integer();
      split.sha256 = optional_text(node, "sha256");
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

  void read_roles() {
    if (const Yaml* node = root_.find("id")) card_.id = key_of(*node, "id");
    if (const Yaml* node = root_.find("choices")) {
      if (node->kind() == Yaml::Kind::kList) {
        for (const Yaml& entry : node->list()) card_.choices.push_back(key_of(entry, "choices"));
      } else {
        card_.choices.push_back(key_of(*node, "choices"));
      }
    }
    if (const Yaml* node = root_.find("answer")) {
      node->only({"column", "form"});
      card_.answer = key_of(node->get("column"), "answer");
      const Yaml& form = node->get("form");
      need_known(form, "form", form.text(), {"index", "letter"});
      card_.answer_form =
          form.text() == "letter" ? DataCard::AnswerForm::kLetter : DataCard::AnswerForm::kIndex;
    }
    if (const Yaml* node = root_.find("subject_of")) {
      node->only({"column", "prefix"});
      card_.subject_column = key_of(node->get("column"), "subject_of");
      card_.subject_prefix = optional_text(*node, "prefix");
    }
  }

  void read_subject(const std::string& id, const Yaml& node) {
    node.only({"zh", "en", "language", "categories", "items"});
    // Subjects become parts of paths.
    if (id.empty() || id.find_first_of("/\\") != std::string::npos || id.front() == '.') {
      throw fail(Code::kInput, "{}: subjects: found \"{}\", need a plain name", node.at(), id);
    }
    CardSubject subject;
    subject.id = id;
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

bool CardColumn::may_lack(const std::string& split) const { return contains(optional, split); }

DataCard DataCard::parse(std::string_view text, const std::string& where) {
  DataCard card;
  card.where = where;
  card.sha256 = sha256_hex(text);
  CardReader(Yaml::parse(text, where), card).read();
  return card;
}

bool DataCard::choices_are_list() const {
  return choices.size() == 1 && column(choices[0])->type == CardColumn::Type::kList;
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
  std::string path = files;
  replace_all(path, "{split}", split_id);
  replace_all(path, "{subject}", subject_id);
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
