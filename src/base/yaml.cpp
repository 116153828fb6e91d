// SPDX-License-Identifier: MIT
#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <unordered_set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/utf8.h"

namespace keju {
namespace {

constexpr size_t kMaxBytes = size_t{16} << 20;
constexpr size_t kMaxDepth = 64;

std::string shortened(const std::string& text) {
  constexpr size_t kShown = 60;
  if (text.size() <= kShown) return text;
  return text.substr(0, complete_utf8_prefix(std::string_view(text).substr(0, kShown))) + "…";
}

// The parser replaces bad bytes and takes some control characters for the end of the text.
void check_bytes(std::string_view text, const std::string& where) {
  int line = 1;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text, at);
    if (c == '\n') ++line;
    if (c == 0xFFFD && at == begin + 1) {
      throw fail(Code::kInput, "{}:{}: found bytes that are not UTF-8, need UTF-8", where, line);
    }
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) {
      throw fail(Code::kInput,
                 "{}:{}: found the control character U+{:04X}, need text",
                 where,
                 line,
                 static_cast<uint32_t>(c));
    }
  }
}

// The parser writes the escapes \\_ (U+00A0) and \\N (U+0085) as bytes that are no UTF-8; the text
// itself was, so that such a byte is one of these.
std::string with_escapes(const std::string& value) {
  std::string out;
  for (size_t at = 0; at < value.size();) {
    const size_t begin = at;
    const bool bad = next_code_point(value, at) == 0xFFFD && at == begin + 1;
    if (bad) out += '\xC2';
    out += value.substr(begin, at - begin);
  }
  return out;
}

std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+') text.remove_prefix(1);
  return text;
}

class Ignore : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&,
                const std::string&,
                YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&,
                       const std::string&,
                       YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&,
                  const std::string&,
                  YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

void read_all(const std::string& text, YAML::EventHandler& handler) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  while (parser.HandleNextDocument(handler)) {
  }
}

// yaml-cpp 0.7 takes the end of the text for the missing end of a quote if a line break comes just
// before it. With a comment on one more line, which changes nothing else, it notices.
void check_quotes(std::string_view text) {
  if (text.empty() || text.back() != '\n' || text.find_first_of("\"'") == text.npos) return;
  Ignore ignore;
  read_all(std::string(text) + "#", ignore);
}

}  // namespace

class Yaml::Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::shared_ptr<const std::string> where) : where_(std::move(where)) {
    root_.where_ = where_;
    root_.line_ = 1;
  }

  Yaml take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) refuse(mark, "a second document", "one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    if (wants_key()) refuse(mark, "an empty key", "a key");
    put(make(Kind::kNull, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "an alias", "the value itself, since aliases are not read");
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag == "tag:yaml.org,2002:null" && !wants_key()) return OnNull(mark, anchor);
    check(mark, tag, anchor);
    if (wants_key()) {
      Frame& frame = open_.back();
      if (!frame.keys.insert(value).second) {
        throw fail(Code::kInput,
                   "{}:{}: {}: found it twice, need each key once",
                   *where_,
                   mark.line + 1,
                   shortened(value));
      }
      frame.key = value;
      frame.key_line = mark.line + 1;
      frame.has_key = true;
      return;
    }
    Yaml node = make(Kind::kScalar, mark);
    node.scalar_ = with_escapes(value);
    node.quoted_ = tag == "!";
    put(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  // A list or map whose end has not come yet.
  struct Frame {
    Yaml node;
    bool has_key = false;
    std::string key;
    int key_line = 0;
    std::unordered_set<std::string> keys;
  };

  [[noreturn]] void refuse(const YAML::Mark& mark,
                           std::string_view found,
                           std::string_view need) const {
    throw fail(Code::kInput, "{}:{}: found {}, need {}", *where_, mark.line + 1, found, need);
  }

  void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != 0) refuse(mark, "an anchor", "the value itself, since anchors are not read");
    // "?" is what the parser calls a plain scalar, "!" a quoted one.
    if (!tag.empty() && tag != "?" && tag != "!") {
      refuse(mark, fmt::format("the tag {}", shortened(tag)), "a plain value");
    }
  }

  bool wants_key() const {
    return !open_.empty() && open_.back().node.kind_ == Kind::kMap && !open_.back().has_key;
  }

  Yaml make(Kind kind, const YAML::Mark& mark) const {
    Yaml node;
    node.kind_ = kind;
    node.line_ = mark.line + 1;
    node.where_ = where_;
    if (open_.empty()) return node;
    const Frame& frame = open_.back();
    if (frame.node.kind_ == Kind::kMap) {
      node.name_ = frame.key;
      // The place of an absent value is wherever the next thing begins.
      if (kind == Kind::kNull) node.line_ = frame.key_line;
    } else {
      node.name_ = fmt::format("{}[{}]", frame.node.name_, frame.node.list_.size());
    }
    return node;
  }

  void start(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check(mark, tag, anchor);
    if (wants_key()) refuse(mark, "a list or map as a key", "a text");
    if (open_.size() == kMaxDepth) refuse(mark, "more than 64 levels", "at most 64");
    Frame frame;
    frame.node = make(kind, mark);
    open_.push_back(std::move(frame));
  }

  void end() {
    Yaml node = std::move(open_.back().node);
    open_.pop_back();
    put(std::move(node));
  }

  void put(Yaml node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (frame.node.kind_ == Kind::kList) {
      frame.node.list_.push_back(std::move(node));
    } else {
      frame.node.map_.emplace_back(std::move(frame.key), std::move(node));
      frame.has_key = false;
    }
  }

  std::shared_ptr<const std::string> where_;
  Yaml root_;
  std::vector<Frame> open_;
  int documents_ = 0;
};

