// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

struct CsvRecord {
  int64_t line = 0;  // where it begins, from 1; quoted line breaks make a record span several
  std::vector<std::string> fields;
};

// Comma-separated values (RFC 4180): quoted fields may hold commas, line breaks and doubled quotes;
// records end at LF, CRLF or CR; a byte order mark is dropped; a wholly blank line is no record. A
// quote inside a field that does not begin with one stands for itself, as Python's csv reads it.
// `where` begins the messages. Errors: Error(kInput) with the line, for text that is not UTF-8, a
// NUL, a quote that never closes, or text after a closing quote.
std::vector<CsvRecord> parse_csv(std::string_view text, std::string_view where);

// The same record by record.
void for_each_csv_record(std::string_view text,
                         std::string_view where,
                         const std::function<void(const CsvRecord&)>& take);

// Tab-separated values: no quoting; records end at LF, CRLF or CR. Errors as above.
void for_each_tsv_record(std::string_view text,
                         std::string_view where,
                         const std::function<void(const CsvRecord&)>& take);

// Refuses text that is not UTF-8 or holds a NUL, naming the line. Errors: Error(kInput).
void check_text(std::string_view text, std::string_view where);

// `text` without a leading byte order mark.
std::string_view without_bom(std::string_view text);

}  // namespace keju
