// SPDX-License-Identifier: MIT
#include "suite/gold.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {
namespace {

using Form = DataCard::AnswerForm;

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::vector<std::string> text_list(const Json& value,
                                   const std::string& at,
                                   std::string_view what) {
  if (!value.is_array()) {
    throw fail(Code::kInput, "{}: {}: found {}, need a list of texts", at, what, value.type_name());
  }
  std::vector<std::string> out;
  for (const Json& entry : value) out.push_back(plain_text(entry));
  return out;
}

std::optional<int64_t> whole_number(const Json& value) {
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The options that `letters` names ("ACD", ["A", "C"], "A C"), in order and once each.
std::vector<int> lettered(const Json& letters) {
  std::vector<int> out;
  std::string text;
  if (letters.is_array()) {
    for (const Json& entry : letters) text += plain_text(entry);
  } else if (letters.is_string()) {
    text = letters.get<std::string>();
  }
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') out.push_back(c - 'A');
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string needed(const DataCard& card, size_t count) {
  switch (card.answer_form) {
    case Form::kLetter:
    case Form::kLetters:
      return fmt::format("a letter from A to {}", static_cast<char>('A' + count - 1));
    case Form::kIndex:
      return fmt::format("an index from 0 to {}", count - 1);
    case Form::kNumber:
      return fmt::format("a number from 1 to {}", count);
    case Form::kText:
      return "one of the options";
    case Form::kLabel:
      return "one of the labels in " + card.answer_labels;
    case Form::kFlags:
      return fmt::format("a list of {} times 0 or 1", count);
    case Form::kMap:
      break;
  }
  return "a value that the card's map knows";
}

std::optional<std::vector<int>> at_place(const std::vector<std::string>& list,
                                         const std::string& value) {
  const auto found = std::find(list.begin(), list.end(), value);
  if (found == list.end()) return std::nullopt;
  return std::vector<int>{static_cast<int>(found - list.begin())};
}

std::optional<std::vector<int>> one(std::optional<int64_t> index) {
  if (!index.has_value()) return std::nullopt;
  if (*index < 0 || *index > 1000) return std::nullopt;
  return std::vector<int>{static_cast<int>(*index)};
}

std::optional<std::vector<int>> golds_of(const DataCard& card,
                                         const DataRow& row,
                                         const Json& value) {
  switch (card.answer_form) {
    case Form::kLetter: {
      const std::vector<int> letters = lettered(value);
      const bool single = value.is_string() && value.get_ref<const std::string&>().size() == 1;
      return single && letters.size() == 1 ? std::optional(letters) : std::nullopt;
    }
    case Form::kLetters:
      return lettered(value);
    case Form::kIndex:
      return one(whole_number(value));
    case Form::kNumber: {
      const std::optional<int64_t> number = whole_number(value);
      return number.has_value() ? one(*number - 1) : std::nullopt;
    }
    case Form::kText:
      return at_place(row.options, plain_text(value));
    case Form::kLabel: {
      const Json* labels = at_path(row.doc, card.answer_labels);
      if (labels == nullptr) return std::nullopt;
      return at_place(text_list(*labels, row.at, card.answer_labels), plain_text(value));
    }
    case Form::kFlags: {
      if (!value.is_array() || value.size() != row.options.size()) return std::nullopt;
      std::vector<int> golds;
      for (size_t i = 0; i < value.size(); ++i) {
        const std::optional<int64_t> flag = whole_number(value[i]);
        if (!flag.has_value() || *flag < 0 || *flag > 1) return std::nullopt;
        if (*flag == 1) golds.push_back(static_cast<int>(i));
      }
      return golds;
    }
    case Form::kMap: {
      const auto found = card.answer_map.find(plain_text(value));
      if (found == card.answer_map.end()) return std::nullopt;
      return std::vector<int>{found->second};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string shortened(const std::string& text) {
  constexpr size_t kShown = 40;
  if (text.size() <= kShown) return text;
  return text.substr(0, complete_utf8_prefix(std::string_view(text).substr(0, kShown))) + "…";
}

void read_choices(const DataCard& card, const std::string& split, DataRow& row) {
  if (!card.choice_texts.empty()) {
    row.options = card.choice_texts;
  } else if (card.choices_are_list()) {
    const Json* list = at_path(row.doc, card.choices[0]);
    if (list == nullptr || list->is_null()) return;  // a row that asks for an answer in words
    row.options = text_list(*list, row.at, card.choices[0]);
    std::erase_if(row.options,
                  [&](const std::string& option) { return contains(card.choice_drop, option); });
    if (row.options.size() == 1 && card.split(split)->literal_columns) {
      row.options.clear();
      return;
    }
    if (row.options.size() < 2) {
      throw fail(Code::kInput,
                 "{}: {}: found {} options, need two or more",
                 row.at,
                 card.choices[0],
                 row.options.size());
    }
  } else {
    for (const std::string& key : card.choices) row.options.push_back(plain_text(row.doc[key]));
  }
  for (size_t i = 0; i < row.options.size(); ++i) {
    if (!python_strip(row.options[i]).empty()) continue;
    throw fail(Code::kInput,
               "{}: option {}: found nothing, need its text",
               row.at,
               static_cast<char>('A' + i));
  }
}

void read_gold(const DataCard& card, DataRow& row) {
  if (card.answer.empty() || row.options.empty()) return;
  const Json* value = at_path(row.doc, card.answer);
  if (value == nullptr || value->is_null()) return;
  const std::optional<std::vector<int>> golds = golds_of(card, row, *value);
  const bool known = golds.has_value() && std::all_of(golds->begin(), golds->end(), [&](int gold) {
                       return gold >= 0 && gold < static_cast<int>(row.options.size());
                     });
  if (!known) {
    throw fail(Code::kInput,
               "{}: {}: found \"{}\", need {}",
               row.at,
               card.answer,
               shortened(plain_text(*value)),
               needed(card, row.options.size()));
  }
  row.golds = *golds;
  row.gold = row.golds.empty() ? -1 : row.golds[0];
}

}  // namespace keju
