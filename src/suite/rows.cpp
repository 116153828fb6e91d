// SPDX-License-Identifier: MIT
#include "suite/rows.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/error.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "suite/csv.h"

namespace keju {
namespace {

std::string shortened(const std::string& text) {
  constexpr size_t kShown = 40;
  if (text.size() <= kShown) return text;
  return text.substr(0, complete_utf8_prefix(std::string_view(text).substr(0, kShown))) + "…";
}

std::string join(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& entry : list) {
    if (!out.empty()) out += ", ";
    out += entry.empty() ? "(nameless)" : entry;
  }
  return out;
}

// Turns one file of a data set into rows.
class FileReader {
 public:
  FileReader(const DataCard& card, const std::string& split, std::string where)
      : card_(card), split_(split), where_(std::move(where)) {}

  std::vector<DataRow> read(std::string_view text) {
    switch (card_.format) {
      case DataCard::Format::kCsv:
        read_csv(text);
        break;
      case DataCard::Format::kJsonl:
        read_jsonl(text);
        break;
      case DataCard::Format::kText:
        read_text(text);
        break;
    }
    return std::move(rows_);
  }

 private:
  // The columns that the header names, in its order.
  std::vector<const CardColumn*> header(const CsvRecord& record) {
    std::vector<const CardColumn*> columns;
    std::vector<std::string> known;
    for (const CardColumn& column : card_.columns) known.push_back(column.name);
    for (const std::string& name : record.fields) {
      const auto found = std::find(known.begin(), known.end(), name);
      if (found == known.end()) {
        throw fail(Code::kInput,
                   "{}:{}: header: unknown column \"{}\"{}",
                   where_,
                   record.line,
                   shortened(name),
                   suggestion(name, known));
      }
      const CardColumn* column = &card_.columns[static_cast<size_t>(found - known.begin())];
      if (std::find(columns.begin(), columns.end(), column) != columns.end()) {
        throw fail(Code::kInput,
                   "{}:{}: header: found \"{}\" twice, need each column once",
                   where_,
                   record.line,
                   shortened(name));
      }
      columns.push_back(column);
    }
    for (const CardColumn& column : card_.columns) {
      if (column.may_lack(split_)) continue;
      if (std::find(columns.begin(), columns.end(), &column) != columns.end()) continue;
      throw fail(Code::kInput,
                 "{}:{}: header: found no column \"{}\", need {}",
                 where_,
                 record.line,
                 column.name,
                 join(known));
    }
    return columns;
  }

  Json cell(const CardColumn& column, const std::string& text, const std::string& at) {
    if (column.type == CardColumn::Type::kText) return text;
    const char* end = text.data() + text.size();
    if (column.type == CardColumn::Type::kInteger) {
      int64_t value = 0;
      const auto [stop, error] = std::from_chars(text.data(), end, value);
      if (error == std::errc() && stop == end) return value;
      throw fail(
          Code::kInput, "{}: {}: found \"{}\", need an integer", at, column.key, shortened(text));
    }
    double value = 0;
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (column.type == CardColumn::Type::kNumber && error == std::errc() && stop == end) {
      return value;
    }
    throw fail(Code::kInput,
               "{}: {}: found \"{}\", need a {}",
               at,
               column.key,
               shortened(text),
               column.type == CardColumn::Type::kNumber ? "number" : "list, which CSV cannot hold");
  }

  void read_csv(std::string_view text) {
    const std::vector<CsvRecord> records = parse_csv(text, where_);
    if (records.empty()) throw fail(Code::kInput, "{}:1: found nothing, need a header", where_);
    const std::vector<const CardColumn*> columns = header(records[0]);
    for (size_t i = 1; i < records.size(); ++i) {
      const CsvRecord& record = records[i];
      const std::string at = fmt::format("{}:{}", where_, record.line);
      if (record.fields.size() != columns.size()) {
        throw fail(Code::kInput,
                   "{}: columns: found {}, need {} ({})",
                   at,
                   record.fields.size(),
                   columns.size(),
                   join(records[0].fields));
      }
      Json doc = Json::object();
      for (size_t c = 0; c < columns.size(); ++c) {
        doc[columns[c]->key] = cell(*columns[c], record.fields[c], at);
      }
      add(std::move(doc), at);
    }
  }

