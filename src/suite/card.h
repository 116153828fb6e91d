// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/yaml.h"

namespace keju {

class MappedFile;

// The content of a file of a data set: mapped from the disk, or the program's own.
class DataText {
 public:
  explicit DataText(std::string_view embedded) : embedded_(embedded) {}
  explicit DataText(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}
  std::string_view text() const;  // as long as this lives

 private:
  std::string_view embedded_;
  std::shared_ptr<const MappedFile> file_;
};

// A place that files are read from: a folder of the user's, or the program's own files.
class DataFolder {
 public:
  static DataFolder on_disk(std::filesystem::path root);
  static DataFolder embedded(std::string prefix);  // "datasets/keju-sample/questions"

  bool is_embedded() const { return embedded_; }
  bool exists() const;                               // the folder itself
  bool has(const std::string& path) const;           // a file in it
  DataText open(const std::string& path) const;      // Errors: Error(kIo)
  std::string read(const std::string& path) const;   // the same as a text of one's own
  std::string where(const std::string& path) const;  // as messages name it
  // Files of `folder` whose names end in `suffix`, relative to the root, sorted.
  std::vector<std::string> list(const std::string& folder, std::string_view suffix) const;

 private:
  bool embedded_ = false;
  std::filesystem::path root_;
  std::string prefix_;
};

struct CardColumn {
  enum class Type { kText, kInteger, kNumber, kBoolean, kList, kAny };
  std::string name;  // as the file has it; the place in a list ("0") in JSON files
  std::string key;   // as templates call it; the name unless the card says otherwise
  Type type = Type::kText;
  bool nullable = false;              // JSON's null is a value, too
  int up = 0;                         // JSON files: how many `*` of `rows` above the row it stands
  std::vector<std::string> optional;  // splits whose files may lack it
  bool everywhere_optional = false;
  bool may_lack(const std::string& split) const;
};

struct CardSplit {
  std::string id;
  int64_t items = 0;  // 0: any number
  // sha256 of the lines "<sha256 of file>  <path>\n", paths relative and sorted; "" if not known.
  std::string sha256;
  std::string files;  // "": the card's
  // Its file is a table of the subjects' columns (suite/literal_columns.h); these are named
  // otherwise than their subjects.
  bool literal_columns = false;
  std::map<std::string, std::string> columns;
};

struct CardSubject {
  std::string id, name_zh, name_en, language;
  std::string text;  // content of the card's subject_text, where it has one
  std::string file;  // what {subject} stands for in paths; the id unless the card says otherwise
  std::vector<std::string> categories;
  std::map<std::string, int64_t> items;  // by split
};

// datasets/<name>/dataset.yaml: what a data set is, where it comes from and how its files are read.
struct DataCard {
  enum class Format { kCsv, kTsv, kJsonl, kJson, kText };
  // How the gold column names the right options.
  enum class AnswerForm {
    kLetter,   // "A"
    kLetters,  // every capital letter of a text or of a list of texts; none: not labelled
    kIndex,    // 0, or "0"
    kNumber,   // 1, or "1"
    kText,     // the option itself
    kLabel,    // one of the labels that stand beside the options (`labels`)
    kFlags,    // a list of 0 and 1, one for each option
    kMap,      // a value that `map` gives an index for
  };

  std::string name;
  std::string title_zh, title_en, about, source, paper, licence;
  std::string get;        // how to come by the data
  std::string folder;     // of its files inside the data folder; the name unless the card says
  bool embedded = false;  // the data is in the program
  Format format = Format::kCsv;
  std::string files;    // "{split}/{subject}.csv"
  bool header = true;   // CSV and TSV: the first record names the columns
  std::string rows;     // JSON: where the rows stand, "data/*/paragraphs/*/qas/*"; "*" by default
  bool others = false;  // columns that the card does not name are kept, not refused
  std::vector<CardColumn> columns;
  std::vector<std::string> stem;     // columns that make two items the same; "": the first text
  std::string id;                    // key of the column that identifies a row; "" if none does
  std::vector<std::string> choices;  // keys of the option columns, or the one path of a list
  std::vector<std::string> choice_texts;  // options that are the same in every row
  std::vector<std::string> choice_drop;   // options of a list that are none ("N/A")
  std::string answer;                     // path of the gold value of choices; "" if there is none
  AnswerForm answer_form = AnswerForm::kLetter;
  std::string answer_labels;              // of AnswerForm::kLabel: path of the list of labels
  std::map<std::string, int> answer_map;  // of AnswerForm::kMap
  std::string drop_column;                // rows with one of these values here are left out
  std::vector<std::string> drop_values;
  std::string subject_column;  // key; "": a file holds one subject
  // A file of words on each subject ("cot-prompts/{subject}.txt"), which templates call
  // subject.text: what stands behind `after` in it, without white space around.
  std::string subject_text, subject_text_after;
  std::string subject_prefix;  // subject id = prefix + value
  std::vector<CardSplit> splits;
  std::vector<std::string> categories;
  std::vector<CardSubject> subjects;
  std::string where;   // of the card itself
  std::string sha256;  // of the card's text

  // Reads a card. Errors: Error(kInput) with file and line for an unknown key, a name that occurs
  // twice, or a reference to a column, split or category that the card does not have.
  static DataCard parse(std::string_view text, const std::string& where);

  bool has_choices() const { return !choices.empty() || !choice_texts.empty(); }
  bool choices_are_list() const;
  const CardColumn* column(std::string_view key) const;
  const CardSplit* split(std::string_view id) const;
  const CardSubject* subject(std::string_view id) const;
  std::vector<std::string> split_ids() const;
  std::vector<std::string> subject_ids() const;

  // Path of a file of the data set, relative to its folder.
  std::string file(const std::string& split, const std::string& subject) const;
  // The same of the subject's words; "" where the card has none.
  std::string subject_text_file(const CardSubject& subject) const;
};

// The value at "choices.text" inside a row; null if there is none.
const Json* at_path(const Json& row, std::string_view path);

// A value as text: strings as they are, everything else as JSON spells it.
std::string plain_text(const Json& value);

// The cards that the program carries, by name.
std::vector<std::string> dataset_names();

}  // namespace keju
