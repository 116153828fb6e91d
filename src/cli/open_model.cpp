// SPDX-License-Identifier: MIT
#include "cli/open_model.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "cli/chat.h"
#include "cli/talk.h"
#include "engine/decoder.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "run/speed.h"

namespace keju {
namespace {

// Of a context that was not asked for, a card must hold this much; texts longer than what it does
// hold are refused one by one.
constexpr int64_t kLeastContext = 4096;

NumericMode mode_of(const std::string& mode) {
  if (mode.empty() || mode == "exact") return NumericMode::kExact;
  if (mode == "native") return NumericMode::kNative;
  if (mode == "fast") return NumericMode::kFast;
  throw fail(Code::kUsage,
             "--mode: unknown \"{}\"{}",
             mode,
             suggestion(mode, {"exact", "native", "fast"}));
}

bool has_tokenizer_file(const std::filesystem::path& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "qwen.tiktoken", "vocab.json"}) {
    if (std::filesystem::exists(folder / name)) return true;
  }
  return false;
}

std::shared_ptr<const Tokenizer> tokenizer_of(const Checkpoint& checkpoint, TokenizerUse use) {
  if (checkpoint.format() == Checkpoint::Format::kGguf) {
    if (use == TokenizerUse::kOptional && !checkpoint.metadata().has("tokenizer.ggml.tokens"))
      return nullptr;
    return tokenizer_from_gguf(checkpoint.metadata());
  }
  if (use == TokenizerUse::kOptional && !has_tokenizer_file(checkpoint.root())) return nullptr;
  return tokenizer_from_path(checkpoint.root());
}

CudaOptions card_options(const ModelOptions& options, int device) {
  return {.device = device, .exact = options.mode == "exact", .graphs = options.graphs == "on"};
}

std::vector<std::unique_ptr<Backend>> open_cards(const ModelOptions& options) {
  if (!options.mode.empty() && mode_of(options.mode) == NumericMode::kFast) {
    throw fail(Code::kUnsupported,
               "--mode fast: found backend cuda, need cpu. Use --mode native or --mode exact");
  }
  std::vector<std::unique_ptr<Backend>> cards;
  const std::vector<int> devices = options.devices.empty() ? std::vector<int>{0} : options.devices;
  for (size_t i = 0; i < devices.size(); ++i) {
    if (std::find(devices.begin(), devices.begin() + static_cast<int64_t>(i), devices[i]) !=
        devices.begin() + static_cast<int64_t>(i))
      throw fail(Code::kUsage, "--devices: found {} twice, need each once", devices[i]);
  }
  for (const int device : devices) {
    if (device < 0 || device >= cuda_device_count())
      throw fail(
          Code::kUsage, "--devices: found {}, need 0 to {}", device, cuda_device_count() - 1);
    cards.push_back(make_cuda_backend(card_options(options, device)));
  }
  return cards;
}

// What `auto` takes: a card of a kind on which the CUDA backend has been checked, else the CPU.
// Says what and why.
std::vector<std::unique_ptr<Backend>> open_confirmed_cards(const ModelOptions& options) {
  if (const std::string absence = cuda_absence(); !absence.empty()) {
    talk(fmt::format("backend: cpu ({})", absence));
    return {};
  }
  if (options.mode == "fast") {
    talk("backend: cpu (--mode fast is the CPU's)");
    return {};
  }
  std::vector<std::unique_ptr<Backend>> cards;
  try {
    cards = open_cards(options);
  } catch (const Error& error) {
    talk(fmt::format("backend: cpu ({})", error.what()));
    return {};
  }
  const BackendFacts facts = cards.front()->facts();
  if (std::find(kConfirmedCards.begin(), kConfirmedCards.end(), facts.isa) !=
      kConfirmedCards.end()) {
    talk(fmt::format("backend: cuda ({})", facts.device));
    return cards;
  }
  talk(
      fmt::format("backend: cpu (there is {}, but no check of the CUDA backend on an {} is on "
                  "record: --backend cuda takes it)",
                  facts.device,
                  facts.isa));
  return {};
}

// Plans the memory of the cards before anything is loaded, and says the plan. Returns the KV pages
// of a copy of the model.
int64_t plan_cards(const ModelOptions& options,
                   const std::shared_ptr<const Checkpoint>& checkpoint,
                   const Descriptor& descriptor,
                   const std::vector<std::unique_ptr<Backend>>& cards) {
  const int64_t context = options.context > 0
                              ? std::min(options.context, descriptor.longest_context())
                              : descriptor.context_length;
  const bool layers = options.spread == "layers";
  std::vector<std::unique_ptr<Backend>> counts;
  std::vector<Backend*> stages;
  for (size_t i = 0; i < (layers ? cards.size() : 1); ++i) {
    counts.push_back(make_cuda_count(card_options(options, 0)));
    stages.push_back(counts.back().get());
  }
  Decoder(checkpoint, stages).rehearse(options.step_rows, options.live, context);
  std::vector<CudaShare> shares;
  for (size_t i = 0; i < cards.size(); ++i)
    shares.push_back({cards[i].get(), counts[layers ? i : 0].get()});
  const auto pages_of = [](int64_t tokens) { return (tokens - 1) / kPagePositions + 1; };
  const int64_t step = most_step_pages(options.step_rows);
  const int64_t least = options.context > 0 ? context : std::min(context, kLeastContext);
  const CudaPlan plan = plan_cuda(shares,
                                  {.least_pages = step + pages_of(least),
                                   .useful_pages = step + (options.live + 2) * pages_of(context),
                                   .keep_stored = options.blocks == "stored"});
  for (const std::string& line : plan.said) talk(line);
  return plan.pages;
}

