// SPDX-License-Identifier: MIT
#pragma once

#include <regex>
#include <string>
#include <vector>

#include "base/json.h"

namespace keju {

// Checks a value against the part of JSON Schema that our schemas use, and refuses keywords beyond
// it, so that a schema cannot seem to say more than is checked.
class JsonSchema {
 public:
  explicit JsonSchema(Json root) : root_(std::move(root)) {}

  // Complaints, each with its place; none if the value is as the schema says.
  std::vector<std::string> check(const Json& value) const {
    std::vector<std::string> out;
    check(root_, value, "", out);
    return out;
  }

 private:
  static bool is(const Json& value, const std::string& type) {
    if (type == "null") return value.is_null();
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    return type == "number" && value.is_number();
  }

  void check(const Json& schema,
             const Json& value,
             const std::string& at,
             std::vector<std::string>& out) const {
    for (const auto& [key, rule] : schema.items()) {
      if (key == "$schema" || key == "title" || key == "description" || key == "$defs") continue;
      if (key == "$ref") {
        check(root_["$defs"].at(rule.get<std::string>().substr(8)), value, at, out);
      } else if (key == "type") {
        check_type(rule, value, at, out);
      } else if (key == "enum") {
        if (std::find(rule.begin(), rule.end(), value) == rule.end()) out.push_back(at + ": enum");
      } else if (key == "minimum") {
        if (value.is_number() && value < rule) out.push_back(at + ": minimum");
      } else if (key == "pattern") {
        const std::regex pattern(rule.get<std::string>());
        if (value.is_string() && !std::regex_search(value.get<std::string>(), pattern)) {
          out.push_back(at + ": pattern");
        }
      } else if (key == "anyOf") {
        check_any(rule, value, at, out);
      } else if (key == "items") {
        if (!value.is_array()) continue;
        for (size_t i = 0; i < value.size(); ++i) {
          check(rule, value[i], at + "[" + std::to_string(i) + "]", out);
        }
      } else if (key == "properties" || key == "required" || key == "additionalProperties") {
        if (value.is_object()) check_object(key, rule, schema, value, at, out);
      } else {
        out.push_back("the schema uses an unknown keyword: " + key);
      }
    }
  }

  static void check_type(const Json& rule,
                         const Json& value,
                         const std::string& at,
                         std::vector<std::string>& out) {
    const Json types = rule.is_array() ? rule : Json::array({rule});
    for (const Json& type : types) {
      if (is(value, type.get<std::string>())) return;
    }
    out.push_back(at + ": type: found " + value.dump().substr(0, 40));
  }

  void check_any(const Json& rule,
                 const Json& value,
                 const std::string& at,
                 std::vector<std::string>& out) const {
    for (const Json& one : rule) {
      std::vector<std::string> complaints;
      check(one, value, at, complaints);
      if (complaints.empty()) return;
    }
    out.push_back(at + ": anyOf");
  }

  void check_object(const std::string& key,
                    const Json& rule,
                    const Json& schema,
                    const Json& value,
                    const std::string& at,
                    std::vector<std::string>& out) const {
    if (key == "required") {
      for (const Json& name : rule) {
        if (!value.contains(name.get<std::string>())) out.push_back(at + ": lacks " + name.dump());
      }
    } else if (key == "properties") {
      for (const auto& [name, inner] : rule.items()) {
        if (value.contains(name)) check(inner, value[name], at + "." + name, out);
      }
    } else if (rule == Json(false)) {
      for (const auto& [name, inner] : value.items()) {
        if (!schema["properties"].contains(name)) out.push_back(at + ": does not know " + name);
      }
    }
  }

  Json root_;
};

}  // namespace keju
