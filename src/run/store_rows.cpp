// SPDX-License-Identifier: MIT
#include "run/store_rows.h"

#include "base/error.h"
#include "base/sha256.h"
#include "run/pack.h"

namespace keju {
namespace {

constexpr const char* kRecordColumns =
    "exam, item, position, subject, row, gold, answer, prompt_hash, error, outcome, response, "
    "begin_s, first_token_s, end_s, output_tokens, session, checksum";
constexpr int kRecordColumnCount = 17;

// Short: it guards against damage, not against forgery.
std::string checksum(std::string_view bytes) { return sha256_hex(bytes).substr(0, 16); }

std::string packed_record(const StoredItem& item) {
  const ItemRecord& record = item.record;
  Packer out;
  for (const std::string* text : {&record.exam,
                                  &record.item,
                                  &record.subject,
                                  &record.answer,
                                  &record.prompt_hash,
                                  &record.response.error}) {
    out.text(*text);
  }
  for (const int64_t value : {item.position,
                              record.row,
                              static_cast<int64_t>(record.gold),
                              record.response.timing.output_tokens,
                              item.session}) {
    out.i64(value);
  }
  const Timing& timing = record.response.timing;
  for (const double value : {timing.begin_s, timing.first_token_s, timing.end_s}) out.f64(value);
  pack(out, record.outcome);
  pack(out, record.response);
  return out.bytes();
}

std::string packed_texts(const std::string& doc,
                         const std::string& prompt,
                         const std::string& shown) {
  Packer out;
  out.text(doc);
  out.text(prompt);
  out.text(shown);
  return out.bytes();
}

std::string status_of(const Outcome& outcome) {
  static constexpr const char* kNames[] = {"scored", "unscored", "failed"};
  return kNames[outcome.index()];
}

double value_of(const Outcome& outcome) {
  const auto* scored = std::get_if<Scored>(&outcome);
  return scored == nullptr ? 0.0 : scored->value;
}

[[noreturn]] void damaged(const std::string& where, const std::string& item) {
  throw fail(Code::kInput,
             "{}: item \"{}\": checksum does not match. The run store is damaged; restore it from "
             "a copy or choose another --out",
             where,
             item);
}

std::vector<std::string> strings(const Json& object,
                                 std::string_view key,
                                 const std::string& where) {
  std::vector<std::string> out;
  for (const Json& value : member(object, key, where)) out.push_back(value.get<std::string>());
  return out;
}

StoredItem read_row(Statement& statement, const std::string& where) {
  StoredItem item;
  ItemRecord& record = item.record;
  record.exam = statement.bytes(0);
  record.item = statement.bytes(1);
  item.position = statement.integer(2);
  record.subject = statement.bytes(3);
  record.row = statement.integer(4);
  record.gold = static_cast<int>(statement.integer(5));
  record.answer = statement.bytes(6);
  record.prompt_hash = statement.bytes(7);
  record.response.error = statement.bytes(8);
  const std::string place = fmt::format("{}: item \"{}\"", where, record.item);
  const std::string outcome_bytes = statement.bytes(9);
  Unpacker outcome(outcome_bytes, place + ": outcome");
  record.outcome = unpack_outcome(outcome);
  outcome.end();
  const std::string response_bytes = statement.bytes(10);
  Unpacker response(response_bytes, place + ": response");
  unpack(response, record.response);
  response.end();
  record.response.timing = {
      statement.real(11), statement.real(12), statement.real(13), statement.integer(14)};
  item.session = statement.integer(15);
  if (statement.bytes(16) != checksum(packed_record(item))) damaged(where, record.item);
  return item;
}

}  // namespace

void check_store(Database& database) {
  const std::string path = database.path().string();
  if (database.integer("SELECT count(*) FROM sqlite_schema") == 0) {
    throw fail(Code::kIo,
               "{}: found an empty store: its run is about to begin or ended before it did. Start "
               "the run",
               path);
  }
  if (database.integer("PRAGMA application_id") != kStoreApplicationId) {
    throw fail(Code::kInput, "{}: found a SQLite file of another program, need a run store", path);
  }
  const int64_t schema = database.integer("PRAGMA user_version");
  if (schema != kStoreSchema) {
    throw fail(Code::kUnsupported,
               "{}: schema: found {}, need {}. It was written by another version of keju",
               path,
               schema,
               kStoreSchema);
  }
}

std::string put_statement() {
  return fmt::format(
      "INSERT OR REPLACE INTO items ({}, status, value, doc, prompt, shown, shown_checksum) "
      "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      kRecordColumns);
}

std::string select_records() { return fmt::format("SELECT {} FROM items", kRecordColumns); }

std::string select_record() {
  return fmt::format("SELECT {} FROM items WHERE exam=? AND item=?", kRecordColumns);
}

std::string select_item() {
  return fmt::format(
      "SELECT {}, doc, prompt, shown, shown_checksum FROM items WHERE exam=? AND item=?",
      kRecordColumns);
}

void bind_item(Statement& statement, const StoredItem& item) {
  const ItemRecord& record = item.record;
  Packer outcome, response;
  pack(outcome, record.outcome);
  pack(response, record.response);
  const Json lists = {{"continuations", item.continuations},
                      {"options", item.options},
                      {"aliases", item.aliases},
                      {"golds", item.golds},
                      {"weight", item.weight},
                      {"extract", item.extract},
                      {"compare", item.compare},
                      {"temperature", item.temperature ? Json(*item.temperature) : Json()},
                      {"turns", item.turns},
                      {"answers", item.answers}};
  const std::string doc = dump_for_store(item.doc);
  const std::string shown = dump_for_store(lists);
  const Timing& timing = record.response.timing;
  statement.bind(record.exam)
      .bind(record.item)
      .bind(item.position)
      .bind(record.subject)
      .bind(record.row)
      .bind(static_cast<int64_t>(record.gold))
      .bind(record.answer)
      .bind(record.prompt_hash)
      .bind(record.response.error)
      .bind_blob(outcome.bytes())
      .bind_blob(response.bytes())
      .bind(timing.begin_s)
      .bind(timing.first_token_s)
      .bind(timing.end_s)
      .bind(timing.output_tokens)
      .bind(item.session)
      .bind(checksum(packed_record(item)))
      .bind(status_of(record.outcome))
      .bind(value_of(record.outcome))
      .bind(doc)
      .bind(item.prompt)
      .bind(shown)
      .bind(checksum(packed_texts(doc, item.prompt, shown)));
}

ItemRecord read_record(Statement& statement, const std::string& where) {
  return read_row(statement, where).record;
}

StoredItem read_item(Statement& statement, const std::string& where) {
  StoredItem item = read_row(statement, where);
  const std::string doc = statement.bytes(kRecordColumnCount);
  item.prompt = statement.bytes(kRecordColumnCount + 1);
  const std::string shown = statement.bytes(kRecordColumnCount + 2);
  if (statement.bytes(kRecordColumnCount + 3) != checksum(packed_texts(doc, item.prompt, shown))) {
    damaged(where, item.record.item);
  }
  const std::string place = fmt::format("{}: item \"{}\"", where, item.record.item);
  item.doc = parse_json(doc, place + ": doc");
  const Json lists = parse_json(shown, place + ": options");
  item.continuations = strings(lists, "continuations", place);
  item.options = strings(lists, "options", place);
  item.aliases = strings(lists, "aliases", place);
  item.scorable = lists.contains("turns");
  if (!item.scorable) return item;
  for (const Json& gold : member(lists, "golds", place)) item.golds.push_back(gold.get<int>());
  item.weight = number_member(lists, "weight", place);
  item.extract = string_member(lists, "extract", place);
  item.compare = string_member(lists, "compare", place);
  const Json& temperature = member(lists, "temperature", place);
  if (temperature.is_number()) item.temperature = temperature.get<double>();
  item.turns = strings(lists, "turns", place);
  item.answers = strings(lists, "answers", place);
  return item;
}

SessionRecord read_session(Statement& statement, const std::string& where) {
  SessionRecord session;
  session.id = statement.integer(0);
  session.started_unix_s = statement.real(1);
  session.environment = parse_json(statement.bytes(2), where + ": sessions: environment");
  session.load_s = statement.real(3);
  session.wall_s = statement.real(4);
  session.items = statement.integer(5);
  session.peak_rss_bytes = statement.integer(6);
  const std::string place = where + ": sessions: stats";
  const Json json = parse_json(statement.bytes(7), place);
  SessionStats& stats = session.stats;
  stats.tokens_naive = int_member(json, "tokens_naive", place);
  stats.tokens_computed = int_member(json, "tokens_computed", place);
  stats.prefill_tokens = int_member(json, "prefill_tokens", place);
  stats.prefill_s = number_member(json, "prefill_s", place);
  stats.decode_tokens = int_member(json, "decode_tokens", place);
  stats.decode_s = number_member(json, "decode_s", place);
  stats.kv_peak_bytes = int_member(json, "kv_peak_bytes", place);
  return session;
}

Json to_json(const SessionStats& stats) {
  return {{"tokens_naive", stats.tokens_naive},
          {"tokens_computed", stats.tokens_computed},
          {"prefill_tokens", stats.prefill_tokens},
          {"prefill_s", stats.prefill_s},
          {"decode_tokens", stats.decode_tokens},
          {"decode_s", stats.decode_s},
          {"kv_peak_bytes", stats.kv_peak_bytes}};
}

std::string dump_for_store(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace keju
