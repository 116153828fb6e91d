// SPDX-License-Identifier: MIT
#include "suite/import_field.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "suite/card.h"
#include "suite/prompt.h"
#include "suite/python_literal.h"

namespace keju {
namespace {

bool all_digits(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

TaskField::TaskField(std::string key, Json value, std::string at)
    : key_(std::move(key)), value_(std::move(value)), at_(std::move(at)) {}

bool TaskField::Value::is_index() const {
  if (json.is_number_integer() || json.is_boolean()) return true;
  return !column && json.is_string() && all_digits(json.get<std::string>());
}

int64_t TaskField::Value::place_in(const std::vector<std::string>& choices,
                                   const std::string& where) const {
  int64_t place = -1;
  if (json.is_boolean()) {
    place = json.get<bool>() ? 1 : 0;
  } else if (json.is_number_integer()) {
    place = json.get<int64_t>();
  } else if (is_index()) {
    place = std::stoll(json.get<std::string>().substr(0, 9));
  } else if (json.is_string()) {
    const auto found = std::find(choices.begin(), choices.end(), json.get<std::string>());
    if (found != choices.end()) place = found - choices.begin();
  }
  if (place >= 0 && place < static_cast<int64_t>(choices.size())) return place;
  throw fail(Code::kInput,
             "{}: doc_to_target: found {}, need one of the {} choices or its place",
             where,
             json.dump(),
             choices.size());
}

TaskField::Value TaskField::value(const Json& doc) const {
  if (!value_.is_string()) return {value_, false};
  const std::string& text = value_.get_ref<const std::string&>();
  if (doc.contains(text)) return {doc[text], true};
  return {PromptTemplate({text, at_}).render(doc, true), false};
}

std::vector<std::string> TaskField::list(const Json& doc) const {
  Json all = value_;
  if (value_.is_string()) {
    const std::string& text = value_.get_ref<const std::string&>();
    all = doc.contains(text) ? doc[text] : rendered_list(doc);
  }
  if (!all.is_array() && !(value_.is_object() && all.is_object())) no_list(all.dump());
  std::vector<std::string> out;
  for (const Json& entry : all) {
    if (!entry.is_string()) no_list(all.dump());
    out.push_back(entry.get<std::string>());
  }
  return out;
}

void TaskField::no_list(const std::string& found) const {
  throw fail(Code::kUnsupported, "{}: {}: found {}, need a list of texts", at_, key_, found);
}

// The harness reads what the template gives as a literal of Python. Where it is one expression the
// value is taken before it is spelt.
Json TaskField::rendered_list(const Json& doc) const {
  const std::string source(python_strip(value_.get_ref<const std::string&>()));
  const bool whole =
      source.starts_with("{{") && source.ends_with("}}") && source.find("}}") == source.size() - 2;
  if (whole) {
    const std::string expression = source.substr(2, source.size() - 4);
    const Json value = parse_json(
        PromptTemplate({"{{ (" + expression + ") | tojson }}", at_}).render(doc, true), at_);
    if (!value.is_string()) return value;
    std::optional<Json> list = python_literal(value.get<std::string>());
    if (!list.has_value()) no_list(value.dump());
    return std::move(*list);
  }
  const std::string text = PromptTemplate({source, at_}).render(doc, true);
  std::optional<Json> list = python_literal(text);
  if (!list.has_value()) no_list(Json(text).dump());
  return std::move(*list);
}

}  // namespace keju
