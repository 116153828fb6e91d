// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Python's string functions, as IFEval's checks use them.
namespace keju {

std::string python_lower(std::string_view text);                 // str.lower
std::string_view stripped_of(std::string_view text, char mark);  // str.strip(mark)

// How many words nltk.word_tokenize finds for which str.isupper holds (NLTK 3.10). Its sentence
// splitter, which is a trained model, has no say in that: it only decides where a full stop parts
// from its word, and one that ends a sentence always does.
int64_t capital_words(std::string_view text);

// re.findall and its length, and re.split. Patterns may hold a data set's own words.
std::vector<std::string_view> all_matches(const std::string& pattern, std::string_view text);
int64_t matches(const std::string& pattern, std::string_view text);
std::vector<std::string_view> split_by(const std::string& pattern, std::string_view text);

// The eight texts of which one must follow an instruction in the loose reading: the response, and
// that without its first line, its last, both; each with and without its asterisks.
std::vector<std::string> loose_readings(std::string_view response);

}  // namespace keju
