// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keju {

// A YAML node that knows where it stands, so that every complaint carries file and line.
// Reading is strict: a mapping's reader asks for the keys it knows and `finish` refuses the rest.
// Anchors, aliases and tags of other types are refused (they allow exponential growth), as are
// duplicate keys, more than 64 levels and files above 16 MiB. Errors: Error(kInput).
class Yaml {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };

  static Yaml parse(std::string_view text, std::string where);
  static Yaml load(const std::filesystem::path& path);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  std::string at() const;  // "suites/x.yaml:14"

  // Maps. `get` fails if the key is absent; `find` returns nullptr then.
  const Yaml& get(std::string_view key) const;
  const Yaml* find(std::string_view key) const;
  const std::vector<std::pair<std::string, Yaml>>& items() const;
  // Refuses keys outside `known`: `x.yaml:3: key: unknown "shtos"; did you mean "shots"?`
  void only(const std::vector<std::string>& known) const;

  // Lists.
  const std::vector<Yaml>& list() const;

  // Scalars. A quoted scalar is a string and nothing else.
  const std::string& text() const;
  int64_t integer() const;
  double number() const;
  bool boolean() const;
  bool quoted() const { return quoted_; }

 private:
  class Builder;  // makes the tree from the parser's events, so that nothing is ever expanded
  Yaml() = default;
  [[noreturn]] void wrong_kind(std::string_view need) const;

  Kind kind_ = Kind::kNull;
  bool quoted_ = false;
  int line_ = 0;
  std::shared_ptr<const std::string> where_;
  std::string name_;  // the key it stands under ("shots"), or "shots[2]"; "" for the root
  std::string scalar_;
  std::vector<Yaml> list_;
  std::vector<std::pair<std::string, Yaml>> map_;
};

}  // namespace keju
