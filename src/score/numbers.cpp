// SPDX-License-Identifier: MIT
#include "score/numbers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/utf8.h"

namespace keju {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// A decimal by its digits and the place of its point, so that 万 and 亿 stay exact.
struct Decimal {
  bool negative = false;
  std::string digits;  // without the point
  size_t decimals = 0;
};

std::string text_of(const Decimal& number) {
  std::string digits = number.digits;
  if (digits.size() <= number.decimals) {
    digits.insert(0, number.decimals - digits.size() + 1, '0');
  }
  std::string text = digits.substr(0, digits.size() - number.decimals);
  if (number.decimals > 0) text += "." + digits.substr(digits.size() - number.decimals);
  return canonical_decimal((number.negative ? "-" : "") + text);
}

void shift(Decimal& number, size_t powers_of_ten) {
  const size_t used = std::min(powers_of_ten, number.decimals);
  number.decimals -= used;
  number.digits.append(powers_of_ten - used, '0');
}

double value_of(const Decimal& number) {
  const std::string text = text_of(number);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Reads numbers at a place; every step either advances `at_` or leaves it where it was.
class NumberScanner {
 public:
  explicit NumberScanner(std::string_view text) : text_(text) {}

  // The number that begins at `at`, if one does.
  std::optional<FoundNumber> scan(size_t at) {
    at_ = at;
    const std::optional<std::string> value = signed_value();
    if (!value.has_value()) return std::nullopt;
    return FoundNumber{at, at_, *value, false};
  }

 private:
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  bool take_any(std::initializer_list<std::string_view> list) {
    return std::any_of(list.begin(), list.end(), [&](std::string_view each) { return take(each); });
  }
  char peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void skip_spaces() {
    while (peek() == ' ') ++at_;
  }

  std::optional<std::string> signed_value() {
    bool negative = false;
    if (take("-")) {
      negative = true;
    } else {
      take("+");
    }
    take_any({"\\$", "$", "¥", "￥", "€", "£"});
    if (!negative && take("-")) negative = true;
    std::optional<std::string> value = unsigned_value();
    if (!value.has_value()) return std::nullopt;
    if (negative) value = canonical_decimal("-" + *value);
    return value;
  }

  std::optional<std::string> unsigned_value() {
    if (std::optional<double> fraction = latex_fraction()) return plain_decimal(*fraction);
    std::optional<Decimal> number = decimal();
    if (!number.has_value()) return std::nullopt;
    if (std::optional<double> whole = fraction_of(*number)) return plain_decimal(*whole);
    power_of_ten(*number);
    scale(*number);
    const size_t mark = at_;
    skip_spaces();
    if (!take_any({"\\%", "%"})) at_ = mark;
    return text_of(*number);
  }

  // 12, 1,234, 1{,}234, 3.5, .5
  std::optional<Decimal> decimal() {
    Decimal number;
    const size_t begin = at_;
    while (is_digit(peek())) number.digits += text_[at_++];
    if (number.digits.size() >= 1 && number.digits.size() <= 3) {
      while (group(number)) {
      }
    }
    if (peek() == '.' && is_digit(peek(1))) {
      ++at_;
      while (is_digit(peek())) {
        number.digits += text_[at_++];
        ++number.decimals;
      }
    }
    if (number.digits.empty()) {
      at_ = begin;
      return std::nullopt;
    }
    return number;
  }

  // A separator and just three digits.
  bool group(Decimal& number) {
    const size_t mark = at_;
    if (take_any({",", "{,}", "\\,", "\\!,"}) && is_digit(peek()) && is_digit(peek(1)) &&
        is_digit(peek(2)) && !is_digit(peek(3))) {
      number.digits += text_.substr(at_, 3);
      at_ += 3;
      return true;
    }
    at_ = mark;
    return false;
  }

  // a/b, a b/c, a又b/c, b分之a, a\frac{b}{c}: what a whole number may begin.
  std::optional<double> fraction_of(const Decimal& number) {
    if (number.decimals > 0) return std::nullopt;
    const size_t mark = at_;
    const double first = value_of(number);
    if (std::optional<double> value = ratio_tail(first)) return value;
    if (take("分之")) {
      const std::optional<Decimal> top = decimal();
      if (top.has_value() && first != 0) return value_of(*top) / first;
      at_ = mark;
      return std::nullopt;
    }
    const bool spaced = peek() == ' ';
    skip_spaces();
    const bool joined = take("又") || spaced || peek() == '\\';
    if (joined) skip_spaces();
    if (!joined) return std::nullopt;
    if (std::optional<double> part = latex_fraction()) return first + *part;
    if (const std::optional<Decimal> top = decimal()) {
      const double second = value_of(*top);
      if (take("分之")) {
        const std::optional<Decimal> numerator = decimal();
        if (numerator.has_value() && second != 0) return first + value_of(*numerator) / second;
      } else if (std::optional<double> part = ratio_tail(second); part.has_value() && *part < 1) {
        return first + *part;
      }
    }
    at_ = mark;
    return std::nullopt;
  }

  // "/b" behind a; dates (3/4/2020) are no ratios.
  std::optional<double> ratio_tail(double top) {
    const size_t mark = at_;
    if (peek() == '/' && is_digit(peek(1))) {
      ++at_;
      const std::optional<Decimal> bottom = decimal();
      if (bottom.has_value() && peek() != '/' && value_of(*bottom) != 0) {
        return top / value_of(*bottom);
      }
    }
    at_ = mark;
    return std::nullopt;
  }

  std::optional<double> latex_fraction() {
    const size_t mark = at_;
    if (take_any({"\\frac", "\\dfrac", "\\tfrac"})) {
      const std::optional<double> top = braced();
      const std::optional<double> bottom = top.has_value() ? braced() : std::nullopt;
      if (bottom.has_value() && *bottom != 0) return *top / *bottom;
    }
    at_ = mark;
    return std::nullopt;
  }

  std::optional<double> braced() {
    if (!take("{")) return std::nullopt;
    skip_spaces();
    const bool negative = take("-");
    const std::optional<Decimal> number = decimal();
    skip_spaces();
    if (!number.has_value() || !take("}")) return std::nullopt;
    return negative ? -value_of(*number) : value_of(*number);
  }

  void power_of_ten(Decimal& number) {
    const size_t mark = at_;
    bool ten = false;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1))) {
      ++at_;
      ten = true;
    } else {
      skip_spaces();
      if (take_any({"×", "\\times", "*", "x"})) {
        skip_spaces();
        ten = take("10^");
      }
    }
    const bool brace = ten && take("{");
    size_t power = 0;
    const size_t digits = at_;
    while (ten && is_digit(peek()) && at_ - digits < 2) {
      power = power * 10 + static_cast<size_t>(text_[at_++] - '0');
    }
    if (!ten || at_ == digits || is_digit(peek()) || (brace && !take("}"))) {
      at_ = mark;
      return;
    }
    shift(number, power);
  }

  void scale(Decimal& number) {
    const size_t mark = at_;
    skip_spaces();
    std::optional<size_t> power = scale_word();
    if (!power.has_value()) {
      at_ = mark;
      return;
    }
    const bool whole = number.decimals == 0;
    shift(number, *power);
    while (whole && *power > 0 && lower_part(number, *power)) {
    }
  }

  std::optional<size_t> scale_word() {
    constexpr std::array<std::pair<std::string_view, size_t>, 8> kScales = {{{"万亿", 12},
                                                                             {"千亿", 11},
                                                                             {"百亿", 10},
                                                                             {"十亿", 9},
                                                                             {"千万", 7},
                                                                             {"百万", 6},
                                                                             {"亿", 8},
                                                                             {"万", 4}}};
    for (const auto& [word, power] : kScales) {
      if (take(word)) return power;
    }
    return std::nullopt;
  }

  // "2000万" behind "1亿", "5千" behind "3万", "3456" behind "12万": what fits below `power`, which
  // becomes the part's own. Without a scale the part fills all places below.
  bool lower_part(Decimal& number, size_t& power) {
    const size_t mark = at_;
    std::string digits;
    while (is_digit(peek())) digits += text_[at_++];
    std::optional<size_t> own = scale_word();
    if (!own.has_value() && !digits.empty()) own = thousands();
    const size_t places = digits.size() + own.value_or(0);
    const bool fits = own.has_value() ? *own < power && places <= power : places == power;
    const bool goes_on = !own.has_value() && (peek() == '.' || peek() == ',') && is_digit(peek(1));
    if (digits.empty() || !fits || goes_on) {
      at_ = mark;
      return false;
    }
    digits.append(own.value_or(0), '0');
    number.digits.replace(number.digits.size() - digits.size(), digits.size(), digits);
    power = own.value_or(0);
    return true;
  }

  // "5千", where it does not begin a unit ("5千米").
  std::optional<size_t> thousands() {
    const size_t mark = at_;
    if (!take("千")) return std::nullopt;
    for (const std::string_view unit :
         {"米", "克", "瓦", "卡", "伏", "帕", "升", "字", "焦", "赫"}) {
      if (!text_.substr(at_).starts_with(unit)) continue;
      at_ = mark;
      return std::nullopt;
    }
    return 3;
  }

  std::string_view text_;
  size_t at_ = 0;
};

