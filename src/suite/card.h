// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.h"

namespace keju {

// A place that files are read from: a folder of the user's, or the program's own files.
class DataFolder {
 public:
  static DataFolder on_disk(std::filesystem::path root);
  static DataFolder embedded(std::string prefix);  // "datasets/keju-sample/questions"

  bool is_embedded() const { return embedded_; }
  bool exists() const;                               // the folder itself
  bool has(const std::string& path) const;           // a file in it
  std::string read(const std::string& path) const;   // Errors: Error(kIo)
  std::string where(const std::string& path) const;  // as messages name it
  // Files of `folder` whose names end in `suffix`, relative to the root, sorted.
  std::vector<std::string> list(const std::string& folder, std::string_view suffix) const;

 private:
  bool embedded_ = false;
  std::filesystem::path root_;
  std::string prefix_;
};

struct CardColumn {
  enum class Type { kText, kInteger, kNumber, kList };
  std::string name;  // as the file has it
  std::string key;   // as templates call it; the name unless the card says otherwise
  Type type = Type::kText;
  std::vector<std::string> optional;  // splits whose files may lack it
  bool may_lack(const std::string& split) const;
};

struct CardSplit {
  std::string id;
  int64_t items = 0;
  // sha256 of the lines "<sha256 of file>  <path>\n", paths relative and sorted; "" if not known.
  std::string sha256;
};

struct CardSubject {
  std::string id, name_zh, name_en, language;
  std::vector<std::string> categories;
  std::map<std::string, int64_t> items;  // by split
};

// datasets/<name>/dataset.yaml: what a data set is, where it comes from and how its files are read.
struct DataCard {
  enum class Format { kCsv, kJsonl, kText };
  enum class AnswerForm { kLetter, kIndex };

  std::string name;
  std::string title_zh, title_en, about, source, paper, licence;
  std::string get;        // how to come by the data
  bool embedded = false;  // the data is in the program
  Format format = Format::kCsv;
  std::string files;  // "{split}/{subject}.csv"
  std::vector<CardColumn> columns;
  std::string id;                    // key of the column that identifies a row; "" if none does
  std::vector<std::string> choices;  // keys of the option columns, or the one key of a list column
  std::string answer;                // key of the gold column of choices; "" if there is none
  AnswerForm answer_form = AnswerForm::kLetter;
  std::string subject_column;  // key; "": a file holds one subject
  std::string subject_prefix;  // subject id = prefix + value
  std::vector<CardSplit> splits;
  std::vector<std::string> categories;
  std::vector<CardSubject> subjects;
  std::string where;   // of the card itself
  std::string sha256;  // of the card's text

  // Reads a card. Errors: Error(kInput) with file and line for an unknown key, a name that occurs
  // twice, or a reference to a column, split or category that the card does not have.
  static DataCard parse(std::string_view text, const std::string& where);

  bool choices_are_list() const;
  const CardColumn* column(std::string_view key) const;
  const CardSplit* split(std::string_view id) const;
  const CardSubject* subject(std::string_view id) const;
  std::vector<std::string> split_ids() const;
  std::vector<std::string> subject_ids() const;

  // Path of a file of the data set, relative to its folder.
  std::string file(const std::string& split, const std::string& subject) const;
};

// The cards that the program carries, by name.
std::vector<std::string> dataset_names();

}  // namespace keju
