// SPDX-License-Identifier: MIT
#include "run/sqlite.h"

#include <sqlite3.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace keju {
namespace {

// How long a statement waits for another process, which may be reading.
constexpr int kBusyTimeoutMs = 5000;

Code code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a table or column that our schema has and the file has not
    case SQLITE_MISMATCH:
    case SQLITE_FORMAT:
      return Code::kInput;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
    case SQLITE_NOLFS:
      return Code::kIo;
    default:
      return Code::kBug;
  }
}

// A file in a read-only folder cannot be opened in WAL mode, but without a log beside it nobody is
// writing, and it may be read as it is.
std::string immutable_uri(const std::filesystem::path& path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : path.string()) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '/' || c == '.' || c == '-' || c == '_') {
      uri += c;
    } else {
      uri += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return uri + "?immutable=1";
}

int open_once(const std::string& name, int flags, sqlite3** handle) {
  int result = sqlite3_open_v2(name.c_str(), handle, flags, nullptr);
  if (result == SQLITE_OK) {
    sqlite3_extended_result_codes(*handle, 1);
    sqlite3_busy_timeout(*handle, kBusyTimeoutMs);
    // Opening reads nothing; this does, so that a refusal shows here.
    result = sqlite3_exec(*handle, "PRAGMA schema_version", nullptr, nullptr, nullptr);
  }
  return result;
}

}  // namespace

Database::Database(std::filesystem::path path, Mode mode) : path_(std::move(path)) {
  const int flags =
      mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  int result = open_once(path_.string(), flags, &handle_);
  if ((result & 0xff) == SQLITE_CANTOPEN && mode == Mode::kRead && std::filesystem::exists(path_) &&
      !std::filesystem::exists(path_.string() + "-wal")) {
    sqlite3_close(handle_);
    result = open_once(immutable_uri(path_), flags | SQLITE_OPEN_URI, &handle_);
  }
  if (result == SQLITE_OK) return;
  // A throwing constructor runs no destructor.
  try {
    refuse(result, "open");
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() { sqlite3_close(handle_); }

void Database::refuse(int result, std::string_view doing) const {
  const Code code = code_of(result);
  const int system = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  std::string why = handle_ == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(handle_);
  if (code == Code::kIo && system != 0) why += fmt::format(" ({})", std::strerror(system));
  if ((result & 0xff) == SQLITE_FULL || system == ENOSPC || system == EDQUOT) {
    why += ". Free some space and start the same command again";
  } else if (code == Code::kInput) {
    why += ". The run store is damaged; restore it from a copy or choose another --out";
  }
  throw fail(code, "{}: {}: {}", path_.string(), doing, why);
}

void Database::execute(const std::string& sql) {
  const int result = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) refuse(result, sql.substr(0, sql.find_first_of("(\n")));
}

int64_t Database::integer(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.bytes(0) : "";
}

Statement::Statement(Database& database, const std::string& sql) : database_(database) {
  const int result = sqlite3_prepare_v2(
      database.handle_, sql.c_str(), static_cast<int>(sql.size()), &handle_, nullptr);
  if (result != SQLITE_OK) database.refuse(result, "read the schema");
}

Statement::~Statement() { sqlite3_finalize(handle_); }

Statement& Statement::bind(int64_t value) {
  const int result = sqlite3_bind_int64(handle_, ++bound_, value);
  if (result != SQLITE_OK) database_.refuse(result, "bind");
  return *this;
}

Statement& Statement::bind(double value) {
  const int result = sqlite3_bind_double(handle_, ++bound_, value);
  if (result != SQLITE_OK) database_.refuse(result, "bind");
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  const int result = sqlite3_bind_text64(handle_,
                                         ++bound_,
                                         text.data() ? text.data() : "",
                                         text.size(),
                                         SQLITE_TRANSIENT,
                                         SQLITE_UTF8);
  if (result != SQLITE_OK) database_.refuse(result, "bind");
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  const int result = sqlite3_bind_blob64(
      handle_, ++bound_, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_TRANSIENT);
  if (result != SQLITE_OK) database_.refuse(result, "bind");
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) database_.refuse(result, "step");
  return false;
}

void Statement::run() {
  // A failed step leaves the statement busy; it must not stay in the way of what comes next.
  try {
    while (step()) {
    }
  } catch (...) {
    reset();
    throw;
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(handle_);
  bound_ = 0;
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }
double Statement::real(int column) const { return sqlite3_column_double(handle_, column); }

std::string Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  if (data == nullptr || size <= 0) return "";
  return std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

}  // namespace keju
