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

void RunStore::for_each_finished(
    const std::string& exam,
    const std::function<void(int64_t position, const std::string& id)>& visit) {
  Statement statement(*database_,
                      "SELECT position, item FROM items WHERE exam=? AND status<>'failed'");
  statement.bind(exam);
  while (statement.step()) visit(statement.integer(0), statement.bytes(1));
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

}  // namespace keju
