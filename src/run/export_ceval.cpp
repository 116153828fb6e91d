// SPDX-License-Identifier: MIT
#include <map>

#include "base/error.h"
#include "base/mapped_file.h"
#include "run/export.h"
#include "run/manifest.h"
#include "run/store.h"
#include "score/outcome.h"

namespace keju {
namespace {

// The full test split, which the data set's owners score (protocols §15).
constexpr size_t kSubjects = 52;
constexpr int64_t kItems = 12342;

const ExamManifest& ceval_exam(const std::vector<ExamManifest>& exams, const std::string& where) {
  for (const ExamManifest& exam : exams) {
    if (exam.suite == "ceval" && exam.split == "test") return exam;
  }
  throw fail(Code::kUsage,
             "{}: found no exam of suite \"ceval\" on split \"test\", need one. Run it with "
             "`--suite ceval --split test`",
             where);
}

// The letter that a response means. Scoring says which option was chosen only where a label is
// known, so the item is scored as if its first option were right: the choice does not depend on it.
std::optional<char> letter_of(const StoredItem& stored, const Protocol& protocol) {
  if (!stored.record.response.error.empty()) return std::nullopt;
  ExamItem item;
  item.id = stored.record.item;
  item.subject = stored.record.subject;
  item.doc = stored.doc;
  item.prompt = stored.prompt;
  item.continuations = stored.continuations;
  item.options = stored.options;
  item.gold = 0;
  item.answer.assign(1, 'A');
  const Outcome outcome = score_item(item, protocol, stored.record.response);
  const auto* scored = std::get_if<Scored>(&outcome);
  if (scored == nullptr) return std::nullopt;
  if (scored->choice >= 0 && scored->choice < 4) return static_cast<char>('A' + scored->choice);
  const std::string& text = scored->extracted;
  if (text.size() == 1 && text[0] >= 'A' && text[0] <= 'D') return text[0];
  return std::nullopt;
}

// The data set's own id of a row, as text.
std::string row_id(const StoredItem& stored) {
  if (!stored.doc.is_object() || !stored.doc.contains("id")) {
    return std::to_string(stored.record.row);
  }
  const Json& id = stored.doc["id"];
  return id.is_string() ? id.get<std::string>() : id.dump();
}

}  // namespace

std::vector<std::filesystem::path> export_ceval_submission(const std::filesystem::path& run,
                                                           const std::filesystem::path& out) {
  const std::string where = run.string();
  const std::vector<ExamManifest> exams = manifest_exams(read_manifest(run), where + "/run.json");
  const ExamManifest& exam = ceval_exam(exams, where);

  std::map<std::string, Json> by_subject;
  std::string log;
  int64_t made_up = 0, count = 0;
  for_each_item(run, exam.key, [&](const StoredItem& stored) {
    std::optional<char> letter = letter_of(stored, exam.protocol);
    if (!letter) {
      log += fmt::format("{}: no letter could be read, A was written\n", stored.record.item);
      ++made_up;
      letter = 'A';
    }
    Json& subject = by_subject[stored.record.subject];
    const std::string id = row_id(stored);
    if (subject.contains(id)) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": id \"{}\" occurs twice in its subject",
                 where,
                 stored.record.item,
                 id);
    }
    subject[id] = std::string(1, *letter);
    ++count;
  });
  if (by_subject.size() != kSubjects || count != kItems) {
    throw fail(Code::kUsage,
               "{}: found {} predictions in {} subjects, need {} in {}. A submission is the whole "
               "test split, without --limit or --subjects, and finished",
               where,
               count,
               by_subject.size(),
               kItems,
               kSubjects);
  }
  Json submission = Json::object();
  for (auto& [subject, letters] : by_subject) submission[subject] = std::move(letters);
  log +=
      fmt::format("{} predictions in {} subjects; {} without a readable letter were written as A\n",
                  count,
                  kSubjects,
                  made_up);
  std::filesystem::create_directories(out);
  write_file_atomically(out / "submission.json", submission.dump() + "\n");
  write_file_atomically(out / "submission.log", log);
  return {out / "submission.json", out / "submission.log"};
}

}  // namespace keju
