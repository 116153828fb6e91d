// SPDX-License-Identifier: MIT
#include "suite/file_reader.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "suite/csv.h"
#include "suite/gold.h"

namespace keju {
namespace {

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
  FileReader(const DataCard& card,
             const std::string& split,
             std::string where,
             const std::function<void(DataRow)>& take)
      : card_(card), split_(split), where_(std::move(where)), take_(take) {}

  void read(std::string_view text) {
    read_all(text);
    if (find_ids_again()) read_all(text);
  }

 private:
  void read_all(std::string_view text) {
    next_row_ = 0;
    switch (card_.format) {
      case DataCard::Format::kCsv:
      case DataCard::Format::kTsv:
        read_records(text);
        break;
      case DataCard::Format::kJsonl:
        read_jsonl(text);
        break;
      case DataCard::Format::kJson:
        read_json(text);
        break;
      case DataCard::Format::kText:
        read_text(text);
        break;
    }
  }

  // The columns that the header names, in its order; null for one that the card lets pass.
  std::vector<const CardColumn*> header(const CsvRecord& record) {
    std::vector<const CardColumn*> columns;
    std::vector<std::string> known;
    for (const CardColumn& column : card_.columns) known.push_back(column.name);
    for (const std::string& name : record.fields) {
      const auto found = std::find(known.begin(), known.end(), name);
      if (found == known.end() && card_.others) {
        columns.push_back(nullptr);
        continue;
      }
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
    using Type = CardColumn::Type;
    if (column.type == Type::kText || column.type == Type::kAny) return text;
    if (column.nullable && text.empty()) return nullptr;
    if (column.type == Type::kBoolean && (text == "true" || text == "True")) return true;
    if (column.type == Type::kBoolean && (text == "false" || text == "False")) return false;
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
               column.type == Type::kNumber    ? "number"
               : column.type == Type::kBoolean ? "boolean"
                                               : "list, which CSV cannot hold");
  }

  void read_records(std::string_view text) {
    std::vector<const CardColumn*> columns;
    std::vector<std::string> names;
    for (const CardColumn& column : card_.columns) {
      columns.push_back(&column);
      names.push_back(column.name);
    }
    bool begun = false;
    const auto take = [&](const CsvRecord& record) {
      if (!begun && card_.header) {
        columns = header(record);
        names = record.fields;
      } else {
        read_record(record, columns, names);
      }
      begun = true;
    };
    if (card_.format == DataCard::Format::kCsv) {
      for_each_csv_record(text, where_, take);
    } else {
      for_each_tsv_record(text, where_, take);
    }
    if (!begun) throw fail(Code::kInput, "{}:1: found nothing, need a header", where_);
  }

  void read_record(const CsvRecord& record,
                   const std::vector<const CardColumn*>& columns,
                   const std::vector<std::string>& names) {
    const std::string at = fmt::format("{}:{}", where_, record.line);
    if (record.fields.size() != columns.size()) {
      throw fail(Code::kInput,
                 "{}: columns: found {}, need {} ({})",
                 at,
                 record.fields.size(),
                 columns.size(),
                 join(names));
    }
    Json doc = Json::object();
    for (size_t c = 0; c < columns.size(); ++c) {
      if (columns[c] == nullptr) {
        keep_other(doc, names[c], record.fields[c], at);
      } else {
        doc[columns[c]->key] = cell(*columns[c], record.fields[c], at);
      }
    }
    add(std::move(doc), at);
  }

  void keep_other(Json& doc, const std::string& name, const Json& value, const std::string& at) {
    if (card_.column(name) != nullptr) {
      throw fail(Code::kInput,
                 "{}: {}: found a column that the card calls something else, need another key",
                 at,
                 name);
    }
    doc[name] = value;
  }