// What parsing a tokenizer and a header freed need not stay resident.
void give_back_free_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace

void add_model_options(CLI::App& app, ModelOptions& options, Need need, const std::string& name) {
  CLI::Option* model = app.add_option(name,
                                      options.model,
                                      "Checkpoint: a folder, a .gguf or .safetensors file, "
                                      "hf:ORG/NAME, modelscope:ORG/NAME or ollama:NAME");
  if (need == Need::kModel) model->required();
  app.add_option("--backend", options.backend, "cpu, cuda or auto")->capture_default_str();
  app.add_option("--devices", options.devices, "CUDA devices, such as 0,1; default the first")
      ->delimiter(',');
  app.add_option("--spread",
                 options.spread,
                 "Several devices: copies of the model that share the items, or layers, a part on "
                 "each; changes no result")
      ->check(CLI::IsMember({"copies", "layers"}))
      ->capture_default_str();
  app.add_option("--blocks",
                 options.blocks,
                 "Block-quantised weights on a GPU: auto (as BF16 where that fits) or stored")
      ->check(CLI::IsMember({"auto", "stored"}))
      ->capture_default_str();
  app.add_option("--graphs",
                 options.graphs,
                 "Decode steps on a GPU as CUDA graphs: on or off; changes no result")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  app.add_option("--mode",
                 options.mode,
                 "exact (float32), native or fast (integer products, on CPUs with AVX-512 VNNI or "
                 "AMX; refused elsewhere); default exact");
  app.add_option("--threads", options.threads, "CPU threads; 0 means one per core")
      ->capture_default_str();
  app.add_option(
         "--step-rows", options.step_rows, "Rows of one packed forward pass; changes no result")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option(
         "--context", options.context, "Context length in tokens; 0 means the checkpoint's own")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--live", options.live, "Generations that decode together; changes no result")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--chat-template",
                 options.chat_template,
                 "A Jinja file, or builtin:NAME; default: the checkpoint's own, else the built-in "
                 "format of its family");
}

std::vector<std::unique_ptr<Backend>> open_backends(const ModelOptions& options) {
  if (options.backend != "cpu" && options.backend != "cuda" && options.backend != "auto") {
    throw fail(Code::kUsage,
               "--backend: unknown \"{}\"{}",
               options.backend,
               suggestion(options.backend, {"cpu", "cuda", "auto"}));
  }
  if (options.backend == "cuda") {
    const std::string absence = cuda_absence();
    if (absence.empty()) return open_cards(options);
    throw fail(Code::kDevice,
               "--backend cuda: found {}, need a build with CUDA and a GPU. Use --backend cpu",
               absence);
  }
  if (!options.devices.empty())
    throw fail(Code::kUsage, "--devices: found --backend {}, need cuda", options.backend);
  std::vector<std::unique_ptr<Backend>> backends;
  if (options.backend == "auto") backends = open_confirmed_cards(options);
  if (!backends.empty()) return backends;
  CpuOptions cpu;
  cpu.threads = options.threads;
  cpu.mode = mode_of(options.mode);
  backends.push_back(make_cpu_backend(cpu));
  return backends;
}

std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& path, TokenizerUse use) {
  const std::filesystem::path file(path);
  std::error_code ignored;
  if (std::filesystem::is_regular_file(file, ignored) && file.extension() != ".gguf")
    return tokenizer_from_path(file);
  if (std::filesystem::is_directory(file, ignored) && has_tokenizer_file(file))
    return tokenizer_from_path(file);
  return tokenizer_of(*Checkpoint::open(path), use);
}

OpenedModel open_model(const ModelOptions& options, TokenizerUse use) {
  const auto start = std::chrono::steady_clock::now();
  OpenedModel opened;
  opened.backends = open_backends(options);
  const std::shared_ptr<Checkpoint> checkpoint = Checkpoint::open(options.model);
  opened.checkpoint = checkpoint;
  // What is not supported ends here.
  const Descriptor descriptor = describe(family_of(*opened.checkpoint), *opened.checkpoint);
  if (!descriptor.left_aside.empty())
    talk(fmt::format("{}: tensors under {} are left aside: the model reads text alone",
                     options.model,
                     fmt::join(descriptor.left_aside, ", ")));
  opened.tokenizer = tokenizer_of(*opened.checkpoint, use);
  opened.chat = open_chat(*opened.checkpoint, opened.tokenizer, options.chat_template);
  checkpoint->forget_arrays("tokenizer.ggml.");
  give_back_free_memory();
  LocalModelParts parts;
  parts.checkpoint = opened.checkpoint;
  parts.tokenizer = opened.tokenizer;
  parts.chat = opened.chat;
  parts.backend = opened.backends.front().get();
  for (size_t i = 1; i < opened.backends.size(); ++i)
    parts.others.push_back(opened.backends[i].get());
  if (parts.backend->facts().name == "cuda") {
    parts.options.kv_pages = plan_cards(options, opened.checkpoint, descriptor, opened.backends);
  }
  parts.spread = options.spread == "layers" ? Spread::kLayers : Spread::kCopies;
  parts.options.step_rows = options.step_rows;
  parts.options.context_length = options.context;
  parts.options.live_sequences = options.live;
  parts.name = std::filesystem::path(options.model).filename().string();
  if (parts.name.empty())
    parts.name = std::filesystem::path(options.model).parent_path().filename().string();
  opened.resident_before_weights = resident_memory_bytes();
  opened.model = LocalModel::create(std::move(parts));
  give_back_free_memory();
  opened.resident_after_load = resident_memory_bytes();
  opened.load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return opened;
}

}  // namespace keju
