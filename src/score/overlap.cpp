// SPDX-License-Identifier: MIT
#include "score/overlap.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"

namespace keju {
namespace {

using Words = std::vector<std::string>;

double f_score(double common, double answer, double reference) {
  if (answer == 0 && reference == 0) return 1;
  if (common == 0) return 0;
  const double precision = common / answer, recall = common / reference;
  return 2 * precision * recall / (precision + recall);
}

std::u32string characters(std::string_view text) {
  std::u32string out;
  for (const char32_t c : to_u32(text)) {
    if (!is_python_space(c)) out += c;
  }
  return out;
}

std::map<std::u32string, int64_t> grams(const std::u32string& text, size_t n) {
  std::map<std::u32string, int64_t> out;
  for (size_t i = 0; i + n <= text.size(); ++i) ++out[text.substr(i, n)];
  return out;
}

// How many n-grams of `answer` the reference has, each counted as often as it has it.
int64_t clipped(const std::u32string& answer, const std::u32string& reference, size_t n) {
  const auto known = grams(reference, n);
  int64_t common = 0;
  for (const auto& [gram, count] : grams(answer, n)) {
    const auto found = known.find(gram);
    if (found != known.end()) common += std::min(count, found->second);
  }
  return common;
}

double gram_count(const std::u32string& text, size_t n) {
  return text.size() < n ? 0 : static_cast<double>(text.size() - n + 1);
}

bool is_ascii_mark(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Words split_words(std::string_view text) {
  Words out;
  std::string word;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (!is_python_space(next_code_point(text, at))) {
      word += text.substr(begin, at - begin);
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

bool is_article(const std::string& word) { return word == "a" || word == "an" || word == "the"; }

Words squad_words(std::string_view text) {
  std::string plain = lowered(text);
  std::erase_if(plain, is_ascii_mark);
  Words words = split_words(plain);
  std::erase_if(words, is_article);
  return words;
}

int64_t common_words(const Words& a, const Words& b) {
  std::map<std::string, int64_t> counts;
  for (const std::string& word : b) ++counts[word];
  int64_t common = 0;
  for (const std::string& word : a) {
    if (counts[word]-- > 0) ++common;
  }
  return common;
}

// The marks of CMRC's own script; its "……" never matches there, so ellipses stay.
bool is_cmrc_mark(char32_t c) {
  static const std::u32string kMarks = U"-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』";
  return kMarks.find(c) != std::u32string::npos;
}

std::u32string cmrc_plain(std::string_view text) {
  std::u32string out;
  for (const char32_t c : to_u32(lowered(python_strip(text)))) {
    if (!is_cmrc_mark(c)) out += c;
  }
  return out;
}

// One token for each CJK character; what stands between them is split at white space.
std::vector<std::u32string> cmrc_tokens(std::string_view text) {
  std::vector<std::u32string> out;
  std::u32string word;
  const auto flush = [&] {
    if (!word.empty()) out.push_back(std::move(word));
    word.clear();
  };
  for (const char32_t c : to_u32(lowered(python_strip(text)))) {
    const bool cjk = c >= 0x4E00 && c <= 0x9FA5;
    if (cjk || is_cmrc_mark(c) || is_python_space(c)) flush();
    if (cjk) {
      out.push_back({c});
    } else if (!is_cmrc_mark(c) && !is_python_space(c)) {
      word += c;
    }
  }
  flush();
  return out;
}

template <typename Token>
size_t longest_run(const std::vector<Token>& a, const std::vector<Token>& b) {
  size_t best = 0;
  std::vector<size_t> row(b.size() + 1, 0);
  for (const Token& token : a) {
    for (size_t j = b.size(); j > 0; --j) {
      row[j] = token == b[j - 1] ? row[j - 1] + 1 : 0;
      best = std::max(best, row[j]);
    }
  }
  return best;
}

std::optional<double> as_number(const std::string& word) {
  double value = 0;
  const char* begin = word.data() + (word.starts_with('+') ? 1 : 0);
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (begin == end || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// DROP's normal form of a span: parted at spaces and hyphens, without articles and marks (but for
// those of numbers), numbers as floats.
Words drop_words(std::string_view span) {
  std::string hyphens(span);
  std::replace(hyphens.begin(), hyphens.end(), '-', ' ');
  Words out;
  for (const std::string& token : split_words(hyphens)) {
    std::string word = lowered(token);
    if (!as_number(word).has_value()) std::erase_if(word, is_ascii_mark);
    if (const std::optional<double> number = as_number(word)) word = python_float(*number);
    if (!word.empty() && !is_article(word)) out.push_back(word);
  }
  return out;
}

std::set<std::string> drop_bag(std::string_view span) {
  const Words words = drop_words(span);
  return {words.begin(), words.end()};
}

std::vector<std::string_view> spans_of(std::string_view reference) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t end = std::min(reference.find('\n'), reference.size());
    out.push_back(reference.substr(0, end));
    if (end == reference.size()) return out;
    reference.remove_prefix(end + 1);
  }
}

double bag_f1(const std::set<std::string>& answer, const std::set<std::string>& reference) {
  std::set<std::string> numbers, own, common;
  for (const std::string& word : reference) {
    if (as_number(word).has_value()) numbers.insert(word);
    if (answer.contains(word)) common.insert(word);
  }
  for (const std::string& word : answer) {
    if (as_number(word).has_value()) own.insert(word);
  }
  const bool shared = std::any_of(
      numbers.begin(), numbers.end(), [&](const std::string& n) { return own.contains(n); });
  if (!numbers.empty() && !shared) return 0;
  return f_score(static_cast<double>(common.size()),
                 static_cast<double>(answer.size()),
                 static_cast<double>(reference.size()));
}

}  // namespace

double rouge_n_char(std::string_view answer, std::string_view reference, int n) {
  const std::u32string a = characters(answer), r = characters(reference);
  const size_t size = static_cast<size_t>(n);
  if (a.size() < size && r.size() < size) return a == r ? 1 : 0;
  return f_score(
      static_cast<double>(clipped(a, r, size)), gram_count(a, size), gram_count(r, size));
}

double rouge_l_char(std::string_view answer, std::string_view reference) {
  const std::u32string a = characters(answer), r = characters(reference);
  std::vector<size_t> row(r.size() + 1, 0);
  for (const char32_t c : a) {
    size_t diagonal = 0;
    for (size_t j = 1; j <= r.size(); ++j) {
      const size_t above = row[j];
      row[j] = c == r[j - 1] ? diagonal + 1 : std::max(row[j], row[j - 1]);
      diagonal = above;
    }
  }
  return f_score(static_cast<double>(row.back()),
                 static_cast<double>(a.size()),
                 static_cast<double>(r.size()));
}

double bleu_char(std::string_view answer, std::string_view reference) {
  const std::u32string a = characters(answer), r = characters(reference);
  if (a.empty() || r.empty()) return a.size() == r.size() ? 1 : 0;
  double logs = 0;
  for (size_t n = 1; n <= 4; ++n) {
    const double smooth = n == 1 ? 0 : 1;
    const double common = static_cast<double>(clipped(a, r, n)) + smooth;
    if (common == 0) return 0;
    logs += std::log(common / (gram_count(a, n) + smooth)) / 4;
  }
  const double short_by = static_cast<double>(r.size()) / static_cast<double>(a.size());
  return std::exp(logs + std::min(0.0, 1 - short_by));
}

double squad_exact(std::string_view answer, std::string_view reference) {
  return squad_words(answer) == squad_words(reference) ? 1 : 0;
}

double squad_f1(std::string_view answer, std::string_view reference) {
  const Words a = squad_words(answer), r = squad_words(reference);
  return f_score(static_cast<double>(common_words(a, r)),
                 static_cast<double>(a.size()),
                 static_cast<double>(r.size()));
}

double cmrc_exact(std::string_view answer, std::string_view reference) {
  return cmrc_plain(answer) == cmrc_plain(reference) ? 1 : 0;
}

double cmrc_f1(std::string_view answer, std::string_view reference) {
  const auto a = cmrc_tokens(answer), r = cmrc_tokens(reference);
  return f_score(static_cast<double>(longest_run(a, r)),
                 static_cast<double>(a.size()),
                 static_cast<double>(r.size()));
}

double drop_exact(std::string_view answer, std::string_view reference) {
  const auto spans = spans_of(reference);
  return spans.size() == 1 && drop_words(answer) == drop_words(spans[0]) ? 1 : 0;
}

double drop_f1(std::string_view answer, std::string_view reference) {
  // One answer can be aligned with one span; the others count as missed.
  const auto spans = spans_of(reference);
  const std::set<std::string> bag = drop_bag(answer);
  double best = 0;
  for (const std::string_view span : spans) best = std::max(best, bag_f1(bag, drop_bag(span)));
  return std::round(best / static_cast<double>(spans.size()) * 100) / 100;
}

}  // namespace keju
