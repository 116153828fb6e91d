// SPDX-License-Identifier: MIT
#include "base/key_values.h"

#include <array>

#include "base/error.h"

namespace keju {
namespace {

// In the order of KeyValue's alternatives.
constexpr std::array<std::string_view, 8> kTypeNames = {"bool",
                                                        "integer",
                                                        "float",
                                                        "string",
                                                        "array of bool",
                                                        "array of integer",
                                                        "array of float",
                                                        "array of string"};
static_assert(kTypeNames.size() == std::variant_size_v<KeyValue>);

Error wrong(const KeyValues& values,
            std::string_view key,
            const KeyValue& value,
            std::string_view need) {
  return fail(Code::kInput,
              "{}: {}: found {}, need {}",
              values.where(),
              key,
              kTypeNames[value.index()],
              need);
}

const KeyValue& need_value(const KeyValues& values, std::string_view key, std::string_view need) {
  if (const KeyValue* value = values.find(key)) return *value;
  std::vector<std::string> known;
  for (const auto& [name, value] : values.all()) known.push_back(name);
  const std::string near = closest(key, known);
  throw fail(Code::kInput,
             "{}: {}: found nothing, need {}{}",
             values.where(),
             key,
             need,
             near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

template <typename T>
const T& get(const KeyValues& values, std::string_view key) {
  const std::string_view need = kTypeNames[KeyValue(T{}).index()];
  const KeyValue& value = need_value(values, key, need);
  if (const T* held = std::get_if<T>(&value)) return *held;
  throw wrong(values, key, value, need);
}

}  // namespace

void KeyValues::erase_arrays(std::string_view prefix) {
  std::erase_if(values_, [&](const auto& entry) {
    const bool array = std::visit(
        [](const auto& held) {
          using Held = std::decay_t<decltype(held)>;
          return !std::is_arithmetic_v<Held> && !std::is_same_v<Held, std::string>;
        },
        entry.second);
    return array && entry.first.starts_with(prefix);
  });
}

const KeyValue* KeyValues::find(std::string_view key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

const std::string& KeyValues::string(std::string_view key) const {
  return get<std::string>(*this, key);
}

int64_t KeyValues::integer(std::string_view key) const { return get<int64_t>(*this, key); }

double KeyValues::number(std::string_view key) const {
  const KeyValue& value = need_value(*this, key, "number");
  if (const double* held = std::get_if<double>(&value)) return *held;
  if (const int64_t* held = std::get_if<int64_t>(&value)) return static_cast<double>(*held);
  throw wrong(*this, key, value, "number");
}

bool KeyValues::boolean(std::string_view key) const { return get<bool>(*this, key); }

const std::vector<std::string>& KeyValues::strings(std::string_view key) const {
  return get<std::vector<std::string>>(*this, key);
}

const std::vector<int64_t>& KeyValues::integers(std::string_view key) const {
  return get<std::vector<int64_t>>(*this, key);
}

const std::vector<double>& KeyValues::numbers(std::string_view key) const {
  return get<std::vector<double>>(*this, key);
}

std::optional<std::string> KeyValues::maybe_string(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return string(key);
}

std::optional<int64_t> KeyValues::maybe_integer(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return integer(key);
}

std::optional<double> KeyValues::maybe_number(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return number(key);
}

std::optional<bool> KeyValues::maybe_boolean(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return boolean(key);
}

}  // namespace keju
