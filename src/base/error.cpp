// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <algorithm>
#include <numeric>

namespace keju {

int exit_code(Code code) {
  switch (code) {
    case Code::kUsage:
      return 4;
    case Code::kInput:
    case Code::kShape:
      return 5;
    case Code::kUnsupported:
      return 6;
    case Code::kIo:
    case Code::kDevice:
      return 7;
    case Code::kBug:
      return 8;
  }
  return 8;
}

void check_failed(const char* file, int line, std::string_view text) {
  throw fail(Code::kBug, "{}:{}: {}. This is a bug in keju", file, line, text);
}

namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

std::string closest(std::string_view name, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& known) {
  std::string out;
  const std::string near = closest(name, known);
  if (!near.empty()) out += fmt::format("; did you mean \"{}\"?", near);
  if (known.empty()) return out;
  out += near.empty() ? ". Known: " : " Known: ";
  const size_t shown = std::min<size_t>(known.size(), 12);
  for (size_t i = 0; i < shown; ++i) out += (i ? ", " : "") + known[i];
  if (shown < known.size()) out += fmt::format(" and {} more", known.size() - shown);
  return out;
}

}  // namespace keju