// Whether a number may begin at `at`, by what stands before it.
bool may_begin(std::string_view text, size_t at) {
  const char c = text[at];
  const char before = at == 0 ? ' ' : text[at - 1];
  if (c == '-') {
    // "10-3" and "one-2" are no negative numbers, "= -3" and "是-3" are.
    return !is_digit(before) && !is_letter(before) && before != ')' && before != '}' &&
           before != '-' && before != ']';
  }
  if (is_digit(before) || before == '_') return false;
  if (c == '.') return before != '.';
  if (!is_letter(before)) return true;
  // "RMB120" is a sum of money, "H2O" and "x2" are names.
  size_t begin = at;
  while (begin > 0 && text[begin - 1] >= 'A' && text[begin - 1] <= 'Z') --begin;
  return at - begin == 3 && (begin == 0 || !is_letter(text[begin - 1]));
}

bool begins_number(std::string_view text, size_t at) {
  const char c = text[at];
  if (is_digit(c)) return true;
  constexpr size_t kAhead = 8;  // a sign, a currency sign and "\\frac{" at most
  const std::string_view rest = text.substr(at + 1, kAhead);
  if (c == '.') return !rest.empty() && is_digit(rest[0]);
  if (c == '\\')
    return rest.starts_with("frac{") || rest.starts_with("dfrac{") || rest.starts_with("tfrac{");
  if (c != '-' && c != '$') return false;
  const size_t next = rest.find_first_not_of("$-\\.");
  return next != std::string_view::npos && next <= 2 &&
         (is_digit(rest[next]) || rest.substr(next).starts_with("frac{"));
}

