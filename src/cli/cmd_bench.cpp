// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "bench/kernels.h"
#include "bench/scenario.h"
#include "cli/command.h"
#include "cli/jsonl.h"
#include "cli/machine.h"
#include "cli/open_model.h"
#include "engine/decoder.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/peaks.h"
#include "run/speed.h"

namespace keju {
namespace {

struct BenchCommand {
  ModelOptions model;
  BenchOptions bench;
  std::string filter;  // of kernels
  bool json = false;
};

double peak_of(const CpuPeaks& peaks, const std::string& numeric_mode) {
  // An instruction multiplies half as many pairs of int16 as of int8, at the same rate.
  if (numeric_mode.starts_with("cpu-fast-w13a13")) return peaks.int8_gops / 2;
  // A product of two 16-bit integers is three of bytes.
  if (numeric_mode.starts_with("cpu-fast-w16a16")) return peaks.int8_tile_gops / 3;
  return peaks.f32_gflops;
}

KernelBounds bounds_of(const BackendFacts& facts) {
  KernelBounds bounds;
  if (facts.name != "cpu") return bounds;
  const CpuPeaks peaks = measure_cpu_peaks(facts.isa, facts.threads);
  bounds.f32_gflops = peaks.f32_gflops;
  bounds.product_gflops = peak_of(peaks, facts.numeric_mode);
  bounds.read_gbytes = peaks.read_gbytes;
  return bounds;
}

// Every numeric mode that this processor's own instructions make.
std::vector<CpuOptions> kernel_modes(int threads) {
  std::vector<CpuOptions> modes = {{.threads = threads}};
  for (const std::string& isa : cpu_isa_levels()) {
    if (isa == "avx512_vnni" || isa == "avx512_amx")
      modes.push_back({.threads = threads, .isa = isa, .mode = NumericMode::kFast});
  }
  return modes;
}

Json kernels_of(Backend& backend, const std::string& filter) {
  const BackendFacts facts = backend.facts();
  Json out = run_kernels(backend, bounds_of(facts), filter);
  out["numeric_mode"] = facts.numeric_mode;
  out["device"] = facts.device;
  out["isa"] = facts.isa;
  out["threads"] = facts.threads;
  return out;
}

void print_kernels(const Json& mode) {
  const Json& bounds = mode["bounds"];
  fmt::print("{}, {}, {} threads: products up to {:.0f} GFLOP/s (f32 {:.0f}), reads {:.1f} GB/s\n",
             mode["device"].get<std::string>(),
             mode["numeric_mode"].get<std::string>(),
             mode["threads"].get<int>(),
             bounds["product_gflops"].get<double>(),
             bounds["f32_gflops"].get<double>(),
             bounds["read_gbytes"].get<double>());
  fmt::print("{:<30}{:>12}{:>9}{:>10}\n", "type/rows x n x k", "GFLOP/s", "GB/s", "of bound");
  for (const Json& p : mode["products"]) {
    const Json& share = p["of_bound"];
    fmt::print("{:<30}{:>12.1f}{:>9.2f}{:>10}\n",
               p["name"].get<std::string>(),
               p["gflops"].get<double>(),
               p["gbytes"].get<double>(),
               share.is_null() ? "?" : fmt::format("{:.0f} %", 100 * share.get<double>()));
  }
}

int bench_kernels(const ModelOptions& options, const std::string& filter, bool json) {
  Json modes = Json::array();
  if (!options.mode.empty() || options.backend == "cuda") {
    modes.push_back(kernels_of(*open_backends(options).front(), filter));
  } else {
    for (const CpuOptions& mode : kernel_modes(options.threads))
      modes.push_back(kernels_of(*make_cpu_backend(mode), filter));
  }
  if (json) {
    write_json_line({{"modes", std::move(modes)}, {"machine", machine_facts()}});
    return 0;
  }
  for (const Json& mode : modes) print_kernels(mode);
  return 0;
}

// What this processor could do at most with the model's arithmetic, measured now: tokens/s of a
// prompt if every product ran at the peak of one kind of instruction, and of one stream if every
// step read its weights at the peak bandwidth.
Json bounds_of_model(const Model& model, const BackendFacts& facts, int64_t prompt_tokens) {
  if (facts.name != "cpu") return {};
  const CpuPeaks peaks = measure_cpu_peaks(facts.isa, facts.threads);
  const double flops = model.prompt_flops(prompt_tokens);
  const auto bytes = static_cast<double>(model.row_bytes_read());
  const auto prefill = [&](double peak) {
    return peak > 0 ? Json(1e9 * peak * static_cast<double>(prompt_tokens) / flops) : Json();
  };
  return {{"f32_gflops", peaks.f32_gflops},
          {"int8_gops", peaks.int8_gops},
          {"int8_tile_gops", peaks.int8_tile_gops},
          {"bf16_gflops", peaks.bf16_gflops},
          {"read_gbytes", peaks.read_gbytes},
          {"prompt_flops", flops},
          {"row_bytes_read", bytes},
          {"prefill_tokens_per_s",
           {{"f32", prefill(peaks.f32_gflops)},
            {"int8", prefill(peaks.int8_gops)},
            {"w16", prefill(peaks.int8_tile_gops / 3)},
            {"bf16", prefill(peaks.bf16_gflops)}}},
          {"decode_tokens_per_s", 1e9 * peaks.read_gbytes / bytes}};
}

// Resident memory when the model had just been loaded. What stood before the weights are the
// program, the tokenizer and the file's metadata.
Json memory_of(const OpenedModel& opened) {
  const auto chosen = static_cast<double>(opened.model->decoder().resident_bytes());
  const auto before = static_cast<double>(opened.resident_before_weights);
  const auto after = static_cast<double>(opened.resident_after_load);
  return {{"weights_bytes", opened.model->facts().weight_bytes},
          {"chosen_form_bytes", opened.model->decoder().resident_bytes()},
          {"before_weights_bytes", opened.resident_before_weights},
          {"after_load_bytes", opened.resident_after_load},
          {"weights_over_chosen_form", (after - before) / chosen},
          {"process_over_chosen_form", after / chosen}};
}

int bench_model(const BenchCommand& command) {
  if (command.model.model.empty()) {
    throw fail(Code::kUsage, "bench: --model: found none, need a checkpoint");
  }
  OpenedModel opened = open_model(command.model);
  const Decoder& decoder = opened.model->decoder();
  const Model& model = decoder.first_stage();
  BenchOptions bench = command.bench;
  bench.vocab = model.descriptor().vocab;
  Json out = run_scenario(*opened.model, bench);
  const ModelFacts facts = opened.model->facts();
  out["model"] = facts.name;
  out["numeric_mode"] = facts.numeric_mode;
  out["load_s"] = opened.load_s;
  out["weights_bytes"] = facts.weight_bytes;
  out["resident_weight_bytes"] = decoder.resident_bytes();
  out["memory_after_load"] = memory_of(opened);
  out["peak_memory_bytes"] = peak_rss_bytes();
  out["bounds"] = bounds_of_model(model, opened.backends.front()->facts(), bench.prompt_tokens);
  out["details"] = facts.details;
  out["machine"] = machine_facts();
  if (command.json) {
    write_json_line(out);
    return 0;
  }
  for (const auto& [key, value] : out.items())
    fmt::print("{:<24} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("bench", "Tokens/s, latency and memory without a suite");
  command->footer("Example: keju bench --model model.gguf --scenario single --requests 10");
  auto options = std::make_shared<BenchCommand>();
  add_model_options(*command, options->model, Need::kOptionalModel);
  CLI::App* kernels = command->add_subcommand(
      "kernels", "Products with weights, against what this processor can do; needs no model");
  kernels->fallthrough();
  kernels->add_option("--filter", options->filter, "Only products whose name matches this pattern");
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
  command
      ->add_option("--phases",
                   options->bench.phases,
                   "Of the scenario phases: prefill, decode (one stream), batch (all requests)")
      ->check(CLI::IsMember({"prefill", "decode", "batch"}))
      ->capture_default_str();
  command->add_option("--seed", options->bench.seed, "Seed of the random prompts")
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &action] {
    action = [=] {
      if (kernels->parsed()) return bench_kernels(options->model, options->filter, options->json);
      return bench_model(*options);
    };
  });
}

}  // namespace keju