Yaml Yaml::parse(std::string_view text, std::string where) {
  if (text.size() > kMaxBytes) {
    throw fail(Code::kInput,
               "{}: size: found {} bytes, need at most {} (16 MiB)",
               where,
               text.size(),
               kMaxBytes);
  }
  check_bytes(text, where);
  const auto shared_where = std::make_shared<const std::string>(std::move(where));
  Builder builder(shared_where);
  try {
    read_all(std::string(text), builder);
    check_quotes(text);
  } catch (const YAML::Exception& e) {
    const int line = e.mark.is_null() ? 1 : e.mark.line + 1;
    throw fail(
        Code::kInput, "{}:{}: found a fault ({}), need valid YAML", *shared_where, line, e.msg);
  }
  return builder.take();
}

Yaml Yaml::load(const std::filesystem::path& path) { return parse(read_file(path), path.string()); }

std::string Yaml::at() const { return fmt::format("{}:{}", *where_, line_); }

void Yaml::wrong_kind(std::string_view need) const {
  std::string found;
  switch (kind_) {
    case Kind::kNull:
      found = "nothing";
      break;
    case Kind::kScalar:
      found = fmt::format("{}\"{}\"", quoted_ ? "the quoted text " : "", shortened(scalar_));
      break;
    case Kind::kList:
      found = "a list";
      break;
    case Kind::kMap:
      found = "a map";
      break;
  }
  throw fail(Code::kInput,
             "{}: {}{}found {}, need {}",
             at(),
             shortened(name_),
             name_.empty() ? "" : ": ",
             found,
             need);
}

const Yaml* Yaml::find(std::string_view key) const {
  for (const auto& [name, value] : items()) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Yaml& Yaml::get(std::string_view key) const {
  if (const Yaml* value = find(key)) return *value;
  std::vector<std::string> known;
  for (const auto& [name, value] : map_) known.push_back(name);
  throw fail(
      Code::kInput, "{}: {}: found nothing, need a value{}", at(), key, suggestion(key, known));
}

const std::vector<std::pair<std::string, Yaml>>& Yaml::items() const {
  if (kind_ != Kind::kMap) wrong_kind("a map");
  return map_;
}

void Yaml::only(const std::vector<std::string>& known) const {
  for (const auto& [name, value] : items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw fail(Code::kInput,
               "{}: key: unknown \"{}\"{}",
               value.at(),
               shortened(name),
               suggestion(name, known));
  }
}

const std::vector<Yaml>& Yaml::list() const {
  if (kind_ != Kind::kList) wrong_kind("a list");
  return list_;
}

const std::string& Yaml::text() const {
  if (kind_ != Kind::kScalar) wrong_kind("a text");
  return scalar_;
}

int64_t Yaml::integer() const {
  if (kind_ != Kind::kScalar || quoted_) wrong_kind("an integer");
  const std::string_view text = without_plus(scalar_);
  // "007" is seven to some readers of YAML and an octal number to others.
  const std::string_view digits = text.substr(!text.empty() && text[0] == '-' ? 1 : 0);
  if (digits.size() > 1 && digits[0] == '0') wrong_kind("an integer");
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) wrong_kind("an integer of at most 64 bits");
  if (error != std::errc() || end != text.data() + text.size()) wrong_kind("an integer");
  return value;
}

double Yaml::number() const {
  if (kind_ != Kind::kScalar || quoted_) wrong_kind("a number");
  const std::string_view text = without_plus(scalar_);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    wrong_kind("a number");
  }
  return value;
}

bool Yaml::boolean() const {
  if (kind_ == Kind::kScalar && !quoted_) {
    if (scalar_ == "true") return true;
    if (scalar_ == "false") return false;
  }
  wrong_kind("true or false");
}

}  // namespace keju
