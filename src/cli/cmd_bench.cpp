// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/error.h"
#include "bench/kernels.h"
#include "bench/scenario.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/machine.h"
#include "cli/open_model.h"
#include "kernels/cpu/peaks.h"
#include "run/speed.h"

namespace keju {
namespace {

int bench_kernels(const ModelOptions& options, bool json) {
  const auto backends = open_backends(options);
  const std::unique_ptr<Backend>& backend = backends.front();
  const BackendFacts facts = backend->facts();
  KernelBounds bounds;
  if (facts.name == "cpu") {
    const CpuPeaks peaks = measure_cpu_peaks(facts.isa, facts.threads);
    bounds.f32_gflops = bounds.product_gflops = peaks.f32_gflops;
    if (facts.numeric_mode.starts_with("cpu-fast-int16")) bounds.product_gflops = peaks.int8_gops;
    if (facts.numeric_mode.starts_with("cpu-fast-w16a16")) bounds.product_gflops = peaks.bf16_gflops;
    bounds.read_gbytes = peaks.read_gbytes;
  }
  Json out = run_kernels(*backend, bounds);
  out["numeric_mode"] = facts.numeric_mode;
  out["isa"] = facts.isa;
  out["threads"] = facts.threads;
  out["machine"] = machine_facts();
  if (json) {
    write_json_line(out);
    return 0;
  }
  fmt::print("{}, {}, {} threads: products up to {:.0f} GFLOP/s (f32 {:.0f}), reads {:.1f} GB/s\n",
             facts.device,
             facts.numeric_mode,
             facts.threads,
             bounds.product_gflops,
             bounds.f32_gflops,
             bounds.read_gbytes);
  fmt::print("{:<8}{:>6}{:>7}{:>7}{:>12}{:>9}{:>10}\n",
             "type",
             "rows",
             "n",
             "k",
             "GFLOP/s",
             "GB/s",
             "of bound");
  for (const Json& p : out["products"]) {
    const Json& share = p["of_bound"];
    fmt::print("{:<8}{:>6}{:>7}{:>7}{:>12.1f}{:>9.2f}{:>10}\n",
               p["type"].get<std::string>(),
               p["rows"].get<int64_t>(),
               p["n"].get<int64_t>(),
               p["k"].get<int64_t>(),
               p["gflops"].get<double>(),
               p["gbytes"].get<double>(),
               share.is_null() ? "?" : fmt::format("{:.0f} %", 100 * share.get<double>()));
  }
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("bench", "Tokens/s, latency and memory without a suite");
  command->footer("Example: keju bench --model model.gguf --scenario single --requests 10");
  struct Options {
    ModelOptions model;
    BenchOptions bench;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  add_model_options(*command, options->model, Need::kOptionalModel);
  CLI::App* kernels = command->add_subcommand(
      "kernels", "Products with weights, against what this processor can do; needs no model");
  kernels->fallthrough();
  command
      ->add_option(
          "--scenario",
          options->bench.scenario,
          "offline (all requests at once), single (one stream) or phases (warm repetitions)")
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
  command->add_option("--repeat", options->bench.repeat, "Repetitions of the scenario phases")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->bench.seed, "Seed of the random prompts")
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      if (kernels->parsed()) return bench_kernels(options->model, options->json);
      if (options->model.model.empty()) {
        throw fail(Code::kUsage, "bench: --model: found none, need a checkpoint");
      }
      OpenedModel opened = open_model(options->model);
      BenchOptions bench = options->bench;
      bench.vocab = opened.model->decoder().descriptor().vocab;
      Json out = run_scenario(*opened.model, bench);
      const ModelFacts facts = opened.model->facts();
      out["model"] = facts.name;
      out["numeric_mode"] = facts.numeric_mode;
      out["load_s"] = opened.load_s;
      out["weights_bytes"] = facts.weight_bytes;
      out["resident_weight_bytes"] = opened.model->facts().details.at("resident_weight_bytes");
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
