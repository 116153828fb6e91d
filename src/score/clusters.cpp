// SPDX-License-Identifier: MIT
#include "score/clusters.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/sha256.h"
#include "base/utf8.h"

namespace keju {
namespace {

constexpr std::array<const char*, 4> kPassages = {"passage", "document", "context", "article"};

bool whole_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// Texts of a row, wherever they lie; letters and numbers (answers, ids) say nothing.
void gather_texts(const Json& value, std::vector<std::string>& out) {
  if (value.is_string()) {
    auto text = value.get<std::string>();
    if (count_code_points(text) >= 2 && !whole_number(text)) out.push_back(std::move(text));
  } else if (value.is_structured()) {
    for (const Json& inner : value) gather_texts(inner, out);
  }
}

int64_t label(const std::string& text) {
  const std::string hex = sha256_hex(text).substr(0, 15);
  return static_cast<int64_t>(std::stoull(hex, nullptr, 16));
}

std::string sorted_key(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  std::string key;
  for (const std::string& text : texts) key += std::to_string(text.size()) + "\n" + text;
  return key;
}

}  // namespace

std::string row_texts(const Json& doc) {
  std::vector<std::string> texts;
  gather_texts(doc, texts);
  return sorted_key(std::move(texts));
}

int64_t cluster_of(const Json& doc, const std::string& id) {
  std::vector<std::string> passage;
  for (const char* name : kPassages) {
    if (doc.is_object() && passage.empty() && doc.contains(name)) gather_texts(doc[name], passage);
  }
  const std::string key = passage.empty() ? row_texts(doc) : sorted_key(std::move(passage));
  return label(key.empty() ? "id\n" + id : key);
}

}  // namespace keju
