// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace keju {

// A GGUF metadata value. Integers of every width are held as int64 (u64 above 2^63-1 is refused on
// reading), floats as double; arrays are homogeneous.
using KeyValue = std::variant<bool,
                              int64_t,
                              double,
                              std::string,
                              std::vector<bool>,
                              std::vector<int64_t>,
                              std::vector<double>,
                              std::vector<std::string>>;

// The metadata of a GGUF file. `where` is the file's path and begins every message.
// Errors of the typed getters: Error(kInput) names key, found type and needed type.
class KeyValues {
 public:
  explicit KeyValues(std::string where = "") : where_(std::move(where)) {}

  void set(std::string key, KeyValue value) { values_[std::move(key)] = std::move(value); }
  void erase_arrays(std::string_view prefix);  // of every key that begins so
  bool has(std::string_view key) const { return values_.find(key) != values_.end(); }
  const KeyValue* find(std::string_view key) const;
  const std::string& where() const { return where_; }
  const std::map<std::string, KeyValue, std::less<>>& all() const { return values_; }

  const std::string& string(std::string_view key) const;
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;  // integers are accepted
  bool boolean(std::string_view key) const;
  const std::vector<std::string>& strings(std::string_view key) const;
  const std::vector<int64_t>& integers(std::string_view key) const;
  const std::vector<double>& numbers(std::string_view key) const;

  std::optional<std::string> maybe_string(std::string_view key) const;
  std::optional<int64_t> maybe_integer(std::string_view key) const;
  std::optional<double> maybe_number(std::string_view key) const;
  std::optional<bool> maybe_boolean(std::string_view key) const;

 private:
  std::string where_;
  std::map<std::string, KeyValue, std::less<>> values_;
};

}  // namespace keju