  bool fits(const CardColumn& column, const Json& value) {
    switch (column.type) {
      case CardColumn::Type::kText:
        return value.is_string();
      case CardColumn::Type::kInteger:
        return value.is_number_integer();
      case CardColumn::Type::kNumber:
        return value.is_number();
      case CardColumn::Type::kList:
        return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& entry) {
                 return entry.is_string();
               });
    }
    return false;
  }

  Json object_row(const Json& object, const std::string& at) {
    constexpr const char* kTypes[] = {"a text", "an integer", "a number", "a list of texts"};
    std::vector<std::string> known;
    for (const CardColumn& column : card_.columns) known.push_back(column.name);
    Json doc = Json::object();
    for (const auto& [name, value] : object.items()) {
      const auto found = std::find(known.begin(), known.end(), name);
      if (found == known.end()) {
        throw fail(Code::kInput,
                   "{}: key: unknown \"{}\"{}",
                   at,
                   shortened(name),
                   suggestion(name, known));
      }
      const CardColumn& column = card_.columns[static_cast<size_t>(found - known.begin())];
      if (!fits(column, value)) {
        throw fail(Code::kInput,
                   "{}: {}: found {}, need {}",
                   at,
                   name,
                   value.type_name(),
                   kTypes[static_cast<int>(column.type)]);
      }
      doc[column.key] = value;
    }
    for (const CardColumn& column : card_.columns) {
      if (doc.contains(column.key) || column.may_lack(split_)) continue;
      throw fail(Code::kInput, "{}: {}: found nothing, need a value", at, column.name);
    }
    return doc;
  }

  void read_jsonl(std::string_view text) {
    check_text(text, where_);
    text = without_bom(text);
    int64_t line = 0;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string_view body = python_strip(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
      ++line;
      if (body.empty()) continue;
      const std::string at = fmt::format("{}:{}", where_, line);
      const Json value = parse_json(body, at);
      if (!value.is_object()) {
        throw fail(Code::kInput, "{}: found {}, need an object", at, value.type_name());
      }
      add(object_row(value, at), at);
    }
  }

  void read_text(std::string_view text) {
    check_text(text, where_);
    const size_t slash = where_.rfind('/');
    Json doc = Json::object();
    doc["file"] = where_.substr(slash == std::string::npos ? 0 : slash + 1);
    doc["text"] = std::string(without_bom(text));
    if (doc["text"].get_ref<const std::string&>().empty()) {
      throw fail(Code::kInput, "{}:1: found an empty file, need text", where_);
    }
    add(std::move(doc), where_ + ":1");
  }

  void add(Json doc, const std::string& at) {
    DataRow row;
    row.row = static_cast<int64_t>(rows_.size());
    row.at = at;
    row.doc = std::move(doc);
    check_id(row);
    read_options(row);
    read_gold(row);
    rows_.push_back(std::move(row));
  }

  void check_id(const DataRow& row) {
    if (card_.id.empty() || !row.doc.contains(card_.id)) return;
    const Json& value = row.doc[card_.id];
    const std::string id = value.is_string() ? value.get<std::string>() : value.dump();
    const auto [found, fresh] = ids_.emplace(id, row.at);
    if (fresh) return;
    throw fail(Code::kInput,
               "{}: {}: found \"{}\" again, need ids that differ. It stands at {}, too",
               row.at,
               card_.id,
               shortened(id),
               found->second);
  }

  void read_options(DataRow& row) {
    if (card_.choices_are_list()) {
      row.options = row.doc[card_.choices[0]].get<std::vector<std::string>>();
      if (row.options.size() < 2) {
        throw fail(Code::kInput,
                   "{}: {}: found {} options, need two or more",
                   row.at,
                   card_.choices[0],
                   row.options.size());
      }
    } else {
      for (const std::string& key : card_.choices) {
        const Json& value = row.doc[key];
        row.options.push_back(value.is_string() ? value.get<std::string>() : value.dump());
      }
    }
    for (size_t i = 0; i < row.options.size(); ++i) {
      if (!python_strip(row.options[i]).empty()) continue;
      throw fail(Code::kInput,
                 "{}: option {}: found nothing, need its text",
                 row.at,
                 static_cast<char>('A' + i));
    }
  }

  void read_gold(DataRow& row) {
    if (card_.answer.empty() || !row.doc.contains(card_.answer)) return;
    const Json& value = row.doc[card_.answer];
    const int64_t count = static_cast<int64_t>(row.options.size());
    int64_t gold = -1;
    if (card_.answer_form == DataCard::AnswerForm::kIndex) {
      if (value.is_number_integer()) gold = value.get<int64_t>();
    } else if (value.is_string() && value.get_ref<const std::string&>().size() == 1) {
      gold = value.get_ref<const std::string&>()[0] - 'A';
    }
    if (gold < 0 || gold >= count) {
      const bool letters = card_.answer_form == DataCard::AnswerForm::kLetter;
      throw fail(Code::kInput,
                 "{}: {}: found \"{}\", need {}",
                 row.at,
                 card_.answer,
                 value.is_string() ? shortened(value.get<std::string>()) : value.dump(),
                 letters ? fmt::format("a letter from A to {}", static_cast<char>('A' + count - 1))
                         : fmt::format("an index from 0 to {}", count - 1));
    }
    row.gold = static_cast<int>(gold);
  }

  const DataCard& card_;
  const std::string& split_;
  std::string where_;
  std::vector<DataRow> rows_;
  std::map<std::string, std::string> ids_;
};

