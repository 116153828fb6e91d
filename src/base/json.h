// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace keju {

// JSON values that keep the order of their keys: templates, records and hashes depend on it.
using Json = nlohmann::ordered_json;

// Parses a whole text (read with simdjson, at most 64 levels deep; numbers keep integer or float).
// `where` (a path, or "stdin:12") begins the message. Errors: Error(kInput) with the byte offset;
// a name that occurs twice in one object is refused too.
Json parse_json(std::string_view text, std::string_view where);
Json read_json(const std::filesystem::path& path);

// Typed access with messages: `where: key: found number, need string`.
const Json& member(const Json& object, std::string_view key, std::string_view where);
std::string string_member(const Json& object, std::string_view key, std::string_view where);
int64_t int_member(const Json& object, std::string_view key, std::string_view where);
double number_member(const Json& object, std::string_view key, std::string_view where);

// Shortest text that reads back as the same double, as Python's repr prints it ("1e-05", "1.0").
std::string python_float(double value);

// Python's json.dumps(value, ensure_ascii=False): separators ", " and ": ", or indented by `indent`
// spaces when indent > 0 (then items are parted by "," and a line break). Byte for byte.
std::string python_dumps(const Json& value, int indent = 0);

}  // namespace keju
