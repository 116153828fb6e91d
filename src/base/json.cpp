// SPDX-License-Identifier: MIT
#include "base/json.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <unordered_set>

#include "base/error.h"
#include "base/mapped_file.h"

namespace keju {
namespace {

namespace dom = simdjson::dom;

constexpr int kMaxDepth = 64;
constexpr std::string_view kTooDeep = "found more than 64 levels, need at most 64";

// Linear search beats a hash set for the few keys that most objects have.
constexpr size_t kFewKeys = 16;

// --- The slow path: where and why a text is refused
// -----------------------------------------------
//
// simdjson does not say where it stopped, and neither reports repeated names. A refused text is
// read once more, by a parser that reads byte by byte.

// Walks a text and leaves the number of bytes read where the handler can see it.
class Walker {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Walker(const char* at, size_t* read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  Walker& operator++() {
    ++at_;
    ++*read_;
    return *this;
  }
  Walker operator++(int) {
    Walker before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Walker& other) const { return at_ == other.at_; }
  bool operator!=(const Walker& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  size_t* read_;
};

class Refusal : public nlohmann::json_sax<Json> {
 public:
  size_t read = 0;
  size_t offset = 0;
  std::string why;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t& text) override {
    if (text.find_first_of(".eE") != string_t::npos) return true;
    return refuse(fmt::format("found the number {}, need an integer of at most 64 bits", text));
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (names_.back().insert(name).second) return true;
    return refuse(fmt::format("found \"{}\" twice in one object, need each name once", name));
  }
  bool parse_error(size_t position, const std::string&, const Json::exception& e) override {
    read = position;
    std::string_view text = e.what();
    if (const size_t at = text.find("] "); at != text.npos) text.remove_prefix(at + 2);
    if (text.substr(0, 14) == "parse error at") {
      if (const size_t at = text.find(": "); at != text.npos) text.remove_prefix(at + 2);
    }
    return refuse(fmt::format("found a fault ({}), need valid JSON", text));
  }

 private:
  bool refuse(std::string text) {
    offset = read > 0 ? read - 1 : 0;
    why = std::move(text);
    return false;
  }
  bool open() {
    if (names_.size() == kMaxDepth) return refuse(std::string(kTooDeep));
    names_.emplace_back();
    return true;
  }
  bool close() {
    names_.pop_back();
    return true;
  }

  std::vector<std::unordered_set<std::string>> names_;
};

Error refused(std::string_view text, std::string_view where, std::string_view otherwise) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    return fail(Code::kInput, "{}: byte 0: found a byte order mark, need plain UTF-8", where);
  }
  Refusal refusal;
  Json::sax_parse(Walker(text.data(), &refusal.read),
                  Walker(text.data() + text.size(), &refusal.read),
                  &refusal);
  if (refusal.why.empty()) {
    return fail(Code::kInput, "{}: found a fault ({}), need valid JSON", where, otherwise);
  }
  return fail(Code::kInput, "{}: byte {}: {}", where, refusal.offset, refusal.why);
}

// --- The fast path ----------------------------------------------------------------------------

// Thrown inside this file only, to leave the recursion; parse_json says what is wrong.
struct Stop {
  const char* why;
};

template <typename T>
T as(const dom::element& element) {
  T value{};
  KEJU_CHECK(element.get(value) == simdjson::SUCCESS, "simdjson disagrees about a type");
  return value;
}

std::string checked(std::string_view text) {
  // The escape of half a surrogate pair comes out as three bytes that are not UTF-8.
  const char* end = text.data() + text.size();
  const char* p = text.data();
  while ((p = static_cast<const char*>(std::memchr(p, 0xED, static_cast<size_t>(end - p))))) {
    if (++p == end) break;
    if (static_cast<uint8_t>(*p) >= 0xA0) throw Stop{"half a surrogate pair"};
  }
  return std::string(text);
}

class NameSet {
 public:
  explicit NameSet(size_t count) {
    if (count > kFewKeys) many_.reserve(count);
    hashed_ = count > kFewKeys;
  }
  // False if the name was there already.
  bool add(std::string_view name, const Json::object_t& so_far) {
    if (hashed_) return many_.insert(name).second;
    for (const auto& [key, value] : so_far) {
      if (key == name) return false;
    }
    return true;
  }

 private:
  bool hashed_ = false;
  std::unordered_set<std::string_view> many_;
};

// The DOM counts members in 24 bits and sticks at the top.

Json convert(const dom::element& element, int depth) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      return nullptr;
    case dom::element_type::BOOL:
      return as<bool>(element);
    case dom::element_type::INT64:
      return as<int64_t>(element);
    case dom::element_type::UINT64:
      return as<uint64_t>(element);
    case dom::element_type::DOUBLE:
      return as<double>(element);
    case dom::element_type::STRING:
      return checked(as<std::string_view>(element));
    case dom::element_type::ARRAY: {
      if (depth == kMaxDepth) throw Stop{"more than 64 levels"};
      const dom::array items = as<dom::array>(element);
      Json out = Json::array();
      auto& list = out.get_ref<Json::array_t&>();
      list.reserve(items.size());
      for (const dom::element item : items) list.push_back(convert(item, depth + 1));
      return out;
    }
    case dom::element_type::OBJECT: {
      if (depth == kMaxDepth) throw Stop{"more than 64 levels"};
      const dom::object members = as<dom::object>(element);
      Json out = Json::object();
      // The ordered map's own insertion searches from the front each time.
      auto& map = out.get_ref<Json::object_t&>();
      map.reserve(members.size());
      NameSet names(members.size());
      for (const dom::key_value_pair member : members) {
        if (!names.add(member.key, map)) throw Stop{"a name twice in one object"};
        map.emplace_back(checked(member.key), convert(member.value, depth + 1));
      }
      return out;
    }
  }
  return nullptr;
}

