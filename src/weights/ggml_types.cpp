// SPDX-License-Identifier: MIT
#include "weights/ggml_types.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace keju {
namespace {

// Numbers that files carry. Source: ggml.h enum ggml_type; gguf-py/gguf/constants.py, gguf 0.17.
constexpr std::array<std::pair<uint32_t, DType>, 14> kReadable = {{{0, DType::kF32},
                                                                   {1, DType::kF16},
                                                                   {2, DType::kQ4_0},
                                                                   {3, DType::kQ4_1},
                                                                   {6, DType::kQ5_0},
                                                                   {7, DType::kQ5_1},
                                                                   {8, DType::kQ8_0},
                                                                   {10, DType::kQ2_K},
                                                                   {11, DType::kQ3_K},
                                                                   {12, DType::kQ4_K},
                                                                   {13, DType::kQ5_K},
                                                                   {14, DType::kQ6_K},
                                                                   {20, DType::kIQ4_NL},
                                                                   {30, DType::kBF16}}};

constexpr std::array<std::pair<uint32_t, std::string_view>, 28> kOthers = {
    {{4, "Q4_2 (removed from the format)"},
     {5, "Q4_3 (removed from the format)"},
     {9, "Q8_1"},
     {15, "Q8_K"},
     {16, "IQ2_XXS"},
     {17, "IQ2_XS"},
     {18, "IQ3_XXS"},
     {19, "IQ1_S"},
     {21, "IQ3_S"},
     {22, "IQ2_S"},
     {23, "IQ4_XS"},
     {24, "I8"},
     {25, "I16"},
     {26, "I32"},
     {27, "I64"},
     {28, "F64"},
     {29, "IQ1_M"},
     {31, "Q4_0_4_4 (removed from the format)"},
     {32, "Q4_0_4_8 (removed from the format)"},
     {33, "Q4_0_8_8 (removed from the format)"},
     {34, "TQ1_0"},
     {35, "TQ2_0"},
     {36, "IQ4_NL_4_4 (removed from the format)"},
     {37, "IQ4_NL_4_8 (removed from the format)"},
     {38, "IQ4_NL_8_8 (removed from the format)"},
     {39, "MXFP4"},
     {40, "NVFP4"},
     {41, "Q1_0"}}};

}  // namespace

std::optional<DType> ggml_dtype(uint32_t number) {
  for (const auto& [known, type] : kReadable) {
    if (known == number) return type;
  }
  return std::nullopt;
}

std::string ggml_type_name(uint32_t number) {
  if (const auto type = ggml_dtype(number)) return std::string(name(*type));
  for (const auto& [known, text] : kOthers) {
    if (known == number) return std::string(text);
  }
  return fmt::format("number {}", number);
}

uint32_t ggml_type_number(DType type) {
  for (const auto& [number, known] : kReadable) {
    if (known == type) return number;
  }
  throw fail(Code::kBug, "ggml_type_number: found type {}, need one of GGUF's", name(type));
}

}  // namespace keju
