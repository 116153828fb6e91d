// SPDX-License-Identifier: MIT
#include "suite/lint.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "suite/rows.h"

namespace keju {
namespace {

// Upper 0.1 % points of chi-square, for 1 to 9 degrees of freedom.
constexpr double kChiSquare[] = {
    10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322, 26.124, 27.877};

struct Place {
  std::string split, at;
};

class Linter {
 public:
  Linter(const DataCard& card, const DataFolder& folder)
      : card_(card), folder_(folder), stem_(stem()) {}

  std::vector<Finding> run() {
    for (const CardSplit& split : card_.splits) {
      try {
        check_split(split, read_split(card_, folder_, split.id, {}));
      } catch (const Error& error) {
        if (error.code() != Code::kIo) throw;
        add("missing split", split.id, error.what());
      }
    }
    return std::move(findings_);
  }

 private:
  void add(std::string kind, std::string at, std::string message) {
    findings_.push_back({std::move(kind), std::move(at), std::move(message)});
  }

  void check_split(const CardSplit& split, const SplitRows& rows) {
    int64_t count = 0;
    std::map<int, int64_t> golds;
    size_t options = 0;
    bool same_options = true;
    for (const SubjectRows& subject : rows.subjects) {
      count += static_cast<int64_t>(subject.rows.size());
      check_subject(split, subject);
      for (const DataRow& row : subject.rows) {
        check_options(row);
        check_duplicate(split.id, row);
        if (options == 0) options = row.options.size();
        same_options = same_options && row.options.size() == options;
        if (row.gold >= 0) ++golds[row.gold];
      }
    }
    if (split.items > 0 && count != split.items) {
      add("count", split.id, fmt::format("found {} rows, the card says {}", count, split.items));
    }
    if (!split.sha256.empty() && split.sha256 != rows.whole_sha256) {
      add("hash", split.id, "the files are not the ones that the card pins");
    }
    if (card_.has_choices() && !card_.answer.empty() && !rows.labelled) {
      add("unlabelled split", split.id, "no row has a gold answer: nothing can be scored");
    }
    if (same_options && rows.labelled) check_skew(split.id, golds, options);
  }

  void check_subject(const CardSplit& split, const SubjectRows& subject) {
    const auto& items = card_.subject(subject.subject)->items;
    const auto known = items.find(split.id);
    if (known == items.end() || known->second == static_cast<int64_t>(subject.rows.size())) return;
    add("count",
        split.id + "/" + subject.subject,
        fmt::format("found {} rows, the card says {}", subject.rows.size(), known->second));
  }

  void check_options(const DataRow& row) {
    for (size_t i = 0; i < row.options.size(); ++i) {
      for (size_t j = 0; j < row.options.size(); ++j) {
        if (i == j) continue;
        const char a = static_cast<char>('A' + i), b = static_cast<char>('A' + j);
        // White space around an option makes no other answer of it.
        if (python_strip(row.options[i]) == python_strip(row.options[j])) {
          if (i < j) add("duplicate option", row.at, fmt::format("{} and {} are equal", a, b));
        } else if (row.options[j].starts_with(row.options[i])) {
          add("prefix option", row.at, fmt::format("{} begins {}", a, b));
        }
      }
    }
  }

  // The columns whose texts make an item: the card's, or its first text.
  std::vector<std::string> stem() const {
    if (!card_.stem.empty()) return card_.stem;
    for (const CardColumn& column : card_.columns) {
      const bool text =
          column.type == CardColumn::Type::kText && column.key != card_.id &&
          column.key != card_.answer && column.key != card_.subject_column &&
          column.key != "file" && column.optional.empty() && !column.everywhere_optional &&
          std::find(card_.choices.begin(), card_.choices.end(), column.key) == card_.choices.end();
      if (text) return {column.key};
    }
    return {};
  }

  // The texts of a row without what varies between copies: the order of its options.
  std::string key_of(const DataRow& row) const {
    std::vector<std::string> parts;
    for (const std::string& column : stem_) {
      const Json* value = at_path(row.doc, column);
      if (value != nullptr && !value->is_null()) parts.push_back(plain_text(*value));
    }
    std::vector<std::string> options = row.options;
    std::sort(options.begin(), options.end());
    std::string key;
    for (std::string& part : parts) key += std::string(python_strip(part)) + "\n";
    for (const std::string& option : options) key += std::string(python_strip(option)) + "\n";
    return key;
  }

  void check_duplicate(const std::string& split, const DataRow& row) {
    const auto [found, fresh] = seen_.emplace(key_of(row), Place{split, row.at});
    if (fresh) return;
    add(found->second.split == split ? "duplicate item" : "cross-split duplicate",
        row.at,
        "the same item as " + found->second.at);
  }

  void check_skew(const std::string& split, const std::map<int, int64_t>& golds, size_t options) {
    if (options < 2 || options > 10) return;
    int64_t total = 0;
    for (const auto& [gold, count] : golds) total += count;
    const double expected = static_cast<double>(total) / static_cast<double>(options);
    if (expected < 5) return;  // too few for the test
    double chi = 0;
    std::string shares;
    for (size_t i = 0; i < options; ++i) {
      const auto found = golds.find(static_cast<int>(i));
      const int64_t count = found == golds.end() ? 0 : found->second;
      chi += (static_cast<double>(count) - expected) * (static_cast<double>(count) - expected) /
             expected;
      shares += fmt::format("{}{} {}", i == 0 ? "" : ", ", static_cast<char>('A' + i), count);
    }
    if (chi > kChiSquare[options - 2]) {
      add("gold skew", split, fmt::format("gold answers are uneven: {}", shares));
    }
  }

  const DataCard& card_;
  const DataFolder& folder_;
  const std::vector<std::string> stem_;
  std::vector<Finding> findings_;
  std::map<std::string, Place> seen_;
};

}  // namespace

std::vector<Finding> lint(const DataCard& card, const DataFolder& folder) {
  return Linter(card, folder).run();
}

}  // namespace keju
