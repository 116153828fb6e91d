// SPDX-License-Identifier: MIT
#include "run/store.h"

#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "run/pack.h"
#include "run/store_rows.h"

namespace keju {
namespace {

constexpr std::chrono::milliseconds kGroup{50};

constexpr const char* kSchema = R"(
CREATE TABLE items (
  exam TEXT NOT NULL, item TEXT NOT NULL, position INTEGER NOT NULL, subject TEXT NOT NULL,
  row INTEGER NOT NULL, gold INTEGER NOT NULL, answer TEXT NOT NULL, prompt_hash TEXT NOT NULL,
  status TEXT NOT NULL, value REAL NOT NULL, error TEXT NOT NULL,
  outcome BLOB NOT NULL, response BLOB NOT NULL,
  begin_s REAL NOT NULL, first_token_s REAL NOT NULL, end_s REAL NOT NULL,
  output_tokens INTEGER NOT NULL, session INTEGER NOT NULL, checksum BLOB NOT NULL,
  doc TEXT NOT NULL, prompt TEXT NOT NULL, shown TEXT NOT NULL, shown_checksum BLOB NOT NULL,
  PRIMARY KEY (exam, item)) WITHOUT ROWID;
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY, started_unix_s REAL NOT NULL, environment TEXT NOT NULL,
  load_s REAL NOT NULL, wall_s REAL NOT NULL, items INTEGER NOT NULL,
  peak_rss_bytes INTEGER NOT NULL, stats TEXT NOT NULL);
)";

}  // namespace

RunStore::RunStore(const std::filesystem::path& folder, const std::string& file)
    : database_(std::make_unique<Database>(folder / file, Database::Mode::kWrite)),
      last_commit_(std::chrono::steady_clock::now()) {
  database_->execute("PRAGMA synchronous=FULL");
  if (database_->text("PRAGMA journal_mode=WAL") != "wal") {
    throw fail(Code::kIo,
               "{}: open: this file system offers SQLite no write-ahead log. Choose an --out on "
               "a local disk",
               database_->path().string());
  }
  if (database_->integer("SELECT count(*) FROM sqlite_schema") == 0) {
    database_->execute("BEGIN IMMEDIATE");
    database_->execute(kSchema);
    database_->execute(fmt::format("PRAGMA application_id={}", kStoreApplicationId));
    database_->execute(fmt::format("PRAGMA user_version={}", kStoreSchema));
    database_->execute("COMMIT");
  }
  check_store(*database_);
  const std::string health = database_->text("PRAGMA quick_check(1)");
  if (health != "ok") {
    throw fail(Code::kInput,
               "{}: check: {}. The run store is damaged; restore it from a copy or choose another "
               "--out",
               database_->path().string(),
               health);
  }
  put_ = std::make_unique<Statement>(*database_, put_statement());
  update_session_ = std::make_unique<Statement>(
      *database_, "UPDATE sessions SET wall_s=?, items=?, peak_rss_bytes=?, stats=? WHERE id=?");
}

std::unordered_set<std::string> RunStore::finished(const std::string& exam) {
  std::unordered_set<std::string> out;
  Statement statement(*database_, "SELECT item FROM items WHERE exam=? AND status<>'failed'");
  statement.bind(exam);
  while (statement.step()) out.insert(statement.bytes(0));
  return out;
}

std::optional<std::string> RunStore::output(const std::string& exam, const std::string& item) {
  Statement statement(*database_,
                      "SELECT response FROM items WHERE exam=? AND item=? AND status<>'failed'");
  statement.bind(exam).bind(item);
  if (!statement.step()) return std::nullopt;
  const std::string bytes = statement.bytes(0);
  Unpacker in(bytes, database_->path().string() + ": item \"" + item + "\"");
  Response response;
  unpack(in, response);
  const auto* generated = std::get_if<GenerateResult>(&response.what);
  if (generated == nullptr) return std::nullopt;
  return generated->text;
}

int64_t RunStore::begin_session(const Json& environment, double started_unix_s, double load_s) {
  Statement statement(*database_,
                      "INSERT INTO sessions (started_unix_s, environment, load_s, wall_s, items, "
                      "peak_rss_bytes, stats) VALUES (?, ?, ?, 0, 0, 0, ?)");
  statement.bind(started_unix_s)
      .bind(dump_for_store(environment))
      .bind(load_s)
      .bind(dump_for_store(to_json(SessionStats{})))
      .run();
  return database_->integer("SELECT last_insert_rowid()");
}

void RunStore::begin_group() {
  if (open_group_) return;
  database_->execute("BEGIN IMMEDIATE");
  open_group_ = true;
}

void RunStore::put(const StoredItem& item) {
  begin_group();
  bind_item(*put_, item);
  put_->run();
  ++pending_;
}

void RunStore::commit_if_due(const SessionRecord& session) {
  if (open_group_ && std::chrono::steady_clock::now() - last_commit_ >= kGroup) commit(session);
}

