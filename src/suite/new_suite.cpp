// SPDX-License-Identifier: MIT
#include "suite/new_suite.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "suite/csv.h"

namespace keju {
namespace {

// JSON's strings are YAML's, too.
std::string yaml_text(const std::string& text) { return Json(text).dump(); }

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

class Maker {
 public:
  Maker(std::string_view csv, const std::string& where, const std::string& name)
      : where_(where), name_(name), csv_(csv), records_(parse_csv(csv, where)) {
    check_name();
    read_header();
    read_rows();
  }

  NewSuite make(bool is_private) {
    NewSuite out;
    out.rows = csv_;
    out.items = static_cast<int64_t>(records_.size()) - 1;
    out.card = card();
    out.suite = suite(is_private, out.notes);
    if (is_private) {
      out.notes.push_back(
          "private: results, reports and exports hold no item and no output; a run's run.db holds "
          "both, keep it where the items are kept");
    }
    return out;
  }

 private:
  void check_name() const {
    if (!name_.empty() && name_.front() != '.' &&
        name_.find_first_of("/\\\"") == std::string::npos) {
      return;
    }
    throw fail(Code::kUsage, "--name: found \"{}\", need a plain name", name_);
  }

  bool has(const std::string& column) const {
    const auto& header = records_[0].fields;
    return std::find(header.begin(), header.end(), column) != header.end();
  }

  const std::string& cell(const CsvRecord& record, const std::string& column) const {
    const auto& header = records_[0].fields;
    const auto at = std::find(header.begin(), header.end(), column) - header.begin();
    return record.fields[static_cast<size_t>(at)];
  }

  void read_header() {
    if (records_.size() < 2) {
      throw fail(Code::kInput, "{}:1: found no items, need a header and one at least", where_);
    }
    for (char letter = 'A'; letter <= 'Z' && has(std::string(1, letter)); ++letter) {
      letters_.emplace_back(1, letter);
    }
    std::vector<std::string> known = {"question", "answer", "id", "subject"};
    known.insert(known.end(), letters_.begin(), letters_.end());
    const auto& header = records_[0].fields;
    for (const std::string& column : header) {
      if (std::find(known.begin(), known.end(), column) == known.end() ||
          std::count(header.begin(), header.end(), column) > 1) {
        throw fail(Code::kInput,
                   "{}:{}: column \"{}\": need question, answer, A, B, …, id or subject, each once",
                   where_,
                   records_[0].line,
                   column);
      }
    }
    for (const char* column : {"question", "answer"}) {
      if (has(column)) continue;
      throw fail(
          Code::kInput, "{}:{}: column \"{}\": found none", where_, records_[0].line, column);
    }
    if (letters_.size() == 1) {
      throw fail(Code::kInput, "{}:{}: found one option, need two", where_, records_[0].line);
    }
  }

  void read_rows() {
    for (size_t i = 1; i < records_.size(); ++i) {
      const CsvRecord& record = records_[i];
      if (record.fields.size() != records_[0].fields.size()) {
        throw fail(Code::kInput,
                   "{}:{}: found {} columns, need {} as in the header",
                   where_,
                   record.line,
                   record.fields.size(),
                   records_[0].fields.size());
      }
      for (const char* column : {"question", "answer", "subject"}) {
        if (!has(column) || !python_strip(cell(record, column)).empty()) continue;
        throw fail(Code::kInput, "{}:{}: {}: found nothing", where_, record.line, column);
      }
      numbers_ = numbers_ && is_number(python_strip(cell(record, "answer")));
      const std::string subject = has("subject") ? cell(record, "subject") : name_;
      const auto found = std::find_if(
          subjects_.begin(), subjects_.end(), [&](const auto& s) { return s.first == subject; });
      if (found == subjects_.end()) {
        subjects_.emplace_back(subject, 1);
      } else {
        ++found->second;
      }
    }
  }

  std::string card() const {
    std::string columns;
    for (const std::string& column : records_[0].fields) {
      // Prompts call something else `subject`.
      columns += fmt::format(
          "  - {{name: {}{}}}\n", column, column == "subject" ? ", key: subject_id" : "");
    }
    std::string roles = has("id") ? "id: id\n" : "";
    if (!letters_.empty()) {
      roles += fmt::format("choices: [{}]\nanswer: {{column: answer, form: letter}}\n",
                           fmt::join(letters_, ", "));
    }
    if (has("subject")) roles += "subject_of: {column: subject_id}\n";
    std::string subjects;
    for (const auto& [id, count] : subjects_) {
      subjects += fmt::format("  {0}: {{zh: {0}, en: {0}, categories: [], items: {{test: {1}}}}}\n",
                              yaml_text(id),
                              count);
    }
    return fmt::format(
        "name: {0}\ntitle: {{zh: {0}, en: {0}}}\nabout: Items of a user's own\nsource: own\n"
        "licence: own\nlanguage: zh\nformat: csv\nfiles: \"test.csv\"\ncolumns:\n{1}{2}stem: "
        "[question]\nsplits:\n  test: {{items: {3}, sha256: {4}}}\ncategories: []\nsubjects:\n{5}",
        yaml_text(name_),
        columns,
        roles,
        records_.size() - 1,
        sha256_hex(sha256_hex(csv_) + "  test.csv\n"),
        subjects);
  }

  std::string suite(bool is_private, std::vector<std::string>& notes) const {
    std::string out = fmt::format(
        "name: {0}\nversion: 1\ntitle: {{zh: {0}, en: {0}}}\nabout: Items of a user's own\n"
        "dataset: {0}\nsplit: test\n{1}average: {2}\n",
        yaml_text(name_),
        is_private ? "private: true                       # items and outputs stay in the run\n"
                   : "",
        subjects_.size() > 1 ? "macro" : "micro");
    if (!letters_.empty()) {
      std::string question = "{{ question }}";
      for (const std::string& letter : letters_)
        question += "\n" + letter + ". {{ " + letter + " }}";
      out += fmt::format(
          "task: choose\nquestion: {}\ndelimiter: \"\"\nchoice: letter\noption_token: "
          "retokenize\nscore: sum\nprotocols:\n  official:\n    about: Zero-shot, the letter's "
          "log-likelihood\n",
          yaml_text(question + "\n答案："));
      notes.push_back("options: the letter's log-likelihood decides");
      return out;
    }
    notes.push_back(numbers_ ? "answers are numbers: the last number of the output is compared"
                             : "answers are texts: the output's first line is compared");
    out += fmt::format(
        "task: generate\nquestion: {}\ngold: \"{{{{ answer.strip() }}}}\"\ngenerate: {{max_tokens: "
        "256, temperature: 0}}\nextract: {}\ncompare: {}\nprotocols:\n  official:\n    about: "
        "Zero-shot, greedy\n",
        yaml_text("问题：{{ question }}\n答案："),
        numbers_ ? "last_number" : "first_line",
        numbers_ ? "number_equal" : "text_equal");
    return out;
  }

  const std::string& where_;
  const std::string& name_;
  std::string csv_;
  std::vector<CsvRecord> records_;
  std::vector<std::string> letters_;
  std::vector<std::pair<std::string, int64_t>> subjects_;
  bool numbers_ = true;
};

}  // namespace

NewSuite new_suite(std::string_view csv,
                   const std::string& where,
                   const std::string& name,
                   bool is_private) {
  return Maker(csv, where, name).make(is_private);
}

}  // namespace keju
