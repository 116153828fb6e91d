// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "run/record.h"
#include "run/sqlite.h"

namespace keju {

// An item with all that is needed to show, export or score it again without the data set.
struct StoredItem {
  ItemRecord record;
  int64_t position = 0;  // index in its exam
  int64_t session = 0;   // which session finished it; timings count from that session's begin
  Json doc;
  std::string prompt;
  std::vector<std::string> continuations;
  std::vector<std::string> options;
  std::vector<std::string> aliases;
  // What else its outcome follows from (see ExamItem).
  std::vector<int> golds;
  double weight = 1;
  std::string extract, compare;
  std::optional<double> temperature;
  std::vector<std::string> turns, answers;
  bool scorable = true;  // false: its store is of a version that did not keep these
};

// The item as it was asked of a model, and back: what scoring needs is in the store.
StoredItem stored_item(const Exam& exam, int64_t index, Response response);
ExamItem exam_item(const StoredItem& stored);

// One process's work on a run, from start to end, cancellation or death.
struct SessionRecord {
  int64_t id = 0;
  double started_unix_s = 0;
  Json environment;  // machine, build, command line
  double load_s = 0;
  double wall_s = 0;
  int64_t items = 0;
  int64_t peak_rss_bytes = 0;
  SessionStats stats;
};

// The run store: one row per finished item and one per session, in SQLite (WAL, synchronous=FULL).
// Rows carry checksums, so that damage inside a page is found on reading. Writes are committed in
// groups of at most 50 ms: what `put` got is on stable storage after `commit`, or is computed
// again. Errors: Error(kIo) on a full disk and the like, with the number of items kept;
// Error(kInput) for a damaged file; Error(kUnsupported) for a store of a newer schema. Threads: one
// at a time.
class RunStore {
 public:
  // Opens or creates `folder`/`file`. One writer at a time: the caller holds the folder's lock.
  RunStore(const std::filesystem::path& folder, const std::string& file);

  // Visits the items of `exam` that need no computing, all but failed ones: position in the exam
  // and id.
  void for_each_finished(const std::string& exam,
                         const std::function<void(int64_t position, const std::string& id)>& visit);

  // What was generated for an item; nothing where it is not finished.
  std::optional<std::string> output(const std::string& exam, const std::string& item);

  int64_t begin_session(const Json& environment, double started_unix_s, double load_s);
  void put(const StoredItem& item);
  // Commits if the open group is at least 50 ms old. Call before asking for the next response.
  void commit_if_due(const SessionRecord& session);
  void commit(const SessionRecord& session);
  int64_t kept() const { return kept_; }  // items committed by this object

  // Folds the log into the file, which can then be read from read-only media.
  void close();

 private:
  void begin_group();
  std::unique_ptr<Database> database_;
  std::unique_ptr<Statement> put_, update_session_;
  bool open_group_ = false;
  int64_t pending_ = 0, kept_ = 0;
  std::chrono::steady_clock::time_point last_commit_;
};

// The stores of a run folder (run.db and run.<rank>.db), run.db first. Error(kIo) if there is none.
std::vector<std::filesystem::path> store_files(const std::filesystem::path& folder);

// Every item of a run folder, from all its stores, ordered by exam, subject, row and id. An item
// that is in two stores must be the same in both, or Error(kInput) names it; a failed one gives way
// to a finished one.
std::vector<ItemRecord> read_records(const std::filesystem::path& folder);
std::vector<SessionRecord> read_sessions(const std::filesystem::path& folder);

// The same one by one, in that order, without holding them: keys are sorted by SQLite, which goes
// to temporary files beyond a few megabytes.
void for_each_record_in_order(const std::filesystem::path& folder,
                              const std::function<void(const ItemRecord&)>& visit);

// The same in no order, which is quicker where the folder has one store.
void for_each_record(const std::filesystem::path& folder,
                     const std::function<void(const ItemRecord&)>& visit);

// The named items of an exam with their texts, in the order of `items`; those that the folder lacks
// are left out.
void read_items(const std::filesystem::path& folder,
                const std::string& exam,
                const std::vector<std::string>& items,
                const std::function<void(const StoredItem&)>& visit);

// All of them one by one with prompts and documents, for exports; an empty `exam` means all.
void for_each_item(const std::filesystem::path& folder,
                   const std::string& exam,
                   const std::function<void(const StoredItem&)>& visit);

}  // namespace keju
