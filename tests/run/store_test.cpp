// SPDX-License-Identifier: MIT
#include "run/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>
#include <map>

#include "base/mapped_file.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

StoredItem make_item(const std::string& id, int64_t row, double logprob) {
  StoredItem item;
  item.record.exam = "fake/official:test:0shot";
  item.record.item = id;
  item.record.subject = "algebra";
  item.record.row = row;
  item.record.prompt_hash = "0123";
  item.record.gold = 1;
  ContinuationScore one;
  one.logprob = logprob;
  one.ids = {7};
  item.record.response.what = ScoreResult{{one}, 3, 0};
  item.record.response.timing = {0.25, 0.5, 0.75, 0};
  Scored scored;
  scored.value = 1;
  scored.choice = 1;
  item.record.outcome = scored;
  item.position = row;
  item.doc = {{"question", "1+1=?"}, {"n", 1.5}, {"empty", Json::array()}};
  item.prompt = "问：1+1=?";
  item.continuations = {" A"};
  item.options = {"A"};
  return item;
}

// Writes `items` into `folder`/`file` and closes it in an orderly way.
void write_store(const std::filesystem::path& folder,
                 const std::string& file,
                 const std::vector<StoredItem>& items) {
  RunStore store(folder, file);
  SessionRecord session;
  session.id = store.begin_session(Json::object(), 1.0, 2.0);
  for (const StoredItem& item : items) store.put(item);
  session.items = static_cast<int64_t>(items.size());
  session.stats.tokens_naive = 10;
  store.commit(session);
  EXPECT_EQ(store.kept(), session.items);
  store.close();
}

void run_sql(const std::filesystem::path& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql;
  sqlite3_close(handle);
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(RunStore, ReadsBackWhatWasPut) {
  const TempFolder folder;
  write_store(folder.path(), "run.db", {make_item("b", 1, -0.1), make_item("a", 0, -1e-300)});

  const std::vector<ItemRecord> records = read_records(folder.path());
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].item, "a");
  EXPECT_EQ(std::get<ScoreResult>(records[0].response.what).continuations[0].logprob, -1e-300);
  EXPECT_EQ(records[1].response.timing.end_s, 0.75);

  const std::vector<SessionRecord> sessions = read_sessions(folder.path());
  ASSERT_EQ(sessions.size(), 1u);
  EXPECT_EQ(sessions[0].stats.tokens_naive, 10);
  EXPECT_EQ(sessions[0].load_s, 2.0);

  std::vector<std::string> order;
  for_each_item(folder.path(), "", [&](const StoredItem& item) {
    order.push_back(item.record.item);
    EXPECT_EQ(item.prompt, "问：1+1=?");
    EXPECT_EQ(item.doc.dump(), R"({"question":"1+1=?","n":1.5,"empty":[]})");
    EXPECT_EQ(item.continuations, std::vector<std::string>{" A"});
  });
  EXPECT_EQ(order, (std::vector<std::string>{"a", "b"}));
}

TEST(RunStore, AnswerOfTenMegabytesAndAnyBytes) {
  const TempFolder folder;
  StoredItem item = make_item("a", 0, -1);
  GenerateResult generated;
  generated.text = std::string("\0\xff=cmd()", 8) + std::string(10'000'000, 'x');
  item.record.response.what = generated;
  write_store(folder.path(), "run.db", {item});
  const auto records = read_records(folder.path());
  EXPECT_EQ(std::get<GenerateResult>(records.at(0).response.what).text, generated.text);
}

// By position.
std::map<int64_t, std::string> finished_of(RunStore& store, const std::string& exam) {
  std::map<int64_t, std::string> items;
  store.for_each_finished(exam, [&](int64_t at, const std::string& id) { items[at] = id; });
  return items;
}

