// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

namespace keju {

struct CudaOptions {
  int device = 0;
  // false: native, the checkpoint's 16-bit type with float32 sums (float32 checkpoints stay
  // float32; block types are expanded to BF16, when they are loaded or on their way into the tensor
  // cores: see CudaPlan).
  // true: exact, float32 throughout, TF32 never.
  bool exact = false;
  // Whether the launches of a decode step are captured as a graph and then repeated as one. Changes
  // no bit.
  bool graphs = true;
};

// Why `--backend cuda` cannot run in this build on this machine, "" if it can.
std::string cuda_absence();

// Cards of this machine; 0 where cuda_absence() says why.
int cuda_device_count();

// Kinds of card ("sm_90") for which a report of scripts/gpu_check.sh that ended well lies under
// reports/gpu/. What has run on no card is not chosen unasked: `--backend auto` takes the CPU on
// any other.
inline constexpr std::array<std::string_view, 0> kConfirmedCards{};

// Errors: Error(kDevice) with cuda_absence()'s line, or what the card answered; Error(kUsage) for
// a device that is not there.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options);

// -- the plan of a card's memory, made before a model is loaded ---------------------------------

// A backend on which nothing is computed. Load a model on it and run its largest steps, and it has
// counted what they take on a card. Memory that it hands out must not be touched.
std::unique_ptr<Backend> make_cuda_count(const CudaOptions& options);

// A card, and the count of what it is to hold.
struct CudaShare {
  Backend* card = nullptr;
  const Backend* count = nullptr;
};

struct CudaWish {
  int64_t least_pages = 0;   // of keys and values, without which there is no work
  int64_t useful_pages = 0;  // beyond these they would lie idle
  bool keep_stored = false;  // block types as the file has them, whatever there is room for
};

struct CudaPlan {
  int64_t pages = 0;  // that every card has room for
  bool any_blocks = false;
  // Block types stand on the cards as BF16, for faster products; else, where that would not fit, as
  // the file has them. Part of the numeric mode: the two add up in different orders.
  bool expanded = false;
  std::vector<std::string> said;  // a line for each card
};

// Decides, and tells the cards. Errors: Error(kDevice) with what is free and what is needed.
CudaPlan plan_cuda(std::span<const CudaShare> shares, const CudaWish& wish);

}  // namespace keju
