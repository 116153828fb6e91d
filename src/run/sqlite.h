// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace keju {

// A SQLite database with our errors: Error(kIo) where the system refused (full disk, permission,
// locked), Error(kInput) where the file is not a database or damaged, Error(kBug) otherwise; each
// begins with the path. Threads: one at a time.
class Database {
 public:
  enum class Mode { kRead, kWrite };  // kWrite creates the file if there is none
  Database(std::filesystem::path path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& sql);
  int64_t integer(const std::string& sql);  // of the first column of the first row
  std::string text(const std::string& sql);
  const std::filesystem::path& path() const { return path_; }
  [[noreturn]] void refuse(int result, std::string_view doing) const;

 private:
  friend class Statement;
  std::filesystem::path path_;
  sqlite3* handle_ = nullptr;
};

// A prepared statement. Parameters are bound in order from 1 by `bind`, columns read from 0.
class Statement {
 public:
  Statement(Database& database, const std::string& sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int64_t value);
  Statement& bind(double value);
  Statement& bind(std::string_view text);
  Statement& bind_blob(std::string_view bytes);
  bool step();   // true: a row can be read
  void run();    // for statements without rows; resets
  void reset();  // ready to be bound and stepped again

  int64_t integer(int column) const;
  double real(int column) const;
  std::string bytes(int column) const;  // text or blob

 private:
  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
  int bound_ = 0;
};

}  // namespace keju