TEST(RunStore, FailedItemsAreNotFinishedAndGiveWay) {
  const TempFolder folder;
  StoredItem failed = make_item("a", 0, -1);
  failed.record.outcome = Failed{"lost"};
  failed.record.response.error = "lost";
  write_store(folder.path(), "run.db", {failed, make_item("b", 1, -1)});
  {
    RunStore store(folder.path(), "run.db");
    EXPECT_EQ(finished_of(store, "fake/official:test:0shot"),
              (std::map<int64_t, std::string>{{1, "b"}}));
    EXPECT_TRUE(finished_of(store, "another").empty());
  }
  write_store(folder.path(), "run.db", {make_item("a", 0, -2)});
  const auto records = read_records(folder.path());
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<Scored>(records[0].outcome));
}

TEST(RunStore, UncommittedItemsAreComputedAgain) {
  const TempFolder folder;
  {
    RunStore store(folder.path(), "run.db");
    SessionRecord session;
    session.id = store.begin_session(Json::object(), 0, 0);
    store.put(make_item("a", 0, -1));
    store.commit(session);
    store.put(make_item("b", 1, -1));  // the process ends here
  }
  RunStore store(folder.path(), "run.db");
  EXPECT_EQ(finished_of(store, "fake/official:test:0shot"),
            (std::map<int64_t, std::string>{{0, "a"}}));
}

TEST(RunStore, StoresOfSeveralProcessesMerge) {
  const TempFolder folder;
  StoredItem failed = make_item("c", 2, -1);
  failed.record.outcome = Failed{"lost"};
  failed.record.response.error = "lost";
  write_store(folder.path(), "run.0.db", {make_item("a", 0, -1), failed});
  write_store(folder.path(), "run.1.db", {make_item("b", 1, -1), make_item("c", 2, -3)});
  write_store(folder.path(), "run.2.db", {make_item("a", 0, -1)});  // the same result twice

  const auto records = read_records(folder.path());
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[2].item, "c");
  EXPECT_TRUE(std::holds_alternative<Scored>(records[2].outcome));
  int visited = 0;
  for_each_item(folder.path(), "fake/official:test:0shot", [&](const StoredItem& item) {
    ++visited;
    EXPECT_TRUE(std::holds_alternative<Scored>(item.record.outcome)) << item.record.item;
  });
  EXPECT_EQ(visited, 3);
}

TEST(RunStore, TwoResultsForOneItemAreRefused) {
  const TempFolder folder;
  write_store(folder.path(), "run.0.db", {make_item("a", 0, -1)});
  write_store(folder.path(), "run.1.db", {make_item("a", 0, -2)});
  const Error error = error_of([&] { read_records(folder.path()); });
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_NE(std::string(error.what()).find("item \"a\": two of its stores"), std::string::npos);
}

TEST(RunStore, NoStoreIsAnIoError) {
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { read_records(folder.path()); }).code(), Code::kIo);
  EXPECT_EQ(error_of([&] { read_records(folder / "absent"); }).code(), Code::kIo);
}

TEST(RunStore, ForeignFilesAreRefused) {
  const TempFolder folder;
  write_bytes(folder / "run.db", std::string(4096, 'x'));
  EXPECT_EQ(error_of([&] { read_records(folder.path()); }).code(), Code::kInput);
  EXPECT_EQ(error_of([&] { RunStore(folder.path(), "run.db"); }).code(), Code::kInput);

  std::filesystem::remove(folder / "run.db");
  run_sql(folder / "run.db", "CREATE TABLE items (a)");
  EXPECT_EQ(error_of([&] { read_records(folder.path()); }).code(), Code::kInput);
  EXPECT_EQ(error_of([&] { RunStore(folder.path(), "run.db"); }).code(), Code::kInput);
}

// A process that was killed, or is looked at, between making the file and making its tables.
TEST(RunStore, StoreThatIsBeingMadeIsNotForeign) {
  const TempFolder folder;
  run_sql(folder / "run.db", "PRAGMA journal_mode=WAL");
  const Error error = error_of([&] { read_records(folder.path()); });
  EXPECT_EQ(error.code(), Code::kIo) << error.what();
  RunStore(folder.path(), "run.db").close();
  EXPECT_TRUE(read_records(folder.path()).empty());
}

