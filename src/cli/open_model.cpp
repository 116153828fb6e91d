// SPDX-License-Identifier: MIT
#include "cli/open_model.h"

#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "cli/chat.h"
#include "cli/talk.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"

namespace keju {
namespace {

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

std::unique_ptr<Backend> open_cuda_backend(const ModelOptions& options) {
  if (!options.mode.empty() && mode_of(options.mode) == NumericMode::kFast) {
    throw fail(Code::kUnsupported,
               "--mode fast: found backend cuda, need cpu. Use --mode native or --mode exact");
  }
  CudaOptions cuda;
  cuda.exact = options.mode == "exact";
  return make_cuda_backend(cuda);
}

}  // namespace

void add_model_options(CLI::App& app, ModelOptions& options, Need need, const std::string& name) {
  CLI::Option* model = app.add_option(name,
                                      options.model,
                                      "Checkpoint: a folder, a .gguf or .safetensors file, "
                                      "hf:ORG/NAME, modelscope:ORG/NAME or ollama:NAME");
  if (need == Need::kModel) model->required();
  app.add_option("--backend", options.backend, "cpu, cuda or auto")->capture_default_str();
  app.add_option("--mode",
                 options.mode,
                 "exact (float32), native or fast (integer products); default exact");
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

std::unique_ptr<Backend> open_backend(const ModelOptions& options) {
  if (options.backend != "cpu" && options.backend != "cuda" && options.backend != "auto") {
    throw fail(Code::kUsage,
               "--backend: unknown \"{}\"{}",
               options.backend,
               suggestion(options.backend, {"cpu", "cuda", "auto"}));
  }
  if (options.backend != "cpu") {
    const std::string absence = cuda_absence();
    if (absence.empty()) return open_cuda_backend(options);
    if (options.backend == "cuda") {
      throw fail(Code::kDevice,
                 "--backend cuda: found {}, need a build with CUDA and a GPU. Use --backend cpu",
                 absence);
    }
    talk(fmt::format("backend: cpu ({})", absence));
  }
  CpuOptions cpu;
  cpu.threads = options.threads;
  cpu.mode = mode_of(options.mode);
  return make_cpu_backend(cpu);
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
  opened.backend = open_backend(options);
  opened.checkpoint = Checkpoint::open(options.model);
  // What is not supported ends here.
  const Descriptor descriptor = describe(family_of(*opened.checkpoint), *opened.checkpoint);
  if (!descriptor.left_aside.empty())
    talk(fmt::format("{}: tensors under {} are left aside: the model reads text alone",
                     options.model,
                     fmt::join(descriptor.left_aside, ", ")));
  opened.tokenizer = tokenizer_of(*opened.checkpoint, use);
  opened.chat = open_chat(*opened.checkpoint, opened.tokenizer, options.chat_template);
  LocalModelParts parts;
  parts.checkpoint = opened.checkpoint;
  parts.tokenizer = opened.tokenizer;
  parts.chat = opened.chat;
  parts.backend = opened.backend.get();
  parts.options.step_rows = options.step_rows;
  parts.options.context_length = options.context;
  parts.options.live_sequences = options.live;
  parts.name = std::filesystem::path(options.model).filename().string();
  if (parts.name.empty())
    parts.name = std::filesystem::path(options.model).parent_path().filename().string();
  opened.model = LocalModel::create(std::move(parts));
  opened.load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return opened;
}

}  // namespace keju
