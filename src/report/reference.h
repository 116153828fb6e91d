// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/rank.h"
#include "report/table.h"

namespace keju {

class Yaml;

enum class Access { kWeights, kApi, kWeb, kApplied };
const Text& access_text(Access access);  // "模型", "API", "网页", "申请" as SuperCLUE prints them
// "weights", "api", "web" or "applied". Errors: Error(kInput) with file and line.
Access parse_access(const Yaml& node);

// What a model's use costs, in `currency`: per million tokens, or per hour of the machine.
struct Price {
  std::string currency;  // "USD"
  double input = 0, output = 0;
  std::optional<double> per_hour;
  std::string date;    // when it held
  std::string source;  // where that was read; "" if unsaid
};

// What a leaderboard says of a model beside its scores (reports/models.yaml).
struct ModelCard {
  std::string id, name;
  Text organisation;
  std::string organisation_source;  // who says so; "" if nobody that is named
  std::string country;              // ISO 3166 code; "" if unsaid
  Access access = Access::kWeights;
  std::optional<int64_t> parameters;
  std::string licence, licence_source;  // "" if unsaid
  std::optional<Price> price;
  std::vector<std::string> aliases;
};

class ModelCards {
 public:
  // The cards that the program carries.
  static ModelCards builtin();

  // Reads a models.yaml; a card replaces the one with its id. Errors: Error(kInput) with file and
  // line for unknown or missing keys, unknown organisations, doubled ids and names.
  void add(std::string_view yaml, const std::string& where);

  // The card of a measured model: by name or alias, letter case and signs aside, with or without a
  // quantisation ("Q4_K_M", "Int4", "BF16") at its end. nullptr if none.
  const ModelCard* find(const std::string& name) const;
  const ModelCard* by_id(const std::string& id) const;
  const std::vector<ModelCard>& all() const { return cards_; }

 private:
  struct Organisation {
    Text name;
    std::string country, source;
  };
  std::vector<ModelCard> cards_;
  std::map<std::string, Organisation> organisations_;
  std::map<std::string, size_t> by_id_, by_key_;  // keys: names and aliases, folded
};

// A published table. Its rows are ranked among themselves at most, never with measured ones.
struct ReferenceTable {
  struct Column {
    std::string id;
    Text title;
  };
  struct Row {
    std::string model;  // id of a card
    std::string as;     // as the source prints it
    std::vector<std::optional<double>> values;
    std::vector<std::string> shown;  // the values with the decimals that the source prints
    std::string rank;                // as the source prints it; "" if it ranks nobody
    std::optional<Access> access;
  };
  std::string id;
  Text title;
  std::string source, date, protocol;
  std::string suite;  // whose score the first column is; "" if of none that keju knows
  std::string split;  // "" if unsaid
  std::optional<int64_t> shots;
  bool beside = false;               // shown beside measured rows of that suite and those shots
  std::optional<double> tie_below;   // ranked by the first column, under this tie rule
  std::optional<double> open_share;  // total = share · OPEN + (1 − share) · OPT
  std::vector<Column> columns;
  std::vector<Row> rows;  // as printed

  // What ranks() takes: rows that the source leaves unranked stay so.
  std::vector<RankRow> rank_rows() const;
};

// Errors: Error(kInput) with file and line, also for a model that `cards` lacks.
std::vector<ReferenceTable> parse_reference(std::string_view yaml,
                                            const std::string& where,
                                            const ModelCards& cards);
// The tables that the program carries, in the order of their files' names.
std::vector<ReferenceTable> builtin_reference(const ModelCards& cards);

}  // namespace keju
