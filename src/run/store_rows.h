// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "run/record.h"
#include "run/sqlite.h"
#include "run/store.h"

// How records lie in the rows of a run store. Private to the store.
namespace keju {

inline constexpr int kStoreApplicationId = 0x6b656a75;  // "keju"
inline constexpr int kStoreSchema = 1;

// Refuses databases that are not ours, or newer than this program.
void check_store(Database& database);

std::string put_statement();   // parameters as bind_item gives them
std::string select_records();  // columns as read_record takes them
std::string select_record();   // the same of one item; parameters exam and item
std::string select_item();     // and its texts

void bind_item(Statement& statement, const StoredItem& item);
ItemRecord read_record(Statement& statement, const std::string& where);
StoredItem read_item(Statement& statement, const std::string& where);
SessionRecord read_session(Statement& statement, const std::string& where);

Json to_json(const SessionStats& stats);
// Invalid UTF-8, which JSON cannot hold, becomes U+FFFD.
std::string dump_for_store(const Json& value);

}  // namespace keju