  bool fits(const CardColumn& column, const Json& value) {
    if (column.nullable && value.is_null()) return true;
    switch (column.type) {
      case CardColumn::Type::kAny:
        return !value.is_null();
      case CardColumn::Type::kBoolean:
        return value.is_boolean();
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

  Json checked(const CardColumn& column, const Json& value, const std::string& at) {
    constexpr const char* kTypes[] = {
        "a text", "an integer", "a number", "a boolean", "a list of texts", "a value"};
    if (fits(column, value)) return value;
    throw fail(Code::kInput,
               "{}: {}: found {}, need {}",
               at,
               column.name,
               value.type_name(),
               kTypes[static_cast<int>(column.type)]);
  }

  void need_all(const Json& doc, const std::string& at) {
    for (const CardColumn& column : card_.columns) {
      if (doc.contains(column.key) || column.may_lack(split_)) continue;
      throw fail(Code::kInput, "{}: {}: found nothing, need a value", at, column.name);
    }
  }

  Json object_row(const Json& object, const std::string& at) {
    std::vector<std::string> known;
    for (const CardColumn& column : card_.columns) known.push_back(column.name);
    Json doc = Json::object();
    for (const auto& [name, value] : object.items()) {
      const auto found = std::find(known.begin(), known.end(), name);
      if (found == known.end() && card_.others) {
        keep_other(doc, name, value, at);
        continue;
      }
      if (found == known.end()) {
        throw fail(Code::kInput,
                   "{}: key: unknown \"{}\"{}",
                   at,
                   shortened(name),
                   suggestion(name, known));
      }
      const CardColumn& column = card_.columns[static_cast<size_t>(found - known.begin())];
      doc[column.key] = checked(column, value, at);
    }
    return doc;
  }

  // One JSON value for the whole file. `rows` leads to the rows through its lists: every `*` is one
  // that is gone through.
  void read_json(std::string_view text) {
    check_text(text, where_);
    const Json root = parse_json(without_bom(text), where_);
    std::vector<std::string> steps;
    for (std::string_view path = card_.rows; !path.empty();) {
      const size_t slash = std::min(path.find('/'), path.size());
      steps.emplace_back(path.substr(0, slash));
      path.remove_prefix(std::min(slash + 1, path.size()));
    }
    std::vector<const Json*> above;
    walk(root, steps, 0, where_, above);
  }

  void walk(const Json& value,
            const std::vector<std::string>& steps,
            size_t step,
            const std::string& at,
            std::vector<const Json*>& above) {
    if (step == steps.size()) {
      json_row(value, at, above);
      return;
    }
    const std::string& name = steps[step];
    if (name != "*") {
      walk(child(value, name, at), steps, step + 1, at + "/" + name, above);
      return;
    }
    if (!value.is_array()) {
      throw fail(Code::kInput, "{}: found {}, need a list", at, value.type_name());
    }
    for (size_t i = 0; i < value.size(); ++i) {
      above.push_back(&value[i]);
      walk(value[i], steps, step + 1, fmt::format("{}/{}", at, i), above);
      above.pop_back();
    }
  }

  static const Json& child(const Json& value, const std::string& name, const std::string& at) {
    const Json* found = member_or_null(value, name);
    if (found == nullptr) {
      throw fail(Code::kInput, "{}: {}: found nothing, need a value", at, name);
    }
    return *found;
  }

  // A member of an object, or by its place ("0") of a list.
  static const Json* member_or_null(const Json& value, const std::string& name) {
    if (value.is_object()) {
      const auto found = value.find(name);
      return found == value.end() ? nullptr : &*found;
    }
    size_t place = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), place);
    const bool ok = error == std::errc() && end == name.data() + name.size() && value.is_array() &&
                    place < value.size();
    return ok ? &value[place] : nullptr;
  }

  void json_row(const Json& value, const std::string& at, const std::vector<const Json*>& above) {
    Json doc = Json::object();
    if (value.is_object()) {
      // The row's own members in the file's order, checked as those of JSON lines are.
      doc = object_row(value, at);
    }
    for (const CardColumn& column : card_.columns) {
      if (column.up == 0 && value.is_object()) continue;
      const size_t up = static_cast<size_t>(column.up);
      const Json* from = up < above.size() ? above[above.size() - 1 - up] : nullptr;
      const Json* found = from == nullptr ? nullptr : member_or_null(*from, column.name);
      if (found != nullptr) doc[column.key] = checked(column, *found, at);
    }
    need_all(doc, at);
    add(std::move(doc), at);
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
      Json doc = object_row(value, at);
      need_all(doc, at);
      add(std::move(doc), at);
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

  bool dropped(const Json& doc) const {
    if (card_.drop_column.empty() || !doc.contains(card_.drop_column)) return false;
    const std::string value = plain_text(doc[card_.drop_column]);
    return std::find(card_.drop_values.begin(), card_.drop_values.end(), value) !=
           card_.drop_values.end();
  }

  void add(Json doc, const std::string& at) {
    const int64_t number = next_row_++;
    if (dropped(doc)) return;
    DataRow row;
    row.row = number;
    row.at = at;
    row.doc = std::move(doc);
    check_id(row);
    if (again_) return;
    read_choices(card_, split_, row);
    read_gold(card_, row);
    take_(std::move(row));
  }

  // Ids are held as hashes. Where two are alike the file is gone through once more, and the ids
  // behind them are compared.
  bool find_ids_again() {
    std::sort(hashes_.begin(), hashes_.end());
    std::deque<uint64_t> twice;
    for (size_t i = 1; i < hashes_.size(); ++i) {
      if (hashes_[i] == hashes_[i - 1]) twice.push_back(hashes_[i]);
    }
    hashes_ = std::move(twice);
    again_ = !hashes_.empty();
    return again_;
  }

  void check_id(const DataRow& row) {
    if (card_.id.empty() || !row.doc.contains(card_.id)) return;
    const std::string id = plain_text(row.doc[card_.id]);
    const uint64_t hash = std::hash<std::string_view>()(id);
    if (!again_) {
      hashes_.push_back(hash);
      return;
    }
    if (!std::binary_search(hashes_.begin(), hashes_.end(), hash)) return;
    const auto [found, fresh] = ids_.emplace(id, row.at);
    if (fresh) return;
    throw fail(Code::kInput,
               "{}: {}: found \"{}\" again, need ids that differ. It stands at {}, too",
               row.at,
               card_.id,
               shortened(id),
               found->second);
  }

  const DataCard& card_;
  const std::string& split_;
  std::string where_;
  const std::function<void(DataRow)>& take_;
  int64_t next_row_ = 0;
  std::deque<uint64_t> hashes_;  // of ids; when the file is read again, those that occur twice
  bool again_ = false;
  std::map<std::string, std::string> ids_;  // where the ids of those hashes stand
};

}  // namespace

void read_rows(const DataCard& card,
               const std::string& split,
               const std::string& where,
               std::string_view text,
               const std::function<void(DataRow)>& take) {
  FileReader(card, split, where, take).read(text);
}

}  // namespace keju