// --- Writing ----------------------------------------------------------------------------------

void append_string(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          out += "\\u00";
          out += kDigits[static_cast<uint8_t>(c) >> 4];
          out += kDigits[static_cast<uint8_t>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_break(std::string& out, int indent, int level) {
  out += '\n';
  out.append(static_cast<size_t>(indent) * static_cast<size_t>(level), ' ');
}

void append_value(std::string& out, const Json& value, int indent, int level) {
  const auto part = [&](bool first, int at_level) {
    if (!first) out += indent > 0 ? "," : ", ";
    if (indent > 0) append_break(out, indent, at_level);
  };
  switch (value.type()) {
    case Json::value_t::null:
      out += "null";
      return;
    case Json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case Json::value_t::number_integer:
      out += fmt::format_int(value.get<int64_t>()).str();
      return;
    case Json::value_t::number_unsigned:
      out += fmt::format_int(value.get<uint64_t>()).str();
      return;
    case Json::value_t::number_float: {
      const double number = value.get<double>();
      if (std::isnan(number)) {
        out += "NaN";
      } else if (std::isinf(number)) {
        out += number > 0 ? "Infinity" : "-Infinity";
      } else {
        out += python_float(number);
      }
      return;
    }
    case Json::value_t::string:
      append_string(out, value.get_ref<const std::string&>());
      return;
    case Json::value_t::array: {
      out += '[';
      bool first = true;
      for (const Json& item : value) {
        part(first, level + 1);
        first = false;
        append_value(out, item, indent, level + 1);
      }
      if (!first && indent > 0) append_break(out, indent, level);
      out += ']';
      return;
    }
    case Json::value_t::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, item] : value.get_ref<const Json::object_t&>()) {
        part(first, level + 1);
        first = false;
        append_string(out, key);
        out += ": ";
        append_value(out, item, indent, level + 1);
      }
      if (!first && indent > 0) append_break(out, indent, level);
      out += '}';
      return;
    }
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  KEJU_CHECK(false, "a value that JSON cannot express");
}

std::string found(const Json& value) {
  if (value.is_number()) return python_dumps(value);
  return value.type_name();
}

Error wrong(const Json& value, std::string_view key, std::string_view where, const char* need) {
  return fail(Code::kInput, "{}: {}: found {}, need {}", where, key, found(value), need);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) {
  dom::parser parser;
  // One level of slack: whether the parser counts a scalar as a level is its own affair, the exact
  // limit is convert's.
  simdjson::error_code error = parser.allocate(std::max<size_t>(text.size(), 32), kMaxDepth + 2);
  dom::element root;
  if (!error) error = parser.parse(text.data(), text.size()).get(root);
  if (error) throw refused(text, where, simdjson::error_message(error));
  try {
    return convert(root, 0);
  } catch (const Stop& stop) {
    throw refused(text, where, stop.why);
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

const Json& member(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) {
    throw fail(Code::kInput, "{}: found {}, need an object with \"{}\"", where, found(object), key);
  }
  std::vector<std::string> known;
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>()) {
    if (name == key) return value;
  }
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>()) known.push_back(name);
  throw fail(
      Code::kInput, "{}: {}: found nothing, need a value{}", where, key, suggestion(key, known));
}

std::string string_member(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = member(object, key, where);
  if (!value.is_string()) throw wrong(value, key, where, "string");
  return value.get<std::string>();
}

int64_t int_member(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = member(object, key, where);
  if (!value.is_number_integer()) throw wrong(value, key, where, "integer");
  if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) {
    throw wrong(value, key, where, "integer of at most 2^63-1");
  }
  return value.get<int64_t>();
}

double number_member(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = member(object, key, where);
  if (!value.is_number()) throw wrong(value, key, where, "number");
  return value.get<double>();
}

std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  // "-d.ddde±XX": take the digits and the exponent apart, then set the point where Python does.
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  std::string out;
  if (text.front() == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  const char* from = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(from, end, exponent);

  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (digits.size() > 1) out += '.' + digits.substr(1);
    out += fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  } else if (exponent < 0) {
    out += "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else {
    const size_t whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() <= whole) {
      out += digits + std::string(whole - digits.size(), '0') + ".0";
    } else {
      out += digits.substr(0, whole) + '.' + digits.substr(whole);
    }
  }
  return out;
}

std::string python_dumps(const Json& value, int indent) {
  std::string out;
  append_value(out, value, indent, 0);
  return out;
}

}  // namespace keju
