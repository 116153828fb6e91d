// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace keju {

// What a sub-command's parsing leaves to be run; returns the exit code.
using Action = std::function<int()>;

// Each adds its sub-command to the program and sets `action` when it is chosen. One file per
// command.
using AddCommand = void (*)(CLI::App& app, Action& action);

void add_run(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_suites(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_tokenize(CLI::App& app, Action& action);
void add_logprobs(CLI::App& app, Action& action);
void add_render(CLI::App& app, Action& action);
void add_generate(CLI::App& app, Action& action);
void add_extract(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_gate(CLI::App& app, Action& action);
void add_history(CLI::App& app, Action& action);
void add_judge(CLI::App& app, Action& action);
void add_rescore(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

// The version, commit and build of this program, for records.
std::string version_text();

}  // namespace keju
