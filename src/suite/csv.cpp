// SPDX-License-Identifier: MIT
#include "suite/csv.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {
namespace {

class CsvParser {
 public:
  CsvParser(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  void parse(const std::function<void(const CsvRecord&)>& take) {
    while (at_ < text_.size()) {
      if (!take_line_end()) take(record());
    }
  }

 private:
  bool take_line_end() {
    if (at_ == text_.size() || (text_[at_] != '\n' && text_[at_] != '\r')) return false;
    const bool pair = text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n';
    at_ += pair ? 2 : 1;
    ++line_;
    return true;
  }

  CsvRecord record() {
    CsvRecord record;
    record.line = line_;
    while (true) {
      record.fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted() : plain());
      if (at_ == text_.size() || take_line_end()) return record;
      ++at_;  // the comma
    }
  }

  std::string plain() {
    const size_t begin = at_;
    at_ = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string quoted() {
    const int64_t begin_line = line_;
    std::string field;
    ++at_;
    while (true) {
      if (at_ == text_.size()) {
        throw fail(Code::kInput,
                   "{}:{}: found a quote that never closes, need a closing '\"'",
                   where_,
                   begin_line);
      }
      const char c = text_[at_++];
      if (c == '"') {
        if (at_ < text_.size() && text_[at_] == '"') {
          ++at_;
        } else {
          break;
        }
      }
      if (c == '\n' || (c == '\r' && (at_ == text_.size() || text_[at_] != '\n'))) ++line_;
      field += c;
    }
    if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') {
      throw fail(Code::kInput,
                 "{}:{}: found text after a closing quote, need a comma or the end of the line",
                 where_,
                 line_);
    }
    return field;
  }

  std::string_view text_;
  std::string_view where_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::string_view without_bom(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

void check_text(std::string_view text, std::string_view where) {
  int64_t line = 1;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text, at);
    if (c == '\n') ++line;
    if (c == 0) {
      throw fail(Code::kInput, "{}:{}: found a NUL byte, need text", where, line);
    }
    if (c == 0xFFFD && at == begin + 1) {
      throw fail(Code::kInput,
                 "{}:{}: found bytes that are not UTF-8, need UTF-8. Convert it, for example with "
                 "iconv -f GB18030 -t UTF-8",
                 where,
                 line);
    }
  }
}

void for_each_csv_record(std::string_view text,
                         std::string_view where,
                         const std::function<void(const CsvRecord&)>& take) {
  check_text(text, where);
  CsvParser(without_bom(text), where).parse(take);
}

void for_each_tsv_record(std::string_view text,
                         std::string_view where,
                         const std::function<void(const CsvRecord&)>& take) {
  check_text(text, where);
  text = without_bom(text);
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    std::string_view body = text.substr(0, end);
    const bool pair = text.substr(end).starts_with("\r\n");
    text.remove_prefix(std::min(end + (pair ? 2 : 1), text.size()));
    if (body.empty()) continue;
    CsvRecord record{line, {}};
    while (true) {
      const size_t tab = std::min(body.find('\t'), body.size());
      record.fields.emplace_back(body.substr(0, tab));
      if (tab == body.size()) break;
      body.remove_prefix(tab + 1);
    }
    take(record);
  }
}

std::vector<CsvRecord> parse_csv(std::string_view text, std::string_view where) {
  std::vector<CsvRecord> records;
  for_each_csv_record(text, where, [&](const CsvRecord& record) { records.push_back(record); });
  return records;
}

}  // namespace keju
