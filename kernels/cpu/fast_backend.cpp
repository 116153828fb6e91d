// SPDX-License-Identifier: MIT
#include "kernels/cpu/fast_backend.h"

#include <algorithm>

#include "kernels/cpu/panel_layout.h"

namespace keju {
namespace {

bool has_codes(const Matrix& w) { return panel_layout(w.dtype).unit > 0; }

int64_t blocks_of_rows(int64_t rows) { return (rows + kFastRows - 1) / kFastRows; }
int64_t code_bytes(int64_t rows, int64_t k) { return blocks_of_rows(rows) * (k / 32) * kFastStep; }

}  // namespace

FastBackend::FastBackend(int threads,
                         BackendFacts facts,
                         const CpuKernels& kernels,
                         const FastKernels& fast)
    : LanesBackend(threads, std::move(facts), kernels), fast_(fast) {}

const std::byte* FastBackend::quantise(Rows x, DType dtype, int64_t group) {
  const int64_t whole = code_bytes(group, x.width);
  const int64_t groups = (x.count + group - 1) / group;
  std::byte* const codes = codes_.bytes(groups * whole);
  for (int64_t g = 0; g < groups; ++g) {
    const float* const from = x.data + g * group * x.stride;
    const int64_t rows = std::min(group, x.count - g * group);
    std::byte* const to = codes + g * whole;
    const int64_t grain = grain_for(2 * kFastRows * x.width);
    in_parallel(blocks_of_rows(rows), grain, [&](int64_t begin, int64_t end, int) {
      fast_.quantise(from, x.stride, rows, x.width, dtype, begin, end, to);
    });
  }
  return codes;
}

void FastBackend::linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  if (!has_codes(w)) return LanesBackend::linear(x, w, bias, accumulate, out);
  if (x.count == 0) return;
  LinearArgs args = linear_args(w, x.count, bias, accumulate, out);
  args.packed = reinterpret_cast<const float*>(quantise(x, w.dtype, x.count));
  const int64_t panels = packed(w).panels();
  if (x.count <= kFastDirectRows) {
    in_groups(panels, kPanel * w.cols / 4, [&](int64_t begin, int64_t end) {
      fast_.direct(args, begin, end);
    });
    return;
  }
  constexpr int64_t kRowsPerPass = 192;  // codes are half of floats
  const int64_t blocks = blocks_of_rows(x.count);
  const int64_t passes = (x.count + kRowsPerPass - 1) / kRowsPerPass;
  in_pieces(panels, passes, 6, 4, [&](int64_t pass, int64_t begin, int64_t end, int worker) {
    std::byte* const scratch = worker_scratch(worker).bytes(fast_.scratch_bytes);
    const int64_t from = blocks * pass / passes;
    fast_.tiles(args, from, blocks * (pass + 1) / passes, begin, end, scratch);
  });
}

void FastBackend::prepare_head(Rows x, const Matrix& w) {
  if (!has_codes(w)) return LanesBackend::prepare_head(x, w);
  head_codes_ = quantise(x, w.dtype, kHeadRows);
}

void FastBackend::head_tile(Rows x,
                            const Matrix& w,
                            const HeadSpec& spec,
                            int64_t row0,
                            int64_t rows,
                            int64_t begin,
                            int64_t end,
                            float* out,
                            int64_t stride,
                            int worker) {
  if (!has_codes(w)) {
    return LanesBackend::head_tile(x, w, spec, row0, rows, begin, end, out, stride, worker);
  }
  LinearArgs args = head_args(w, spec, rows, begin, end, out, stride);
  const std::byte* const codes = head_codes_ + row0 / kHeadRows * code_bytes(kHeadRows, x.width);
  args.packed = reinterpret_cast<const float*>(codes);
  const int64_t last_panel = (end + kPanel - 1) / kPanel;
  if (rows <= kFastDirectRows) {
    fast_.direct(args, begin / kPanel, last_panel);
  } else {
    std::byte* const scratch = worker_scratch(worker).bytes(fast_.scratch_bytes);
    fast_.tiles(args, 0, blocks_of_rows(rows), begin / kPanel, last_panel, scratch);
  }
  finish_logits(spec, rows, end - begin, out, stride);
}

}  // namespace keju
