// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "cli/command.h"
#include "cli/talk.h"

namespace keju {
namespace {

constexpr AddCommand kCommands[] = {
    add_run,      add_report, add_bench,    add_suites,  add_data,    add_inspect, add_tokenize,
    add_logprobs, add_render, add_generate, add_extract, add_export,  add_import,  add_judge,
    add_rescore,  add_verify, add_compare,  add_gate,    add_history, add_doctor,
};

int run_program(int argc, char** argv) {
  CLI::App app(
      "keju examines language models: it loads a checkpoint into its own inference core, sits it\n"
      "through exam suites, times it, and posts the leaderboard.\n\n"
      "Example: keju run --model model.gguf --suite keju-sample --out run && keju report run --out "
      "board");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  Action action;
  for (const AddCommand add : kCommands) add(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForAllHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForVersion& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    talk(fmt::format("keju: {}", e.what()));
    talk("Run with --help for the commands and their options.");
    return exit_code(Code::kUsage);
  }
  return action ? action() : exit_code(Code::kUsage);
}

}  // namespace
}  // namespace keju

int main(int argc, char** argv) {
  // A reader that goes away (keju … | head) is an i/o error of the write, not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  // So is a file that may not grow further (ulimit -f).
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return keju::run_program(argc, argv);
  } catch (const keju::Error& error) {
    keju::talk(fmt::format("keju: {}", error.what()));
    return keju::exit_code(error.code());
  } catch (const std::bad_alloc&) {
    keju::talk(
        "keju: memory: found too little for this request, need more. Lower --context, --live or "
        "--step-rows");
    return keju::exit_code(keju::Code::kDevice);
  } catch (const std::exception& error) {
    keju::talk(fmt::format("keju: unexpected: {}. This is a bug in keju", error.what()));
    return keju::exit_code(keju::Code::kBug);
  }
}
