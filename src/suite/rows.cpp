// SPDX-License-Identifier: MIT
#include "suite/rows.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/sha256.h"
#include "suite/archive.h"
#include "suite/file_reader.h"
#include "suite/gold.h"
#include "suite/literal_columns.h"
#include "suite/row_spool.h"

namespace keju {
namespace {

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
      out.subjects.push_back({subject.id, RowList(spool_)});
      read_subject(out.subjects.back());
      const RowList& rows = out.subjects.back().rows;
      for (size_t i = 0; i < rows.size(); ++i) out.labelled = out.labelled || rows.labelled(i);
    }
    spool_->seal();
    out.sha256 = digest_of(hashes_);
    out.whole_sha256 = whole_digest();
    return out;
  }

 private:
  // Hands every row of a file to `take`; of `subject` alone where the file has a column for each.
  template <typename Take>
  void read_file(const std::string& path, const std::string& subject, Take take) {
    if (!folder_.has(path)) {
      throw fail(Code::kIo,
                 "{}: found no such file, need split \"{}\" of {}. {}",
                 folder_.where(path),
                 split_,
                 card_.name,
                 card_.get.empty() ? "" : "To get it: " + card_.get);
    }
    const std::string where = folder_.where(path);
    const DataText file = folder_.open(path);
    hashes_[path] = sha256_hex(file.text());
    std::string made;
    std::string_view text = file.text();
    if (path.ends_with(".gz")) text = made = unzipped(text, where);
    if (const CardSplit* split = card_.split(split_); split->literal_columns) {
      const auto column = split->columns.find(subject);
      text = made =
          literal_rows(text, column == split->columns.end() ? subject : column->second, where);
    }
    read_rows(card_, split_, where, text, take);
  }

  void read_subject(SubjectRows& into) {
    const bool shared = !card_.subject_column.empty();
    for (const std::string& path : files_of(card_, folder_, split_, into.subject)) {
      if (shared) {
        share_out(path);
        continue;
      }
      read_file(path, into.subject, [&](DataRow row) {
        // Several files of a subject (texts) are numbered through.
        if (card_.format == DataCard::Format::kText)
          row.row = static_cast<int64_t>(into.rows.size());
        into.rows.push_back(row);
      });
    }
    if (shared) into.rows = std::move(shared_.try_emplace(into.subject, spool_).first->second);
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
    const std::vector<std::string> known = card_.subject_ids();
    read_file(path, "", [&](DataRow row) {
      const std::string id = card_.subject_prefix + plain_text(row.doc[card_.subject_column]);
      if (card_.subject(id) == nullptr) {
        throw fail(Code::kInput,
                   "{}: {}: unknown subject \"{}\"{}",
                   row.at,
                   card_.subject_column,
                   shortened(id),
                   suggestion(id, known));
      }
      shared_.try_emplace(id, spool_).first->second.push_back(row);
    });
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
        all[path] = sha256_hex(folder_.open(path).text());
      }
    }
    return digest_of(all);
  }

  const DataCard& card_;
  const DataFolder& folder_;
  const std::string& split_;
  std::map<std::string, std::string> hashes_;  // of the files read, by path
  std::shared_ptr<RowSpool> spool_ = std::make_shared<RowSpool>();
  std::map<std::string, RowList> shared_;
};

}  // namespace

SplitRows read_split(const DataCard& card,
                     const DataFolder& folder,
                     const std::string& split,
                     const std::vector<std::string>& subjects) {
  return SplitReader(card, folder, split).read(subjects);
}

}  // namespace keju
