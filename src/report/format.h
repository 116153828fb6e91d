// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

// Numbers as people read them. Each prints the same text on every machine.
namespace keju {

std::string fixed(double value, int decimals);    // "61.25"
std::string grouped(int64_t value);               // "12,342"
std::string per_second(double rate);              // "1,240", "83.1", "0.52"
std::string seconds(double value);                // "3.1 ms", "1.24 s", "12 min 5 s"
std::string bytes(int64_t value);                 // "152 MB", "1.52 GB"
std::string count_short(int64_t value);           // parameters: "135M", "1.2B"
std::string hash_short(const std::string& hash);  // the first 12 characters

}  // namespace keju
