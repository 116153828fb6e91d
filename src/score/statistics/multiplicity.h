// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

// Many tests at once: p-values adjusted so that each can be held against alpha itself, in the order
// in which they came. Pure functions.
namespace keju {

// Holm's step-down: the chance of even one false finding is at most alpha, whatever the dependence.
// For gates and claims. Source: Holm 1979.
std::vector<double> holm(std::span<const double> p);

// Benjamini and Hochberg's step-up: the expected share of false findings is at most alpha under
// independence or positive dependence. For exploring. Source: Benjamini & Hochberg 1995.
std::vector<double> benjamini_hochberg(std::span<const double> p);

}  // namespace keju