// The files of a split that hold `subject`, relative to the folder.
std::vector<std::string> files_of(const DataCard& card,
                                  const DataFolder& folder,
                                  const std::string& split,
                                  const std::string& subject) {
  const std::string path = card.file(split, subject);
  const size_t star = path.find('*');
  if (star == std::string::npos) return {path};
  const size_t slash = path.rfind('/', star);
  return folder.list(slash == std::string::npos ? "." : path.substr(0, slash),
                     std::string_view(path).substr(star + 1));
}

std::string digest_of(const std::map<std::string, std::string>& hashes) {
  Sha256 sum;
  for (const auto& [path, hash] : hashes) sum.update(fmt::format("{}  {}\n", hash, path));
  return sum.finish_hex();
}

class SplitReader {
 public:
  SplitReader(const DataCard& card, const DataFolder& folder, const std::string& split)
      : card_(card), folder_(folder), split_(split) {}

  SplitRows read(const std::vector<std::string>& wanted) {
    SplitRows out;
    out.split = split_;
    for (const CardSubject& subject : card_.subjects) {
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), subject.id) == wanted.end()) {
        continue;
      }
      out.subjects.push_back({subject.id, {}});
      read_subject(out.subjects.back());
    }
    out.sha256 = digest_of(hashes_);
    out.whole_sha256 = whole_digest();
    for (const SubjectRows& subject : out.subjects) {
      for (const DataRow& row : subject.rows) out.labelled = out.labelled || row.gold >= 0;
    }
    return out;
  }

 private:
  std::string read_file(const std::string& path) {
    if (!folder_.has(path)) {
      throw fail(Code::kIo,
                 "{}: found no such file, need split \"{}\" of {}. {}",
                 folder_.where(path),
                 split_,
                 card_.name,
                 card_.get.empty() ? "" : "To get it: " + card_.get);
    }
    std::string text = folder_.read(path);
    hashes_[path] = sha256_hex(text);
    return text;
  }

  void read_subject(SubjectRows& into) {
    const bool shared = !card_.subject_column.empty();
    for (const std::string& path : files_of(card_, folder_, split_, into.subject)) {
      if (shared) {
        share_out(path);
        continue;
      }
      FileReader reader(card_, split_, folder_.where(path));
      for (DataRow& row : reader.read(read_file(path))) {
        // Several files of a subject (texts) are numbered through.
        if (card_.format == DataCard::Format::kText)
          row.row = static_cast<int64_t>(into.rows.size());
        into.rows.push_back(std::move(row));
      }
    }
    if (shared) into.rows = std::move(shared_[into.subject]);
    if (into.rows.empty()) {
      throw fail(Code::kInput,
                 "{}: {}: found no rows, need at least one",
                 folder_.where(card_.file(split_, into.subject)),
                 into.subject);
    }
  }

  // Deals the rows of a file that holds all subjects out to them, once.
  void share_out(const std::string& path) {
    if (hashes_.contains(path)) return;
    FileReader reader(card_, split_, folder_.where(path));
    const std::vector<std::string> known = card_.subject_ids();
    for (DataRow& row : reader.read(read_file(path))) {
      const Json& value = row.doc[card_.subject_column];
      const std::string id =
          card_.subject_prefix + (value.is_string() ? value.get<std::string>() : value.dump());
      if (card_.subject(id) == nullptr) {
        throw fail(Code::kInput,
                   "{}: {}: unknown subject \"{}\"{}",
                   row.at,
                   card_.subject_column,
                   shortened(id),
                   suggestion(id, known));
      }
      shared_[id].push_back(std::move(row));
    }
  }

  // Subjects that were not asked for are hashed all the same, if they are there: the card knows
  // only the whole split.
  std::string whole_digest() {
    std::map<std::string, std::string> all = hashes_;
    for (const CardSubject& subject : card_.subjects) {
      if (card_.file(split_, subject.id).find('*') != std::string::npos && !folder_.exists())
        return "";
      std::vector<std::string> paths;
      try {
        paths = files_of(card_, folder_, split_, subject.id);
      } catch (const Error&) {
        return "";  // a folder that is not there
      }
      for (const std::string& path : paths) {
        if (all.contains(path)) continue;
        if (!folder_.has(path)) return "";
        all[path] = sha256_hex(folder_.read(path));
      }
    }
    return digest_of(all);
  }

  const DataCard& card_;
  const DataFolder& folder_;
  const std::string& split_;
  std::map<std::string, std::string> hashes_;  // of the files read, by path
  std::map<std::string, std::vector<DataRow>> shared_;
};

}  // namespace

SplitRows read_split(const DataCard& card,
                     const DataFolder& folder,
                     const std::string& split,
                     const std::vector<std::string>& subjects) {
  return SplitReader(card, folder, split).read(subjects);
}

}  // namespace keju
