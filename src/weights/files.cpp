// SPDX-License-Identifier: MIT
#include "weights/files.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/error.h"

namespace keju {

namespace fs = std::filesystem;

std::shared_ptr<const MappedFile> map_file(const fs::path& path) {
  std::error_code error;
  if (fs::status(path, error).type() == fs::file_type::not_found) {
    throw fail(Code::kIo, "{}: found no such file, need one", path.string());
  }
  return MappedFile::open(path);
}

Json small_json(const fs::path& path) {
  constexpr size_t kMost = size_t{64} << 20;
  const auto file = map_file(path);
  const auto bytes = file->bytes();
  if (bytes.size() > kMost) {
    throw fail(
        Code::kInput, "{}: found {} bytes, need at most {}", path.string(), bytes.size(), kMost);
  }
  return parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

namespace {

bool five_digits(std::string_view text, int& out) {
  if (text.size() != 5 || text.find_first_not_of("0123456789") != text.npos) return false;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return true;
}

}  // namespace

PartName part_name(const std::string& file_name, std::string_view extension) {
  constexpr std::string_view kForm = "-00000-of-00000";
  std::string_view name = file_name;
  if (!name.ends_with(extension)) return {};
  name.remove_suffix(extension.size());
  if (name.size() <= kForm.size()) return {};
  const std::string_view form = name.substr(name.size() - kForm.size());
  PartName out;
  if (form[0] != '-' || form.substr(6, 4) != "-of-") return {};
  if (!five_digits(form.substr(1, 5), out.number) || !five_digits(form.substr(10), out.count)) {
    return {};
  }
  out.stem = name.substr(0, name.size() - kForm.size());
  return out;
}

std::vector<std::string> names_with(const fs::path& folder, std::string_view extension) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (name.ends_with(extension)) names.push_back(std::move(name));
  }
  if (error) throw fail(Code::kIo, "{}: {}", folder.string(), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 12;
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    out += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kShown) out += fmt::format(" and {} more", names.size() - kShown);
  return out;
}

}  // namespace keju
