// SPDX-License-Identifier: MIT
#include "kernels/cpu/bf16_backend.h"

#include <algorithm>

namespace keju {

Bf16Backend::Bf16Backend(int threads,
                         BackendFacts facts,
                         const CpuKernels& kernels,
                         const Bf16Kernels& bf16)
    : LanesBackend(threads, std::move(facts), kernels), bf16_(bf16) {}

const std::byte* Bf16Backend::split_rows(Rows x) {
  const int64_t stride = bf16_stride(x.width);
  std::byte* const parts = split_.bytes(x.count * stride);
  in_parallel(x.count, grain_for(x.width / 4), [&](int64_t begin, int64_t end, int) {
    bf16_.split_rows(
        x.data + begin * x.stride, x.stride, end - begin, x.width, parts + begin * stride);
  });
  return parts;
}

void Bf16Backend::linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  if (x.count == 0) return;
  LinearArgs args = linear_args(w, x.count, bias, accumulate, out);
  args.packed = reinterpret_cast<const float*>(split_rows(x));
  // Passes end at whole blocks of tiles.
  constexpr int64_t kBlock = 32;
  const int64_t run_bytes = std::min(bf16_groups(w.cols), kBf16Run) * 128;
  const int64_t per_pass = rows_per_pass(run_bytes) / kBlock * kBlock;
  const int64_t passes = (x.count + per_pass - 1) / per_pass;
  const int64_t panels = packed(w).panels();
  in_pieces(panels, passes, 16, 8, [&](int64_t pass, int64_t begin, int64_t end, int worker) {
    std::byte* const scratch = worker_scratch(worker).bytes(bf16_.scratch_bytes);
    const int64_t row_end = std::min(x.count, (pass + 1) * per_pass);
    bf16_.tiles(args, pass * per_pass, row_end, begin, end, scratch);
  });
}

void Bf16Backend::prepare_head(Rows x, const Matrix&) { head_rows_ = split_rows(x); }

void Bf16Backend::head_tile(Rows x,
                            const Matrix& w,
                            const HeadSpec& spec,
                            int64_t row0,
                            int64_t rows,
                            int64_t begin,
                            int64_t end,
                            float* out,
                            int64_t stride,
                            int worker) {
  LinearArgs args = head_args(w, spec, rows, begin, end, out, stride);
  args.packed = reinterpret_cast<const float*>(head_rows_ + row0 * bf16_stride(x.width));
  std::byte* const scratch = worker_scratch(worker).bytes(bf16_.scratch_bytes);
  bf16_.tiles(args, 0, rows, begin / kPanel, (end + kPanel - 1) / kPanel, scratch);
  finish_logits(spec, rows, end - begin, out, stride);
}

}  // namespace keju
