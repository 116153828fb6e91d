// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/local_model.h"
#include "kernels/backend.h"
#include "lm/language_model.h"
#include "text/tokenizer.h"
#include "weights/checkpoint.h"

namespace keju {

// The options that every command with a model shares.
struct ModelOptions {
  std::string model;
  std::string backend = "auto";
  std::string mode;  // "": exact on the CPU
  int threads = 0;
  int64_t step_rows = 512;
  int64_t context = 0;
  int64_t live = 16;
  std::vector<int> devices;       // of CUDA; empty: the first
  std::string spread = "copies";  // how several share the work: copies or layers
  std::string blocks = "auto";    // block types on a card: stored, or auto
  std::string graphs = "on";      // decode steps on a card as CUDA graphs: on or off
  std::string chat_template;      // a file, or "builtin:NAME"; "": the checkpoint's own
};

enum class Need { kModel, kOptionalModel };
void add_model_options(CLI::App& app,
                       ModelOptions& options,
                       Need need = Need::kModel,
                       const std::string& name = "--model,-m");

// A model with what it stands on, in the order of their lives.
struct OpenedModel {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;      // null if the checkpoint has none
  std::shared_ptr<const ChatRenderer> chat;        // null if there is no template
  std::vector<std::unique_ptr<Backend>> backends;  // at least one
  std::unique_ptr<LocalModel> model;
  double load_s = 0;
  // Resident memory before the weights were read and when all was loaded.
  int64_t resident_before_weights = 0, resident_after_load = 0;
};

enum class TokenizerUse { kRequired, kOptional };

// Errors: those of Checkpoint::open, tokenizers, make_cpu_backend and Model::load. Says on standard
// error what "auto" chose.
OpenedModel open_model(const ModelOptions& options, TokenizerUse use = TokenizerUse::kRequired);

// One backend, or one for each of the devices asked for.
std::vector<std::unique_ptr<Backend>> open_backends(const ModelOptions& options);

// The tokenizer of a checkpoint, of a GGUF file or of a lone tokenizer file; null where there is
// none and `use` allows it.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& path, TokenizerUse use);

}  // namespace keju