void RunStore::commit(const SessionRecord& session) {
  begin_group();
  update_session_->bind(session.wall_s)
      .bind(session.items)
      .bind(session.peak_rss_bytes)
      .bind(dump_for_store(to_json(session.stats)))
      .bind(session.id)
      .run();
  database_->execute("COMMIT");
  open_group_ = false;
  kept_ += pending_;
  pending_ = 0;
  last_commit_ = std::chrono::steady_clock::now();
}

void RunStore::close() {
  put_.reset();
  update_session_.reset();
  try {
    database_->execute("PRAGMA journal_mode=DELETE");
  } catch (const Error& error) {
    // Somebody is reading: the log stays, and with it everything that was committed.
    if (error.code() != Code::kIo) throw;
  }
  database_.reset();
}

std::vector<std::filesystem::path> store_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("run.") && name.ends_with(".db") && name != "run.db") {
      files.push_back(it->path());
    }
  }
  if (error) throw fail(Code::kIo, "{}: list: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  if (std::filesystem::exists(folder / "run.db")) files.insert(files.begin(), folder / "run.db");
  if (files.empty()) {
    throw fail(
        Code::kIo, "{}: found no run.db, need a run folder that `keju run` wrote", folder.string());
  }
  return files;
}

std::vector<ItemRecord> read_records(const std::filesystem::path& folder) {
  std::vector<ItemRecord> all;
  for (const std::filesystem::path& file : store_files(folder)) {
    Database database(file, Database::Mode::kRead);
    check_store(database);
    Statement statement(database, select_records());
    while (statement.step()) all.push_back(read_record(statement, file.string()));
  }
  return merge_records(std::move(all), folder.string());
}

std::vector<SessionRecord> read_sessions(const std::filesystem::path& folder) {
  std::vector<SessionRecord> all;
  for (const std::filesystem::path& file : store_files(folder)) {
    Database database(file, Database::Mode::kRead);
    check_store(database);
    Statement statement(database,
                        "SELECT id, started_unix_s, environment, load_s, wall_s, items, "
                        "peak_rss_bytes, stats FROM sessions ORDER BY id");
    while (statement.step()) all.push_back(read_session(statement, file.string()));
  }
  return all;
}

void for_each_record(const std::filesystem::path& folder,
                     const std::function<void(const ItemRecord&)>& visit) {
  const std::vector<std::filesystem::path> files = store_files(folder);
  if (files.size() > 1) {  // an item may be in two of them
    for (const ItemRecord& record : read_records(folder)) visit(record);
    return;
  }
  Database database(files[0], Database::Mode::kRead);
  check_store(database);
  Statement statement(database, select_records());
  while (statement.step()) visit(read_record(statement, files[0].string()));
}

void read_items(const std::filesystem::path& folder,
                const std::string& exam,
                const std::vector<std::string>& items,
                const std::function<void(const StoredItem&)>& visit) {
  const std::vector<std::filesystem::path> files = store_files(folder);
  std::vector<std::unique_ptr<Database>> databases;
  for (const std::filesystem::path& file : files) {
    databases.push_back(std::make_unique<Database>(file, Database::Mode::kRead));
    check_store(*databases.back());
  }
  for (const std::string& item : items) {
    std::optional<StoredItem> found;
    for (size_t i = 0; i < files.size(); ++i) {
      Statement statement(*databases[i], select_item());
      statement.bind(exam).bind(item);
      if (!statement.step()) continue;
      StoredItem one = read_item(statement, files[i].string());
      if (!found || std::holds_alternative<Failed>(found->record.outcome)) found = std::move(one);
    }
    if (found) visit(*found);
  }
}

void for_each_item(const std::filesystem::path& folder,
                   const std::string& exam,
                   const std::function<void(const StoredItem&)>& visit) {
  // Which store holds an item's last word is decided without its texts; those are read one by one.
  struct Place {
    std::string exam, item;
    int64_t position;
    size_t file;
    bool failed;
  };
  const std::vector<std::filesystem::path> files = store_files(folder);
  std::vector<std::unique_ptr<Database>> databases;
  std::vector<Place> places;
  for (size_t i = 0; i < files.size(); ++i) {
    databases.push_back(std::make_unique<Database>(files[i], Database::Mode::kRead));
    check_store(*databases[i]);
    Statement statement(*databases[i], "SELECT exam, item, position, status FROM items");
    while (statement.step()) {
      Place place{statement.bytes(0),
                  statement.bytes(1),
                  statement.integer(2),
                  i,
                  statement.bytes(3) == "failed"};
      if (exam.empty() || place.exam == exam) places.push_back(std::move(place));
    }
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.exam, a.position, a.item, a.failed, a.file) <
           std::tie(b.exam, b.position, b.item, b.failed, b.file);
  });
  const Place* before = nullptr;
  for (const Place& place : places) {
    if (before != nullptr && before->exam == place.exam && before->item == place.item) continue;
    before = &place;
    Statement statement(*databases[place.file], select_item());
    statement.bind(place.exam).bind(place.item);
    if (statement.step()) visit(read_item(statement, files[place.file].string()));
  }
}

}  // namespace keju
