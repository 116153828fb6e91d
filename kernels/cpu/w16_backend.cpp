// SPDX-License-Identifier: MIT
#include "kernels/cpu/w16_backend.h"

#include <algorithm>

namespace keju {

W16Backend::W16Backend(int threads,
                       BackendFacts facts,
                       const CpuKernels& kernels,
                       const W16Kernels& w16)
    : LanesBackend(threads, std::move(facts), kernels), w16_(w16) {}

std::unique_ptr<Matrix> W16Backend::make_matrix(const MatrixSource& source) {
  auto matrix = pack_matrix(source, w16_panel_extra(source.cols));
  const LinearArgs args = args_of(*matrix);
  in_parallel(matrix->panels(), 1, [&](int64_t panel, int64_t, int) {
    std::byte* const end = matrix->data.data() + (panel + 1) * matrix->one_panel;
    w16_.measure(args, panel, reinterpret_cast<float*>(end - w16_panel_extra(source.cols)));
  });
  return matrix;
}

const std::byte* W16Backend::quantise(Rows x, int64_t group) {
  const int64_t whole = w16_bytes(group, x.width);
  const int64_t groups = (x.count + group - 1) / group;
  std::byte* const codes = codes_.bytes(groups * whole);
  for (int64_t g = 0; g < groups; ++g) {
    const float* const from = x.data + g * group * x.stride;
    const int64_t rows = std::min(group, x.count - g * group);
    std::byte* const to = codes + g * whole;
    const int64_t grain = grain_for(2 * kW16Rows * x.width);
    in_parallel(w16_blocks(rows), grain, [&](int64_t begin, int64_t end, int) {
      w16_.quantise(from, x.stride, rows, x.width, begin, end, to);
    });
  }
  return codes;
}

void W16Backend::linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) {
  if (x.count == 0) return;
  LinearArgs args = linear_args(w, x.count, bias, accumulate, out);
  args.packed = reinterpret_cast<const float*>(quantise(x, x.count));
  // The codes of one group of k are what a pass reads again and again.
  const int64_t steps = std::min(w16_steps(w.cols), kW16GroupSteps);
  const int64_t per_pass = rows_per_pass(steps * 2 * kW16Step) / kW16Rows;
  const int64_t blocks = w16_blocks(x.count);
  const int64_t passes = (blocks + per_pass - 1) / per_pass;
  const int64_t panels = packed(w).panels();
  in_pieces(panels, passes, 16, 8, [&](int64_t pass, int64_t begin, int64_t end, int worker) {
    const int64_t from = blocks * pass / passes;
    const int64_t to = blocks * (pass + 1) / passes;
    std::byte* const scratch = worker_scratch(worker).bytes(w16_.scratch_bytes(to - from));
    w16_.tiles(args, from, to, begin, end, scratch);
  });
}

void W16Backend::prepare_head(Rows x, const Matrix&) { head_codes_ = quantise(x, kHeadRows); }

void W16Backend::head_tile(Rows x,
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
  const std::byte* const codes = head_codes_ + row0 / kHeadRows * w16_bytes(kHeadRows, x.width);
  args.packed = reinterpret_cast<const float*>(codes);
  std::byte* const scratch = worker_scratch(worker).bytes(w16_.scratch_bytes(w16_blocks(rows)));
  w16_.tiles(args, 0, w16_blocks(rows), begin / kPanel, (end + kPanel - 1) / kPanel, scratch);
  finish_logits(spec, rows, end - begin, out, stride);
}

}  // namespace keju