bool is_list_marker(std::string_view text, const FoundNumber& number) {
  size_t at = number.begin;
  while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '(')) --at;
  if (at > 0 && text[at - 1] != '\n') return false;
  if (number.end - number.begin > 2) return false;
  const std::string_view rest = text.substr(number.end);
  for (const std::string_view mark : {". ", ") ", "、", "．", ")", "."}) {
    if (!rest.starts_with(mark)) continue;
    const std::string_view behind = rest.substr(mark.size());
    const size_t word = behind.find_first_not_of(' ');
    return word != std::string_view::npos && behind[word] != '\n';
  }
  return false;
}

}  // namespace

std::string canonical_decimal(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const size_t point = std::min(digits.find('.'), digits.size());
  std::string_view whole = digits.substr(0, point);
  std::string_view fraction = point < digits.size() ? digits.substr(point + 1) : "";
  while (whole.size() > 1 && whole[0] == '0') whole.remove_prefix(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  std::string text(whole.empty() ? "0" : whole);
  if (!fraction.empty()) text += "." + std::string(fraction);
  return negative && text != "0" ? "-" + text : text;
}

std::string plain_decimal(double value) {
  if (!std::isfinite(value)) return "0";
  // Fifteen significant digits, wherever the point is.
  const int magnitude = value == 0 ? 0 : static_cast<int>(std::floor(std::log10(std::fabs(value))));
  const int decimals = std::clamp(14 - magnitude, 0, 30);
  std::array<char, 400> buffer{};
  const auto [end, error] = std::to_chars(
      buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals);
  if (error != std::errc()) return "0";
  return canonical_decimal(
      std::string_view(buffer.data(), static_cast<size_t>(end - buffer.data())));
}

std::vector<FoundNumber> find_numbers(std::string_view text) {
  std::vector<FoundNumber> found;
  NumberScanner scanner(text);
  for (size_t at = 0; at < text.size();) {
    if (begins_number(text, at) && may_begin(text, at)) {
      if (std::optional<FoundNumber> number = scanner.scan(at)) {
        number->list_marker = is_list_marker(text, *number);
        at = number->end;
        found.push_back(std::move(*number));
        continue;
      }
    }
    // Digits that no number may begin with (H2O, 1.2.3) are passed over whole.
    ++at;
    while (at < text.size() && is_digit(text[at]) && is_digit(text[at - 1])) ++at;
  }
  return found;
}

std::optional<std::string> parse_number(std::string_view text) {
  text = python_strip(text);
  const std::vector<FoundNumber> numbers = find_numbers(text);
  if (numbers.size() != 1 || numbers[0].begin != 0) return std::nullopt;
  // A unit may follow, a sentence may not.
  const std::string_view rest = python_strip(text.substr(numbers[0].end));
  constexpr size_t kUnitCodePoints = 6;
  if (count_code_points(rest) > kUnitCodePoints) return std::nullopt;
  return numbers[0].value;
}

bool same_number(const std::string& a, const std::string& b) {
  const std::string left = canonical_decimal(a), right = canonical_decimal(b);
  if (left == right) return true;
  constexpr size_t kCutDigits = 12;
  if (std::max(left.size(), right.size()) <= kCutDigits) return false;
  if (left.find('.') == std::string::npos && right.find('.') == std::string::npos) return false;
  double x = 0, y = 0;
  std::from_chars(left.data(), left.data() + left.size(), x);
  std::from_chars(right.data(), right.data() + right.size(), y);
  return std::fabs(x - y) <= 1e-9 * std::max(std::fabs(x), std::fabs(y));
}

}  // namespace keju
