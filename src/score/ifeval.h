// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

// IFEval's instructions (arXiv:2311.07911), as lm-evaluation-harness 0.4.13 checks them. The gold
// answer is a JSON object: "ids", the instructions' names, and "kwargs", an object of arguments for
// each.
namespace keju {

// Rules: ifeval_prompt_strict and ifeval_prompt_loose (1 if every instruction is followed),
// ifeval_instruction_strict and ifeval_instruction_loose (the share that is).
bool is_instruction_rule(std::string_view rule);

// Why these instructions cannot be checked; "" if they can. A language is found by langdetect,
// which draws at random, a sentence's end by punkt, a trained model; keju has neither, and a guess
// in their place would be another benchmark: such an item is not scored. To score it only where the
// answer is plain would count some failures and few successes.
// Errors: Error(kInput) for a gold answer of another form.
std::string undecided(std::string_view gold);

// Errors: as above, and Error(kBug) for an item that undecided() names a reason for.
double instruction_value(std::string_view rule, std::string_view response, std::string_view gold);

}  // namespace keju