TEST(RunStore, NewerSchemaIsUnsupported) {
  const TempFolder folder;
  write_store(folder.path(), "run.db", {});
  run_sql(folder / "run.db", "PRAGMA user_version=2");
  EXPECT_EQ(error_of([&] { read_records(folder.path()); }).code(), Code::kUnsupported);
}

TEST(RunStore, ChangedRowsAreFound) {
  const char* const changes[] = {"gold=2",
                                 "row=5",
                                 "begin_s=1",
                                 "item='z'",
                                 "prompt='another'",
                                 "shown='{}'",
                                 "doc='{}'",
                                 "response=x'00'",
                                 "outcome=zeroblob(64)"};
  for (const char* change : changes) {
    const TempFolder folder;
    write_store(folder.path(), "run.db", {make_item("a", 0, -1)});
    run_sql(folder / "run.db", std::string("UPDATE items SET ") + change);
    const Error error =
        error_of([&] { for_each_item(folder.path(), "", [](const StoredItem&) {}); });
    EXPECT_EQ(error.code(), Code::kInput) << change << ": " << error.what();
  }
}

// Whatever byte goes bad, the reader sees the same records, a row less (which is then computed
// again) or a typed error, never another result.
TEST(RunStore, AnyFlippedByteIsFoundOrHarmless) {
  const TempFolder folder;
  write_store(folder.path(), "run.db", {make_item("a", 0, -1), make_item("b", 1, -2)});
  const std::string good = read_file(folder / "run.db");
  const std::string digest = run_digest(read_records(folder.path()));
  int refused = 0;
  for (size_t at = 0; at < good.size(); at += 13) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    write_bytes(folder / "run.db", bad);
    try {
      const auto records = read_records(folder.path());
      if (records.size() == 2) {
        EXPECT_EQ(run_digest(records), digest) << at;
      }
    } catch (const Error& error) {
      EXPECT_NE(error.code(), Code::kBug) << at << ": " << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 20);
}

TEST(RunStore, TruncatedFileIsRefused) {
  const TempFolder folder;
  write_store(folder.path(), "run.db", {make_item("a", 0, -1), make_item("b", 1, -2)});
  const std::string good = read_file(folder / "run.db");
  for (size_t size = 512; size < good.size(); size += 512) {
    write_bytes(folder / "run.db", good.substr(0, size));
    EXPECT_EQ(error_of([&] { RunStore(folder.path(), "run.db"); }).code(), Code::kInput) << size;
  }
}

TEST(RunStore, IsOneFileAfterAnOrderlyEnd) {
  const TempFolder folder;
  write_store(folder.path(), "run.db", {make_item("a", 0, -1)});
  EXPECT_FALSE(std::filesystem::exists(folder / "run.db-wal"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run.db-shm"));
}

TEST(RunDigest, DependsOnResultsAndNotOnOrderOrTime) {
  std::vector<ItemRecord> records = {make_item("a", 0, -1).record, make_item("b", 1, -2).record};
  const std::string digest = run_digest(records);
  EXPECT_EQ(digest.size(), 64u);

  std::swap(records[0], records[1]);
  records[0].response.timing = {9, 9, 9, 9};
  EXPECT_EQ(run_digest(records), digest);

  auto& one = std::get<ScoreResult>(records[0].response.what).continuations[0];
  one.logprob = -2.0000000000000004;
  EXPECT_NE(run_digest(records), digest);
  one.logprob = -2;
  EXPECT_EQ(run_digest(records), digest);
  std::get<Scored>(records[0].outcome).choice = 3;
  EXPECT_NE(run_digest(records), digest);
}

}  // namespace
}  // namespace keju
