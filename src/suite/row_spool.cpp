// SPDX-License-Identifier: MIT
#include "suite/row_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace keju {
namespace {

constexpr size_t kWaiting = size_t{256} << 10;

// The types of JSON values as they lie in the spool.
enum class Tag : uint8_t { kNull, kFalse, kTrue, kInteger, kUnsigned, kFloat, kText, kList, kMap };

class Writer {
 public:
  template <typename Number>
  void number(Number value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
  }

  void text(const std::string& value) {
    number<uint64_t>(value.size());
    out += value;
  }

  void tag(Tag value) { out.push_back(static_cast<char>(value)); }

  // At most 64 levels deep, as parse_json reads them.
  void json(const Json& value) {
    switch (value.type()) {
      case Json::value_t::null:
        return tag(Tag::kNull);
      case Json::value_t::boolean:
        return tag(value.get<bool>() ? Tag::kTrue : Tag::kFalse);
      case Json::value_t::number_integer:
        tag(Tag::kInteger);
        return number(value.get<int64_t>());
      case Json::value_t::number_unsigned:
        tag(Tag::kUnsigned);
        return number(value.get<uint64_t>());
      case Json::value_t::number_float:
        tag(Tag::kFloat);
        return number(value.get<double>());
      case Json::value_t::string:
        tag(Tag::kText);
        return text(value.get_ref<const std::string&>());
      case Json::value_t::array:
        tag(Tag::kList);
        number<uint64_t>(value.size());
        for (const Json& entry : value) json(entry);
        return;
      case Json::value_t::object:
        tag(Tag::kMap);
        number<uint64_t>(value.size());
        for (const auto& [key, entry] : value.items()) {
          text(key);
          json(entry);
        }
        return;
      case Json::value_t::binary:
      case Json::value_t::discarded:
        break;
    }
    KEJU_CHECK(false, "a row that no data file can hold");
  }

  std::string out;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
  Number number() {
    Number value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string text() { return std::string(take(number<uint64_t>())); }

  Json json() {
    switch (static_cast<Tag>(take(1)[0])) {
      case Tag::kNull:
        return nullptr;
      case Tag::kFalse:
        return false;
      case Tag::kTrue:
        return true;
      case Tag::kInteger:
        return number<int64_t>();
      case Tag::kUnsigned:
        return number<uint64_t>();
      case Tag::kFloat:
        return number<double>();
      case Tag::kText:
        return text();
      case Tag::kList: {
        Json list = Json::array();
        for (auto left = number<uint64_t>(); left > 0; --left) list.push_back(json());
        return list;
      }
      case Tag::kMap: {
        Json map = Json::object();
        for (auto left = number<uint64_t>(); left > 0; --left) {
          std::string key = text();
          map.emplace(std::move(key), json());
        }
        return map;
      }
    }
    KEJU_CHECK(false, "a damaged spool of rows");
  }

 private:
  std::string_view take(uint64_t count) {
    KEJU_CHECK(count <= bytes_.size(), "a damaged spool of rows");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  std::string_view bytes_;
};

std::string packed(const DataRow& row) {
  Writer to;
  to.number(row.row);
  to.text(row.at);
  to.json(row.doc);
  to.number<uint64_t>(row.options.size());
  for (const std::string& option : row.options) to.text(option);
  to.number<int32_t>(row.gold);
  to.number<uint64_t>(row.golds.size());
  for (const int gold : row.golds) to.number<int32_t>(gold);
  return std::move(to.out);
}

DataRow unpacked(std::string_view bytes) {
  Reader from(bytes);
  DataRow row;
  row.row = from.number<int64_t>();
  row.at = from.text();
  row.doc = from.json();
  row.options.resize(from.number<uint64_t>());
  for (std::string& option : row.options) option = from.text();
  row.gold = from.number<int32_t>();
  row.golds.resize(from.number<uint64_t>());
  for (int& gold : row.golds) gold = from.number<int32_t>();
  return row;
}

// Not a folder that may well be memory itself, where there is a choice.
std::string folder() {
  if (const char* chosen = std::getenv("TMPDIR"); chosen != nullptr && *chosen != '\0') {
    return chosen;
  }
  return ::access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

[[noreturn]] void refuse(std::string_view doing) {
  const int reason = errno;
  throw fail(Code::kIo,
             "{}: temporary file for the rows of a data set: {}: {}. Set TMPDIR to a folder with "
             "room",
             folder(),
             doing,
             std::strerror(reason));
}

int nameless_file() {
  std::string name = folder() + "/keju-rows-XXXXXX";
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) refuse("create");
  ::unlink(name.c_str());
  return file;
}

}  // namespace

RowSpool::~RowSpool() {
  if (file_ >= 0) ::close(file_);
}

uint64_t RowSpool::add(const DataRow& row) {
  const std::string bytes = packed(row);
  const uint64_t place = written_ + waiting_.size();
  const uint64_t size = bytes.size();
  KEJU_CHECK(place + size < uint64_t{1} << 48, "rows past what a place can say");
  char length[sizeof size];
  std::memcpy(length, &size, sizeof size);
  waiting_.append(length, sizeof size);
  waiting_ += bytes;
  if (waiting_.size() > kWaiting) flush();
  return place;
}

void RowSpool::seal() {
  if (file_ >= 0) flush();
  waiting_.shrink_to_fit();
}

void RowSpool::flush() {
  if (file_ < 0) file_ = nameless_file();
  for (size_t done = 0; done < waiting_.size();) {
    const ssize_t wrote = ::pwrite(
        file_, waiting_.data() + done, waiting_.size() - done, static_cast<off_t>(written_ + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) refuse("write");
    done += static_cast<size_t>(wrote);
  }
  written_ += waiting_.size();
  waiting_.clear();
}

void RowSpool::read(uint64_t place, char* into, size_t size) const {
  if (place >= written_) {
    KEJU_CHECK(place - written_ + size <= waiting_.size(), "a row past the spool's end");
    std::memcpy(into, waiting_.data() + (place - written_), size);
    return;
  }
  for (size_t done = 0; done < size;) {
    const ssize_t got = ::pread(file_, into + done, size - done, static_cast<off_t>(place + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) refuse("read");
    done += static_cast<size_t>(got);
  }
}

DataRow RowSpool::row(uint64_t place) const {
  uint64_t size = 0;
  char length[sizeof size];
  read(place, length, sizeof length);
  std::memcpy(&size, length, sizeof size);
  std::string bytes(size, '\0');
  read(place + sizeof length, bytes.data(), size);
  return unpacked(bytes);
}

RowList::RowList(std::shared_ptr<RowSpool> spool) : spool_(std::move(spool)) {}

void RowList::push_back(const DataRow& row) {
  KEJU_CHECK(row.options.size() <= kMostOptions, "a row of more options than a place can count");
  places_.push_back(spool_->add(row) | uint64_t{row.options.size()} << 48 |
                    uint64_t{row.gold >= 0} << 63);
}

DataRow RowList::operator[](size_t index) const {
  return spool_->row(places_[index] & ((uint64_t{1} << 48) - 1));
}

}  // namespace keju
