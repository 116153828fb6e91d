// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "bench/scenario.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/machine.h"
#include "cli/open_model.h"
#include "run/speed.h"

namespace keju {

void add_bench(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("bench", "Tokens/s, latency and memory without a suite");
  command->footer("Example: keju bench --model model.gguf --scenario single --requests 10");
  struct Options {
    ModelOptions model;
    BenchOptions bench;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  command
      ->add_option("--scenario",
                   options->bench.scenario,
                   "offline (all requests at once) or single (one stream)")
      ->capture_default_str();
  command->add_option("--requests", options->bench.requests, "Number of requests")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--prompt-tokens", options->bench.prompt_tokens, "Tokens of each prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--new-tokens", options->bench.new_tokens, "Tokens generated for each")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->bench.seed, "Seed of the random prompts")
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      OpenedModel opened = open_model(options->model);
      BenchOptions bench = options->bench;
      bench.vocab = opened.model->model().descriptor().vocab;
      Json out = run_scenario(*opened.model, bench);
      const ModelFacts facts = opened.model->facts();
      out["model"] = facts.name;
      out["numeric_mode"] = facts.numeric_mode;
      out["load_s"] = opened.load_s;
      out["weights_bytes"] = facts.weight_bytes;
      out["resident_weight_bytes"] = opened.model->model().resident_bytes();
      out["peak_memory_bytes"] = peak_rss_bytes();
      out["details"] = facts.details;
      out["machine"] = machine_facts();
      if (options->json) {
        write_json_line(out);
      } else {
        for (const auto& [key, value] : out.items())
          fmt::print(
              "{:<24} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
      }
      return 0;
    };
  });
}

}  // namespace keju
