// SPDX-License-Identifier: MIT
// Reading the stores of a run folder: what was written lies in one or in several files, and memory
// holds one item at a time.
#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "run/pack.h"
#include "run/store.h"
#include "run/store_rows.h"

namespace keju {
namespace {

struct Store {
  explicit Store(const std::filesystem::path& file)
      : where(file.string()), database(file, Database::Mode::kRead) {
    check_store(database);
  }
  std::string where;
  Database database;
};

// What items are ordered by: exam, subject, row and id, or exam, position and id.
struct Key {
  std::string exam, subject;  // the latter "" in the order of positions
  int64_t number = 0;
  std::string item;
  auto operator<=>(const Key&) const = default;
};

enum class Order { kRow, kPosition };

// The items of one store in an order, and a look at each of them. Only keys are sorted: rows with
// their texts would have to go through a temporary file.
class Cursor {
 public:
  Cursor(const std::filesystem::path& file,
         Order order,
         const std::string& exam,
         const std::string& select)
      : store_(file),
        keys_(store_.database, keys_statement(order, exam)),
        rows_(store_.database, select) {
    if (!exam.empty()) keys_.bind(exam);
    next();
  }

  const std::optional<Key>& key() const { return key_; }

  void next() {
    key_.reset();
    if (keys_.step()) {
      key_ = Key{keys_.bytes(0), keys_.bytes(1), keys_.integer(2), keys_.bytes(3)};
    }
  }

  // read(statement, where) of the item that the key names.
  template <typename Read>
  auto look(Read read) {
    rows_.reset();
    rows_.bind(key_->exam).bind(key_->item);
    if (rows_.step()) return read(rows_, store_.where);
    throw fail(Code::kInput,
               "{}: item \"{}\": listed and not there. The run store is damaged; restore it from a "
               "copy or choose another --out",
               store_.where,
               key_->item);
  }

 private:
  static std::string keys_statement(Order order, const std::string& exam) {
    const bool rows = order == Order::kRow;
    return fmt::format("SELECT exam, {}, {}, item FROM items {} ORDER BY 1, 2, 3, 4",
                       rows ? "subject" : "''",
                       rows ? "row" : "position",
                       exam.empty() ? "" : "WHERE exam=?");
  }

  Store store_;
  Statement keys_, rows_;
  std::optional<Key> key_;
};

using Cursors = std::vector<std::unique_ptr<Cursor>>;

// Visits every key of a folder once, with the cursors of the stores that hold it.
void merge_stores(const std::filesystem::path& folder,
                  Order order,
                  const std::string& exam,
                  const std::string& select,
                  const std::function<void(const std::vector<Cursor*>&)>& visit) {
  Cursors cursors;
  for (const std::filesystem::path& file : store_files(folder)) {
    cursors.push_back(std::make_unique<Cursor>(file, order, exam, select));
  }
  while (true) {
    std::vector<Cursor*> holders;
    for (const std::unique_ptr<Cursor>& cursor : cursors) {
      if (!cursor->key()) continue;
      if (!holders.empty() && *cursor->key() < *holders[0]->key()) holders.clear();
      if (holders.empty() || *cursor->key() == *holders[0]->key()) holders.push_back(cursor.get());
    }
    if (holders.empty()) return;
    visit(holders);
    for (Cursor* cursor : holders) cursor->next();
  }
}

bool failed(const ItemRecord& record) { return std::holds_alternative<Failed>(record.outcome); }

bool same_result(const ItemRecord& a, const ItemRecord& b) {
  Packer left, right;
  pack(left, a.outcome);
  pack(right, b.outcome);
  pack(left, a.response);
  pack(right, b.response);
  return left.bytes() == right.bytes();
}

}  // namespace

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

void for_each_record_in_order(const std::filesystem::path& folder,
                              const std::function<void(const ItemRecord&)>& visit) {
  merge_stores(folder, Order::kRow, "", select_record(), [&](const std::vector<Cursor*>& holders) {
    std::optional<ItemRecord> last;
    for (Cursor* cursor : holders) {
      ItemRecord record = cursor->look(read_record);
      if (!last || (failed(*last) && !failed(record))) {
        last = std::move(record);
      } else if (!failed(record) && !same_result(*last, record)) {
        throw fail(Code::kInput,
                   "{}: item \"{}\": two of its stores hold different results for it. They are not "
                   "of one run",
                   folder.string(),
                   record.item);
      }
    }
    visit(*last);
  });
}

std::vector<ItemRecord> read_records(const std::filesystem::path& folder) {
  std::vector<ItemRecord> all;
  for_each_record_in_order(folder, [&](const ItemRecord& record) { all.push_back(record); });
  return all;
}

void for_each_record(const std::filesystem::path& folder,
                     const std::function<void(const ItemRecord&)>& visit) {
  const std::vector<std::filesystem::path> files = store_files(folder);
  if (files.size() > 1) {  // an item may be in two of them
    for_each_record_in_order(folder, visit);
    return;
  }
  Store store(files[0]);
  Statement statement(store.database, select_records());
  while (statement.step()) visit(read_record(statement, store.where));
}

std::vector<SessionRecord> read_sessions(const std::filesystem::path& folder) {
  std::vector<SessionRecord> all;
  for (const std::filesystem::path& file : store_files(folder)) {
    Store store(file);
    Statement statement(store.database,
                        "SELECT id, started_unix_s, environment, load_s, wall_s, items, "
                        "peak_rss_bytes, stats FROM sessions ORDER BY id");
    while (statement.step()) all.push_back(read_session(statement, store.where));
  }
  return all;
}

void read_items(const std::filesystem::path& folder,
                const std::string& exam,
                const std::vector<std::string>& items,
                const std::function<void(const StoredItem&)>& visit) {
  std::vector<std::unique_ptr<Store>> stores;
  for (const std::filesystem::path& file : store_files(folder)) {
    stores.push_back(std::make_unique<Store>(file));
  }
  for (const std::string& item : items) {
    std::optional<StoredItem> found;
    for (const std::unique_ptr<Store>& store : stores) {
      Statement statement(store->database, select_item());
      statement.bind(exam).bind(item);
      if (!statement.step()) continue;
      StoredItem one = read_item(statement, store->where);
      if (!found || std::holds_alternative<Failed>(found->record.outcome)) found = std::move(one);
    }
    if (found) visit(*found);
  }
}

void for_each_item(const std::filesystem::path& folder,
                   const std::string& exam,
                   const std::function<void(const StoredItem&)>& visit) {
  merge_stores(
      folder, Order::kPosition, exam, select_item(), [&](const std::vector<Cursor*>& holders) {
        std::optional<StoredItem> last;
        for (Cursor* cursor : holders) {
          if (last && !failed(last->record)) break;
          StoredItem item = cursor->look(read_item);
          if (!last || !failed(item.record)) last = std::move(item);
        }
        visit(*last);
      });
}

}  // namespace keju
